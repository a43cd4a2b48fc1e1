"""Envoy Gateway: HTTPRoutes, and for HTTPS a listener of the host's own with a ClientTrafficPolicy for its TLS.

Plain HTTP attaches to the Gateway itself, by port: a listener of the host's own there would be one more write, and make
Envoy Gateway refuse a ClientTrafficPolicy that an administrator has for that listener (all plain HTTP of a port is one
listener to Envoy). HTTPS is a ListenerSet in the Domain's namespace, which becomes a filter chain of its own, with its
own TLS settings and its own routes: no host is reachable over the handshake of another one.

What Envoy Gateway can enforce per host (1.9 with Envoy 1.40, BoringSSL): versions, fourteen of the suites for TLS 1.2
and below and their order, groups. What it cannot: the TLS 1.3 suites. A suite that it does not know makes it serve its
own defaults instead of the policy, and a group that Envoy does not know freezes every host of the port, so both are cut
to what is known here.
"""

from collections.abc import Sequence

from certward.errors import Blocked
from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.resources import Domain, ServiceRef
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect, GatewayRef, Host, ObjectRef, Rendered
from certward.render.gateway_status import complaint
from certward.render.ingress import app_routes
from certward.render.manifests import Manifest, domain_meta

_GATEWAY_GROUP = "gateway.networking.k8s.io"
_GATEWAY_API = f"{_GATEWAY_GROUP}/v1"
_ENVOY_API = "gateway.envoyproxy.io/v1alpha1"
_VERSIONS = {"TLSv1.0": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}
#: By the names that Envoy knows, which are ours.
_GROUPS = frozenset({"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"})
_SUITES = frozenset(
    {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
    }
)
#: How many rules an HTTPRoute may have.
_MOST_RULES = 16
_LISTENER = "https"
_CHALLENGE_RULE = "challenge"
_PLAIN, _SECURE, _RANGES, _CHALLENGE = "http", "https", "ranges", "challenge"


class EnvoyGateway(Dialect):
    """The dialect of Envoy Gateway 1.9 and later, which is the first with policies for ListenerSets."""

    name = "envoy-gateway"
    capabilities = Capabilities(
        engine="Envoy Gateway",
        versions=frozenset(_VERSIONS),
        suites=_SUITES,
        groups=_GROUPS,
        orders_suites=True,
        sets_tls13_suites=False,
        foreign_route="is answered instead of the App's where it is older or its path is longer",
        version="1.9",
        source="its API types and sources (internal/gatewayapi, internal/xds) and those of the Gateway API 1.6",
        tried="All of it, on Envoy Gateway 1.9.1 with Envoy 1.40.0: every profile of every revision on one port.",
    )
    kinds = ("HTTPRoute", "ListenerSet", "ClientTrafficPolicy", "SecurityPolicy")
    controllers = ("gateway.envoyproxy.io/gatewayclass-controller",)
    reads = ("HTTPRoute", "ListenerSet")
    knows_port_names = False

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname.

        Raises:
            Blocked: no Gateway is known, or the App's Services cannot be said in an HTTPRoute.
        """
        if host.gateway is None:
            raise Blocked(
                "GatewayUnknown",
                f"Class {host.class_name} has no Gateway to attach to; the administrator has to name one in the "
                "configuration.",
            )
        # What keeps others out comes first, and a listener last of what belongs to it: nothing is ever served without.
        own = [_ranges(host)] if host.app.trusted_ranges else []
        own += [_open_challenge(host.domain)] if host.app.trusted_ranges and host.routes.challenge else []
        limits = {manifest["metadata"]["name"] for manifest in own}
        unwanted = [ref for ref in _limit_refs(host.domain) if ref.name not in limits]
        if host.platform and host.routes.secret_name:
            own.append(_secure(host))  # the platform's listener is there already, with the platform's settings
        elif host.routes.secret_name and host.routes.profile is not None:
            own += [_tls_policy(host.domain, host.routes.profile), _secure(host), _listener(host, host.gateway)]
        elif not host.routes.secret_name:
            unwanted += _secure_refs(host.domain)
        own.append(_plain(host, host.gateway))
        return Rendered(shared=(), own=tuple(own), unwanted=tuple(unwanted))

    def reports(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """All of them."""
        return self.all_of(domain)

    def complaint(self, objects: Sequence[Manifest]) -> str:
        """What Envoy Gateway does not accept, as one sentence.

        Programmed is left out: it is False as long as the Gateway has no address, which is not the host's matter.
        """
        return complaint(objects, self.controllers, "Envoy Gateway")

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain; routes go before what limits them."""
        routes = (*_secure_refs(domain), _ref("HTTPRoute", domain, _PLAIN))
        return (*routes, *_limit_refs(domain))


def _name(domain: Domain, role: str) -> str:
    return f"certward-{domain.object_name}-envoy-{role}"


def _ref(kind: str, domain: Domain, role: str) -> ObjectRef:
    return ObjectRef(kind, domain.meta.namespace, _name(domain, role))


def _secure_refs(domain: Domain) -> list[ObjectRef]:
    """What HTTPS is made of; the listener goes before its policy, so that it never runs on defaults."""
    return [_ref(kind, domain, _SECURE) for kind in ("ListenerSet", "HTTPRoute", "ClientTrafficPolicy")]


def _limit_refs(domain: Domain) -> list[ObjectRef]:
    return [_ref("SecurityPolicy", domain, role) for role in (_RANGES, _CHALLENGE)]


def _object(api: str, kind: str, domain: Domain, role: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": domain_meta(domain, _name(domain, role)), "spec": spec}


def _listener(host: Host, gateway: GatewayRef) -> Manifest:
    listener = {
        "name": _LISTENER,
        "hostname": host.domain.hostname,
        "port": gateway.https_port,
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": host.routes.secret_name}]},
        # The platform's hosts are those of Apps in all namespaces.
        "allowedRoutes": {"namespaces": {"from": "All" if host.is_platform else "Same"}},
    }
    spec = {"parentRef": {"namespace": gateway.namespace, "name": gateway.name}, "listeners": [listener]}
    return _object(_GATEWAY_API, "ListenerSet", host.domain, _SECURE, spec)


def _tls_policy(domain: Domain, profile: Profile) -> Manifest:
    lowest = profile.min_version
    suites = [suite for suite in profile.suites if suite in _SUITES]
    if not suites and profile.max_version == "TLSv1.3":
        lowest = "TLSv1.3"  # without any, Envoy would offer its own below
    tls: Manifest = {"minVersion": _VERSIONS[lowest], "maxVersion": _VERSIONS[profile.max_version]}
    if lowest != "TLSv1.3":
        tls["ciphers"] = suites
    tls["ecdhCurves"] = [group for group in profile.groups if group in _GROUPS]
    target = {"group": _GATEWAY_GROUP, "kind": "ListenerSet", "name": _name(domain, _SECURE), "sectionName": _LISTENER}
    return _object(_ENVOY_API, "ClientTrafficPolicy", domain, _SECURE, {"targetRefs": [target], "tls": tls})


def _secure(host: Host) -> Manifest:
    listener = host.platform or host.domain
    parent = {"group": _GATEWAY_GROUP, "kind": "ListenerSet", "name": _name(listener, _SECURE)}
    if host.platform:
        parent["namespace"] = listener.meta.namespace
    parent["sectionName"] = _LISTENER
    filters = [_header(host.routes.hsts)] if host.routes.hsts else []
    return _route(host, _SECURE, parent, _app_rules(host, filters))


def _plain(host: Host, gateway: GatewayRef) -> Manifest:
    parent = {"group": _GATEWAY_GROUP, "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name}
    rules = []
    if host.routes.challenge:
        service = ServiceRef(CHALLENGE_SERVICE, host.challenge_port)
        rules.append({"name": _CHALLENGE_RULE, **_rule([CHALLENGE_PATH], service, [])})
    if host.routes.redirect:
        redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
        rules.append({"matches": [_match("/")], "filters": [redirect]})
    else:
        rules += _app_rules(host, [])
    return _route(host, _PLAIN, {**parent, "port": gateway.http_port}, rules)


def _route(host: Host, role: str, parent: Manifest, rules: list[Manifest]) -> Manifest:
    if len(rules) > _MOST_RULES:
        raise Blocked(
            "TooManyServices",
            f"An HTTPRoute has at most {_MOST_RULES} rules, one for each Service; use fewer Services in spec.paths.",
        )
    spec = {"parentRefs": [parent], "hostnames": [host.domain.hostname], "rules": rules}
    return _object(_GATEWAY_API, "HTTPRoute", host.domain, role, spec)


def _app_rules(host: Host, filters: list[Manifest]) -> list[Manifest]:
    """One rule for each Service, with all the paths that lead to it."""
    paths: dict[ServiceRef, list[str]] = {}
    for prefix, service in app_routes(host.app):
        paths.setdefault(service, []).append(prefix)
    return [_rule(prefixes, service, filters) for service, prefixes in paths.items()]


def _rule(prefixes: Sequence[str], service: ServiceRef, filters: list[Manifest]) -> Manifest:
    if not isinstance(service.port, int):
        raise Blocked(
            "ServicePortNotFound",
            f"Service {service.name} has no port that is named {service.port}; correct the port in the App.",
        )
    backend = {"name": service.name, "port": service.port}
    # Filters are said even where there are none: what is in a list cannot be told to be left over from before.
    return {"matches": [_match(prefix) for prefix in prefixes], "filters": filters, "backendRefs": [backend]}


def _match(prefix: str) -> Manifest:
    return {"path": {"type": "PathPrefix", "value": prefix}}


def _header(hsts: HSTS) -> Manifest:
    flags = [("includeSubDomains", hsts.include_subdomains), ("preload", hsts.preload)]
    value = "; ".join([f"max-age={hsts.max_age}", *(flag for flag, is_set in flags if is_set)])
    header = {"name": "Strict-Transport-Security", "value": value}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header]}}


def _ranges(host: Host) -> Manifest:
    """Both routes, as wholes: a rule that is added later is not open for a moment."""
    allowed = {"name": "trusted", "action": "Allow", "principal": {"clientCIDRs": list(host.app.trusted_ranges)}}
    spec = {
        "targetRefs": [_target(host.domain, _PLAIN), _target(host.domain, _SECURE)],
        # With what an administrator asks for on the Gateway (authentication, say), and not in its place.
        "mergeType": "StrategicMerge",
        "authorization": {"defaultAction": "Deny", "rules": [allowed]},
    }
    return _object(_ENVOY_API, "SecurityPolicy", host.domain, _RANGES, spec)


def _open_challenge(domain: Domain) -> Manifest:
    """A rule's own policy goes before that of its route."""
    spec = {
        "targetRefs": [{**_target(domain, _PLAIN), "sectionName": _CHALLENGE_RULE}],
        "authorization": {"defaultAction": "Allow"},
    }
    return _object(_ENVOY_API, "SecurityPolicy", domain, _CHALLENGE, spec)


def _target(domain: Domain, role: str) -> Manifest:
    return {"group": _GATEWAY_GROUP, "kind": "HTTPRoute", "name": _name(domain, role)}
