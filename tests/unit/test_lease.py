"""When a replica takes the Lease, waits for it, or ends; the API server's part is a dictionary here."""

from types import SimpleNamespace

import pytest

from certward.runtime.lease import Leadership
from lease_server import Server, stopped_clock


@pytest.fixture
def clock(monkeypatch):
    return stopped_clock(monkeypatch)


def replica(server, name, ended=None):
    on_lost = (lambda: ended.append(name)) if ended is not None else (lambda: pytest.fail("the process would end"))
    return Leadership(server, namespace="certward-system", replica=name, on_lost=on_lost)


def test_the_first_one_leads_and_the_second_waits(clock):
    server = Server()
    first, second = replica(server, "a"), replica(server, "b")
    first._try()
    second._try()
    assert (first.is_leader(), second.is_leader()) == (True, False)
    assert server.lease["spec"]["holderIdentity"] == "a"
    assert clock.value == 1000.0


def test_a_holder_that_renews_is_never_overtaken(clock):
    server = Server()
    first, second = replica(server, "a"), replica(server, "b")
    for _ in range(20):
        first._try()
        second._try()
        clock.value += 5
    assert server.lease["spec"]["holderIdentity"] == "a"


def test_a_holder_that_does_not_renew_is_overtaken_after_the_leases_duration_and_ends(clock):
    server, ended = Server(), []
    first, second = replica(server, "a", ended), replica(server, "b")
    first._try()
    second._try()
    clock.value += 15
    second._try()
    assert not second.is_leader()
    clock.value += 0.1
    second._try()
    assert second.is_leader()
    assert server.lease["spec"]["leaseTransitions"] == 2
    assert not first.is_leader()
    first._try()
    assert ended == ["a"]


def test_who_comes_back_after_another_has_had_the_lease_ends_though_it_is_free(clock):
    server, ended = Server(), []
    first, second = replica(server, "a", ended), replica(server, "b")
    first._try()
    second._try()
    clock.value += 15.1
    second._try()
    second._thread = SimpleNamespace(is_alive=lambda: False)
    second.stop()
    assert server.lease["spec"]["holderIdentity"] == ""
    first._try()
    assert (ended, first.is_leader()) == (["a"], False)


def strike_out_holder(server):
    lease = server.get("Lease", "", "certward")
    lease["spec"]["holderIdentity"] = ""
    server.replace(lease)


@pytest.mark.parametrize("by_hand", [lambda server: server.leases.clear(), strike_out_holder])
def test_a_lease_that_was_deleted_or_emptied_by_hand_is_taken_again(clock, by_hand):
    server = Server()
    first = replica(server, "a")
    first._try()
    clock.value += 3
    by_hand(server)
    first._try()
    clock.value += 3
    first._try()
    assert first.is_leader()
    assert server.lease["spec"]["holderIdentity"] == "a"


def test_the_wall_clocks_of_others_do_not_matter(clock):
    server = Server()
    replica(server, "a")._try()
    server.lease["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z"
    second = replica(server, "b")
    second._try()
    clock.value += 14
    second._try()
    assert not second.is_leader()


def test_who_could_not_renew_in_time_does_not_lead_though_nobody_else_does(clock):
    first = replica(Server(), "a")
    first._try()
    clock.value += 11.9
    assert first.is_leader()
    clock.value += 0.2
    assert not first.is_leader()
    first._try()
    assert first.is_leader()


def test_a_restarted_replica_goes_on_at_once(clock):
    server = Server()
    replica(server, "a")._try()
    again = replica(server, "a")
    again._try()
    assert again.is_leader()
    assert server.lease["spec"]["leaseTransitions"] == 1
    assert clock.value == 1000.0


def test_of_two_that_reach_for_it_at_once_one_gets_it(clock):
    server = Server()
    first, second = replica(server, "a"), replica(server, "b")
    stale = server.get("Lease", "", "")
    first._try()
    server.get = lambda *_: stale
    second._try()
    assert (first.is_leader(), second.is_leader()) == (True, False)
    assert clock.value == 1000.0


def test_a_replica_that_stops_gives_the_lease_up(clock):
    server = Server()
    first, second = replica(server, "a"), replica(server, "b")
    first._try()
    first._thread = SimpleNamespace(is_alive=lambda: False)
    first.stop()
    assert server.lease["spec"]["holderIdentity"] == ""
    second._try()
    assert second.is_leader()
    assert not first.is_leader()
    assert clock.value == 1000.0


def test_a_replica_whose_thread_has_ended_is_told_from_one_that_works():
    server = Server()
    made = replica(server, "a")
    assert not made.is_alive()
    made.start()
    assert made.is_alive()
    made.stop()
    assert not made.is_alive()
