"""A converged cluster is left alone: hosts are looked at again and again, and nothing is written."""

from collections import Counter
from collections.abc import Iterator

import pytest

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import observer

DOMAINS = observer.setting("CERTWARD_TEST_SILENCE_DOMAINS", 20)
SECONDS = observer.setting("CERTWARD_TEST_SILENCE_SECONDS", 30)
INTERVAL = observer.setting("CERTWARD_TEST_SILENCE_INTERVAL", 2)
#: Two, so that what is done by namespace is done twice.
NAMESPACES = 2
PASSES = 'kind="Domain",outcome="done"'


@pytest.fixture(scope="module")
def converged(cluster: Cluster) -> Iterator[list[str]]:
    """Namespaces full of Domains that are issued and Ready, under a short probe interval."""
    observer.alone(cluster)
    cluster.up(patch={"probe": {"interval": f"{INTERVAL}s"}})
    namespaces = [observer.new_shop(cluster, "quiet") for _ in range(NAMESPACES)]
    names = [f"d{number:03}" for number in range(DOMAINS // NAMESPACES)]
    for namespace in namespaces:
        observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
    for namespace in namespaces:
        observer.until_settled(cluster, namespace, names, 30 + DOMAINS)
    yield namespaces
    cluster.up()


def writes(audit: observer.AuditLog, namespaces: list[str]) -> list[str]:
    """What was written in these namespaces, in the operator's own and outside of any.

    What tests before this one have left in others may still be at work.
    """
    return [line for line in audit.writes() if line.split()[-1].split("/")[0] in {"", NAMESPACE, *namespaces}]


def until_quiet(cluster: Cluster, namespaces: list[str]) -> None:
    """Wait for three seconds without a write: an App sums up its Domains a moment after the last of them."""

    def is_quiet() -> bool:
        audit = observer.AuditLog(cluster)
        observer.throughout(3, lambda: None)
        return not writes(audit, namespaces)

    cluster.wait_for(is_quiet, 30, "the end of the writes")


def test_a_converged_cluster_gets_no_write(cluster: Cluster, converged: list[str]) -> None:
    until_quiet(cluster, converged)
    audit, ca = observer.AuditLog(cluster), observer.CALog(cluster)
    passes = observer.metric(cluster, "certward_reconciles_total", PASSES)

    observer.throughout(SECONDS, lambda: None, every=1)

    looked = observer.metric(cluster, "certward_reconciles_total", PASSES) - passes
    # What is not about objects, such as discovery, has no reference to one.
    reads = Counter(
        f"{entry['verb']} {(entry.get('objectRef') or {}).get('resource', entry['requestURI'])}"
        for entry in audit.requests()
    )
    print(
        f"\n{DOMAINS} Domains, {SECONDS} s, a look each {INTERVAL} s: {looked:.0f} passes over Domains, "
        f"{len(audit.writes())} writes; requests: {dict(reads.most_common())}"
    )
    assert writes(audit, converged) == []
    assert ca.orders() == []
    # They were looked at meanwhile: each at least every second time that was due.
    assert looked >= DOMAINS * SECONDS / INTERVAL / 2


def test_a_status_changed_by_hand_is_written_back_once(cluster: Cluster, converged: list[str]) -> None:
    namespace, name = converged[0], "d000"
    until_quiet(cluster, converged)
    before = observer.status(observer.get(cluster, namespace, name))
    audit = observer.AuditLog(cluster)

    patch = '{"status": {"message": "written by hand"}}'
    cluster.kubectl("-n", namespace, "patch", "domain", name, "--subresource=status", "--type=merge", "-p", patch)

    cluster.wait_for(
        lambda: observer.status(observer.get(cluster, namespace, name)) == before, 10, "the status as it was"
    )
    until_quiet(cluster, converged)
    assert writes(audit, converged) == [f"patch domains/status {namespace}/{name}"]
