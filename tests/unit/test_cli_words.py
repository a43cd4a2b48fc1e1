"""Spans of time, states and lists, as people say them."""

from datetime import UTC, datetime, timedelta

import pytest

from certward.cli import words

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(), "less than a minute"),
        (timedelta(seconds=29), "less than a minute"),
        (timedelta(seconds=31), "1 minute"),
        (5 * MINUTE, "5 minutes"),
        (44 * MINUTE, "44 minutes"),
        (45 * MINUTE, "about 1 hour"),
        (89 * MINUTE, "about 1 hour"),
        (91 * MINUTE, "about 2 hours"),
        (23 * HOUR, "about 23 hours"),
        (23.6 * HOUR, "1 day"),
        (36.1 * HOUR, "2 days"),
        (6 * DAY, "6 days"),
        (29 * DAY, "29 days"),
        (30 * DAY, "about 1 month"),
        (44 * DAY, "about 1 month"),
        (46 * DAY, "2 months"),
        (90 * DAY, "3 months"),
        (340 * DAY, "11 months"),
        (360 * DAY, "almost 1 year"),
        (365 * DAY, "about 1 year"),
        (520 * DAY, "over 1 year"),
        (700 * DAY, "almost 2 years"),
        (1100 * DAY, "about 3 years"),
    ],
    ids=str,
)
def test_spans(length: timedelta, told: str) -> None:
    assert words.span(length) == told
    assert words.span(-length) == told


def test_a_longer_span_never_sounds_shorter() -> None:
    units = {"less": 0, "minute": 1, "hour": 60, "day": 1440, "month": 43200, "year": 525600}

    def size(told: str) -> float:
        if told.startswith("less"):
            return 0
        number, unit = told.split()[-2:]
        return int(number) * units[unit.removesuffix("s")] - (0.2 if told.startswith("almost") else 0)

    told = [size(words.span(timedelta(minutes=minutes))) for minutes in range(0, 3 * 525600, 7)]
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (NOW, "just now"),
        (NOW - 2 * DAY, "2 days ago"),
        (NOW + 5 * MINUTE, "in 5 minutes"),
        (NOW - HOUR, "about 1 hour ago"),
    ],
    ids=str,
)
def test_times_in_relation_to_now(at: datetime, told: str) -> None:
    assert words.ago(at, NOW) == told


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("InProgress", "In Progress"),
        ("DNSVerified", "DNS Verified"),
        ("CertIssued", "Cert issued"),
        ("Failing", "Failing"),
        ("Failed", "Failed"),
        ("Waiting", "Waiting"),
        ("", "Waiting"),
    ],
)
def test_states(state: str, told: str) -> None:
    assert words.state(state) == told


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcdefghijkl"), "a, b, c, d, e, f, g, h, i, j and 2 more"),
    ],
)
def test_lists(names: list[str], told: str) -> None:
    assert words.listed(names) == told


@pytest.mark.parametrize(("text", "told"), [("", ""), ("No", "No."), ("No.", "No."), ("Why? ", "Why?")])
def test_sentences(text: str, told: str) -> None:
    assert words.sentence(text) == told
