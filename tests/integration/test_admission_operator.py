"""The admission policies for the operator's account: it can do all that the operator does, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client as official

import secret_shelf
from certward.kube.client import Client
from certward.model import keys
from certward.model.resources import Domain, format_time
from certward.names import PLATFORM
from certward.render.manifests import challenge_objects
from certward.runtime.account_store import Account, AccountStore
from certward.runtime.order_seeds import OrderSeeds
from certward.runtime.secrets import Secrets
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import admission_world, every_kind
from integration.admission_world import MANAGED, OPERATOR, Answer, Speaker, thing
from integration.rendering import Object

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and any(path.glob("*.yaml")))
SECRETS, OBJECTS = "certward-operator-secrets", "certward-operator-objects"
PINNED = "certward.dev/tls-default-revision"
OWNED = {"ownerReferences": [{"apiVersion": "certward.dev/v1alpha1", "kind": "Domain", "name": "www", "uid": "of-www"}]}


def secret(namespace: str, name: str, of: str = "", *, kind: str = "Opaque", **labels: str) -> Object:
    told = labels | ({"certward.dev/domain": of} if of else {})
    data = {"tls.crt": "", "tls.key": ""} if kind == "kubernetes.io/tls" else {}
    return thing("Secret", namespace, name, told, type=kind, data=data)


def certificate(namespace: str, of: str, **labels: str) -> Object:
    return secret(namespace, f"{of}-tls", of, kind="kubernetes.io/tls", **labels)


def service(namespace: str, name: str = "certward-challenge", **spec: Any) -> Object:
    return thing("Service", namespace, name, MANAGED, spec={"ports": [{"port": 8089}]} | spec)


def ingress(namespace: str, name: str = "certward-www-https", **changes: Any) -> Object:
    spec = {"rules": [{"host": "www.example.com"}]}
    return thing("Ingress", namespace, name, MANAGED, **{"meta": OWNED, "spec": spec} | changes)


def delegation(namespace: str, secret_name: str) -> Object:
    spec = {"delegations": [{"secretName": secret_name, "targetNamespaces": ["*"]}]}
    return thing("TLSCertificateDelegation", namespace, "certward-www-contour", MANAGED, meta=OWNED, spec=spec)


def app(namespace: str, name: str) -> Object:
    return thing("App", namespace, name, spec={"service": {"name": "shop", "port": 8080}})


def domain(namespace: str, name: str) -> Object:
    """One whose App there is not, so that no operator does anything about it."""
    hostname = f"{name}.{namespace}.example"
    return thing("Domain", namespace, name, spec={"hostname": hostname, "appRef": {"name": "nobody"}})


#: Rights that RBAC keeps from the operator's account, so that what is refused here is refused by the policies alone.
WIDER = (
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "certward-test-wider"},
        "rules": [
            {"apiGroups": [group], "resources": resources, "verbs": ["create", "patch", "delete"]}
            for group, resources in (
                ("", ["services"]),
                ("discovery.k8s.io", ["endpointslices"]),
                ("traefik.io", ["ingressroutes"]),
                ("projectcontour.io", ["tlscertificatedelegations"]),
            )
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "certward-test-wider"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "certward-test-wider"},
        "subjects": [{"kind": "User", "name": OPERATOR}],
    },
)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace with objects of others and of the operator in it, in a cluster with the policies."""
    with every_kind.known(cluster):
        made = cluster.namespace("confined")
        admission_world.put(
            cluster,
            certificate(made, "foreign"),
            secret(made, "foreign-tls-next", "foreign"),
            certificate(made, "mine", **MANAGED),
            secret(made, "mine-tls-next", "mine", **MANAGED),
            thing("Ingress", made, "certward-foreign-https", spec=ingress(made)["spec"]),
            thing("Service", made, "certward-foreign", spec={"ports": [{"port": 80}]}),
            app(made, "shop"),
        )
        probes = {
            SECRETS: (Speaker(cluster, OPERATOR), secret(made, "probe")),
            OBJECTS: (Speaker(cluster, OPERATOR), ingress(made, "probe")),
        }
        admission_world.put(cluster, *WIDER)
        try:
            with admission_world.in_force(cluster, "operator", probes):
                yield made
        finally:
            cluster.kubectl("delete", "clusterrole,clusterrolebinding", WIDER[0]["metadata"]["name"])


@cache
def policies() -> dict[str, Object]:
    found = admission_world.policies("operator")
    return {name: found[f"{admission_world.POLICY} {name}"] for name in (SECRETS, OBJECTS)}


def domain_of(cluster: Cluster, namespace: str, name: str) -> Domain:
    """A Domain that is there."""
    admission_world.put(cluster, domain(namespace, name))
    return Domain.from_body(Speaker(cluster).get(domain(namespace, name)))


def account(cluster: Cluster) -> Client:
    """The API server as the operator has it, with its own token."""
    return Client(cluster.operator_api)


@pytest.mark.usefixtures("namespace")
def test_the_type_checker_has_nothing_to_say(cluster: Cluster) -> None:
    for name in policies():
        assert admission_world.warnings(cluster, name) == []


def test_the_secrets_of_a_domain_can_be_kept(cluster: Cluster, namespace: str) -> None:
    one = domain_of(cluster, namespace, "kept")
    secrets = Secrets(account(cluster))
    secrets.store_next_key(one, secret_shelf.KEY)
    assert secrets.next_key(one) == secret_shelf.KEY
    chain = secret_shelf.certificate(one.hostname)
    for _ in range(2):  # the first makes it, the second changes it
        secrets.store_certificate(one, chain_pem=chain, key_pem=secret_shelf.KEY, issuer="pebble")
    assert secrets.certificate(one) == (chain, secret_shelf.KEY)
    secrets.drop_next_key(one)
    assert secrets.next_key(one) is None
    secrets.mark_revoked(one, fingerprint="ab", asked="superseded")
    assert "certward.dev/revoked" in Speaker(cluster).get(certificate(namespace, "kept"))["metadata"]["annotations"]


def test_a_secret_that_was_restored_is_adopted(cluster: Cluster, namespace: str) -> None:
    one = domain_of(cluster, namespace, "restored")
    admission_world.put(cluster, certificate(namespace, "restored", **MANAGED))
    Secrets(account(cluster)).adopt(one)
    (owner,) = Speaker(cluster).get(certificate(namespace, "restored"))["metadata"]["ownerReferences"]
    assert owner["uid"] == one.meta.uid


@pytest.mark.usefixtures("namespace")
def test_accounts_and_what_keys_are_derived_from_can_be_kept(cluster: Cluster) -> None:
    store = AccountStore(account(cluster), namespace=NAMESPACE)
    try:
        kept = store.create("confined", Account(keys.generate_key("ECDSA-P256"), directory="https://ca.example/dir"))
        assert store.write("confined", kept) == store.read("confined")
    finally:
        Speaker(cluster, for_real=True).delete(secret(NAMESPACE, "certward-account-confined"))
    assert OrderSeeds(account(cluster), namespace=NAMESPACE).of(format_time(datetime.now(UTC)))


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_that_is_rendered_can_be_written_changed_and_deleted(cluster: Cluster, namespace: str, folder: str) -> None:
    operator = Speaker(cluster, OPERATOR, for_real=True)
    owners = {"App": app(namespace, "shop"), "Domain": domain_of(cluster, namespace, "www")}
    uids = {"App": Speaker(cluster).get(owners["App"])["metadata"]["uid"], "Domain": owners["Domain"].meta.uid}
    documents = {f"{each['kind']} {each['metadata']['name']}": each for each in golden(folder)}
    for manifest in (*documents.values(), *challenge_objects(namespace, port=8089, addresses=["192.0.2.1", "fd00::1"])):
        meta = manifest["metadata"]
        meta["namespace"] = NAMESPACE if manifest["kind"] == "TLSCertificateDelegation" else namespace
        for owner in meta.get("ownerReferences", ()):
            owner["uid"] = uids[owner["kind"]]
        assert operator.apply(manifest) == Answer(201, "")
        meta["annotations"] = {**meta.get("annotations", {}), "certward.dev/rendered": "again"}
        answer = operator.apply(manifest)
        assert answer.is_granted, answer
        assert operator.delete(manifest).status in (200, 404)


def golden(folder: str) -> Iterator[Object]:
    for path in sorted((GOLDEN / folder).glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for each in document if isinstance(document, list) else [document]:
                if isinstance(each, dict) and "kind" in each:
                    yield each


ALLOWED: dict[str, Callable[[Speaker, str], Answer]] = {
    "pin an App to a revision": lambda o, n: o.apply(
        {k: v for k, v in thing("App", n, "shop", meta={"annotations": {PINNED: "2026-11"}}).items() if k != "spec"}
    ),
    "make the App of the platform": lambda o, _: o.create({**app(NAMESPACE, PLATFORM), "metadata": platform()}),
    "make the Domain of the platform": lambda o, _: o.create({**domain(NAMESPACE, PLATFORM), "metadata": platform()}),
    "keep the platform's certificate": lambda o, _: o.apply(certificate(NAMESPACE, PLATFORM, **MANAGED)),
    "delegate the platform's certificate": lambda o, _: o.apply(delegation(NAMESPACE, "certward-platform-tls")),
    "keep a ledger": lambda o, _: o.create(thing("ConfigMap", NAMESPACE, "certward-budget-le", MANAGED)),
    "change a ConfigMap of its own": lambda o, _: o.apply(thing("ConfigMap", NAMESPACE, "certward-defaults", MANAGED)),
    "hold a Lease": lambda o, _: o.create(thing("Lease", NAMESPACE, "certward-9")),
    "change its own Secret": lambda o, n: o.merge(certificate(n, "mine"), metadata={"annotations": {"a": "b"}}),
    "delete the key of an order": lambda o, n: o.delete(secret(n, "mine-tls-next")),
}


def platform() -> Object:
    return {"name": PLATFORM, "namespace": NAMESPACE, "labels": MANAGED}


@pytest.mark.parametrize("ask", ALLOWED.values(), ids=ALLOWED)
def test_the_operator_may(cluster: Cluster, namespace: str, ask: Callable[[Speaker, str], Answer]) -> None:
    answer = ask(Speaker(cluster, OPERATOR), namespace)
    assert answer.is_granted, answer


TOKEN = {"annotations": {"kubernetes.io/service-account.name": "default"}}
#: policy, which of its rules -> what is refused by this one alone
FORBIDDEN: dict[tuple[str, int], dict[str, Callable[[Speaker, str], Answer]]] = {
    (SECRETS, 0): {
        "write over a Secret": lambda o, n: o.apply(certificate(n, "foreign", **MANAGED)),
        "change a Secret": lambda o, n: o.merge(secret(n, "foreign-tls"), metadata={"labels": MANAGED}),
        "delete a Secret": lambda o, n: o.delete(secret(n, "foreign-tls-next")),
    },
    (SECRETS, 1): {
        "make one without the label": lambda o, n: o.apply(certificate(n, "www")),
        "with another's label": lambda o, n: o.apply(certificate(n, "www", **dict.fromkeys(MANAGED, "Helm"))),
        "take the label off": lambda o, n: o.merge(secret(n, "mine-tls"), metadata={"labels": dict.fromkeys(MANAGED)}),
    },
    (SECRETS, 2): {
        "another name": lambda o, n: o.apply(secret(n, "database", **MANAGED)),
        "that of another Domain": lambda o, n: o.apply(secret(n, "api-tls-next", "www", **MANAGED)),
        "an account elsewhere": lambda o, n: o.apply(secret(n, "certward-account-le", **MANAGED)),
        "a seed elsewhere": lambda o, n: o.create(secret(n, "certward-order-seed", **MANAGED)),
    },
    (SECRETS, 3): {
        "a token of a ServiceAccount": lambda o, n: o.create(
            thing(
                "Secret",
                n,
                "www-tls",
                {**MANAGED, "certward.dev/domain": "www"},
                type="kubernetes.io/service-account-token",
                meta=TOKEN,
            )
        ),
        "one among the accounts": lambda o, _: o.create(
            thing(
                "Secret",
                NAMESPACE,
                "certward-account-x",
                MANAGED,
                type="kubernetes.io/service-account-token",
                meta=TOKEN,
            )
        ),
        "a certificate that is none": lambda o, n: o.apply(secret(n, "www-tls", "www", **MANAGED)),
    },
    (SECRETS, 4): {"delete a certificate": lambda o, n: o.delete(secret(n, "mine-tls"))},
    (OBJECTS, 0): {
        "an App's spec": lambda o, n: o.merge(app(n, "shop"), spec={"httpsRedirect": False}),
        "an App's labels": lambda o, n: o.merge(app(n, "shop"), metadata={"labels": {"tier": "public"}}),
        "an App's annotation": lambda o, n: o.merge(app(n, "shop"), metadata={"annotations": {"a": "b"}}),
        "an App's finalizers": lambda o, n: o.merge(app(n, "shop"), metadata={"finalizers": ["a/b"]}),
        "an App's owner": lambda o, n: o.merge(app(n, "shop"), metadata=OWNED),
        "an App of its own": lambda o, _: o.create(app(NAMESPACE, "certward-other")),
        "a Domain of its own": lambda o, _: o.create(domain(NAMESPACE, "certward-other")),
    },
    (OBJECTS, 1): {
        "write over an Ingress": lambda o, n: o.apply(ingress(n, "certward-foreign-https")),
        "delete an Ingress": lambda o, n: o.delete(ingress(n, "certward-foreign-https")),
        "delete a Service": lambda o, n: o.delete(service(n, "certward-foreign")),
        "change the operator's configuration": lambda o, _: o.merge(
            thing("ConfigMap", NAMESPACE, "certward-config"), metadata={"labels": MANAGED}
        ),
    },
    (OBJECTS, 2): {
        "an Ingress without the label": lambda o, n: o.create({**ingress(n), "metadata": unlabelled(n)}),
        "a ConfigMap without": lambda o, _: o.create(thing("ConfigMap", NAMESPACE, "certward-x")),
    },
    (OBJECTS, 3): {"another name": lambda o, n: o.apply(ingress(n, "shop"))},
    (OBJECTS, 4): {
        "an Ingress of nobody's": lambda o, n: o.apply(ingress(n, meta={})),
        "of a Deployment's": lambda o, n: o.apply(
            ingress(n, meta={"ownerReferences": [OWNED["ownerReferences"][0] | {"apiVersion": "apps/v1"}]})
        ),
        "a Middleware of nobody's": lambda o, n: o.apply(thing("Middleware", n, "certward-x", MANAGED, spec={})),
    },
    (OBJECTS, 5): {
        "another Service": lambda o, n: o.apply(service(n, "certward-other")),
        "with a selector": lambda o, n: o.apply(service(n, selector={"app": "shop"})),
        "for outside": lambda o, n: o.apply(service(n, type="LoadBalancer")),
        "with others' addresses": lambda o, n: o.apply(service(n, externalIPs=["203.0.113.1"])),
        "by another name": lambda o, n: o.apply(service(n, type="ExternalName", externalName="a.example")),
    },
    (OBJECTS, 6): {
        "endpoints of another Service": lambda o, n: o.apply(
            thing(
                "EndpointSlice",
                n,
                "certward-shop",
                {**MANAGED, "kubernetes.io/service-name": "shop"},
                addressType="IPv4",
                endpoints=[{"addresses": ["192.0.2.1"]}],
            )
        ),
    },
    (OBJECTS, 7): {
        "an IngressRoute": lambda o, n: o.apply(
            thing(
                "IngressRoute",
                n,
                "certward-www",
                MANAGED,
                meta=OWNED,
                spec={"routes": [{"kind": "Rule", "match": "Host(`a.example`)"}]},
            )
        ),
    },
    (OBJECTS, 8): {
        "delegate a certificate": lambda o, n: o.apply(delegation(n, "mine-tls")),
    },
}
CASES = [(policy, rule, name) for (policy, rule), asks in FORBIDDEN.items() for name in asks]


def unlabelled(namespace: str) -> Object:
    return {"name": "certward-www-https", "namespace": namespace, **OWNED}


@pytest.mark.parametrize(("policy", "rule", "name"), CASES)
def test_the_operator_may_not(cluster: Cluster, namespace: str, policy: str, rule: int, name: str) -> None:
    answer = FORBIDDEN[policy, rule][name](Speaker(cluster, OPERATOR), namespace)
    assert answer.is_refused_by(policy), answer
    assert answer.words.endswith(policies()[policy]["spec"]["validations"][rule]["message"])


@pytest.mark.parametrize(("policy", "rule"), FORBIDDEN)
def test_without_a_rule_it_may(cluster: Cluster, namespace: str, policy: str, rule: int) -> None:
    operator = Speaker(cluster, OPERATOR)
    asks = FORBIDDEN[policy, rule]
    with admission_world.without(cluster, policies()[policy], rule):
        for name, ask in asks.items():
            cluster.wait_for(lambda ask=ask: ask(operator, namespace).is_granted, 30, f"{name} is granted")
    first = next(iter(asks.values()))
    cluster.wait_for(lambda: first(operator, namespace).is_refused_by(policy), 30, "the rule is back")


def test_every_rule_is_tried() -> None:
    rules = {(name, number) for name, each in policies().items() for number in range(len(each["spec"]["validations"]))}
    assert set(FORBIDDEN) == rules


def test_nobody_else_is_confined(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "rolebinding", "dev", "--clusterrole=edit", "--user=dev", "-n", namespace)
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "certward")
    named = f"system:serviceaccount:{namespace}:certward"
    cluster.kubectl("create", "rolebinding", "named", "--clusterrole=edit", f"--user={named}", "-n", namespace)
    for user in ("", "dev", named):
        speaker = Speaker(cluster, user)
        for answer in (speaker.create(secret(namespace, "database")), speaker.create(service(namespace, "shop"))):
            assert answer.is_granted, (user, answer)


def test_an_account_that_may_do_everything_is_not_confined(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "deployer")
    binding = official.RbacAuthorizationV1Api(cluster.api).create_cluster_role_binding(
        {
            "metadata": {"name": f"deployer-{namespace}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": namespace}],
        }
    )
    try:
        speaker = Speaker(cluster, f"system:serviceaccount:{namespace}:deployer")
        granted = cluster.wait_for(lambda: speaker.create(secret(namespace, "database")).is_granted, 30, "it may")
        assert granted
    finally:
        official.RbacAuthorizationV1Api(cluster.api).delete_cluster_role_binding(binding.metadata.name)
