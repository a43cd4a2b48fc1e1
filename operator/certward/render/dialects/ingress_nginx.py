"""ingress-nginx (kubernetes/ingress-nginx): three Ingresses for a host, of which each has its own annotations.

The controller makes one nginx server of all Ingresses for a host (internal/ingress/controller/controller.go). What its
annotations say of redirect and ranges holds for the paths of the one Ingress. Suites and certificate are the server's:
they come from the first Ingress that names any, the oldest one first. So the challenge path is in an Ingress of its
own, and the host's TLS settings are in a third one, which has no paths: they can stay as they are while the routes
change, and the redirect does not hang on them. No two of them have the same path, which the admission webhook refuses.

Of a profile only the suites can be told per host, but those reach far: versions below TLS 1.3 are served only where
some suite of the list can be used with them. What is cluster-wide: `ingress_nginx_settings`.
"""

import re
from collections.abc import Sequence

from certward.model.policy import HSTS
from certward.model.profiles import Profile, versions
from certward.model.resources import Domain, ServiceRef
from certward.model.suites import SUITES
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect, Host, ObjectRef, Rendered
from certward.render.dialects.ingress_nginx_settings import HOST_SUITES, cluster_settings, compare, suites_of
from certward.render.ingress import app_routes, challenge_path, ingress, path
from certward.render.manifests import Manifest

_PREFIX = "nginx.ingress.kubernetes.io"
_CHALLENGE, _APP, _TLS = "challenge", "app", "tls"
#: Suites that OpenSSL knows and that no handshake can end with, because nginx has no pre-shared keys. A list without
#: any suite that it knows, or with TLS 1.3 suites alone, makes nginx refuse its whole configuration.
_NO_SUITES = ("PSK-AES128-GCM-SHA256", "DHE-PSK-AES128-GCM-SHA256")
#: OpenSSL 3 has TLS 1.0 and 1.1 at this level of security only.
_LEVEL_ZERO = "@SECLEVEL=0"
#: Later revisions leave the choice among their suites to the client (Mozilla's guidelines 6.0).
_LAST_ORDERED_REVISION = "2018-06"
_EVERYONE = "0.0.0.0/0,::/0"
#: What the controller takes in a path of type Prefix (strict-validate-path-type, on by default since 1.12); others have
#: to be of type ImplementationSpecific, which it then takes for a Prefix as well.
_STRICT_PATH = re.compile(r"/[A-Za-z0-9_/-]*")
#: What a path may have so that it can stand in nginx.conf as it is, even as a regular expression, which all paths of a
#: host become when anybody's Ingress for it says use-regex. `;` or a parenthesis would break the whole configuration,
#: and a percent-encoding would match nothing, because nginx compares paths decoded.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_/.~!&,:=@-]*")


class IngressNginx(Dialect):
    """The dialect of ingress-nginx 1.12 to 1.15, of which no more releases come."""

    name = "ingress-nginx"
    capabilities = Capabilities(
        engine="ingress-nginx",
        versions=frozenset(),
        suites=HOST_SUITES,
        groups=frozenset(),
        orders_suites=True,
        sets_tls13_suites=False,
        foreign_route="sets the host's suites and certificate if it is older and names any, and can take paths",
        sends_hsts=False,
        cluster_wide=(
            "The protocol versions, the groups, the TLS 1.3 suites and HSTS are the same for all hosts of "
            "ingress-nginx: ssl-protocols, ssl-ecdh-curve and hsts (on by default, with includeSubDomains) in its "
            "ConfigMap."
        ),
        version="1.15.1 (nginx 1.27.1)",
        source="its documentation (annotations, ConfigMap) and sources (controller.go, nginx.tmpl, lua_ingress.lua)",
        tried=(
            "Not the controller, whose image needs Lua modules; the nginx.conf that it would write, on nginx 1.31.3 "
            "with OpenSSL 3.3: every profile of every revision side by side on one port."
        ),
    )
    kinds = ("Ingress",)
    controllers = ("k8s.io/ingress-nginx",)
    #: internal/ingress/controller/util.go, upstreamName: of two upstreams of a name the one of the older Ingress.
    joins_backends = True
    #: Where its manifests and its Helm chart put it by default.
    cluster_settings = ObjectRef("ConfigMap", "ingress-nginx", "ingress-nginx-controller")

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname."""
        own: list[Manifest] = []
        unwanted: list[ObjectRef] = []
        if host.routes.challenge:
            own.append(_challenge(host))
        else:
            unwanted.append(_ref(host.domain, _CHALLENGE))
        if host.routes.secret_name and host.routes.profile is not None:
            own.append(_tls(host, host.routes.profile))
        elif not host.routes.secret_name:
            unwanted.append(_ref(host.domain, _TLS))
        own.append(_app(host))  # the redirect comes after what it leads to
        return Rendered(shared=(), own=tuple(own), unwanted=tuple(unwanted))

    def advice(self, settings: Manifest, profile: Profile, hsts: HSTS | None, *, is_restricted: bool) -> str:
        """What its ConfigMap gives the host, and which keys would have to be set to what."""
        read = cluster_settings(settings.get("data") or {})
        return " ".join(compare(read, profile, hsts, is_restricted=is_restricted))

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        return tuple(_ref(domain, role) for role in (_APP, _CHALLENGE, _TLS))


def _name(domain: Domain, role: str) -> str:
    """An Ingress's name; it ends unlike those of all other dialects, and the controller keys nothing by it."""
    return f"certward-{domain.object_name}-{role}-{IngressNginx.name}"


def _ref(domain: Domain, role: str) -> ObjectRef:
    return ObjectRef("Ingress", domain.meta.namespace, _name(domain, role))


def _ingress(
    host: Host, role: str, annotations: dict[str, str], paths: list[Manifest], tls: Sequence[Manifest] = ()
) -> Manifest:
    named = {f"{_PREFIX}/{key}": value for key, value in annotations.items()}
    return ingress(host.domain, _name(host.domain, role), host.class_name, paths, annotations=named, tls=tls)


def _redirect(wanted: bool) -> dict[str, str]:
    """Both switches, since either one's default is the administrator's to choose."""
    value = "true" if wanted else "false"
    return {"ssl-redirect": value, "force-ssl-redirect": value}


def _challenge(host: Host) -> Manifest:
    """The challenge path, open whatever the ConfigMap's defaults for redirect and ranges are.

    A path of type Prefix must not have a dot in it. The type ImplementationSpecific means the same to the controller
    (SetDefaultNGINXPathType), once it has checked the path.
    """
    annotations = _redirect(wanted=False) | {"whitelist-source-range": _EVERYONE}
    route = challenge_path(host.challenge_port) | {"pathType": "ImplementationSpecific"}
    return _ingress(host, _CHALLENGE, annotations, [route])


def _app(host: Host) -> Manifest:
    annotations = _redirect(wanted=host.routes.redirect)
    if host.app.trusted_ranges:
        annotations["whitelist-source-range"] = ",".join(host.app.trusted_ranges)
    paths = [found for prefix, service in app_routes(host.app) if (found := _app_path(prefix, service))]
    return _ingress(host, _APP, annotations, paths)


def _app_path(prefix: str, service: ServiceRef) -> Manifest | None:
    """One of the App's paths; None for one that nginx cannot be given, which is left to the main Service."""
    if _STRICT_PATH.fullmatch(prefix):
        return path(prefix, service)
    if _PLAIN_PATH.fullmatch(prefix):
        return path(prefix, service) | {"pathType": "ImplementationSpecific"}
    return None


def _tls(host: Host, profile: Profile) -> Manifest:
    """The host's certificate and suites: an Ingress with a rule for the host and no path."""
    ciphers = [SUITES[suite].openssl for suite in suites_of(profile)] or [*_NO_SUITES]
    if "TLSv1.1" in versions(profile):
        ciphers.append(_LEVEL_ZERO)
    annotations = {
        "ssl-ciphers": ":".join(ciphers),
        "ssl-prefer-server-ciphers": "true" if profile.revision <= _LAST_ORDERED_REVISION else "false",
    }
    manifest = _ingress(host, _TLS, annotations, [], host.tls)
    manifest["spec"]["rules"] = [{"host": host.domain.hostname}]
    return manifest
