"""Two replicas: one works, both answer challenges, and the other one takes over when the first is gone."""

import http.client
import os
import secrets
import signal
import time
from collections.abc import Iterator

import pytest
from kubernetes import client

from certward.names import CHALLENGE_PATH
from cluster import operator_process, processes
from cluster.handle import Cluster
from cluster.ports import Ports
from integration import observer

REPLICAS = operator_process.names(2)
#: A Lease lasts 15 s and is looked at each second.
TAKE_OVER = 30.0
HAND_OVER = 5.0


@pytest.fixture(scope="module", autouse=True)
def _two_replicas(cluster: Cluster) -> Iterator[None]:
    cluster.up(operators=2)
    yield
    for process in processes.running(cluster.state).values():
        if operator_process.is_operator(process.name):
            processes.send(cluster.state, process, signal.SIGCONT)
    cluster.up()


@pytest.fixture
def leader(cluster: Cluster) -> str:
    """The replica that leads now, with the other one standing by."""
    cluster.up(operators=2)
    return str(cluster.wait_for(lambda: one_leader(cluster), 30, "one leader"))


def one_leader(cluster: Cluster) -> str:
    """The replica that leads, if all are synced and exactly one does."""
    told = [observer.readyz(cluster, replica) for replica in REPLICAS]
    leading = [one["replica"] for one in told if one.get("leader")]
    return leading[0] if len(leading) == 1 and all(one.get("synced") for one in told) else ""


def holder(cluster: Cluster) -> str:
    """Who holds the Lease."""
    lease = client.CoordinationV1Api(cluster.api).read_namespaced_lease("certward", operator_process.NAMESPACE)
    return lease.spec.holder_identity or ""


def other(replica: str) -> str:
    """The other one of the two."""
    return next(name for name in REPLICAS if name != replica)


def answers(cluster: Cluster, hostname: str, count: int) -> set[str]:
    """What follows the token in so many answers of the answerers, each over a connection of its own."""
    port = Ports(cluster.state.root / "ports.json").get("http01")
    found = set()
    for _ in range(count):
        token = secrets.token_urlsafe(24)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        connection.request("GET", f"{CHALLENGE_PATH}{token}", headers={"Host": hostname})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        assert response.status == 200, (response.status, body)
        assert body.startswith(f"{token}."), body
        found.add(body.removeprefix(f"{token}."))
    return found


def test_exactly_one_leads_and_holds_the_lease(cluster: Cluster, leader: str) -> None:
    def is_so() -> None:
        assert observer.leaders(cluster, REPLICAS) == [leader]
        assert holder(cluster) == leader

    observer.throughout(4, is_so)


def test_a_killed_leader_is_replaced_and_its_work_goes_on(cluster: Cluster, leader: str) -> None:
    namespace = observer.new_shop(cluster, "leader")
    names = [f"d{number}" for number in range(5)]
    ca = observer.CALog(cluster)
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
    cluster.wait_for(ca.orders, 20, "the first order")

    cluster.kill(leader)
    killed = time.monotonic()
    # Not the leader yet, and alone: what comes now is answered by the one that stands by. (The very first connections
    # may still meet the sockets of the one that is ending.)
    challenged = observer.hostname(names[0], namespace)
    cluster.wait_for(lambda: answers(cluster, challenged, 1), 3, "an answer", ignore=(OSError,))
    thumbprints = answers(cluster, challenged, 20)
    assert len(thumbprints) == 1
    heir = other(leader)
    assert not observer.readyz(cluster, heir)["leader"]
    cluster.wait_for(lambda: observer.leaders(cluster, [heir]), TAKE_OVER, "the other replica leads")
    took = time.monotonic() - killed
    observer.until_settled(cluster, namespace, names, 30)

    print(f"\ntaken over after {took:.1f} s; {len(ca.orders())} orders, {len(ca.issued())} certificates")
    assert len(ca.issued()) == len(names)
    cluster.up(operators=2)
    assert one_leader(cluster) == heir, "the one that comes back stands by"
    assert answers(cluster, challenged, 40) == thumbprints


def test_a_leader_that_is_told_to_stop_hands_over_at_once(cluster: Cluster, leader: str) -> None:
    heir = other(leader)
    pid = cluster.pid(leader)
    begun = time.monotonic()

    os.kill(pid, signal.SIGTERM)

    cluster.wait_for(lambda: observer.leaders(cluster, [heir]), HAND_OVER, "the other replica leads")
    took = time.monotonic() - begun
    cluster.wait_for(lambda: pid not in cluster.operator_pids(), 20, "the end of the process")
    print(f"\nhanded over after {took:.1f} s, ended after {time.monotonic() - begun:.1f} s")
    namespace = observer.new_shop(cluster, "handover")
    observer.apply(cluster, namespace, observer.domain("www", namespace))
    observer.until_settled(cluster, namespace, ["www"], 20)


def test_a_leader_that_slept_through_its_lease_ends(cluster: Cluster, leader: str) -> None:
    heir, pid = other(leader), cluster.pid(leader)

    cluster.kill(leader, signal.SIGSTOP)
    cluster.wait_for(lambda: holder(cluster) == heir, TAKE_OVER, "the other replica holds the lease")
    cluster.kill(leader, signal.SIGCONT)

    cluster.wait_for(lambda: pid not in cluster.operator_pids(), 10, "the end of the one that woke up")
    cluster.wait_for(lambda: observer.leaders(cluster, REPLICAS) == [heir], 10, "the other replica leads")
    assert f"the lease is held by {heir} now; this process ends" in cluster.operator_log(leader)


def test_one_replica_goes_on_alone(cluster: Cluster, leader: str) -> None:
    begun = time.monotonic()

    cluster.up(operators=1)

    print(f"\nthe one that is left leads after {time.monotonic() - begun:.1f} s (the leader was {leader})")
    assert observer.leaders(cluster, REPLICAS) == ["certward-0"]
    namespace = observer.new_shop(cluster, "alone")
    observer.apply(cluster, namespace, observer.domain("www", namespace))
    observer.until_settled(cluster, namespace, ["www"], 20)
