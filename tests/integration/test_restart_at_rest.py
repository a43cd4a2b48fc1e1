"""An operator that starts among Domains at rest: it compares before it reads, and believes nothing that is not so."""

from collections import Counter
from collections.abc import Iterator

import pytest
from kubernetes import client

from cluster.handle import Cluster
from integration import observer

#: No host's handshake is due during the tests, so that what is found is found by comparing.
SELDOM = {"probe": {"interval": "10m"}}
NAMES = ["a", "b", "c"]


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Three Domains that are issued and served; at the start of a test the operator is down."""
    observer.alone(cluster)
    cluster.up(patch=SELDOM)
    made = observer.new_shop(cluster, "rest")
    observer.apply(cluster, made, *(observer.domain(name, made) for name in NAMES))
    observer.until_settled(cluster, made, NAMES)
    observer.throughout(4, lambda: None)  # the App is summed up, and the ingress has written its addresses
    cluster.up(operators=0, patch=SELDOM)
    yield made
    cluster.up()


def until_all_is_looked_at(cluster: Cluster) -> None:
    cluster.wait_for(lambda: observer.readyz(cluster).get("leader"), 30, "the operator leads")
    cluster.wait_for(lambda: observer.metric(cluster, "certward_unseen_objects") == 0, 30, "all have been looked at")


def test_what_was_changed_meanwhile_is_put_back_and_the_rest_neither_written_nor_read(
    cluster: Cluster, namespace: str
) -> None:
    routes = client.NetworkingV1Api(cluster.api)
    there = {item.metadata.name for item in routes.list_namespaced_ingress(namespace).items}
    gone, changed = (next(name for name in there if name.endswith(f"-{of}-https")) for of in ("a", "b"))
    routes.delete_namespaced_ingress(gone, namespace)
    routes.patch_namespaced_ingress(changed, namespace, {"spec": {"tls": None}})
    audit = observer.AuditLog(cluster)
    cluster.up(patch=SELDOM)
    until_all_is_looked_at(cluster)

    now = {item.metadata.name: item for item in routes.list_namespaced_ingress(namespace).items}
    assert set(now) == there
    assert now[changed].spec.tls
    asked = [each for each in audit.requests() if (each.get("objectRef") or {}).get("namespace") == namespace]
    writes = Counter(each["objectRef"]["name"] for each in asked if each["verb"] in ("patch", "create", "delete"))
    # Besides, the statuses of these two may tell what was found.
    assert {name: times for name, times in writes.items() if name not in ("a", "b")} == {gone: 1, changed: 1}
    read = {each["objectRef"]["name"] for each in asked if each["verb"] == "get"}
    assert not any("-c-" in name for name in read), "what is as it was is not read"
    observer.until_settled(cluster, namespace, NAMES)


def test_a_hostname_that_is_lost_over_a_restart_is_said_to_be(cluster: Cluster, namespace: str) -> None:
    rule = {"pattern": observer.hostname("a", namespace), "namespaces": ["somebody-else"]}
    cluster.up(patch=SELDOM | {"hostnames": [rule]})

    def told() -> bool:
        status = observer.status(observer.get(cluster, namespace, "a"))
        return (status["state"], status["reason"]) == ("Failed", "HostnameNotAllowed")

    cluster.wait_for(told, 30, "a has lost its hostname")
    status = observer.get(cluster, namespace, "a")
    assert observer.condition(status, "Ready")["status"] == "False"
    routes = client.NetworkingV1Api(cluster.api).list_namespaced_ingress(namespace).items
    assert not [item.metadata.name for item in routes if "-a-" in item.metadata.name]
    observer.until_settled(cluster, namespace, ["b", "c"])
    cluster.up(patch=SELDOM)
    observer.until_settled(cluster, namespace, NAMES)
