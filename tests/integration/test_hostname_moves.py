"""A hostname that changes namespace: what the former owner has proven to the CA does not serve the new one."""

import re
from collections.abc import Iterator

import pytest
from kubernetes import client

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import observer
from integration.own_ca import OwnPebble

_VALID = re.compile(r"authz (\S+) set VALID")


@pytest.fixture(scope="module")
def reusing(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPebble]:
    """The operator at a CA that reuses every authorization that it has."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PEBBLE_AUTHZREUSE", "100")
        pebble = OwnPebble(cluster, tmp_path_factory.mktemp("reusing"), "reusing")
        with pebble:
            cluster.up(patch=patch(pebble))
            yield pebble
            cluster.up()
    client.CoreV1Api(cluster.api).delete_namespaced_secret("certward-account-reusing", NAMESPACE)


def patch(pebble: OwnPebble) -> dict[str, object]:
    return {"issuers": [pebble.issuer()]}


class Proofs:
    """The authorizations that became valid from now on: each is a proof of control that the CA has seen."""

    def __init__(self, pebble: OwnPebble) -> None:
        self._log = observer.Growing(pebble.log_file)

    def count(self) -> int:
        return len([line for line in self._log.lines() if _VALID.search(line)])


def domain(hostname: str) -> observer.Object:
    spec = {"hostname": hostname, "appRef": {"name": "shop"}}
    return {"apiVersion": observer.API_VERSION, "kind": "Domain", "metadata": {"name": "www"}, "spec": spec}


def serial(cluster: Cluster, namespace: str) -> str:
    return str(observer.status(observer.get(cluster, namespace, "www"))["certificate"]["serialNumber"])


def reissue(cluster: Cluster, namespace: str, value: str) -> None:
    before = serial(cluster, namespace)
    cluster.kubectl("-n", namespace, "annotate", "--overwrite", "domain", "www", f"certward.dev/refresh={value}")
    cluster.wait_for(
        lambda: observer.is_settled(observer.get(cluster, namespace, "www")) and serial(cluster, namespace) != before,
        30,
        "another certificate",
    )


@pytest.mark.parametrize("operator_is_away", [False, True], ids=["under the operator's eyes", "while it is away"])
def test_the_new_owner_proves_control_anew(cluster: Cluster, reusing: OwnPebble, operator_is_away: bool) -> None:
    one, two = observer.new_shop(cluster, "former"), observer.new_shop(cluster, "later")
    hostname = observer.hostname("www", one)
    proofs, ca = Proofs(reusing), reusing.says()
    observer.apply(cluster, one, domain(hostname))
    observer.until_settled(cluster, one, ["www"])
    reissue(cluster, one, "again")
    # An owner that goes on proves nothing twice where its CA does not ask for it.
    assert (proofs.count(), len(ca.orders()), len(ca.issued())) == (1, 2, 2)
    assert observer.status(observer.get(cluster, one, "www"))["clearedIssuers"] == ["reusing"]

    if operator_is_away:
        cluster.up(operators=0, patch=patch(reusing))
    cluster.kubectl("-n", one, "delete", "domain", "www")
    proofs, ca = Proofs(reusing), reusing.says()
    observer.apply(cluster, two, domain(hostname))
    cluster.up(patch=patch(reusing))
    observer.until_settled(cluster, two, ["www"])
    assert (proofs.count(), len(ca.orders()), len(ca.issued())) == (1, 2, 1)  # the first order showed what there was

    reissue(cluster, two, "again")
    assert (proofs.count(), len(ca.orders()), len(ca.issued())) == (1, 3, 2)
    cluster.kubectl("-n", two, "delete", "domain", "www")


def test_a_secret_of_the_new_owners_making_is_no_proof(cluster: Cluster, reusing: OwnPebble) -> None:
    one, two = observer.new_shop(cluster, "former"), observer.new_shop(cluster, "later")
    hostname = observer.hostname("www", one)
    observer.apply(cluster, one, domain(hostname))
    observer.until_settled(cluster, one, ["www"])
    certificate = observer.secret(cluster, one, "www-tls")
    cluster.kubectl("-n", one, "delete", "domain", "www")

    # As if it had had certificates for the hostname all along.
    client.CoreV1Api(cluster.api).create_namespaced_secret(
        two,
        {
            "metadata": {
                "name": "www-tls",
                "labels": {"app.kubernetes.io/managed-by": "certward", "certward.dev/domain": "www"},
                "annotations": {"certward.dev/issuer": "reusing"},
            },
            "type": "kubernetes.io/tls",
            "stringData": {name: value.decode() for name, value in certificate.items()},
        },
    )
    proofs, ca = Proofs(reusing), reusing.says()
    observer.apply(cluster, two, domain(hostname))
    observer.until_settled(cluster, two, ["www"])
    assert ca.orders() == []
    reissue(cluster, two, "now")
    assert (proofs.count(), len(ca.issued())) == (1, 1)
    cluster.kubectl("-n", two, "delete", "domain", "www")
