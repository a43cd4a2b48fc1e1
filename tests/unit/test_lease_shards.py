"""Several Leases: taken, asked for, given up; and what happens when their number is changed while replicas run."""

from types import SimpleNamespace

import pytest

from certward.errors import Transient
from certward.names import ANNOTATION_SHARDS, ANNOTATION_WANTED_BY
from certward.runtime.lease import Leadership
from lease_server import Server, stopped_clock


@pytest.fixture
def clock(monkeypatch):
    return stopped_clock(monkeypatch)


@pytest.fixture
def server():
    return Server()


def replica(server, name, shards=4):
    made = Leadership(
        server,
        namespace="certward-system",
        replica=name,
        on_lost=lambda: pytest.fail("the process would end"),
        shards=shards,
    )
    made._thread = SimpleNamespace(is_alive=lambda: False)
    return made


def let_all_go(*replicas):
    for each in replicas:
        for shard in each.leaving():
            each.let_go(shard)


def rounds(clock, replicas, number):
    """So many looks of each, a second between two, with nothing in the way of a hand-over."""
    for _ in range(number):
        for each in replicas:
            each._try()
        let_all_go(*replicas)
        clock.value += 1


def test_one_alone_holds_all_and_shares_with_who_comes(clock, server):
    first, second = replica(server, "a"), replica(server, "b")
    rounds(clock, [first], 3)
    assert first.held() == {0, 1, 2, 3}
    rounds(clock, [first, second], 8)
    assert (first.held(), second.held()) == ({0, 1}, {2, 3})
    assert ANNOTATION_WANTED_BY not in server.leases["certward-3"]["metadata"]["annotations"]


def test_a_shard_that_is_asked_for_is_kept_until_nothing_is_done_about_it(clock, server):
    first, second = replica(server, "a"), replica(server, "b")
    first._try()
    second._try()
    for _ in range(10):
        clock.value += 3
        first._try()
        second._try()
    assert first.leaving() == {2, 3}
    assert first.held() == {0, 1}
    assert second.held() == set()
    assert server.leases["certward-3"]["spec"]["holderIdentity"] == "a", "renewed meanwhile"
    first.let_go(3)
    first._try()
    second._try()
    assert (first.leaving(), second.held()) == ({2}, {3})


def test_a_shard_that_was_given_up_for_one_is_left_to_it_for_a_while(clock, server):
    first, second, third = replica(server, "a"), replica(server, "b"), replica(server, "c")
    rounds(clock, [first], 1)
    second._try()  # asks, and dies
    rounds(clock, [first, third], 5)
    assert server.leases["certward-3"]["spec"]["holderIdentity"] == ""
    rounds(clock, [first, third], 20)
    assert first.held() | third.held() == {0, 1, 2, 3}
    assert not first.held() & third.held()


def test_what_a_dead_one_held_is_taken_by_those_who_are_left(clock, server):
    first, second = replica(server, "a"), replica(server, "b")
    rounds(clock, [first, second], 12)
    rounds(clock, [second], 18)
    assert second.held() == {0, 1, 2, 3}


def test_one_that_ends_gives_up_all_that_it_holds(clock, server):
    first, second = replica(server, "a"), replica(server, "b")
    rounds(clock, [first, second], 12)
    first.stop()
    second._try()
    assert second.held() == {0, 1, 2, 3}


def test_trouble_with_one_lease_holds_up_no_other(clock, server):
    first = replica(server, "a")
    get = server.get

    def refusing(kind, namespace, name):
        if name == "certward-1":
            raise Transient("APIServerUnavailable", "it does not answer")
        return get(kind, namespace, name)

    server.get = refusing
    rounds(clock, [first], 2)
    assert first.held() == {0, 2, 3}


def test_who_cannot_renew_pauses_with_everything(clock, server):
    first = replica(server, "a")
    rounds(clock, [first], 1)
    clock.value += 11.1
    assert first.held() == set()
    assert first.leaving() == set()
    assert 11 < first.age() < 13


def test_two_divisions_never_work_at_once(clock, server):
    old, new = replica(server, "old", shards=1), replica(server, "new")
    rounds(clock, [old, new], 5)
    assert (old.held(), new.held()) == ({0}, set())
    old.stop()
    rounds(clock, [new], 2)
    assert new.held() == {0, 1, 2, 3}
    assert server.lease["metadata"]["annotations"][ANNOTATION_SHARDS] == "4"


def test_back_to_one_shard_waits_until_all_others_are_free_and_a_moment_longer(clock, server):
    first, second = replica(server, "a"), replica(server, "b")
    rounds(clock, [first, second], 12)
    new = replica(server, "new", shards=1)
    first.stop()
    rounds(clock, [new], 3)
    assert new.held() == set(), "b works on two of four"
    second.stop()
    rounds(clock, [new], 3)
    assert server.lease["spec"]["holderIdentity"] == "new"
    assert new.held() == set(), "who has taken one of the others just before may not know yet"
    rounds(clock, [new], 15)
    assert new.held() == {0}
    assert server.lease["metadata"]["annotations"][ANNOTATION_SHARDS] == "1"


def test_who_has_settled_a_new_division_keeps_the_first_shard(clock, server):
    old = replica(server, "old", shards=2)
    rounds(clock, [old], 2)
    old.stop()
    new = replica(server, "new")
    new._try()
    assert server.lease["metadata"]["annotations"][ANNOTATION_SHARDS] == "0"
    for _ in range(40):
        clock.value += 0.7  # so that no renewal falls on the moment at which it has settled
        new._try()
        assert new.leaving() == set()
    assert new.held() == {0, 1, 2, 3}


def test_a_shard_that_cannot_be_given_up_is_no_reason_to_hurry(clock, server):
    first, second = replica(server, "a"), replica(server, "b")
    for _ in range(8):
        first._try()
        second._try()
        clock.value += 1
    assert first.leaving()
    let_all_go(first)
    assert first._wake.is_set()
    first._wake.clear()
    let_all_go(first)
    assert not first._wake.is_set()


def test_who_finds_another_division_in_force_gives_up_what_it_has(clock, server):
    first = replica(server, "a")
    rounds(clock, [first], 2)
    lease = server.get("Lease", "", "certward")
    first._renewed_at.pop(0)  # as if it had not got this one
    lease["spec"] |= {"holderIdentity": "new"}
    lease["metadata"]["annotations"][ANNOTATION_SHARDS] = "0"
    server.replace(lease)
    rounds(clock, [first], 2)
    assert first.held() == set()
    assert [each["spec"]["holderIdentity"] for each in server.leases.values()] == ["new", "", "", ""]
