"""The NetworkPolicies for the operator, judged by the API's own rules: who gets in, what it reaches.

No network enforces them here. What is looked at is what they say, by a reading of the parts of the API that they use
(networking.k8s.io/v1: policies add up, and a pod that one selects is closed to what none of them lets through).
"""

import ipaddress
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
POLICIES = list(yaml.safe_load_all((MANIFESTS / "network" / "policies.yaml").read_text(encoding="utf-8")))
(CONTAINER,) = yaml.safe_load((MANIFESTS / "base" / "deployment.yaml").read_text(encoding="utf-8"))["spec"]["template"][
    "spec"
]["containers"]
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
OPERATOR, OTHER = {"app.kubernetes.io/name": "certward"}, {"app": "somebody"}


class Way(NamedTuple):
    """A connection from or to a pod: who is at the other end, and the port of whoever is connected to."""

    direction: str
    pod: dict[str, str]
    port: int
    namespace: str = ""
    address: str = "198.51.100.7"
    protocol: str = "TCP"


def is_open(way: Way, policies: list[Any]) -> bool:
    selecting = [
        each["spec"]
        for each in policies
        if way.direction in each["spec"]["policyTypes"] and selects(each["spec"]["podSelector"], way.pod)
    ]
    key, peers = ("ingress", "from") if way.direction == "Ingress" else ("egress", "to")
    rules = [rule for spec in selecting for rule in spec.get(key, ())]
    return not selecting or any(
        ("ports" not in rule or any(is_port(port, way) for port in rule["ports"]))
        and (peers not in rule or any(is_peer(peer, way) for peer in rule[peers]))
        for rule in rules
    )


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    expressions = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in expressions)
    return wanted and all(labels.get(each["key"]) in each["values"] for each in expressions)


def is_port(port: dict[str, Any], way: Way) -> bool:
    number = PORTS[port["port"]] if isinstance(port["port"], str) else port["port"]
    return (number, port.get("protocol", "TCP")) == (way.port, way.protocol)


def is_peer(peer: dict[str, Any], way: Way) -> bool:
    if "namespaceSelector" in peer:
        assert peer.keys() == {"namespaceSelector"}
        return bool(way.namespace) and selects(
            peer["namespaceSelector"], {"kubernetes.io/metadata.name": way.namespace}
        )
    block, address = peer["ipBlock"], ipaddress.ip_address(way.address)
    networks = [ipaddress.ip_network(cidr) for cidr in (block["cidr"], *block.get("except", ()))]
    return address in networks[0] and not any(address in each for each in networks[1:])


OPEN = {
    "Traefik asks for an answer": Way("Ingress", OPERATOR, 8089, "traefik"),
    "ingress-nginx asks for an answer": Way("Ingress", OPERATOR, 8089, "ingress-nginx"),
    "Contour's Envoy asks for an answer": Way("Ingress", OPERATOR, 8089, "projectcontour"),
    "Envoy Gateway's Envoy asks for an answer": Way("Ingress", OPERATOR, 8089, "envoy-gateway-system"),
    "Prometheus scrapes": Way("Ingress", OPERATOR, 8080, "monitoring"),
    "a name is looked up": Way("Egress", OPERATOR, 53, "kube-system", protocol="UDP"),
    "a long answer of the DNS": Way("Egress", OPERATOR, 53, "kube-system"),
    "an update of a zone": Way("Egress", OPERATOR, 53, address="198.51.100.53"),
    "the API server": Way("Egress", OPERATOR, 6443, address="10.0.0.1"),
    "the API server at its other port": Way("Egress", OPERATOR, 443, address="10.0.0.1"),
    "a CA": Way("Egress", OPERATOR, 443),
    "the challenge path as from outside": Way("Egress", OPERATOR, 80),
    "by IPv6": Way("Egress", OPERATOR, 80, address="2001:db8::1"),
    "a handshake with a pod of Traefik's": Way("Egress", OPERATOR, 8443, "traefik", "10.1.0.9"),
    "a handshake with a pod of Envoy Gateway's": Way("Egress", OPERATOR, 10443, "envoy-gateway-system", "10.1.0.9"),
}
CLOSED = {
    "a tenant asks for an answer": Way("Ingress", OPERATOR, 8089, "team-a"),
    "somebody outside asks for one": Way("Ingress", OPERATOR, 8089),
    "a tenant reads the metrics": Way("Ingress", OPERATOR, 8080, "team-a"),
    "an ingress controller reads the metrics": Way("Ingress", OPERATOR, 8080, "traefik"),
    "Prometheus asks for an answer": Way("Ingress", OPERATOR, 8089, "monitoring"),
    "a port that nothing should listen at": Way("Ingress", OPERATOR, 22, "traefik"),
    "whatever else runs beside it, in": Way("Ingress", OTHER, 80, "certward-system"),
    "whatever else runs beside it, out": Way("Egress", OTHER, 443),
    "a database of a tenant's": Way("Egress", OPERATOR, 5432, "team-a", "10.1.2.3"),
    "a pod of a tenant's": Way("Egress", OPERATOR, 8080, "team-a", "10.1.2.3"),
    "the machine's metadata": Way("Egress", OPERATOR, 80, address="169.254.169.254"),
    "the kubelet": Way("Egress", OPERATOR, 10250, address="10.0.0.5"),
    "SMTP": Way("Egress", OPERATOR, 25),
}


@pytest.mark.parametrize("way", OPEN.values(), ids=OPEN)
def test_what_the_operator_needs_is_open(way: Way) -> None:
    assert is_open(way, POLICIES)


@pytest.mark.parametrize("way", CLOSED.values(), ids=CLOSED)
def test_all_else_is_closed(way: Way) -> None:
    assert not is_open(way, POLICIES)
    assert is_open(way, []), "without policies everything is open"


RULES = [
    (policy, key, number)
    for policy, each in enumerate(POLICIES)
    for key in ("ingress", "egress")
    for number in range(len(each["spec"].get(key, ())))
]


@pytest.mark.parametrize(("policy", "key", "number"), RULES)
def test_no_rule_is_there_for_nothing(policy: int, key: str, number: int) -> None:
    fewer = deepcopy(POLICIES)
    del fewer[policy]["spec"][key][number]
    assert not all(is_open(way, fewer) for way in OPEN.values())


@pytest.mark.parametrize("policy", range(len(POLICIES)))
def test_no_policy_is_there_for_nothing(policy: int) -> None:
    """Without it something is open that should not be, or closed that should be open."""
    fewer = POLICIES[:policy] + POLICIES[policy + 1 :]
    assert [is_open(way, fewer) for way in (*OPEN.values(), *CLOSED.values())] != [True] * len(OPEN) + [False] * len(
        CLOSED
    )


def test_they_are_about_the_operators_pod() -> None:
    template = yaml.safe_load((MANIFESTS / "base" / "deployment.yaml").read_text(encoding="utf-8"))["spec"]["template"]
    assert OPERATOR.items() <= template["metadata"]["labels"].items()
    assert {port["port"] for rule in POLICIES[1]["spec"]["ingress"] for port in rule["ports"]} == set(PORTS)
