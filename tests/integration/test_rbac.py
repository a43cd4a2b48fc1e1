"""The operator's rights: all that it asks for is allowed, and it is allowed little else."""

from collections import Counter

import pytest
from kubernetes import client

from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT
from integration import observer, refusals


def test_every_request_of_the_operator_is_allowed(cluster: Cluster) -> None:
    namespace = observer.new_shop(cluster, "rights")
    observer.apply(cluster, namespace, observer.domain("www", namespace), observer.domain("gone", namespace))
    observer.until_settled(cluster, namespace, ["www", "gone"])
    cluster.kubectl("-n", namespace, "delete", "domain", "gone")
    observer.apply(cluster, namespace, {**observer.app(), "spec": {"service": {"name": "shop", "port": 8080}}})
    cluster.wait_for(
        lambda: observer.status(observer.get(cluster, namespace, "www"))["reason"] == "AutomaticDisabled",
        20,
        "automatic off",
    )

    log = observer.AuditLog(cluster, from_the_beginning=True)
    made = log.of_the_operator()
    print(f"\n{dict(Counter(map(refusals.decision, made)))}")
    assert made
    assert refusals.refused(cluster, log) == set()
    on_secrets = Counter(e["verb"] for e in made if e.get("objectRef", {}).get("resource") == "secrets")
    assert set(on_secrets) <= {"get", "create", "patch", "delete"}
    assert on_secrets["get"] > 0
    on_events = Counter(e["verb"] for e in made if e.get("objectRef", {}).get("resource") == "events")
    assert set(on_events) <= {"create"}


@pytest.mark.parametrize("namespace", ["default", NAMESPACE])
def test_no_right_of_the_operator_is_a_wildcard(cluster: Cluster, namespace: str) -> None:
    asked = client.V1SelfSubjectRulesReview(spec=client.V1SelfSubjectRulesReviewSpec(namespace=namespace))
    rules = client.AuthorizationV1Api(cluster.operator_api).create_self_subject_rules_review(asked).status

    assert not rules.incomplete
    for rule in rules.resource_rules:
        named = {*(rule.verbs or ()), *(rule.api_groups or ()), *(rule.resources or ())}
        assert not [word for word in named if "*" in word], rule
    assert all(rule.non_resource_urls != ["*"] and set(rule.verbs) == {"get"} for rule in rules.non_resource_rules)
    on_secrets = {verb for rule in rules.resource_rules if "secrets" in (rule.resources or ()) for verb in rule.verbs}
    assert on_secrets == {"get", "create", "patch", "delete"}


@pytest.mark.parametrize(
    "question",
    [
        ("*", "*"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("deletecollection", "secrets"),
        ("delete", "domains.certward.dev"),
        ("get", "domains.certward.dev"),
        ("patch", "services"),
        ("patch", "endpointslices.discovery.k8s.io"),
        ("create", "ingressroutes.traefik.io"),
        ("create", "domains.certward.dev"),
        ("update", "apps.certward.dev"),
        ("create", "pods"),
        ("list", "events.events.k8s.io"),
        ("patch", "events.events.k8s.io"),
        ("create", "events"),
        ("create", "serviceaccounts/token"),
        ("bind", "clusterroles.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
    ],
    ids=" ".join,
)
def test_the_operator_may_not(cluster: Cluster, question: tuple[str, str]) -> None:
    account = f"--as=system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"

    with pytest.raises(ClusterError, match="no"):
        cluster.kubectl("auth", "can-i", *question, account, "--all-namespaces")
