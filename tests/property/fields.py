"""Every field that may stand in a rendered object, with what it may say for one host; all others are violations."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE
from certward.render.dialects import Host
from property.admission import is_range
from property.names import digest

Rule = Callable[[Host, Any], bool]

_HSTS = re.compile(r"max-age=-?[0-9]{1,10}(; includeSubDomains)?(; preload)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def exactly(*values: Any) -> Rule:
    return lambda _, found: any(found == value and type(found) is type(value) for value in values)


def like(pattern: str) -> Rule:
    return lambda _, found: isinstance(found, str) and re.fullmatch(pattern, found) is not None


def _services(host: Host) -> set[str]:
    return {service.name for service in host.app.services} | {CHALLENGE_SERVICE}


def _ports(host: Host) -> set[object]:
    return {service.port for service in host.app.services} | {host.challenge_port}


def _paths(host: Host) -> set[str]:
    told = {route.path for route in host.app.paths} | {"/"}
    return told | {path.rstrip("/") for path in told} | {f"{path.rstrip('/')}/" for path in told} | {CHALLENGE_PATH}


def _in(of: Callable[[Host], Any]) -> Rule:
    return lambda host, found: found in of(host)


def _secret(host: Host, found: Any) -> bool:
    """The one that its routes name, which is in the namespace of its Domain; the platform's where that is told."""
    return bool(found) and found == host.routes.secret_name


def _contour_secret(host: Host, found: Any) -> bool:
    of_platform = host.platform and f"{host.platform.meta.namespace}/{host.routes.secret_name}"
    return bool(found == of_platform) if host.platform else _secret(host, found)


def _gateway(host: Host, found: Any) -> bool:
    """Where a route or a listener attaches: the operator's Gateway, the platform's namespace for its listener."""
    gateway = host.gateway
    listener = [host.platform.meta.namespace] if host.platform else []
    return gateway is not None and found in [gateway.namespace, *listener]


def _parent(host: Host, found: Any) -> bool:
    listener = host.platform or host.domain
    return host.gateway is not None and found in (host.gateway.name, f"certward-{listener.object_name}-envoy-https")


def _own(suffix: str) -> Rule:
    return lambda host, found: (
        re.fullmatch(f"certward-{re.escape(host.domain.object_name)}-{suffix}", found) is not None
    )


def is_own_range(host: Host, found: Any) -> bool:
    return found in host.app.trusted_ranges and is_range(found)


def is_own_hostname(host: Host, found: Any) -> bool:
    return bool(found == host.domain.hostname)


def _class(host: Host, found: Any) -> bool:
    return bool(found == host.class_name)


def _any_number(_: Host, found: Any) -> bool:
    return isinstance(found, int)


_flag = exactly(True, False)
_name = like(_NAME.pattern)

_INGRESS: Mapping[str, Rule] = {
    "spec.ingressClassName": _class,
    "spec.rules[].host": is_own_hostname,
    "spec.rules[].http.paths[].path": _in(_paths),
    "spec.rules[].http.paths[].pathType": exactly("Prefix", "ImplementationSpecific"),
    "spec.rules[].http.paths[].backend.service.name": _in(_services),
    "spec.rules[].http.paths[].backend.service.port.name": _in(_ports),
    "spec.rules[].http.paths[].backend.service.port.number": _in(_ports),
    "spec.tls[].hosts[]": is_own_hostname,
    "spec.tls[].secretName": lambda host, found: not host.platform and _secret(host, found),
}
_ROUTE: Mapping[str, Rule] = {
    "spec.hostnames[]": is_own_hostname,
    "spec.parentRefs[].group": exactly("gateway.networking.k8s.io"),
    "spec.parentRefs[].kind": exactly("Gateway", "ListenerSet"),
    "spec.parentRefs[].namespace": _gateway,
    "spec.parentRefs[].name": _parent,
    "spec.parentRefs[].port": _any_number,
    "spec.parentRefs[].sectionName": exactly("https"),
    "spec.rules[].name": exactly("challenge"),
    "spec.rules[].matches[].path.type": exactly("PathPrefix"),
    "spec.rules[].matches[].path.value": _in(_paths),
    "spec.rules[].backendRefs[].name": _in(_services),
    "spec.rules[].backendRefs[].port": _in(_ports),
    "spec.rules[].filters[].type": exactly("RequestRedirect", "ResponseHeaderModifier"),
    "spec.rules[].filters[].requestRedirect.scheme": exactly("https"),
    "spec.rules[].filters[].requestRedirect.statusCode": exactly(301),
    "spec.rules[].filters[].responseHeaderModifier.set[].name": exactly("Strict-Transport-Security"),
    "spec.rules[].filters[].responseHeaderModifier.set[].value": like(_HSTS.pattern),
}
_PROXY: Mapping[str, Rule] = {
    "spec.ingressClassName": _class,
    "spec.virtualhost.fqdn": is_own_hostname,
    "spec.virtualhost.tls.secretName": _contour_secret,
    "spec.virtualhost.tls.minimumProtocolVersion": exactly("1.2", "1.3"),
    "spec.virtualhost.tls.maximumProtocolVersion": exactly("1.2", "1.3"),
    "spec.routes[].conditions[].exact": _in(_paths),
    "spec.routes[].conditions[].prefix": _in(_paths),
    "spec.routes[].conditions[].header.name": exactly("X-Forwarded-Proto"),
    "spec.routes[].conditions[].header.exact": exactly("https"),
    "spec.routes[].services[].name": _in(_services),
    "spec.routes[].services[].port": _in(_ports),
    "spec.routes[].permitInsecure": _flag,
    "spec.routes[].enableWebsockets": exactly(True),
    "spec.routes[].ipAllowPolicy[].source": exactly("Remote"),
    "spec.routes[].ipAllowPolicy[].cidr": is_own_range,
    "spec.routes[].responseHeadersPolicy.set[].name": exactly("Strict-Transport-Security"),
    "spec.routes[].responseHeadersPolicy.set[].value": like(_HSTS.pattern),
}
_TARGET: Mapping[str, Rule] = {
    "spec.targetRefs[].group": exactly("gateway.networking.k8s.io"),
    "spec.targetRefs[].kind": exactly("ListenerSet", "HTTPRoute"),
    "spec.targetRefs[].name": _own("envoy-(http|https)"),
    "spec.targetRefs[].sectionName": exactly("https", "challenge"),
}
FIELDS: Mapping[str, Mapping[str, Rule]] = {
    "Ingress": _INGRESS,
    "HTTPRoute": _ROUTE,
    "HTTPProxy": _PROXY,
    "ListenerSet": {
        "spec.parentRef.namespace": _gateway,
        "spec.parentRef.name": _parent,
        "spec.listeners[].name": exactly("https"),
        "spec.listeners[].hostname": is_own_hostname,
        "spec.listeners[].port": _any_number,
        "spec.listeners[].protocol": exactly("HTTPS"),
        "spec.listeners[].tls.mode": exactly("Terminate"),
        "spec.listeners[].tls.certificateRefs[].name": _secret,
        "spec.listeners[].allowedRoutes.namespaces.from": exactly("Same"),
    },
    "ClientTrafficPolicy": {
        **_TARGET,
        "spec.tls.minVersion": like(r"1\.[0-3]"),
        "spec.tls.maxVersion": like(r"1\.[0-3]"),
        "spec.tls.ciphers[]": _name,
        "spec.tls.ecdhCurves[]": _name,
    },
    "SecurityPolicy": {
        **_TARGET,
        "spec.mergeType": exactly("StrategicMerge"),
        "spec.authorization.defaultAction": exactly("Allow", "Deny"),
        "spec.authorization.rules[].name": exactly("trusted"),
        "spec.authorization.rules[].action": exactly("Allow"),
        "spec.authorization.rules[].principal.clientCIDRs[]": is_own_range,
    },
    "TLSOption": {
        "spec.minVersion": like(r"VersionTLS1[0-3]"),
        "spec.maxVersion": like(r"VersionTLS1[0-3]"),
        "spec.cipherSuites[]": _name,
        "spec.curvePreferences[]": _name,
    },
    "Middleware": {
        "spec.chain.middlewares[].name": lambda host, found: (
            found in ["certward-redirect", *(f"certward-{role}-{digest(host.app)}" for role in ("ranges", "hsts"))]
        ),
        "spec.redirectScheme.scheme": exactly("https"),
        "spec.redirectScheme.permanent": exactly(True),
        "spec.ipAllowList.sourceRange[]": is_own_range,
        "spec.headers.stsSeconds": _any_number,
        "spec.headers.stsIncludeSubdomains": _flag,
        "spec.headers.stsPreload": _flag,
    },
    "Secret": {
        "type": exactly("kubernetes.io/tls", "Opaque"),
        "data.tls.crt": exactly("Y2hhaW4="),
        "data.tls.key": exactly("a2V5"),
    },
    "Service": {
        "spec.ports[].name": exactly("http01"),
        "spec.ports[].protocol": exactly("TCP"),
        "spec.ports[].port": lambda host, found: found == host.challenge_port,
        "spec.ports[].targetPort": lambda host, found: found == host.challenge_port,
    },
    "EndpointSlice": {
        "addressType": exactly("IPv4", "IPv6"),
        "ports[].name": exactly("http01"),
        "ports[].protocol": exactly("TCP"),
        "ports[].port": lambda host, found: found == host.challenge_port,
        "endpoints[].addresses[]": exactly("192.0.2.7", "2001:db8::7"),
        "endpoints[].conditions.ready": exactly(True),
    },
}


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value with the way to it; nothing for what is empty."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from leaves(each, f"{at}.{name}" if at else name)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, f"{at}[]")
    else:
        yield at, value
