"""Sliding windows: what counts until when, and when places come free."""

import pytest

from certward.plan.windows import WINDOWS, Books, Limit, Subject

ORDERS = Subject(Limit.ORDERS)
EXAMPLE = Subject(Limit.CERTIFICATES, "example.com")
HOUR = 3600
T0 = 500_000 * HOUR


def books(**limits: int) -> Books:
    return Books({Limit(name): size for name, size in limits.items()})


def test_a_use_counts_for_a_whole_window_and_at_most_a_bucket_longer():
    for limit, (window, width) in WINDOWS.items():
        kept, subject = Books({limit: 1}), Subject(limit, "x")
        kept.count(subject, T0 + 17)
        assert not kept.has_room(subject, T0 + 17 + window)
        assert kept.has_room(subject, T0 + 17 + window + width)


@pytest.mark.parametrize("size", [0, -1])
def test_without_a_limit_nothing_is_counted(size: int):
    kept = books(orders=size)
    kept.count(ORDERS, T0)
    assert list(kept) == []
    assert kept.has_room(ORDERS, T0)
    assert kept.openings(ORDERS, T0) is None


def test_subjects_do_not_share_a_limit():
    kept = books(certificates=1)
    kept.count(EXAMPLE, T0)
    assert not kept.has_room(EXAMPLE, T0)
    assert kept.has_room(Subject(Limit.CERTIFICATES, "example.org"), T0)


def test_a_refund_takes_back_one_use_and_no_more():
    kept = books(orders=5)
    kept.count(ORDERS, T0, 2)
    kept.refund(ORDERS, T0)
    assert kept.used(ORDERS, T0) == 1
    kept.refund(ORDERS, T0)
    kept.refund(ORDERS, T0)
    assert kept.used(ORDERS, T0) == 0
    assert list(kept) == []


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        pytest.param([], [0, 0, 0, 3 * HOUR + 60], id="all free, the fourth when the first is over"),
        pytest.param([-HOUR], [0, 0, 2 * HOUR + 60, 3 * HOUR + 60], id="one taken"),
        pytest.param([-HOUR] * 3, [2 * HOUR + 60] * 3, id="all taken at once"),
        pytest.param([-2 * HOUR] * 2 + [-HOUR] * 3, [2 * HOUR + 60] * 3, id="more than the limit, which was lowered"),
        pytest.param([-4 * HOUR] * 3, [0, 0, 0], id="all over"),
    ],
)
def test_places_come_free_as_uses_are_over(uses: list[int], expected: list[int]):
    kept = books(orders=3)
    for use in uses:
        kept.count(ORDERS, T0 + use)
    openings = kept.openings(ORDERS, T0)
    assert openings is not None
    assert [openings.at(index) - T0 for index in range(len(expected))] == expected


def test_pruning_drops_what_is_over_and_calls_the_future_now():
    kept = books(orders=9)
    kept.count(ORDERS, T0 - 4 * HOUR)
    kept.count(ORDERS, T0 + 1000 * HOUR, 2)
    kept.prune(T0)
    assert [(bucket, times) for _, bucket, times in kept] == [(T0 // 60, 2)]
    assert kept.used(ORDERS, T0 + 3 * HOUR + 60) == 0


@pytest.mark.parametrize("hours", [-50, 0, 1, 9])
def test_shifted_books_keep_the_ages(hours: int):
    kept = books(orders=9, certificates=9)
    kept.count(ORDERS, T0 + 61)
    kept.count(EXAMPLE, T0 + 61)
    moved = kept.shifted(hours)
    for subject in (ORDERS, EXAMPLE):
        for later in range(0, 8 * 24 * HOUR, HOUR // 2):
            assert kept.used(subject, T0 + later) == moved.used(subject, T0 + later + hours * HOUR)


def test_merging_adds_what_both_have_counted_since_they_parted():
    base = books(orders=99)
    base.count(ORDERS, T0, 3)
    ours, theirs = base.copy(), base.copy()
    ours.count(ORDERS, T0, 2)
    ours.count(ORDERS, T0 + 60)
    theirs.count(ORDERS, T0, 5)
    merged = ours.merged(base, theirs)
    assert {bucket: times for _, bucket, times in merged} == {T0 // 60: 10, T0 // 60 + 1: 1}
    ours.refund(ORDERS, T0)
    assert ours.merged(base, theirs).used(ORDERS, T0) == 10
    assert base.copy().merged(base, theirs).used(ORDERS, T0) == 8
    assert books(orders=99).merged(base, theirs).used(ORDERS, T0) == 5
