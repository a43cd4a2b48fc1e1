"""The platform's own wildcard certificate, obtained by DNS-01: no Secret is given, and every App has a hostname."""

from collections.abc import Iterator

import pytest
from cryptography import x509
from kubernetes import client

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import observer
from integration.dns01_world import ZONE, DnsWorld

SUFFIX, PLATFORM = f"apps.{ZONE}", "certward-platform"


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory) -> Iterator[DnsWorld]:
    """A platform with a domain in the zone that the operator writes to."""
    with DnsWorld(cluster, tmp_path_factory.mktemp("platform")) as made:
        made.configure(platformDomain={"suffix": SUFFIX})
        yield made
        cluster.up()
        cluster.wait_for(lambda: "platform" not in cluster.kubectl("-n", NAMESPACE, "get", "domains"), 30, "it is gone")


def test_the_wildcard_is_obtained_and_served_for_every_app(cluster: Cluster, world: DnsWorld) -> None:
    shop = world.shop()
    found = world.settled(NAMESPACE, [PLATFORM], 90)[PLATFORM]
    assert found["spec"]["hostname"] == f"*.{SUFFIX}"
    assert found["status"]["certificate"]["source"] == "Automatic"

    def served() -> str:
        app = observer.get(cluster, shop, "shop", "apps")
        is_served = observer.condition(app, "HostnameServed").get("status") == "True"
        return str(app["status"]["hostname"]) if is_served else ""

    hostname = cluster.wait_for(served, 45, "the built-in hostname is served")
    assert observer.https_status(cluster, hostname, world.pebble.roots()) == 200
    leaf = observer.served_leaf(cluster, hostname)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"*.{SUFFIX}"]
    world.until_clean(f"_acme-challenge.{SUFFIX}")
    # The key lies in the operator's namespace and in no other.
    holders = [
        secret.metadata.namespace
        for secret in client.CoreV1Api(cluster.api).list_secret_for_all_namespaces().items
        if secret.metadata.name == f"{PLATFORM}-tls"
    ]
    assert holders == [NAMESPACE]


def test_it_is_renewed_like_any_other(cluster: Cluster, world: DnsWorld) -> None:
    before = world.settled(NAMESPACE, [PLATFORM], 90)[PLATFORM]["status"]["certificate"]["serialNumber"]
    world.refresh(NAMESPACE, PLATFORM)

    def is_new() -> bool:
        one = observer.get(cluster, NAMESPACE, PLATFORM)
        return observer.is_settled(one) and one["status"]["certificate"]["serialNumber"] != before

    cluster.wait_for(is_new, 60, "the next wildcard certificate")
