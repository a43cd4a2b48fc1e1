"""Contour 1.33: one HTTPProxy for a host, and an Ingress for its challenge path.

Contour makes one virtual host of both. The challenge is no route of the HTTPProxy, because Contour drops an HTTPProxy
as a whole when it finds something wrong with it, such as a Secret that is not there, and a second one of the same host;
and because its setting disablePermitInsecure would have it redirect the challenge. The HTTPProxy has no settings for
all of its virtual host (such as an allow list there), since these would act on the Ingress's path, too.

What Contour can be told per host: the least and the highest protocol version, 1.2 or 1.3. For any other value it
takes its default and calls the object valid, so none is ever written.
"""

from collections.abc import Sequence

from certward.errors import Blocked
from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.resources import App, Domain, ServiceRef
from certward.names import PLATFORM
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect, Host, ObjectRef, Rendered
from certward.render.ingress import app_routes, challenge_path, ingress
from certward.render.manifests import Manifest, domain_meta

_API = "projectcontour.io/v1"
#: The condition that a request came by HTTPS. Envoy sets this header itself, whatever the client has sent.
_OVER_TLS: Manifest = {"header": {"name": "X-Forwarded-Proto", "exact": "https"}}


class Contour(Dialect):
    """The dialect of Contour 1.33."""

    name = "contour"
    capabilities = Capabilities(
        engine="Contour",
        versions=frozenset({"TLSv1.2", "TLSv1.3"}),
        suites=frozenset(),
        groups=frozenset(),
        orders_suites=False,
        sets_tls13_suites=False,
        foreign_route="makes Contour serve neither where it is another HTTPProxy",
        cluster_wide=(
            "The administrator can choose the suites for TLS 1.2 of all hosts by tls.cipher-suites in Contour's "
            "configuration file, or spec.envoy.listener.tls.cipherSuites of its ContourConfiguration; there is no "
            "setting for groups, and none for TLS 1.0 and 1.1."
        ),
        version="1.33",
        source="its sources (internal/dag, internal/annotation, internal/envoy/v3) and its API reference",
        tried=(
            "Versions, redirect, allow list, header, challenge path and wildcards, on Contour 1.33.8 with Envoy 1.40.0."
        ),
    )
    knows_port_names = False
    kinds = ("HTTPProxy", "Ingress", "TLSCertificateDelegation")
    reads = ("Ingress", "HTTPProxy", "HTTPRoute")
    #: Contour reads no IngressClass; these are what its users and packagers write there.
    controllers = (
        "projectcontour.io/ingress-controller",
        "projectcontour.io/contour",
        "projectcontour.io/projectcontour/*",
    )

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname.

        Raises:
            Blocked: the App names a Service's port by its name, which Contour does not know.
        """
        own: list[Manifest] = []
        unwanted: list[ObjectRef] = []
        if host.routes.challenge:
            path = challenge_path(host.challenge_port)
            own.append(ingress(host.domain, _name(host.domain), host.class_name, [path]))
        else:
            unwanted.append(_ref("Ingress", host.domain))
        if host.routes.profile is not None or not host.routes.secret_name:
            own.append(_proxy(host))
        if host.is_platform and host.routes.secret_name:
            own.append(_delegation(host))
        return Rendered(shared=(), own=tuple(own), unwanted=tuple(unwanted))

    def reports(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """The HTTPProxy."""
        return (_ref("HTTPProxy", domain),)

    def complaint(self, objects: Sequence[Manifest]) -> str:
        """What makes an HTTPProxy invalid, as Contour puts it."""
        found: list[str] = []
        for each in objects:
            for condition in (each.get("status") or {}).get("conditions") or ():
                is_of_now = condition.get("observedGeneration") == each["metadata"].get("generation")
                if condition.get("type") != "Valid" or condition.get("status") != "False" or not is_of_now:
                    continue
                errors = condition.get("errors") or (condition,)
                found += [error["message"].rstrip(".") for error in errors if error.get("message")]
        return f"Contour says: {'; '.join(dict.fromkeys(found))}." if found else ""

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        own = (_ref("Ingress", domain), _ref("HTTPProxy", domain))
        return (*own, _ref("TLSCertificateDelegation", domain)) if domain.meta.name == PLATFORM else own


def _name(domain: Domain) -> str:
    return f"certward-{domain.object_name}-contour"


def _ref(kind: str, domain: Domain) -> ObjectRef:
    return ObjectRef(kind, domain.meta.namespace, _name(domain))


def _proxy(host: Host) -> Manifest:
    virtual_host: Manifest = {"fqdn": host.domain.hostname}
    if host.routes.secret_name and host.routes.profile is not None:
        secret = host.routes.secret_name
        if host.platform:
            secret = f"{host.platform.meta.namespace}/{secret}"
        virtual_host["tls"] = {"secretName": secret, **_protocols(host.routes.profile)}
    return {
        "apiVersion": _API,
        "kind": "HTTPProxy",
        "metadata": domain_meta(host.domain, _name(host.domain)),
        "spec": {
            "ingressClassName": host.class_name,
            "virtualhost": virtual_host,
            "routes": _routes(host),
        },
    }


def _delegation(host: Host) -> Manifest:
    """Lets Contour serve the platform's certificate for hosts of all namespaces; who reads the Secret is RBAC's."""
    delegated = {"secretName": host.routes.secret_name, "targetNamespaces": ["*"]}
    return {
        "apiVersion": _API,
        "kind": "TLSCertificateDelegation",
        "metadata": domain_meta(host.domain, _name(host.domain)),
        "spec": {"delegations": [delegated]},
    }


def _protocols(profile: Profile) -> Manifest:
    """The profile's versions as far as Contour has them; the nearest one where it has none of them."""
    return {
        "minimumProtocolVersion": "1.3" if profile.min_version == "TLSv1.3" else "1.2",
        "maximumProtocolVersion": "1.3" if profile.max_version == "TLSv1.3" else "1.2",
    }


def _routes(host: Host) -> list[Manifest]:
    """The App's routes: for a path its own and one for all beneath, since Contour's prefixes end within a segment.

    Where the header is sent and plain HTTP is not redirected, each is there twice, as the header is for TLS only (RFC
    6797, section 7.2) and a route is for both.
    """
    hsts, routes = host.routes.hsts if host.routes.secret_name else None, []
    for prefix, service in app_routes(host.app):
        path = prefix.rstrip("/")
        for kind, text in (("exact", path), ("prefix", f"{path}/")) if path else (("prefix", "/"),):
            if hsts and not host.routes.redirect:
                routes += [
                    _route(host, service, {kind: text}),
                    _route(host, service, {kind: text}, _OVER_TLS, hsts=hsts),
                ]
            else:
                routes.append(_route(host, service, {kind: text}, hsts=hsts))
    return routes


def _route(host: Host, service: ServiceRef, *conditions: Manifest, hsts: HSTS | None = None) -> Manifest:
    """A route. Its lists are there even when they are empty: a field that is just left out would not be taken away."""
    ranges = host.app.trusted_ranges
    return {
        "conditions": [dict(condition) for condition in conditions],
        "services": [{"name": service.name, "port": _port(host.app, service)}],
        "permitInsecure": not host.routes.redirect,
        # Every other ingress lets connections be upgraded without being told to.
        "enableWebsockets": True,
        # Remote is the client, also behind a load balancer that Contour has been told to trust.
        "ipAllowPolicy": [{"source": "Remote", "cidr": cidr} for cidr in ranges],
        "responseHeadersPolicy": {"set": [_header(hsts)] if hsts else []},
    }


def _header(hsts: HSTS) -> Manifest:
    """Strict-Transport-Security as RFC 6797, section 6.1, writes it."""
    flags = [("includeSubDomains", hsts.include_subdomains), ("preload", hsts.preload)]
    value = "; ".join([f"max-age={hsts.max_age}", *(flag for flag, is_set in flags if is_set)])
    return {"name": "Strict-Transport-Security", "value": value}


def _port(app: App, service: ServiceRef) -> int:
    if isinstance(service.port, int):
        return service.port
    raise Blocked(
        "ServicePortNotFound",
        f"Service {service.name} has no port that is named {service.port}; correct the port in App {app.meta.name}.",
    )
