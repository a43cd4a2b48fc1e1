"""When to try again and when to renew."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, NOW
from certward.errors import Blocked, ChallengeFailed, Conflict, InvalidSpec, RateLimited, Rejected, Transient
from certward.plan.schedule import Window, ask_again_after, overdue_time, renewal_time, retry_at, spread

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(1, MINUTE), (2, 10 * MINUTE), (3, 100 * MINUTE), (4, DAY), (5, DAY), (1000, DAY)],
)
def test_a_failed_validation_is_tried_again_after_1_10_and_100_minutes_and_then_daily(failures, pause):
    assert retry_at(ChallengeFailed("OrderInvalid", "No."), failures, NOW) == NOW + pause


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (100_000, 300)]
)
def test_a_hiccup_is_tried_again_after_doubling_pauses_up_to_five_minutes(failures, seconds):
    assert retry_at(Transient("CAUnavailable", "Down."), failures, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("reason", ["DNSNotFound", "CAAForbids", "ChallengeBlocked", "CDNInterferes"])
@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (7, 300), (100_000, 300)])
def test_a_hostname_that_is_not_in_order_is_looked_at_less_often(reason, failures, seconds):
    assert retry_at(Transient(reason, "No."), failures, NOW) == NOW + timedelta(seconds=seconds)


def test_what_is_rejected_is_not_tried_again():
    assert retry_at(Rejected("CARejected", "Never."), 1, NOW) is None


@pytest.mark.parametrize("until", [NOW - DAY, NOW, NOW + timedelta(milliseconds=1), NOW + DAY])
def test_a_limit_is_kept_and_ends_in_the_future(until):
    again = retry_at(RateLimited("RateLimited", "Later.", until=until), 1, NOW)
    assert again is not None
    assert again > NOW
    assert again >= until
    assert again - max(until, NOW) <= timedelta(seconds=1)


@pytest.mark.parametrize("error", [Blocked("A", "b"), Conflict("A", "b"), InvalidSpec("A", "b")])
def test_every_other_error_is_tried_again_too(error):
    assert retry_at(error, 1, NOW) == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("lifetime", "after"),
    [(90 * DAY, 60 * DAY), (10 * DAY, 10 * DAY * 2 / 3), (6 * DAY, 3 * DAY), (timedelta(hours=1), 30 * MINUTE)],
)
def test_a_certificate_is_renewed_at_two_thirds_of_its_life_and_a_short_one_at_half(lifetime, after):
    assert renewal_time(NOW, NOW + lifetime) == NOW + after


@given(st.text(), st.integers(1, 10**6))
def test_the_spread_of_an_object_lies_within_the_interval_and_stays(uid, seconds):
    interval = timedelta(seconds=seconds)
    assert timedelta() <= spread(uid, interval) < interval
    assert spread(uid, interval) == spread(uid, interval)


def test_many_objects_are_spread_evenly():
    points = [spread(f"uid-{number}", DAY) for number in range(1000)]
    for quarter in range(4):
        assert 200 < sum(DAY * quarter / 4 <= point < DAY * (quarter + 1) / 4 for point in points) < 300


LIFE = 90 * DAY
LIVES = pytest.mark.parametrize("life", [90 * DAY, 45 * DAY, 6 * DAY, timedelta(minutes=10)], ids=str)


@LIVES
@given(st.uuids().map(str), st.floats(0, 1), st.floats(0, 1))
def test_with_advice_a_certificate_is_renewed_within_the_window_and_between_half_and_five_sixths(
    life, uid, begin, width
):
    window = Window(NOW + life * begin, NOW + life * begin + life * width * (1 - begin))
    due = renewal_time(NOW, NOW + life, window=window, uid=uid)
    earliest, latest = NOW + life / 2, NOW + life * 5 / 6
    assert due <= latest
    assert due <= max(window.end, earliest)
    if window.end > earliest:
        assert due >= earliest
        assert due >= min(window.start, latest)
    else:
        assert window.start <= due, "a window that ends early is taken at its word"


def test_a_window_that_has_passed_means_now():
    now = NOW + DAY
    assert renewal_time(NOW, NOW + LIFE, window=Window(NOW - 2 * DAY, NOW - DAY), uid="a") < now


def test_many_certificates_of_one_day_are_spread_over_the_window():
    window = Window(NOW + 55 * DAY, NOW + 65 * DAY)
    dues = sorted(renewal_time(NOW, NOW + LIFE, window=window, uid=f"uid-{number}") for number in range(10_000))
    by_day = [
        sum(window.start + day * DAY <= due < window.start + (day + 1) * DAY for due in dues) for day in range(10)
    ]
    assert sum(by_day) == 10_000
    assert all(900 < count < 1100 for count in by_day), by_day


def test_a_renewal_is_overdue_when_a_quarter_of_the_time_left_for_it_has_passed():
    assert overdue_time(NOW + 60 * DAY, NOW + 90 * DAY) == NOW + 67.5 * DAY
    assert overdue_time(NOW + 90 * DAY, NOW + 80 * DAY) == NOW + 90 * DAY


@pytest.mark.parametrize(
    ("life", "retry_after", "wait"),
    [
        (90 * DAY, 6 * timedelta(hours=1), 6 * timedelta(hours=1)),
        (timedelta(hours=10), 6 * timedelta(hours=1), timedelta(hours=1)),
        (10 * MINUTE, 6 * timedelta(hours=1), MINUTE),
        (MINUTE, 6 * timedelta(hours=1), MINUTE),
        (90 * DAY, timedelta(seconds=1), MINUTE),
    ],
)
def test_the_cas_advice_is_asked_for_again(life, retry_after, wait):
    assert ask_again_after(NOW, NOW + life, retry_after) == wait
