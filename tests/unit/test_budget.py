"""One account's budget: grants, refusals, exemptions, and who is called when."""

from datetime import timedelta

import pytest

from builders import DAY, NOW
from certward.model.resources import Key
from certward.plan.budget import GRACE, Budget
from certward.plan.claims import ACCOUNT, Exemptions, exemptions_of
from certward.plan.grants import OPEN_ORDERS, PLACE_HELD, Grants
from certward.plan.turns import OrderRequest
from certward.plan.windows import Limit, Subject

T = NOW.timestamp()
HOUR = 3600
LETS_ENCRYPT = exemptions_of("https://acme-v02.api.letsencrypt.org/directory")
EXAMPLE = Subject(Limit.CERTIFICATES, "example.com")


def parent(hostname: str) -> str:
    return hostname.partition(".")[2]


def budget(exempt: Exemptions = LETS_ENCRYPT, **limits: int) -> Budget:
    return Budget(Grants({Limit(name): size for name, size in limits.items()}, parent, exempt))


def key(name: str, namespace: str = "a") -> Key:
    return Key("Domain", namespace, name)


def request(name: str, namespace: str = "a", *, host: str = "", **changes) -> OrderRequest:
    return OrderRequest(key(name, namespace), (host or f"{name}.example.com",), NOW - DAY, **changes)


def renewal(name: str, **changes) -> OrderRequest:
    dates = {"not_before": NOW - 60 * DAY, "not_after": NOW + 30 * DAY}
    return request(name, **dates, renews=True, **changes)


def test_an_order_is_granted_counted_and_granted_once():
    one = budget(orders=2)
    assert one.ask(request("x"), T) is None
    assert one.ask(request("x"), T) is None  # asked again before it was placed: the same grant
    assert one.orders.books.used(ACCOUNT, T) == 1
    assert one.ask(request("y"), T) is None
    assert one.ask(request("z"), T) == timedelta(hours=1)  # look again within the hour
    expected, limit = one.told(key("z"))
    assert expected is not None
    assert NOW + timedelta(hours=3) < expected <= NOW + timedelta(hours=4)
    assert limit is Limit.ORDERS


def test_without_limits_only_the_open_orders_are_bounded():
    one = budget()
    for number in range(OPEN_ORDERS):
        assert one.ask(request(str(number)), T) is None
    assert one.ask(request("late"), T) is not None
    assert one.told(key("late")) == (None, None)  # too brief to be told
    assert one.due(T) == []
    one.orders.failed(key("7"), T, is_validation=False)
    assert one.due(T) == [key("late")]
    assert one.due(T) == []
    assert one.ask(request("late"), T) is None


@pytest.mark.parametrize("outcome", ["issued", "failed", "cancelled", "rate_limited", "withdrawn", "too slow"])
def test_every_end_of_an_order_frees_its_place(outcome: str):
    one = budget()
    one.ask(request("x"), T)
    one.orders.placed(key("x"), T)
    assert one.orders.open == 1
    if outcome == "issued":
        one.orders.issued(key("x"), T)
    elif outcome == "failed":
        one.orders.failed(key("x"), T, is_validation=True)
    elif outcome == "cancelled":
        one.orders.cancelled(key("x"))
    elif outcome == "rate_limited":
        one.rate_limited(key("x"), T + 60, "")
    elif outcome == "withdrawn":
        one.withdraw(key("x"))
    else:
        one.due(T + PLACE_HELD + 1)
    assert one.orders.open == 0


def test_what_each_end_leaves_on_the_books():
    one = budget(orders=9, certificates=9, duplicates=9, failures=9)
    for name in ("cancelled", "failed", "issued", "refused"):
        one.ask(request(name), T)
    one.orders.cancelled(key("cancelled"))
    one.rate_limited(key("refused"), T + 60, "")
    for name in ("failed", "issued"):
        one.orders.placed(key(name), T)
    one.orders.failed(key("failed"), T, is_validation=True)
    one.orders.issued(key("issued"), T + HOUR)
    used = {subject: times for subject, _, times in one.orders.books}
    assert used[ACCOUNT] == 2
    assert used[EXAMPLE] == 1
    assert used[Subject(Limit.FAILURES, "failed.example.com")] == 1
    assert sum(times for subject, times in used.items() if subject.limit is Limit.DUPLICATES) == 1
    assert one.orders.books.used(EXAMPLE, T + 7 * 24 * HOUR + HOUR) == 1  # counts from when it was issued


@pytest.mark.parametrize(
    ("exempt", "given", "checked", "counted"),
    [
        pytest.param(LETS_ENCRYPT, {}, "FOCD", "OCD", id="new"),
        pytest.param(LETS_ENCRYPT, {"renews": True}, "FD", "D", id="plain renewal"),
        pytest.param(LETS_ENCRYPT, {"renews": True, "replaces": True}, "", "D", id="ARI renewal"),
        pytest.param(Exemptions(), {"renews": True, "replaces": True}, "FOCD", "OCD", id="ARI, at a CA unknown"),
    ],
)
def test_what_a_renewal_is_exempt_from(exempt, given, checked, counted):
    claims = budget(exempt).orders.claims(request("x", **given))
    assert "".join(each.limit.name[0] for each in claims.checked) == checked
    assert "".join(each.limit.name[0] for each in claims.counted) == counted


@pytest.mark.parametrize(
    ("directory", "is_exempt"),
    [
        ("https://acme-v02.api.letsencrypt.org/directory", True),
        ("https://acme-staging-v02.api.letsencrypt.org/directory", True),
        ("https://letsencrypt.org.example.com/dir", False),
        ("https://pebble:14000/dir", False),
    ],
)
def test_exemptions_are_those_of_lets_encrypt(directory: str, is_exempt: bool):
    assert exemptions_of(directory) == Exemptions(is_exempt, is_exempt)


def test_renewals_go_while_new_orders_wait_for_the_budget():
    one = budget(orders=1, certificates=1, duplicates=5)
    assert one.ask(request("new"), T) is None
    assert one.ask(request("newer"), T) is not None
    assert one.ask(renewal("old"), T) is None
    assert one.ask(renewal("older", replaces=True), T) is None
    assert one.told(key("newer"))[0] is not None


def test_a_domain_that_failed_too_often_waits_until_the_hour_is_over():
    one = budget(failures=2)
    for _ in range(2):
        assert one.ask(request("x"), T) is None
        one.orders.placed(key("x"), T)
        one.orders.failed(key("x"), T, is_validation=True)
    assert one.ask(request("x"), T) is not None
    assert one.told(key("x"))[1] is Limit.FAILURES
    assert one.ask(request("y"), T) is None
    assert one.ask(request("x"), T + HOUR + 60) is None


def test_a_full_registered_domain_does_not_hold_up_others():
    one = budget(orders=3, certificates=1)
    assert one.ask(request("x1"), T) is None
    for number in range(20):
        assert one.ask(request(f"x{number + 2}", failures=0), T) is not None
    assert one.told(key("x2"))[1] is Limit.CERTIFICATES
    assert one.ask(request("y", host="www.example.org"), T) is None
    assert one.ask(request("z", host="www.example.net"), T) is None


REFUSALS = [
    pytest.param("", "xyzr", id="no words: the whole account"),
    pytest.param("too many new orders (300) from this account in the last 3h0m0s", "xyzr", id="orders"),
    pytest.param('too many certificates (50) already issued for "example.com" in the last', "xy", id="domain"),
    pytest.param("too many certificates (5) already issued for this exact set of identifiers", "x", id="names"),
    pytest.param('too many failed authorizations (5) for "x.example.com" in the last 1h0m0s', "x", id="failures"),
    pytest.param('too many certificates (50) already issued for "example.co" in the last', "x", id="another domain"),
]


@pytest.mark.parametrize(("words", "held"), REFUSALS)
def test_a_refusal_of_the_ca_is_final_for_what_it_is_about(words: str, held: str):
    one = budget()
    assert one.ask(request("x"), T) is None
    one.rate_limited(key("x"), T + HOUR, f"The CA le accepts no more requests for now. It says: {words}")
    asked = [request("x"), request("y"), request("z", host="z.example.org"), renewal("r")]
    waits = {each.key.name: one.ask(each, T + 1) for each in asked}
    assert "".join(name for name, wait in waits.items() if wait is not None) == held
    waits = {each.key.name: one.ask(each, T + HOUR) for each in asked}
    assert "".join(name for name, wait in waits.items() if wait is not None) == held
    assert one.ask(asked[0], T + HOUR + 1) is None


def test_after_a_refusal_one_order_goes_first():
    one = budget()
    one.ask(request("x"), T)
    one.rate_limited(key("x"), T + HOUR, "")
    later = T + HOUR + 1
    assert one.ask(request("x"), later) is None
    assert one.ask(request("y"), later) is not None
    assert one.due(later) == []
    one.orders.placed(key("x"), later)
    assert one.due(later) == [key("y")]


def test_places_are_for_those_whose_turn_it_is_and_not_for_those_who_ask_first():
    one = budget(orders=1)
    one.ask(request("first"), T)
    one.orders.placed(key("first"), T)
    expiring = {"not_before": NOW - 89 * DAY, "not_after": NOW + DAY}
    one.ask(request("young"), T)
    one.ask(request("failed", failures=3), T)
    one.ask(request("expiring", **expiring), T)
    later = T + 3 * HOUR + 60
    for again in range(1, 3 * 60):  # they come back, as they were told to
        for each in (request("young"), request("failed", failures=3), request("expiring", **expiring)):
            assert one.ask(each, T + again * 60) is not None
    assert one.ask(request("young"), later) is not None
    assert one.ask(request("failed", failures=3), later) is not None
    assert one.due(later) == [key("expiring")]
    assert one.ask(request("expiring", **expiring), later) is None


def test_a_request_that_is_not_repeated_counts_as_withdrawn():
    one = budget(orders=1)
    one.ask(request("first"), T)
    one.ask(request("gone"), T)
    one.ask(request("here", "b"), T)
    later = T + 3 * HOUR + 60
    one.ask(request("here", "b"), later - 1)
    assert one.ask(request("here", "b"), later + GRACE) is None


def test_a_request_that_is_withdrawn_makes_room_at_once():
    one = budget(orders=1)
    one.ask(request("first"), T)
    one.ask(request("gone"), T)
    one.ask(request("here", "b"), T)
    one.withdraw(key("gone"))
    assert one.waiting == 1
    assert one.ask(request("here", "b"), T + 3 * HOUR + 60) is None


def test_a_resumed_order_has_a_place_and_is_not_counted_again():
    one = budget(orders=5, certificates=5)
    one.orders.resumed(request("x"), T)
    one.orders.resumed(request("x"), T)
    assert one.orders.open == 1
    assert list(one.orders.books) == []
    one.orders.issued(key("x"), T)
    assert one.orders.books.used(EXAMPLE, T) == 1


def test_a_promise_from_before_a_restart_is_kept():
    one = budget(orders=1)
    one.ask(request("first"), T)
    promised = NOW + timedelta(hours=4)
    one.ask(request("x", promised=promised), T)
    assert one.told(key("x"))[0] == promised


@pytest.mark.parametrize("count", [3000])
def test_a_long_line_is_served_in_order_and_quickly(count: int):
    one = budget(orders=10)
    asked = [request(str(number), f"ns{number % 7}") for number in range(count)]
    waits = [one.ask(each, T + number / 500) for number, each in enumerate(asked)]
    assert sum(wait is None for wait in waits) == 10
    for grant in asked[:10]:
        one.orders.placed(grant.key, T + 10)
        one.orders.issued(grant.key, T + 10)
    one.due(T + 20)
    for each in asked[10:]:
        one.ask(each, T + 3 * HOUR)
    later = T + 3 * HOUR + 100
    called = one.due(later)
    assert len(called) == 10
    assert len({each.namespace for each in called}) == 7
    by_key = {each.key: each for each in asked}
    assert all(one.ask(by_key[each], later) is None for each in called)
    assert one.due(later) == []
