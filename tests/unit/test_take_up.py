"""How long the ingress is taken to need, by what was seen of it."""

import pytest

from certward.runtime.take_up import TakeUp


def after(*seconds):
    """What has seen these changes take so long."""
    made = TakeUp()
    for each in seconds:
        made.took(each)
    return made


def test_where_nothing_is_known_a_look_is_due_soon_and_then_ever_later():
    assert [after().pause(waited, 0.1) for waited in (0.0, 1.0, 8.0)] == [0.1, 0.25, 2.0]


def test_an_ingress_that_takes_a_second_is_looked_at_a_little_before():
    slow = after(*[1.0] * 100)
    assert slow.is_slow()
    assert slow.pause(0.0, 0.1) == pytest.approx(0.85, abs=0.01)
    assert slow.pause(0.8, 0.1) == 0.2, "that it was not in force then says nothing new"


def test_one_that_has_become_quick_is_found_to_be():
    made = after(*[1.0] * 100, *[0.05] * 40)
    assert not made.is_slow()


def test_a_single_change_that_takes_long_changes_little_and_none_counts_for_more_than_two_seconds():
    assert not after(3600.0).is_slow()
    assert after(*[3600.0] * 200).pause(0.0, 0.1) <= 2.0
