"""Which hosts the routes of others name, and who names a host."""

from typing import Any

import pytest

from certward.kube.foreign import ForeignRoutes
from certward.kube.kinds import KINDS
from certward.kube.routes import ROUTE_KINDS, hosts_of
from certward.names import LABEL_MANAGED_BY, MANAGED_BY


def rules(*rules: str) -> dict[str, Any]:
    return {"routes": [{"kind": "Rule", "match": rule} for rule in rules]}


HOSTS = {
    "Ingress rules and TLS": (
        "Ingress",
        {"rules": [{"host": "A.example.com"}, {"http": {}}], "tls": [{"hosts": ["b.example.com"]}, {}]},
        {"a.example.com", "b.example.com"},
    ),
    "Traefik 3": (
        "IngressRoute",
        rules("(Host(`a.example.com`) || Host(`B.example.com`)) && PathPrefix(`/x`)", 'Host("c.example.com.")'),
        {"a.example.com", "b.example.com", "c.example.com"},
    ),
    "Traefik 2": (
        "IngressRoute",
        rules('Host(`a.example.com`, "b.example.com") && Headers(`X`, `y`)', "HostHeader( `c.example.com` )"),
        {"a.example.com", "b.example.com", "c.example.com"},
    ),
    "matchers in other cases": (
        "IngressRoute",
        rules("host(`a.example.com`)||HOST(`b.example.com`)"),
        {"a.example.com", "b.example.com"},
    ),
    "expressions and others' arguments": (
        "IngressRoute",
        rules("HostRegexp(`a.example.com`) || Path(`b.example.com`) || ! Host(`c.example.com`)"),
        set(),
    ),
    "a rule that is none": (
        "IngressRoute",
        {"routes": [{"match": "Host(`a.example.com"}, {"match": None}, {}, "x"]},
        set(),
    ),
    "SNI": ("IngressRouteTCP", rules("HostSNI(`a.example.com`) && ALPN(`h2`)"), {"a.example.com"}),
    "Contour": ("HTTPProxy", {"virtualhost": {"fqdn": "a.example.com"}, "routes": []}, {"a.example.com"}),
    "Contour, included from elsewhere": ("HTTPProxy", {"routes": []}, set()),
    "HTTPRoute": ("HTTPRoute", {"hostnames": ["a.example.com", "*.example.com"]}, {"a.example.com", "*.example.com"}),
    "HTTPRoute for any host": ("HTTPRoute", {"rules": []}, set()),
    "Gateway": ("Gateway", {"listeners": [{"hostname": "a.example.com"}, {"port": 80}]}, {"a.example.com"}),
    "ListenerSet": ("ListenerSet", {"listeners": [{"hostname": "a.example.com"}]}, {"a.example.com"}),
}


@pytest.mark.parametrize(("kind", "spec", "expected"), HOSTS.values(), ids=HOSTS)
def test_hosts(kind, spec, expected):
    assert hosts_of(kind, {"spec": spec}) == expected


@pytest.mark.parametrize("kind", ROUTE_KINDS)
@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"rules": "x", "tls": 1, "routes": {"match": 1}, "virtualhost": "x", "hostnames": "x", "listeners": 7},
        {"rules": [1], "tls": ["x"], "routes": [{"match": 1}], "virtualhost": {"fqdn": 1}, "hostnames": [1, ""]},
        {"rules": [{"host": []}], "tls": [{"hosts": "x"}], "listeners": [{"hostname": {}}]},
    ],
    ids=["none", "a list", "other types", "other types within", "deeper"],
)
def test_a_body_of_any_shape_is_read(kind, spec):
    assert hosts_of(kind, {"spec": spec}) == set()


def test_every_kind_has_its_place_in_the_api():
    assert set(ROUTE_KINDS) <= set(KINDS)


def ingress(name: str, *hosts: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "b", "name": name, "labels": labels},
        "spec": {"rules": [{"host": host} for host in hosts]},
    }


def proxy(name: str, host: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "b", "name": name}, "spec": {"virtualhost": {"fqdn": host}}}


def test_a_route_is_known_by_its_kind_too():
    routes = ForeignRoutes()
    assert routes.put("Ingress", ingress("same", "x.example")) == {"x.example"}
    assert routes.put("HTTPProxy", proxy("same", "x.example")) == {"x.example"}
    assert routes.of("x.example", ROUTE_KINDS) == ("HTTPProxy b/same", "Ingress b/same")
    assert routes.drop("Ingress", "b", "same") == {"x.example"}
    assert routes.of("x.example", ROUTE_KINDS) == ("HTTPProxy b/same",)


def test_only_hosts_that_come_or_go_have_changed():
    routes = ForeignRoutes()
    routes.put("Ingress", ingress("one", "x.example", "y.example"))
    assert routes.put("Ingress", ingress("one", "x.example", "y.example")) == set()
    assert routes.put("Ingress", ingress("one", "y.example", "z.example")) == {"x.example", "z.example"}
    assert routes.drop("Ingress", "b", "never there") == set()


def test_a_full_list_speaks_for_its_kind_only():
    routes = ForeignRoutes()
    routes.put("Ingress", ingress("gone", "x.example"))
    routes.put("HTTPProxy", proxy("stays", "x.example"))
    changed = routes.replace_all("Ingress", iter([ingress("new", "y.example")]))
    assert changed == {"x.example", "y.example"}
    assert routes.of("x.example", ROUTE_KINDS) == ("HTTPProxy b/stays",)
    assert routes.of("y.example", ROUTE_KINDS) == ("Ingress b/new",)


def test_what_becomes_ours_is_forgotten():
    routes = ForeignRoutes()
    routes.put("Ingress", ingress("one", "x.example"))
    assert routes.put("Ingress", ingress("one", "x.example", **{LABEL_MANAGED_BY: MANAGED_BY})) == {"x.example"}
    assert routes.of("x.example", ROUTE_KINDS) == ()
