"""Several replicas that work: each on its own namespaces, balanced, and nobody's work is lost when one goes."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from kubernetes import client

from certward.plan.shards import lease_name, shard_of
from cluster import operator_process, processes
from cluster.handle import Cluster
from integration import observer

SHARDS = 4
PATCH = {"shards": SHARDS}
REPLICAS = operator_process.names(3)
#: A Lease lasts 15 s and is looked at every three seconds.
TAKE_OVER = 30.0
BALANCED = 20.0
HAND_OVER = 8.0


@pytest.fixture(scope="module", autouse=True)
def _two_workers(cluster: Cluster) -> Iterator[None]:
    cluster.up(operators=2, patch=PATCH)
    yield
    # Whoever works by another division waits until it is certain that nobody works by this one; here it is.
    cluster.up(operators=0)
    leases = client.CoordinationV1Api(cluster.api)
    for shard in range(SHARDS):
        leases.delete_namespaced_lease(lease_name(shard), operator_process.NAMESPACE)
    cluster.up()


@pytest.fixture(scope="module")
def shops(cluster: Cluster, _two_workers: None) -> list[str]:
    """A namespace with an App in each shard, in the order of the shards."""
    found: dict[int, str] = {}
    while len(found) < SHARDS:
        name = cluster.namespace("shards")
        if shard_of(name, SHARDS) not in found:
            found[shard_of(name, SHARDS)] = name
            cluster.backend(name, "shop")
            observer.apply(cluster, name, observer.app())
    return [found[shard] for shard in range(SHARDS)]


@pytest.fixture
def two(cluster: Cluster) -> None:
    """Two replicas that hold two shards each."""
    cluster.up(operators=2, patch=PATCH)
    cluster.wait_for(lambda: shares(cluster, REPLICAS[:2]) == [2, 2], BALANCED, "two shards each")


def held(cluster: Cluster, replica: str) -> set[int]:
    """The shards that a replica says that it works on."""
    return set(observer.readyz(cluster, replica).get("shards") or ())


def shares(cluster: Cluster, replicas: list[str]) -> list[int]:
    """How many shards each replica works on, ascending; nothing where any is held twice or by nobody."""
    of = [held(cluster, replica) for replica in replicas]
    return sorted(map(len, of)) if sorted(shard for each in of for shard in each) == list(range(SHARDS)) else []


def order_all(cluster: Cluster, shops: list[str], names: list[str]) -> None:
    """Create so many Domains in each namespace."""
    for namespace in shops:
        observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))


def are_settled(cluster: Cluster, shops: list[str], names: list[str]) -> bool:
    """Whether these Domains are issued and Ready in every namespace."""
    there = [observer.domains(cluster, namespace) for namespace in shops]
    return all(observer.is_settled(found[name]) for found in there for name in names)


def transitions(cluster: Cluster) -> list[int]:
    """How often the Lease of each shard has changed hands."""
    api = client.CoordinationV1Api(cluster.api)
    leases = [api.read_namespaced_lease(lease_name(shard), operator_process.NAMESPACE) for shard in range(SHARDS)]
    return [lease.spec.lease_transitions or 0 for lease in leases]


def writers(audit: observer.AuditLog, namespace: str) -> list[str]:
    """Who has written in a namespace, one after the other, by the user agent; Events aside, which come later."""
    told = [
        (entry["requestReceivedTimestamp"], entry["userAgent"])
        for entry in audit.requests()
        if entry["verb"] not in observer.READS
        and entry.get("objectRef", {}).get("namespace") == namespace
        and entry["objectRef"]["resource"] != "events"
    ]
    agents = [agent for _, agent in sorted(told)]
    return [agent for number, agent in enumerate(agents) if number == 0 or agents[number - 1] != agent]


@pytest.mark.usefixtures("two")
def test_each_works_on_its_own_and_both_issue(cluster: Cluster, shops: list[str]) -> None:
    audit = observer.AuditLog(cluster)
    order_all(cluster, shops, ["www"])
    for namespace in shops:
        observer.until_settled(cluster, namespace, ["www"])
    wrote = [writers(audit, namespace) for namespace in shops]
    mine = held(cluster, REPLICAS[0])
    for shard, agents in enumerate(wrote):
        replica = REPLICAS[0] if shard in mine else REPLICAS[1]
        assert len(agents) == 1, (shard, agents)
        assert agents[0].endswith(f"({replica})")
    assert observer.leaders(cluster, REPLICAS[:2]) == [REPLICAS[0] if 0 in mine else REPLICAS[1]]
    sums = [observer.metric(cluster, "certward_shards_held", replica=replica) for replica in REPLICAS[:2]]
    assert sums == [2, 2]


@pytest.mark.usefixtures("two")
def test_one_that_is_killed_is_taken_over_from_in_the_middle_of_its_orders(cluster: Cluster, shops: list[str]) -> None:
    audit, ca, before = observer.AuditLog(cluster), observer.CALog(cluster), transitions(cluster)
    names = [f"d{number}" for number in range(5)]
    order_all(cluster, shops, names)
    cluster.wait_for(lambda: len(ca.orders()) > 2, 20, "the first orders")

    cluster.kill(REPLICAS[1])
    killed = time.monotonic()
    is_open = len(ca.orders()) - len(ca.issued())
    cluster.wait_for(lambda: len(held(cluster, REPLICAS[0])) == SHARDS, TAKE_OVER, "one works on everything")
    took = time.monotonic() - killed
    for namespace in shops:
        observer.until_settled(cluster, namespace, names)

    orders, wanted = len(ca.orders()), len(shops) * len(names)
    print(f"\ntaken over after {took:.1f} s; {orders} orders for {wanted} certificates, {is_open} open at the kill")
    assert wanted <= orders <= wanted + is_open
    changes = [after - was for after, was in zip(transitions(cluster), before, strict=True)]
    for shard, namespace in enumerate(shops):
        # One writes after the other, and only where the Lease has changed hands.
        assert len(writers(audit, namespace)) <= 1 + changes[shard], (shard, writers(audit, namespace))


@pytest.mark.usefixtures("two")
def test_a_third_one_gets_a_share_and_one_that_ends_gives_its_own_away(cluster: Cluster, shops: list[str]) -> None:
    audit, before = observer.AuditLog(cluster), transitions(cluster)
    names = [f"e{number}" for number in range(5)]
    order_all(cluster, shops, names)
    cluster.up(operators=3, patch=PATCH)
    cluster.wait_for(lambda: shares(cluster, REPLICAS) == [1, 1, 2], BALANCED, "a share for each of three")

    order_all(cluster, shops, ["late"])
    leaver = REPLICAS[0]
    pid, begun = cluster.pid(leaver), time.monotonic()
    os.kill(pid, signal.SIGTERM)
    rest = REPLICAS[1:]
    cluster.wait_for(lambda: sum(shares(cluster, rest)) == SHARDS, HAND_OVER, "two work on everything")
    print(f"\nhanded over after {time.monotonic() - begun:.1f} s")
    cluster.wait_for(lambda: pid not in cluster.operator_pids(), 20, "the end of the process")
    for namespace in shops:
        observer.until_settled(cluster, namespace, [*names, "late"])
    changes = [after - was for after, was in zip(transitions(cluster), before, strict=True)]
    for shard, namespace in enumerate(shops):
        assert len(writers(audit, namespace)) <= 1 + changes[shard], (shard, writers(audit, namespace))
    assert not [name for name in processes.running(cluster.state) if name == leaver]


@pytest.mark.usefixtures("two")
def test_a_new_account_key_fails_no_order_of_a_replica_that_does_not_make_it(
    cluster: Cluster, shops: list[str]
) -> None:
    logs = {name: len(cluster.operator_log(name)) for name in REPLICAS[:2]}
    rollover, account = str(time.time_ns()), "certward-account-pebble"
    order_all(cluster, shops, ["k0"])
    body = {"metadata": {"annotations": {"certward.dev/rollover": rollover}}}
    core = client.CoreV1Api(cluster.api)
    core.patch_namespaced_secret(account, operator_process.NAMESPACE, body)

    def is_handled() -> bool:
        secret = core.read_namespaced_secret(account, operator_process.NAMESPACE)
        return secret.metadata.annotations.get("certward.dev/rollover-handled") == rollover

    names = ["k0"]
    while not is_handled():  # orders come all the time
        cluster.wait_for(lambda: is_handled() or are_settled(cluster, shops, names), 90, "certificates, or the key")
        names.append(f"k{len(names)}")
        order_all(cluster, shops, names[-1:])
    for namespace in shops:
        observer.until_settled(cluster, namespace, names)
    told = "".join(cluster.operator_log(name)[end:] for name, end in logs.items())
    assert "CARejected" not in told
    assert "this is a mistake in Certward" not in told
