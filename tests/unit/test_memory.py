"""What a process remembers of Domains, and of which one."""

import pytest

from builders import NOW
from certward.model.resources import Key
from certward.runtime.memory import Memories

WWW = Key("Domain", "team-a", "www")


def test_a_domain_is_remembered():
    memories = Memories(NOW)
    memories.of(WWW, "uid").is_preflighted = True
    assert memories.of(WWW, "uid").is_preflighted


def test_a_domain_of_the_same_name_is_another_one():
    memories = Memories(NOW)
    memories.of(WWW, "old").is_preflighted = True
    assert not memories.of(WWW, "new").is_preflighted


def test_a_domain_that_is_gone_is_forgotten():
    memories = Memories(NOW)
    memories.of(WWW, "uid").is_preflighted = True
    memories.drop(WWW)
    memories.drop(WWW)
    assert not memories.of(WWW, "uid").is_preflighted


def test_an_order_that_is_dropped_leaves_nothing_behind():
    memory = Memories(NOW).of(WWW, "uid")
    memory.order_issuer, memory.order_created_at, memory.wait_until = "main", "2026-11-23T12:00:00Z", 99.0
    memory.drop_order()
    assert (memory.order, memory.order_issuer, memory.order_created_at, memory.wait_until) == (None, "", "", 0.0)


@pytest.mark.parametrize(("before", "after"), [(True, None), (False, False), (None, None)])
def test_whether_a_key_is_kept_is_looked_up_after_an_order_that_had_one(before, after):
    """It may still be there, as it is deleted later or could not be."""
    memory = Memories(NOW).of(WWW, "uid")
    memory.has_next_key = before
    memory.drop_order()
    assert memory.has_next_key is after


def test_what_was_seen_for_one_issuer_says_nothing_to_another():
    memory = Memories(NOW).of(WWW, "uid")
    memory.look_for("first")
    memory.is_preflighted, memory.preflight_since = True, 7.0
    memory.look_for("first")
    assert memory.is_preflighted
    memory.look_for("second")
    assert (memory.is_preflighted, memory.preflight_since, memory.preflighted_for) == (False, None, "second")
