"""A Domain at rest is only glanced at; what a glance finds amiss is decided on and mended."""

from collections.abc import Iterator

import pytest

from cluster.handle import Cluster
from integration import observer

INTERVAL = 2
NAMES = ("www", "api")


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[str]:
    """A namespace with hosts that are served, under a short probe interval."""
    observer.alone(cluster)
    cluster.up(patch={"probe": {"interval": f"{INTERVAL}s"}})
    namespace = observer.new_shop(cluster, "rest")
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in NAMES))
    observer.until_settled(cluster, namespace, NAMES)
    yield namespace
    cluster.up()


def looks(cluster: Cluster, kind: str) -> float:
    """How many looks of a kind the operator has taken."""
    return observer.metric(cluster, "certward_stage_seconds_count", f'stage="{kind}"')


def until_at_rest(cluster: Cluster) -> None:
    """Wait until hosts are looked at by glances, and by nothing else."""

    def is_at_rest() -> bool:
        glances, whole = looks(cluster, "glance"), looks(cluster, "proof")
        observer.throughout(2 * INTERVAL, lambda: None)
        return looks(cluster, "glance") >= glances + len(NAMES) and looks(cluster, "proof") == whole

    cluster.wait_for(is_at_rest, 40, "hosts are glanced at")


def test_a_secret_that_is_deleted_by_hand_comes_back(cluster: Cluster, shop: str) -> None:
    until_at_rest(cluster)
    cluster.kubectl("-n", shop, "delete", "secret", "www-tls")
    cluster.wait_for(lambda: "www-tls" in observer.secret_names(cluster, shop), 10 * INTERVAL, "the Secret")
    observer.until_settled(cluster, shop, NAMES)
    until_at_rest(cluster)


def test_a_secret_that_is_exchanged_by_hand_is_noticed(cluster: Cluster, shop: str) -> None:
    until_at_rest(cluster)
    before = observer.fingerprint(observer.served_leaf(cluster, observer.hostname("www", shop)))
    others = cluster.kubectl("-n", shop, "get", "secret", "api-tls", "-o", "jsonpath={.data}")
    cluster.kubectl("-n", shop, "patch", "secret", "www-tls", "--type=merge", "-p", f'{{"data": {others}}}')

    def is_mended() -> bool:
        held = observer.status(observer.get(cluster, shop, "www"))
        shown = observer.fingerprint(observer.served_leaf(cluster, observer.hostname("www", shop)))
        is_ready = observer.condition(observer.get(cluster, shop, "www"), "Ready")["status"] == "True"
        return is_ready and held["certificate"]["fingerprintSHA256"] == shown != before

    cluster.wait_for(is_mended, 15 * INTERVAL, "a certificate of its own for the host", ignore=(OSError,))
