"""The ledger as text: read back as it was, kept small, and never trusted."""

import json

import pytest

from builders import DAY, NOW
from certward.model.resources import format_time
from certward.plan.ledger_document import MAX_BYTES, MAX_HOLD, Snapshot, parse, render
from certward.plan.windows import Books, Limit, Subject

T = int(NOW.timestamp())
DIRECTORY = "https://ca.example/dir"
LIMITS = {Limit.ORDERS: 300, Limit.CERTIFICATES: 50, Limit.DUPLICATES: 5, Limit.FAILURES: 5}
EXAMPLE = Subject(Limit.CERTIFICATES, "example.com")


def written(**changes: object) -> str:
    document = {"version": 1, "directory": DIRECTORY, "at": format_time(NOW)} | changes
    return json.dumps(document)


def test_what_is_written_is_read_back():
    books = Books(LIMITS)
    for subject in (Subject(Limit.ORDERS), EXAMPLE, Subject(Limit.DUPLICATES, "x"), Subject(Limit.FAILURES, "h.x")):
        books.count(subject, T - 60, 2)
        books.count(subject, T)
    held = {Subject(Limit.ORDERS): T + 100, EXAMPLE: T + 200}
    text, left_out = render(Snapshot(books, held, NOW), DIRECTORY)
    assert left_out == 0
    found = parse(text, DIRECTORY, LIMITS, T)
    assert sorted(found.books) == sorted(books)
    assert found.held == held
    assert found.at == NOW


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param(json.dumps({"history": []}), id="something else"),
        pytest.param(written(version=2), id="a later version"),
        pytest.param(written(directory="https://other.example/dir"), id="another CA's"),
        pytest.param(written(at=None), id="no date"),
        pytest.param(written(at="yesterday"), id="not a date"),
        pytest.param(written(orders=[1, 2]), id="counts in a list"),
        pytest.param(written(orders={"": {"x": 1}}), id="not a bucket"),
        pytest.param(written(orders={"": {"7": "1"}}), id="not a number"),
        pytest.param(written(orders={"": {"7": -1}}), id="a negative count"),
        pytest.param(written(orders={"": {"7": True}}), id="a bool"),
        pytest.param(written(held={"moon/": format_time(NOW + DAY)}), id="unknown hold"),
        pytest.param("[" * 100_000, id="deeply nested"),
    ],
)
def test_what_is_not_a_ledger_is_refused(text: str):
    with pytest.raises((ValueError, KeyError, TypeError, RecursionError)):
        parse(text, DIRECTORY, LIMITS, T)


def test_counts_from_the_future_and_endless_holds_are_cut_to_now():
    bucket = T // 60
    text = written(
        orders={"": {str(bucket + 10**6): 3, str(bucket): 1}}, held={"orders/": format_time(NOW.replace(year=2099))}
    )
    found = parse(text, DIRECTORY, LIMITS, T)
    assert list(found.books) == [(Subject(Limit.ORDERS), bucket, 4)]
    assert found.held == {Subject(Limit.ORDERS): T + MAX_HOLD}


def test_a_hold_from_before_the_clock_was_set_back_is_as_long_as_it_was_meant():
    ahead = NOW + 30 * DAY
    found = parse(written(at=format_time(ahead), held={"orders/": format_time(ahead + DAY)}), DIRECTORY, LIMITS, T)
    assert found.held == {Subject(Limit.ORDERS): T + DAY.total_seconds()}
    late = written(at=format_time(ahead), held={"orders/": format_time(NOW + 29 * DAY)})
    assert parse(late, DIRECTORY, LIMITS, T).held == {}, "it was over by that clock, too"


def test_a_week_of_the_published_limits_fits_nearly_whole():
    books = Books(LIMITS)
    for number in range(16_800):  # 300 in 3 hours for 7 days, each for a registered domain of its own
        at = T - number * 36
        books.count(Subject(Limit.CERTIFICATES, f"registered-domain-{number}.com"), at)
        books.count(Subject(Limit.DUPLICATES, f"{number:012}"), at)
    for _ in range(48):
        books.count(EXAMPLE, T - 7 * 24 * 3600 + 60)
    text, left_out = render(Snapshot(books, {}, NOW), DIRECTORY)
    assert len(text.encode()) <= MAX_BYTES
    assert left_out < 16_800 * 2 * 0.3
    kept = parse(text, DIRECTORY, LIMITS, T).books
    assert kept.used(EXAMPLE, T) == 48  # what is near its limit is kept, however old
    newest = Subject(Limit.DUPLICATES, f"{0:012}")
    assert kept.used(newest, T) == 1
