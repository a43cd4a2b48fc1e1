"""The kinds of route that somebody may send a hostname's requests elsewhere with, and where each names its hosts.

One table, for the watches, the full LIST and the tests of the operator's rights. Only exact hostnames matter: of a
wildcard and an exact name every ingress controller takes the exact one, so a foreign wildcard takes no requests from
the hosts beneath it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_Spec = Mapping[str, Any]

#: The matchers of Traefik's rules that list hostnames; HostHeader is Traefik 2's other name for Host. `!Host` names
#: the hosts that a route is not for.
_HOST_MATCHER = re.compile(r"(!\s*)?\b(?:Host|HostHeader|HostSNI)\s*\(([^()]*)\)", re.IGNORECASE)
#: Strings of the rule language: Go's.
_QUOTED = re.compile(r'`([^`]*)`|"([^"]*)"')


def hosts_of(kind: str, body: Mapping[str, Any]) -> frozenset[str]:
    """The hostnames that a route names, in lower case.

    Args:
        kind: a key of ROUTE_KINDS.
        body: the object; its schema is not ours, so nothing of it is relied on.
    """
    spec = body.get("spec")
    named = ROUTE_KINDS[kind](spec) if isinstance(spec, Mapping) else ()
    return frozenset(host.lower().rstrip(".") for host in named if isinstance(host, str) and host)


def _of_ingress(spec: _Spec) -> Iterator[object]:
    yield from (rule.get("host") for rule in _objects(spec.get("rules")))
    for entry in _objects(spec.get("tls")):
        yield from _items(entry.get("hosts"))


def _of_ingress_route(spec: _Spec) -> Iterator[object]:
    for route in _objects(spec.get("routes")):
        for negation, arguments in _HOST_MATCHER.findall(str(route.get("match") or "")):
            if not negation:
                yield from (raw or quoted for raw, quoted in _QUOTED.findall(arguments))


def _of_http_proxy(spec: _Spec) -> Iterator[object]:
    virtual_host = spec.get("virtualhost")
    if isinstance(virtual_host, Mapping):
        yield virtual_host.get("fqdn")


def _of_gateway_route(spec: _Spec) -> Iterator[object]:
    yield from _items(spec.get("hostnames"))


def _of_listeners(spec: _Spec) -> Iterator[object]:
    yield from (listener.get("hostname") for listener in _objects(spec.get("listeners")))


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _objects(value: object) -> Iterator[_Spec]:
    yield from (item for item in _items(value) if isinstance(item, Mapping))


#: kind, a key of kinds.KINDS -> the hostnames in its spec, which may be anything.
ROUTE_KINDS: Mapping[str, Callable[[_Spec], Iterable[object]]] = {
    "Ingress": _of_ingress,
    "IngressRoute": _of_ingress_route,
    "IngressRouteTCP": _of_ingress_route,
    "HTTPProxy": _of_http_proxy,
    "HTTPRoute": _of_gateway_route,
    "ListenerSet": _of_listeners,
    "Gateway": _of_listeners,
}
