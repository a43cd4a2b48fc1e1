"""What is written without having been read keeps off what is somebody else's: the API server's own conflicts."""

import pytest
from kubernetes import client as kubernetes_client

from certward.errors import Blocked, Conflict, Rejected
from certward.kube.client import Client
from certward.kube.ensure import Ensurer
from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from cluster.handle import Cluster


def ingress(namespace: str, host: str, *, is_ours: bool) -> dict[str, object]:
    labels = {LABEL_MANAGED_BY: MANAGED_BY} if is_ours else {}
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "unread", "namespace": namespace, "labels": labels},
        "spec": {"ingressClassName": "nobodys", "rules": [rule]},
    }


@pytest.fixture
def ensurer(cluster: Cluster) -> Ensurer:
    """One that takes every name for free, as it does in the moment before a watch tells otherwise."""
    made = Ensurer(Client(cluster.operator_api), listed_every=600.0, is_free=lambda *_: True)
    made.look_over("Ingress", is_new=True)
    return made


def test_a_name_that_was_free_and_is_not_any_more_is_left_alone(cluster: Cluster, ensurer: Ensurer) -> None:
    namespace, networking = cluster.namespace("unread"), kubernetes_client.NetworkingV1Api(cluster.api)
    networking.create_namespaced_ingress(namespace, ingress(namespace, "theirs.example.com", is_ours=False))
    with pytest.raises(Blocked, match="not Certward's"):
        ensurer.present([ingress(namespace, "ours.example.com", is_ours=True)])
    kept = networking.read_namespaced_ingress("unread", namespace)
    assert kept.spec.rules[0].host == "theirs.example.com"
    assert not kept.metadata.labels


def test_what_took_the_place_of_ours_is_left_alone_too(cluster: Cluster, ensurer: Ensurer) -> None:
    namespace, networking = cluster.namespace("unread"), kubernetes_client.NetworkingV1Api(cluster.api)
    assert ensurer.present([ingress(namespace, "ours.example.com", is_ours=True)])
    networking.delete_namespaced_ingress("unread", namespace)
    networking.create_namespaced_ingress(namespace, ingress(namespace, "theirs.example.com", is_ours=False))
    with pytest.raises(Blocked, match="not Certward's"):
        ensurer.present([ingress(namespace, "other.example.com", is_ours=True)])
    assert networking.read_namespaced_ingress("unread", namespace).spec.rules[0].host == "theirs.example.com"


@pytest.mark.parametrize("kind", ["kubernetes.io/tls", "Opaque"])
def test_a_secret_that_came_meanwhile_is_not_overwritten(cluster: Cluster, kind: str) -> None:
    namespace, core = cluster.namespace("unread"), kubernetes_client.CoreV1Api(cluster.api)
    meta = {"name": "www-tls", "namespace": namespace}
    theirs = {"metadata": meta, "type": kind, "data": {"tls.crt": "dGhlaXJz", "tls.key": "dGhlaXJz"}}
    core.create_namespaced_secret(namespace, theirs)
    ours = {"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}}
    ours |= {"type": "kubernetes.io/tls", "data": {"tls.crt": "b3Vycw==", "tls.key": "b3Vycw=="}}
    with pytest.raises((Conflict, Rejected)):
        Client(cluster.operator_api).apply(ours, has_priority=False)
    assert core.read_namespaced_secret("www-tls", namespace).data == theirs["data"]
