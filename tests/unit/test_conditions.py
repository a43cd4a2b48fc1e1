"""Conditions: built anew each time, with the times of what has not changed."""

from builders import DAY, NOW
from certward.model.conditions import Condition, is_true, no, render, unknown, yes
from certward.model.resources import format_time

EARLIER, LATER = format_time(NOW), format_time(NOW + DAY)


def rendered(*wanted: Condition, before=(), generation=1, now=NOW):
    return render(wanted, before, generation=generation, now=now)


def test_a_new_condition_has_all_that_the_api_conventions_ask_for():
    assert rendered(no("Ready", "Pending", "Wait.")) == [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Pending",
            "message": "Wait.",
            "observedGeneration": 1,
            "lastTransitionTime": EARLIER,
        }
    ]


def test_the_same_conditions_later_render_the_same():
    before = rendered(yes("Ready", "Served"), unknown("Checked", "NotYet"))
    assert rendered(yes("Ready", "Served"), unknown("Checked", "NotYet"), before=before, now=NOW + DAY) == before


def test_another_reason_alone_is_no_transition():
    before = rendered(no("Ready", "Pending"))
    (after,) = rendered(no("Ready", "Failing", "Look."), before=before, generation=2, now=NOW + DAY)
    assert (after["reason"], after["message"], after["observedGeneration"]) == ("Failing", "Look.", 2)
    assert after["lastTransitionTime"] == EARLIER


def test_another_status_is_a_transition():
    (after,) = rendered(yes("Ready", "Served"), before=rendered(no("Ready", "Pending")), now=NOW + DAY)
    assert after["lastTransitionTime"] == LATER


def test_conditions_that_are_not_wanted_any_more_go_and_the_order_is_that_of_what_is_wanted():
    before = rendered(yes("Old", "A"), yes("B", "B"), yes("A", "A"))
    assert [c["type"] for c in rendered(yes("A", "A"), yes("B", "B"), before=before)] == ["A", "B"]


def test_is_true():
    conditions = rendered(yes("Ready", "A"), no("Served", "A"), unknown("Checked", "A"))
    assert [is_true(conditions, kind) for kind in ("Ready", "Served", "Checked", "Other")] == [
        True,
        False,
        False,
        False,
    ]
