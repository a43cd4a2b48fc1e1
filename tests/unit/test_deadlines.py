"""What a CA has asked for is waited for as long as it said, however the operator's clock is set meanwhile."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from builders import observed
from certward import deadlines
from certward.acme import holds
from certward.acme.holds import Holds
from certward.acme.problems import Problem
from certward.deadlines import Deadline
from certward.errors import RateLimited, Transient
from certward.runtime import troubles
from certward.runtime.issuance import Issuance
from certward.runtime.memory import Memory
from certward.runtime.troubles import Troubles

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
URL = "https://ca.test/order-plz"


class Clocks:
    """The wall clock, which may be set, and the monotonic one, which goes on."""

    def __init__(self) -> None:
        self.wall, self.monotonic = datetime(2026, 11, 23, 12, tzinfo=UTC), 1000.0

    def now(self, _zone: object) -> datetime:
        return self.wall

    def passes(self, time: timedelta) -> None:
        self.wall += time
        self.monotonic += time / timedelta(seconds=1)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    given = Clocks()
    for module in (deadlines, holds, troubles):
        monkeypatch.setattr(module, "datetime", given)
    for module in (deadlines, troubles):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: given.monotonic))
    return given


def test_a_deadline_is_of_its_moment_while_nobody_sets_the_clock(clocks):
    until = clocks.wall + HOUR
    deadline = Deadline.of(until, DAY)
    clocks.passes(59 * MINUTE)
    assert (deadline.is_over(), deadline.by_the_clock()) == (False, until)
    clocks.passes(MINUTE)
    assert deadline.is_over()


def test_it_comes_no_later_and_no_sooner_when_the_clock_is_set(clocks):
    deadline = Deadline.of(clocks.wall + HOUR, DAY)
    for by in (-30 * DAY, 60 * DAY):
        clocks.wall += by
        assert not deadline.is_over()
        assert deadline.by_the_clock() == clocks.wall + HOUR
    clocks.passes(HOUR)
    assert deadline.is_over()


def test_it_lies_no_further_ahead_than_anybody_asks_for(clocks):
    deadline = Deadline.of(clocks.wall + 400 * DAY, DAY)
    assert deadline.by_the_clock() == clocks.wall + DAY
    clocks.passes(DAY)
    assert deadline.is_over()


def limited(clocks: Clocks, wait: timedelta = HOUR) -> RateLimited:
    return RateLimited("RateLimited", "The CA takes no orders.", until=clocks.wall + wait)


def chosen(known: Troubles, memory: Memory) -> str:
    nothing: Any = None
    return known.choose(("main", "spare"), "", memory, lambda _: nothing, is_open=False)


@pytest.fixture
def known() -> Troubles:
    """Of a process whose ledger knows of no limit."""
    ledger: Any = SimpleNamespace(hold=lambda *_: None)
    return Troubles(ledger)


@pytest.mark.parametrize("by", [timedelta(), -30 * DAY, 30 * DAY], ids=["not set", "set back", "set forth"])
def test_an_issuer_that_limits_is_passed_over_as_long_as_it_said(clocks, known, by):
    memory = Memory()
    known.note("main", limited(clocks), memory, began=clocks.monotonic)
    clocks.wall += by
    assert chosen(known, memory) == "spare"
    assert known.with_issuer("main", memory) == "The CA takes no orders."
    clocks.passes(HOUR)
    assert chosen(known, memory) == "main"


def test_a_limit_that_no_ca_asks_for_ends_after_a_week(clocks, known):
    memory = Memory()
    known.note("main", limited(clocks, 30 * DAY), memory, began=clocks.monotonic)
    clocks.passes(7 * DAY)
    assert known.with_issuer("main", memory) == ""


def test_an_issuer_that_is_away_is_passed_over(clocks, known):
    memory = Memory()
    known.note("main", Transient("CAUnavailable", "Down."), memory, began=clocks.monotonic - 30)
    assert chosen(known, memory) == "spare"
    assert known.with_issuer("main", memory) == "Down."


@pytest.mark.parametrize("by", [timedelta(), -30 * DAY, 30 * DAY], ids=["not set", "set back", "set forth"])
def test_what_a_ca_has_asked_to_leave_alone_is_left_alone_for_so_long(clocks, by):
    held = Holds("main")
    held.note(URL, Problem("rateLimited", "Too many.", 429), 3600)
    held.note(URL, Problem("rateLimited", "Too many.", 429), 60)
    clocks.wall += by
    with pytest.raises(RateLimited) as caught:
        held.check(URL)
    assert caught.value.until == clocks.wall + HOUR
    held.check(f"{URL}/other")
    clocks.passes(HOUR)
    held.check(URL)


def test_a_domain_remembers_its_pause_until_it_fails_otherwise(clocks, known):
    nothing: Any = None
    ordering: Any = SimpleNamespace(begin=lambda: None)
    unused = dict.fromkeys(("secrets", "preflights", "ledger", "dns01", "seeds"), nothing)
    issuance, memory = Issuance(nothing, ordering=ordering, troubles=known, **unused), Memory()
    issuance.begin()
    issuance.failed(observed(issuers=("main",)), memory, limited(clocks))
    clocks.wall -= 30 * DAY
    assert memory.paused
    assert not memory.paused.is_over()
    clocks.passes(HOUR)
    assert memory.paused.is_over()
    issuance.failed(observed(issuers=("main",)), memory, Transient("CAUnavailable", "Down."))
    assert memory.paused is None


def test_the_clocks_of_a_deadline_are_those_of_the_machine():
    deadline = Deadline.of(datetime.now(UTC) + HOUR, DAY)
    assert timedelta(minutes=59) < timedelta(seconds=deadline.at - time.monotonic()) <= HOUR
