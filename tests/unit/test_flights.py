"""Who gets a place for what takes long."""

import threading

from certward.runtime.flights import Flights
from cluster.waiting import wait_for


def test_one_namespace_has_half_of_the_places_at_most():
    flights, over = Flights("test", 4, lambda _: None), threading.Event()
    hanging = [flights.start("graveyard", over.wait, 30) for _ in range(5)]
    assert [bool(one) for one in hanging] == [True, True, False, False, False]
    others = [flights.start(name, over.wait, 30) for name in ("shop", "blog", "wiki")]
    assert [bool(one) for one in others] == [True, True, False]
    over.set()
    wait_for(lambda: all(one.done() for one in (*hanging, *others) if one))
    wait_for(lambda: flights.start("graveyard", lambda: None) is not None)


def test_it_is_told_whether_any_are_under_way_for_a_namespace():
    flights, over = Flights("test", 4, lambda _: None), threading.Event()
    flights.start("shop", over.wait, 30)
    assert flights.are_under_way("shop".__eq__)
    assert not flights.are_under_way("blog".__eq__)
    over.set()
    wait_for(lambda: not flights.are_under_way("shop".__eq__))


def test_a_flight_that_fails_leaves_its_place():
    flights = Flights("test", 1, lambda _: None)

    def fail():
        raise ValueError

    for _ in range(3):
        while (flight := flights.start("shop", fail)) is None:
            continue
        assert isinstance(flight.exception(timeout=10), ValueError)
