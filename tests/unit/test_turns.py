"""The order of service, and when one's turn is expected."""

from datetime import UTC, datetime, timedelta

import pytest

from builders import DAY, NOW
from certward.model.resources import Key
from certward.plan.turns import OrderRequest, Slot, Turns, Urgency, estimate, forecast, in_words, line_up, urgency
from certward.plan.windows import Books, Limit, Subject

T = NOW.timestamp()
ORDERS = Subject(Limit.ORDERS)


def request(name: str, namespace: str = "a", *, age: timedelta = DAY, left: float | None = None, failures: int = 0):
    """Someone who asks; `left` is the part of a certificate's 90 days that is left."""
    of_certificate = {}
    if left is not None:
        not_after = NOW + 90 * DAY * left
        of_certificate = {"not_before": not_after - 90 * DAY, "not_after": not_after}
    key = Key("Domain", namespace, name)
    return OrderRequest(key, (f"{name}.example.com",), NOW - age, failures=failures, **of_certificate)


def names(line: list[OrderRequest]) -> list[str]:
    return [each.key.name for each in line]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, Urgency.WAITING, id="new"),
        pytest.param({"left": 1 / 3}, Urgency.WAITING, id="renewal in good time"),
        pytest.param({"left": 0.19}, Urgency.EXPIRING, id="expiring"),
        pytest.param({"left": -0.5}, Urgency.EXPIRING, id="expired"),
        pytest.param({"failures": 1}, Urgency.RETRYING, id="failed before"),
        pytest.param({"failures": 9, "left": 0.1}, Urgency.EXPIRING, id="expiring, and failed before"),
    ],
)
def test_class_of_a_request(given, expected):
    assert urgency(request("x", **given), T) is expected


def test_expiring_before_new_before_failed_and_the_oldest_first():
    line = line_up(
        [
            request("failed", failures=2, age=9 * DAY),
            request("young", age=DAY),
            request("old", age=5 * DAY),
            request("soon", left=0.1),
            request("expired", left=-0.2),
            request("renewal", left=0.3, age=2 * DAY),
        ],
        Turns(),
        T,
    )
    assert names(line) == ["expired", "soon", "old", "renewal", "young", "failed"]


def test_namespaces_take_turns_within_a_class():
    many = [request(f"a{number}", "a", age=(9 - number) * DAY) for number in range(4)]
    line = line_up([*many, request("b", "b"), request("c", "c", age=DAY / 2)], Turns(), T)
    assert names(line) == ["a0", "b", "c", "a1", "a2", "a3"]


def test_who_was_just_served_stands_behind_who_waits_and_before_who_comes_later():
    turns = Turns()
    line_up([request("a1", "a"), request("b1", "b")], turns, T)
    turns.served(Urgency.WAITING, "a")
    assert names(line_up([request("a2", "a", age=9 * DAY), request("b1", "b")], turns, T)) == ["b1", "a2"]
    turns.served(Urgency.WAITING, "b")
    line = line_up([request("a2", "a"), request("b2", "b", age=9 * DAY), request("c1", "c", age=10 * DAY)], turns, T)
    assert names(line) == ["a2", "c1", "b2"]


def test_forecast_gives_places_in_order_and_then_as_they_come_free():
    books = Books({Limit.ORDERS: 2})
    books.count(ORDERS, T - 3600)
    line = [request(name) for name in "xyz"]
    checked = {each.key: (ORDERS,) for each in line}
    slots = forecast(line, checked, books, held={}, all_held=0, places=50, now=T)
    ahead = [slot.at - T for slot in slots.values()]
    assert ahead == [0, 7200 + 60, 3 * 3600 + 60]
    assert [slot.limit for slot in slots.values()] == [None, Limit.ORDERS, Limit.ORDERS]


def test_who_has_to_wait_by_itself_takes_no_turn_from_others():
    books = Books({Limit.ORDERS: 1, Limit.CERTIFICATES: 1})
    full = Subject(Limit.CERTIFICATES, "full.com")
    books.count(full, T)
    blocked, held, free = request("blocked"), request("held"), request("free")
    checked = {blocked.key: (ORDERS, full), held.key: (ORDERS,), free.key: (ORDERS,)}
    slots = forecast([blocked, held, free], checked, books, held={held.key: int(T) + 900}, all_held=0, places=50, now=T)
    assert slots[free.key].at <= T
    assert slots[blocked.key].limit is Limit.CERTIFICATES
    assert slots[held.key].at == int(T) + 900


def test_without_a_place_among_the_open_orders_one_waits_briefly():
    line = [request("x"), request("y")]
    slots = forecast(line, {each.key: () for each in line}, Books({}), held={}, all_held=0, places=1, now=T)
    assert slots[line[0].key] == Slot(int(T))
    assert slots[line[1].key].limit is None
    assert 0 < slots[line[1].key].at - T <= 60


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        pytest.param(timedelta(minutes=3), "12:10", id="ten minutes"),
        pytest.param(timedelta(minutes=61), "14:00", id="an hour"),
        pytest.param(timedelta(hours=7), "00:00", id="six hours"),
        pytest.param(timedelta(days=4), "00:00", id="a day"),
    ],
)
def test_estimates_are_coarse_and_not_before_the_turn(wait: timedelta, expected: str):
    told = estimate(T + wait.total_seconds(), T, None)
    assert told.strftime("%H:%M") == expected
    assert told >= NOW + wait


def test_a_promise_stays_while_it_is_about_right():
    told = estimate(T + 5 * 3600, T, None)
    for drift in range(-3600, 1800, 60):
        assert estimate(T + 5 * 3600 + drift, T, told) == told
    assert estimate(T + 12 * 3600, T, told) > told
    assert estimate(T + 600, T, told) < told


def test_a_promise_that_was_not_kept_is_replaced():
    past = datetime(2026, 11, 23, 11, 50, tzinfo=UTC)
    assert estimate(T, T, past) > NOW


@pytest.mark.parametrize("limit", [*Limit, None])
def test_words_for_the_owner_hold_no_figures(limit: Limit | None):
    words = in_words(limit, "www.example.com", "example.com")
    assert words.endswith(".")
    assert not any(sign.isdigit() for sign in words)
