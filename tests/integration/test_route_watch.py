"""Watching others' routes, on the real API server: kinds come and go, and some may not be read."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from kubernetes import client, config

from certward.handlers.routes import RouteWatch
from certward.kube.foreign import ForeignRoutes
from certward.kube.kinds import KINDS
from certward.kube.routes import ROUTE_KINDS
from certward.kube.streams import Streams
from cluster.handle import Cluster

#: How to name a host in kinds that the cluster may not have.
SPECS = {
    "HTTPProxy": lambda host: {"virtualhost": {"fqdn": host}},
    "HTTPRoute": lambda host: {"hostnames": [host]},
    "ListenerSet": lambda host: {"listeners": [{"hostname": host}]},
}
HOST = "host.example.com"
#: Within so many seconds a route is noticed, of a kind that is new itself too.
NOTICED = 8.0


class Listener:
    """Takes in what a watch finds, in place of the reconciler."""

    synced_at = 1.0

    def __init__(self) -> None:
        self.routes = ForeignRoutes()
        self.lists: Counter[str] = Counter()
        self._lock = threading.Lock()

    def route_changed(self, kind: str, body: dict[str, Any]) -> None:
        self.routes.put(kind, body)

    def route_deleted(self, kind: str, namespace: str, name: str) -> None:
        self.routes.drop(kind, namespace, name)

    def routes_listed(self, kind: str, bodies: Iterable[dict[str, Any]]) -> None:
        self.routes.replace_all(kind, bodies)
        with self._lock:
            self.lists[kind] += 1

    def found(self) -> tuple[str, ...]:
        return self.routes.of(HOST, ROUTE_KINDS)


@pytest.fixture
def absent(cluster: Cluster) -> Iterator[str]:
    """A kind of route that the cluster does not have; it is taken away if it came."""
    there = cluster.kubectl("get", "crd", "-o", "name")
    kind = next(kind for kind in SPECS if crd_name(kind) not in there)
    yield kind
    cluster.kubectl("delete", "crd", crd_name(kind), "--ignore-not-found")


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def watch(cluster: Cluster, listener: Listener) -> Iterator[RouteWatch]:
    """A watch with the operator's own rights."""
    made = RouteWatch(Streams(cluster.operator_api, user_agent="test"), listener)
    made.start()
    yield made
    made.stop()


def crd_name(kind: str) -> str:
    prefix, plural = KINDS[kind]
    return f"{plural}.{prefix.split('/')[2]}"


def crd(kind: str) -> dict[str, Any]:
    """A definition of a kind whose objects may hold anything."""
    prefix, plural = KINDS[kind]
    _, _, group, version = prefix.split("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    # Whoever makes kinds in groups of the Kubernetes project has to say that he may.
    approval = {"api-approved.kubernetes.io": "unapproved, a test"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd_name(kind), "annotations": approval},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def install(cluster: Cluster, kind: str) -> None:
    """Make a kind known, and wait until it can be used."""
    client.ApiextensionsV1Api(cluster.api).create_custom_resource_definition(crd(kind))
    cluster.until_served(crd_name(kind))


def create(cluster: Cluster, kind: str, namespace: str, name: str, labels: dict[str, str] | None = None) -> None:
    """Make a route for HOST."""
    prefix, plural = KINDS[kind]
    _, _, group, version = prefix.split("/")
    body = {
        "apiVersion": f"{group}/{version}",
        "kind": kind,
        "metadata": {"name": name, "labels": labels or {}},
        "spec": SPECS[kind](HOST),
    }
    client.CustomObjectsApi(cluster.api).create_namespaced_custom_object(group, version, namespace, plural, body)


@pytest.mark.usefixtures("watch")
def test_a_kind_may_come_and_go_and_come_again(
    cluster: Cluster, absent: str, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    namespace = cluster.namespace("routes")
    cluster.wait_for(lambda: listener.lists["Ingress"], 5, "what is there is listed")
    assert listener.lists[absent] == 0
    pid = cluster.pid("certward-0")
    operator_said = len(cluster.operator_log())

    for name in ("first", "second"):
        install(cluster, absent)
        create(cluster, absent, namespace, name)
        create(cluster, absent, namespace, "ours", {"app.kubernetes.io/managed-by": "certward"})
        named = (f"{absent} {namespace}/{name}",)
        cluster.wait_for(lambda named=named: listener.found() == named, NOTICED, "the route is noticed")
        listed = listener.lists[absent]
        create(cluster, absent, namespace, "other")
        cluster.wait_for(lambda: len(listener.found()) == 2, NOTICED, "so is one that comes later")
        assert listener.lists[absent] == listed, "by the watch"
        cluster.kubectl("delete", "crd", crd_name(absent))
        cluster.wait_for(lambda: listener.found() == (), NOTICED, "all of them are forgotten")

    # The kinds that stayed are still watched.
    cluster.kubectl("-n", namespace, "create", "ingress", "late", f"--rule={HOST}/*=late:80")
    cluster.wait_for(lambda: listener.found() == (f"Ingress {namespace}/late",), NOTICED, "an Ingress is noticed")
    # The operator itself has seen the same, and had nothing to say.
    assert cluster.pid("certward-0") == pid
    assert [line for line in cluster.operator_log()[operator_said:].splitlines() if crd_name(absent) in line] == []
    assert " ERROR " not in cluster.operator_log()[operator_said:]
    assert caplog.messages == []


def test_a_kind_that_may_not_be_read_is_told_once(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    namespace = cluster.namespace("rights")
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "reader")
    cluster.kubectl("create", "clusterrole", namespace, "--verb=list,watch", "--resource=ingressroutes.traefik.io")
    account = f"--serviceaccount={namespace}:reader"
    cluster.kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={namespace}", account)
    api = config.new_client_from_config(str(cluster.state.operator_kubeconfig))
    token = cluster.kubectl("-n", namespace, "create", "token", "reader").strip()
    api.configuration.api_key = {"BearerToken": f"Bearer {token}"}
    api.configuration.refresh_api_key_hook = None
    listener = Listener()
    watch = RouteWatch(Streams(api, user_agent="test"), listener)
    watch.start()
    try:
        cluster.wait_for(
            lambda: any("Ingress " in message for message in caplog.messages), 30, "what may not be read is told"
        )
        cluster.wait_for(lambda: listener.lists["IngressRoute"], 5, "what may be read is listed")
        assert "the operator's account may not list Ingress" in caplog.text
        assert "IngressRoute " not in caplog.text
        assert max(Counter(caplog.messages).values()) == 1
    finally:
        watch.stop()
        cluster.kubectl("delete", "clusterrole,clusterrolebinding", namespace)


def test_every_kind_that_the_cluster_has_is_discovered(cluster: Cluster) -> None:
    there = cluster.kubectl("get", "crd", "-o", "name")
    wanted = {kind for kind in ROUTE_KINDS if crd_name(kind) in there} | {"Ingress"}
    streams = Streams(cluster.operator_api, user_agent="test")

    assert streams.served() & ROUTE_KINDS.keys() == wanted
    assert streams.served() & ROUTE_KINDS.keys() == wanted, "from an answer without a body"
