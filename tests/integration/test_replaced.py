"""A Domain that is deleted and made again, as `kubectl replace --force` does: what it had stays its own."""

import signal

from kubernetes import client

from cluster.handle import Cluster
from e2e.local import Local
from e2e.streams import Stream
from e2e.world import World
from integration import observer

OURS = "app.kubernetes.io/managed-by=certward"


def owners(cluster: Cluster, namespace: str) -> set[str]:
    """The uids of the Domains that Secrets and Ingresses go with."""
    listed = (
        *client.CoreV1Api(cluster.api).list_namespaced_secret(namespace, label_selector=OURS).items,
        *client.NetworkingV1Api(cluster.api).list_namespaced_ingress(namespace, label_selector=OURS).items,
    )
    assert listed
    return {owner.uid for each in listed for owner in each.metadata.owner_references}


def test_certificate_and_routes_go_over_to_it_before_kubernetes_takes_them_away(cluster: Cluster) -> None:
    observer.alone(cluster)
    namespace = observer.new_shop(cluster, "replaced")
    observer.apply(cluster, namespace, observer.domain("www", namespace))
    before = observer.until_settled(cluster, namespace, ["www"])["www"]
    ca = observer.CALog(cluster)

    with Stream(World(Local(cluster)), observer.hostname("www", namespace)) as stream:
        cluster.wait_for(lambda: len(stream.requests) > 20, 20, "the stream has begun")
        # The one that takes away what belongs to nobody any more has something else to do for a moment.
        cluster.kill("controller-manager", signal.SIGSTOP)
        try:
            cluster.kubectl("-n", namespace, "delete", "domain", "www", "--wait=false")
            observer.apply(cluster, namespace, observer.domain("www", namespace))
            after = observer.until_settled(cluster, namespace, ["www"])["www"]
            assert after["metadata"]["uid"] != before["metadata"]["uid"]
            cluster.wait_for(lambda: owners(cluster, namespace) == {after["metadata"]["uid"]}, 20, "they go over to it")
        finally:
            cluster.kill("controller-manager", signal.SIGCONT)
        _until_collected(cluster, namespace, before["metadata"]["uid"])
        seen = len(stream.requests)
        cluster.wait_for(lambda: len(stream.requests) > seen + 40, 20, "the stream goes on")
    assert stream.failures == []
    assert owners(cluster, namespace) == {after["metadata"]["uid"]}
    assert (
        observer.status(after)["certificate"]["serialNumber"] == observer.status(before)["certificate"]["serialNumber"]
    )
    assert ca.orders() == []


def _until_collected(cluster: Cluster, namespace: str, uid: str) -> None:
    """Wait until what belongs to a Domain that is no more is taken away."""
    owner = client.V1OwnerReference(api_version=observer.API_VERSION, kind="Domain", name="www", uid=uid)
    meta = client.V1ObjectMeta(name="left-over", owner_references=[owner])
    api = client.CoreV1Api(cluster.api)
    api.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta))

    def is_gone() -> bool:
        names = {each.metadata.name for each in api.list_namespaced_config_map(namespace).items}
        return "left-over" not in names

    cluster.wait_for(is_gone, 60, "Kubernetes takes away what belongs to nobody")
