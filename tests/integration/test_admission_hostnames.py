"""The admission policies for tenants: who may name which hostname by whatever kind, and whose objects are whose."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import domain as model_domain
from certward.config import Config, parse
from certward.kube.client import Client
from certward.runtime.claim_rules import ClaimRules
from certward.runtime.permitted import Permitted
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import admission_world, every_kind
from integration.admission_world import MANAGED, OPERATOR, Answer, Speaker, thing
from integration.rendering import Object

HOSTNAMES, LABEL = "certward-hostnames", "certward-managed"
DEFINITION = "CustomResourceDefinition hostnamerules.certward.dev"
OWNER = "owner-of-everything-in-its-namespace"
#: What the tenant may have and may not have in the world of these tests.
OURS, THEIRS = "www.example.com", "api.example.com"
REFUSED = "may not claim {}; ask the administrator for a rule in the hostnames of the configuration"
NO_HOST = "This names no hostname somewhere"
NO_RULE = "Each match has to begin by naming its hosts"

Build = Callable[[str, str], Object]


def rules(namespace: str) -> str:
    return yaml.safe_dump(
        {
            "platformDomain": {"suffix": "apps.example.net"},
            "hostnames": [
                {"pattern": OURS, "namespaces": [namespace]},
                {"pattern": "*.shop.example.com", "namespaces": ["team-b", namespace]},
                {"pattern": "old.shop.example.com", "namespaces": ["team-b"]},
                {"pattern": "*.example.com", "namespaces": ["team-b"]},
                {"pattern": "*.example.net", "namespaces": [namespace]},
                {"pattern": "nobodys.example.net", "namespaces": []},
            ],
            "hostnamesDefault": "deny",
        }
    )


def publish(cluster: Cluster, text: str) -> Config:
    """Have the rules of a configuration in force, as the operator does."""
    config = parse(text, Path())
    ClaimRules(config, Client(cluster.operator_api)).publish()
    return config


def ingress(namespace: str, host: str, name: str = "shop", **changes: Any) -> Object:
    return thing("Ingress", namespace, name, spec={"rules": [{"host": host}]}, **changes)


def domain(namespace: str, host: str) -> Object:
    return thing("Domain", namespace, "shop", spec={"hostname": host, "appRef": {"name": "nobody"}})


def route(kind: str, **spec: Any) -> Build:
    return lambda namespace, host: thing(
        kind, namespace, "shop", spec={"parentRefs": [{"name": "edge"}], "hostnames": [host], **spec}
    )


def listeners(kind: str, **spec: Any) -> Build:
    tls = {"mode": "Terminate", "certificateRefs": [{"name": "x"}]}
    return lambda namespace, host: thing(
        kind,
        namespace,
        "shop",
        spec={
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls} | _named(host)],
            **spec,
        },
    )


def _named(host: str) -> dict[str, str]:
    return {"hostname": host} if host else {}


def traefik(namespace: str, match: str, kind: str = "IngressRoute", **spec: Any) -> Object:
    routes = [{"match": match} | ({"kind": "Rule"} if kind == "IngressRoute" else {})]
    return thing(kind, namespace, "shop", spec={"routes": routes, **spec})


#: How each kind names a host.
KINDS: dict[str, Build] = {
    "Domain": domain,
    "Ingress": ingress,
    "Ingress by its certificate": lambda n, h: thing(
        "Ingress", n, "shop", spec={"rules": [{"host": OURS}], "tls": [{"hosts": [h]}]}
    ),
    "HTTPRoute": route("HTTPRoute"),
    "GRPCRoute": route("GRPCRoute"),
    "TLSRoute": route("TLSRoute", rules=[{"backendRefs": [{"name": "shop", "port": 443}]}]),
    "Gateway": listeners("Gateway", gatewayClassName="envoy"),
    "ListenerSet": listeners("ListenerSet", parentRef={"name": "edge"}),
    "IngressRoute": lambda n, h: traefik(n, f"Host(`{h}`)"),
    "IngressRoute by its certificate": lambda n, h: traefik(n, f"Host(`{OURS}`)", tls={"domains": [{"main": h}]}),
    "IngressRoute by a further name": lambda n, h: traefik(n, f"Host(`{OURS}`)", tls={"domains": [{"sans": [h]}]}),
    "IngressRouteTCP": lambda n, h: traefik(n, f"HostSNI(`{h}`)", "IngressRouteTCP"),
    "HTTPProxy": lambda n, h: thing("HTTPProxy", n, "shop", spec={"virtualhost": {"fqdn": h}}),
}


@dataclass(frozen=True)
class World:
    """A namespace, who may do everything in it and nothing beyond, and what was said before there were more kinds."""

    namespace: str
    owner: Speaker
    before: dict[str, Answer]


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    """The policies in force, first in the cluster as it is, then with the kinds of all controllers."""
    namespace = cluster.namespace("claims")
    cluster.kubectl("create", "rolebinding", "owner", "--clusterrole=cluster-admin", f"--user={OWNER}", "-n", namespace)
    owner = Speaker(cluster, OWNER)
    admission_world.put(cluster, admission_world.policies("hostnames")[DEFINITION])
    cluster.until_served("hostnamerules.certward.dev")
    publish(cluster, rules(namespace))
    probes = {HOSTNAMES: (owner, ingress(namespace, THEIRS)), LABEL: (owner, ingress(namespace, OURS, labels=MANAGED))}
    with admission_world.in_force(cluster, "hostnames", probes):
        before = {name: KINDS[name](namespace, OURS) for name in ("Domain", "Ingress")}
        said = {name: owner.create(each) for name, each in before.items()}
        with every_kind.known(cluster):
            yield World(namespace, owner, said)


@cache
def policies() -> dict[str, Object]:
    found = admission_world.policies("hostnames")
    return {name: found[f"{admission_world.POLICY} {name}"] for name in (HOSTNAMES, LABEL)}


def is_refused(answer: Answer, words: str, policy: str = HOSTNAMES) -> bool:
    return answer.is_refused_by(policy) and words in answer.words


@pytest.mark.usefixtures("world")
def test_the_type_checker_has_nothing_to_say(cluster: Cluster) -> None:
    for name in policies():
        assert admission_world.warnings(cluster, name) == []


def test_kinds_that_are_not_there_do_no_harm(world: World) -> None:
    assert {name: answer.words for name, answer in world.before.items()} == {"Domain": "", "Ingress": ""}


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS)
def test_each_kind_may_name_what_the_namespace_has_and_nothing_else(world: World, build: Build) -> None:
    assert world.owner.create(build(world.namespace, OURS)) == Answer(201, "")
    for host in (THEIRS, "x.apps.example.net", "example.com"):
        answer = world.owner.create(build(world.namespace, host))
        assert is_refused(answer, f"Namespace {world.namespace} {REFUSED.format(host)}"), answer


@pytest.mark.parametrize("kind", ["Ingress", "Gateway", "ListenerSet"])
def test_no_host_at_all_is_refused(world: World, kind: str) -> None:
    assert is_refused(world.owner.create(KINDS[kind](world.namespace, "")), NO_HOST)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_a_route_with_its_listeners_hosts_is_refused_unless_it_is_of_a_mesh(world: World, kind: str) -> None:
    bare = thing(kind, world.namespace, "shop", spec={"parentRefs": [{"name": "edge"}]})
    assert is_refused(world.owner.create(bare), NO_HOST)
    bare["spec"]["parentRefs"] = [{"group": "", "kind": "Service", "name": "shop"}]
    assert world.owner.create(bare).is_granted
    bare["spec"]["parentRefs"].append({"name": "edge"})
    assert is_refused(world.owner.create(bare), NO_HOST)


#: What an Ingress can say besides -> the words of the refusal, or none.
INGRESSES: dict[str, tuple[Object, str]] = {
    "a default backend": ({"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 1}}}}}, NO_HOST),
    "an alias": ({"meta": {"annotations": {"nginx.ingress.kubernetes.io/server-alias": THEIRS}}}, THEIRS),
    "one of two aliases": (
        {"meta": {"annotations": {"haproxy-ingress.github.io/server-alias": f"{OURS},{THEIRS}"}}},
        THEIRS,
    ),
    "its own alias": ({"meta": {"annotations": {"nginx.ingress.kubernetes.io/server-alias": OURS}}}, ""),
    "an alias by a pattern": (
        {"meta": {"annotations": {"haproxy-ingress.github.io/server-alias-regex": "^api"}}},
        NO_HOST,
    ),
    "an alias that is a pattern": (
        {"meta": {"annotations": {"nginx.ingress.kubernetes.io/server-alias": "~^api"}}},
        "~^api",
    ),
    "a redirect from": ({"meta": {"annotations": {"haproxy-ingress.github.io/redirect-from": THEIRS}}}, THEIRS),
    "a certificate of Traefik's": (
        {"meta": {"annotations": {"traefik.ingress.kubernetes.io/router.tls.domains.0.main": THEIRS}}},
        THEIRS,
    ),
    "the same, written otherwise": (
        {"meta": {"annotations": {"traefik.ingress.kubernetes.io/router.TLS.Domains.0.main": THEIRS}}},
        THEIRS,
    ),
    "a redirect from the name without www": (
        {"meta": {"annotations": {"nginx.ingress.kubernetes.io/from-to-www-redirect": "true"}}},
        "example.com",
    ),
    "another annotation": ({"meta": {"annotations": {"nginx.ingress.kubernetes.io/app-root": f"/{THEIRS}"}}}, ""),
    "nothing": ({"spec": {"ingressClassName": "traefik", "defaultBackend": None, "rules": [{"host": OURS}]}}, ""),
    "two hosts": ({"spec": {"rules": [{"host": OURS}, {"host": THEIRS}]}}, THEIRS),
}


@pytest.mark.parametrize(("changes", "words"), INGRESSES.values(), ids=INGRESSES)
def test_an_ingress_with(world: World, changes: Object, words: str) -> None:
    answer = world.owner.create({**ingress(world.namespace, OURS), **_merged(world.namespace, changes)})
    assert is_refused(answer, words) if words else answer.is_granted, answer


def _merged(namespace: str, changes: Object) -> Object:
    spec = {"spec": changes["spec"]} if "spec" in changes else {}
    return {"metadata": {"name": "shop", "namespace": namespace, **changes.get("meta", {})}, **spec}


#: Rules of Traefik's -> the words of the refusal, or none.
MATCHES = {
    f"Host(`{OURS}`)": "",
    f'Host("{OURS}")': "",
    f"  host( `{OURS.upper()}` )\n": "",
    f"Host(`{OURS}`) && PathPrefix(`/api`)": "",
    f"PathPrefix(`/api`) && Host(`{OURS}`)": "",
    f"(Host(`{OURS}`) || Host(`a.shop.example.com`)) && !(Path(`/a`) || Path(`/b`))": "",
    f"Host(`{OURS}`) && Path(`/a`) || Host(`a.shop.example.com`) && Path(`/b`)": "",
    f"(Host(`{OURS}`) && Path(`/a`)) || (Host(`a.shop.example.com`) && Method(`GET`))": "",
    f"Host(`{OURS}`) && HostRegexp(`.*`) && ClientIP(`10.0.0.0/8`, `10.1.0.0/16`)": "",
    f"Host(`{OURS}`) && PathRegexp(`^/(a|b)\\d+$`)": "",
    f"Host(`{OURS}`, `a.shop.example.com`)": "",
    f"Host(`{OURS}.`)": "",
    f"Host(`{OURS}`, `{THEIRS}`)": THEIRS,
    f"Host(`{OURS}`) || Host(`{THEIRS}`)": THEIRS,
    f"(Host(`{OURS}`) || Host(`{THEIRS}`)) && Path(`/a`)": THEIRS,
    f"PathPrefix(`/Host(`) && Host(`{THEIRS}`)": THEIRS,
    f'PathPrefix(`Host("{OURS}")`) && Host(`{THEIRS}`)': THEIRS,
    f"HostHeader(`{THEIRS}`)": THEIRS,
    "Host(`*.com`)": "*.com",
    "Host(``)": NO_HOST,
    "Host(`*`)": NO_HOST,
    f"Host(`{OURS}`) || PathPrefix(`/`)": NO_RULE,
    f"PathPrefix(`/`) || Host(`{OURS}`)": NO_RULE,
    f"!Host(`{OURS}`)": NO_RULE,
    f'PathPrefix(`Host("{OURS}")`)': NO_RULE,
    f"Host(`{OURS}`) && Path(`/a`) || Path(`/b`)": NO_RULE,
    f"(Host(`{OURS}`) || Path(`/a`)) && Path(`/b`)": NO_RULE,
    "HostRegexp(`^.+$`)": NO_RULE,
    "HostRegexp(`{sub:[a-z]+}.example.com`)": NO_RULE,
    "PathPrefix(`/.well-known/acme-challenge/`)": NO_RULE,
    'Host("\\x61pi.example.com")': NO_RULE,
    f"Host(`{OURS}`) // && Host(`x`)": NO_RULE,
    "": NO_RULE,
}


@pytest.mark.parametrize("match", MATCHES)
def test_a_rule_of_traefiks(world: World, match: str) -> None:
    answer = world.owner.create(traefik(world.namespace, match))
    words = MATCHES[match]
    assert is_refused(answer, words) if words else answer.is_granted, answer


def test_every_connection_by_tcp_is_more_than_a_tenant_may_have(world: World) -> None:
    assert is_refused(world.owner.create(traefik(world.namespace, "HostSNI(`*`)", "IngressRouteTCP")), NO_HOST)
    assert is_refused(world.owner.create(traefik(world.namespace, "ALPN(`h2`)", "IngressRouteTCP")), NO_RULE)


def test_listeners_for_other_protocols_name_no_host(world: World) -> None:
    gateway = KINDS["Gateway"](world.namespace, OURS)
    gateway["spec"]["listeners"].append({"name": "database", "port": 5432, "protocol": "TCP"})
    assert world.owner.create(gateway).is_granted


def test_a_proxy_that_others_include_names_no_host(world: World) -> None:
    service = {"name": "shop", "port": 80}
    child = thing("HTTPProxy", world.namespace, "shop", spec={"routes": [{"services": [service]}]})
    assert world.owner.create(child).is_granted


def hostnames(labels: str) -> list[str]:
    """All names of one to three of these labels below two domains, and the wildcards over them."""
    below = [".".join(each) for size in (1, 2, 3) for each in product(labels.split(), repeat=size)]
    return [f"{star}{name}.example.{top}" for name in below for top in ("com", "net") for star in ("", "*.")]


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_the_api_server_and_the_operator_judge_alike(cluster: Cluster, world: World, default: str) -> None:
    asked = hostnames("a shop apps")
    namespaces = ["team-b", world.namespace, "team-c"]
    config = publish(
        cluster,
        yaml.safe_dump(
            {
                "platformDomain": {"suffix": "apps.example.net"},
                "hostnames": [
                    {"pattern": pattern, "namespaces": namespaces[number % 3 : number % 4]}
                    for number, pattern in enumerate(asked[::3])
                    if not pattern.endswith("apps.example.net")
                ],
                "hostnamesDefault": default,
            }
        ),
    )
    permitted = Permitted(config, NAMESPACE)
    wanted = {host: permitted.may(model_domain("shop", world.namespace, hostname=host)) for host in asked}

    def judged() -> dict[str, bool]:
        return {host: world.owner.create(ingress(world.namespace, host)).is_granted for host in asked}

    try:
        cluster.wait_for(lambda: judged() == wanted, 30, "the same is said of each hostname")
        assert len(set(wanted.values())) == 2
        by_domain = {host: world.owner.create(domain(world.namespace, host)).is_granted for host in asked}
        assert by_domain == wanted
    finally:
        put_back(cluster, world)


def put_back(cluster: Cluster, world: World) -> None:
    """Have the rules again that the other tests go by."""
    publish(cluster, rules(world.namespace))
    hosts = (OURS, THEIRS, "a.shop.example.com", "old.shop.example.com", "x.example.net", "nobodys.example.net")

    def judged() -> list[bool]:
        return [world.owner.create(ingress(world.namespace, host)).is_granted for host in hosts]

    cluster.wait_for(lambda: judged() == [True, False, True, False, True, False], 30, "the rules are back")


def test_until_there_are_rules_all_is_let_in(cluster: Cluster, world: World) -> None:
    cluster.kubectl("delete", "hostnamerules", "certward")
    try:
        theirs = ingress(world.namespace, THEIRS)
        cluster.wait_for(lambda: world.owner.create(theirs).is_granted, 30, "the rules are gone")
    finally:
        put_back(cluster, world)


def test_many_hosts_and_rules_are_within_what_the_api_server_spends(cluster: Cluster, world: World) -> None:
    many = [f"{number}.shop.example.com" for number in range(200)]
    text = yaml.safe_load(rules(world.namespace))
    text["hostnames"] += [{"pattern": f"x{number}.example.org", "namespaces": ["team-b"]} for number in range(2000)]
    publish(cluster, yaml.safe_dump(text))
    try:
        cluster.wait_for(
            lambda: world.owner.create(ingress(world.namespace, OURS)).is_granted, 30, "the rules are known"
        )
        spec = {"rules": [{"host": host} for host in many], "tls": [{"hosts": many}]}
        assert world.owner.create(thing("Ingress", world.namespace, "many", spec=spec)) == Answer(201, "")
        routes = [{"kind": "Rule", "match": f"Host(`{host}`) && PathPrefix(`/api`)"} for host in many]
        assert world.owner.create(thing("IngressRoute", world.namespace, "many", spec={"routes": routes})).is_granted
        deep = ".".join(["a"] * 29)
        assert is_refused(world.owner.create(ingress(world.namespace, f"{deep}.shop.example.com")), "may not claim")
    finally:
        put_back(cluster, world)


def test_what_was_there_before_stays_until_it_is_changed(cluster: Cluster, world: World) -> None:
    admission_world.put(cluster, ingress(world.namespace, THEIRS, "old", meta={"finalizers": ["example.com/x"]}))
    old = ingress(world.namespace, THEIRS, "old")
    try:
        assert world.owner.merge(old, metadata={"labels": {"tier": "public"}}).is_granted
        assert world.owner.merge(old, metadata={"finalizers": None}).is_granted
        assert is_refused(world.owner.merge(old, spec={"ingressClassName": "traefik"}), THEIRS)
        assert world.owner.merge(old, spec={"rules": [{"host": OURS}]}).is_granted
        assert world.owner.delete(old).is_granted
    finally:
        Speaker(cluster, for_real=True).merge(old, metadata={"finalizers": None})


def test_who_is_not_kept_from_anything(cluster: Cluster, world: World) -> None:
    theirs, named = ingress(world.namespace, THEIRS), f"claims-{world.namespace}"
    deployer = Speaker(cluster, "deployer")
    cluster.kubectl("create", "rolebinding", "edit", "--clusterrole=edit", "--user=deployer", "-n", world.namespace)
    for speaker in (Speaker(cluster), Speaker(cluster, OPERATOR)):
        assert speaker.create(theirs).is_granted
        assert speaker.create(theirs | {"metadata": theirs["metadata"] | {"labels": MANAGED}}).is_granted
    role = "--clusterrole=certward-any-hostname"
    cluster.kubectl("create", "rolebinding", "any", role, "--user=deployer", "-n", world.namespace)
    assert is_refused(deployer.create(theirs), THEIRS), "the right counts only in the whole cluster"
    cluster.kubectl("create", "clusterrolebinding", named, role, "--user=deployer")
    try:
        cluster.wait_for(lambda: deployer.create(theirs).is_granted, 30, "the role lets it")
    finally:
        cluster.kubectl("delete", "clusterrolebinding", named)


@pytest.fixture(scope="module")
def made(cluster: Cluster, world: World) -> Object:
    """An Ingress of the operator's, with the Domain that it is of."""
    admission_world.put(cluster, domain(world.namespace, OURS))
    owner = Speaker(cluster).get(domain(world.namespace, OURS))
    reference = {name: owner["metadata"][name] for name in ("name", "uid")}
    of = {"ownerReferences": [{"apiVersion": "certward.dev/v1alpha1", "kind": "Domain", **reference}]}
    manifest = ingress(
        world.namespace, OURS, "certward-shop-https", labels=MANAGED, meta=of | {"finalizers": ["a.b/c"]}
    )
    admission_world.put(cluster, manifest)
    return manifest


#: What is done to an Ingress of the operator's.
EDITS: dict[str, Object] = {
    "its host": {"spec": {"rules": [{"host": "a.shop.example.com"}]}},
    "its class": {"spec": {"ingressClassName": "other"}},
    "an annotation": {"metadata": {"annotations": {"traefik.ingress.kubernetes.io/router.tls.options": "x"}}},
    "a label": {"metadata": {"labels": {"tier": "public"}}},
    "the label": {"metadata": {"labels": dict.fromkeys(MANAGED)}},
    "whose it is": {"metadata": {"ownerReferences": None}},
    "a finalizer, which would keep it": {"metadata": {"finalizers": ["a.b/c", "d.e/f"]}},
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_what_the_operator_has_made_is_not_edited(world: World, made: Object, change: Object) -> None:
    answer = world.owner.merge(made, **change)
    assert is_refused(answer, "change those, or the TLSPolicy, and it follows", LABEL), answer


def test_nobody_hides_behind_the_label(cluster: Cluster, world: World) -> None:
    for build in KINDS.values():
        one = build(world.namespace, OURS)
        if one["kind"] != "Domain":
            one["metadata"]["labels"] = dict(MANAGED)
            assert is_refused(world.owner.create(one), "take it off yours", LABEL), one
    admission_world.put(cluster, ingress(world.namespace, OURS, "own"))
    own = ingress(world.namespace, OURS, "own")
    assert is_refused(world.owner.merge(own, metadata={"labels": MANAGED}), "take it off yours", LABEL)
    helm = dict.fromkeys(MANAGED, "Helm")
    assert world.owner.merge(own, metadata={"labels": helm}).is_granted
    assert world.owner.create(thing("Service", world.namespace, "x", helm, spec={"ports": [{"port": 1}]})).is_granted
    slice_ = thing("EndpointSlice", world.namespace, "certward-challenge-x", MANAGED, addressType="IPv4", endpoints=[])
    assert is_refused(world.owner.create(slice_), "take it off yours", LABEL)
    admission_world.put(cluster, slice_)
    endpoints = [{"addresses": ["192.0.2.9"]}]
    assert is_refused(world.owner.merge(slice_, endpoints=endpoints), "and it follows", LABEL)


#: policy, which of its rules -> what is refused by this one alone
FORBIDDEN: dict[tuple[str, int], Callable[[World, Object], Answer]] = {
    (HOSTNAMES, 0): lambda w, _: w.owner.create(traefik(w.namespace, f"Host(`{OURS}`) || Path(`/`)")),
    (HOSTNAMES, 1): lambda w, _: w.owner.create(ingress(w.namespace, "")),
    (HOSTNAMES, 2): lambda w, _: w.owner.create(ingress(w.namespace, THEIRS)),
    (LABEL, 0): lambda w, _: w.owner.create(ingress(w.namespace, OURS, labels=MANAGED)),
    (LABEL, 1): lambda w, made: w.owner.merge(made, metadata={"labels": {"tier": "public"}}),
}


@pytest.mark.parametrize(("policy", "rule"), FORBIDDEN)
def test_without_a_rule_it_is_let_in(cluster: Cluster, world: World, made: Object, policy: str, rule: int) -> None:
    ask = FORBIDDEN[policy, rule]
    assert ask(world, made).is_refused_by(policy)
    with admission_world.without(cluster, policies()[policy], rule):
        cluster.wait_for(lambda: ask(world, made).is_granted, 30, "it is let in")
    cluster.wait_for(lambda: ask(world, made).is_refused_by(policy), 30, "the rule is back")


def test_every_rule_is_tried() -> None:
    tried = {(name, number) for name, each in policies().items() for number in range(len(each["spec"]["validations"]))}
    assert set(FORBIDDEN) == tried


def test_a_finalizer_can_be_taken_off_and_what_is_made_goes_with_its_owner(
    cluster: Cluster, world: World, made: Object
) -> None:
    assert world.owner.delete(made).is_granted
    # It may go at once: no Domain of an App that is not there has routes, and a running operator takes them away.
    taken = Speaker(cluster, OWNER, for_real=True).merge(made, metadata={"finalizers": None})
    assert taken.is_granted, taken
    cluster.kubectl("-n", world.namespace, "delete", "domain", "shop")
    cluster.wait_for(lambda: Speaker(cluster).get(made)["kind"] == "Status", 30, "the garbage collector has deleted it")
