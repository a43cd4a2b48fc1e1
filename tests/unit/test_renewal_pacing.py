"""That renewals which succeed do not follow each other without end, whatever the CA advises and the clock says."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from builders import DAY, NOW, app, broken_secret, domain, facts, observed, proof, secret
from certward.model.conditions import is_true
from certward.model.pki import CertificateFacts
from certward.names import ANNOTATION_REFRESH
from certward.plan import renewal, schedule
from certward.plan.domain import decide
from certward.plan.observed import Observed, Step
from certward.plan.schedule import Window
from certward.runtime.gather import _stored_since
from certward.runtime.memory import Memory

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
LIFE = 90 * DAY
PAST = Window(NOW - 400 * DAY, NOW - 399 * DAY)
LIVES = pytest.mark.parametrize("life", [LIFE, 45 * DAY, 6 * DAY, 10 * HOUR, 8 * MINUTE, MINUTE], ids=str)


def never(_: int) -> None:
    """A CA without advice."""
    return


@dataclass
class World:
    """A Domain whose every order gives a certificate at once; `ahead` is what the operator's clock is wrong by."""

    life: timedelta = LIFE
    advice: Callable[[int], Window | None] = never
    ahead: timedelta = timedelta()
    dated_back: timedelta = timedelta()
    restarts_every: timedelta | None = None
    now: datetime = NOW
    issued: list[datetime] = field(default_factory=list)
    seen: Observed = field(default_factory=lambda: observed(is_preflighted=True, probe_interval=DAY))

    def leaf(self) -> CertificateFacts:
        start = self.now - self.dated_back
        return facts(len(self.issued), not_before=start, not_after=start + self.life)

    def issue(self) -> None:
        noted = renewal.in_a_row(self.seen, self.now + self.ahead)
        self.issued.append(self.now)
        assert len(self.issued) < 1000, "one after the other, without end"
        state = secret(self.leaf(), in_a_row=noted, issued_at=(self.now + self.ahead).replace(microsecond=0))
        self.seen = replace(self.seen, secret=state, window=self.advice(len(self.issued)))

    def look(self) -> Observed:
        known, wall = self.seen.secret.facts, self.now + self.ahead
        shown = proof(known, at=wall) if known else None
        since = self.now - self.issued[-1] if self.issued else timedelta()
        is_own = self.restarts_every is None or since < self.restarts_every
        stored_since = since if is_own else None
        self.seen = replace(self.seen, proof=shown, stored_since=stored_since, advice_in=DAY)
        return self.seen

    def run(self, how_long: timedelta) -> list[timedelta]:
        """How long each certificate was there before the next one came."""
        until = self.now + how_long
        while self.now < until:
            plan = decide(self.look(), self.now + self.ahead)
            if plan.step is Step.PLACE:
                self.issue()
            else:
                assert plan.step is Step.NONE
                assert plan.again_after > timedelta()
                self.now += plan.again_after
        return [after - before for before, after in pairwise(self.issued)]


def test_a_ca_whose_advice_has_always_passed_is_asked_ever_less_often_and_once_a_day_in_the_end():
    gaps = World(advice=lambda _: PAST).run(30 * DAY)
    assert gaps[:6] == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY]
    assert set(gaps[5:]) == {DAY}


@pytest.mark.parametrize("dated_back", [timedelta(), HOUR], ids=["dated as it is", "dated back by an hour"])
@pytest.mark.parametrize("ahead", [LIFE * 2 / 3, LIFE * 4 / 5], ids=str)
def test_a_clock_that_is_ahead_does_not_have_each_certificate_replaced_at_once(ahead, dated_back):
    gaps = World(ahead=ahead, dated_back=dated_back).run(12 * DAY)
    assert gaps[:5] == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR]
    assert len(gaps) < 20


@pytest.mark.parametrize("every", [timedelta(), 10 * MINUTE], ids=["all the time", "every ten minutes"])
@pytest.mark.parametrize(
    "world",
    [{"advice": lambda _: PAST}, {"ahead": LIFE * 2 / 3}, {"ahead": LIFE * 2 / 3, "dated_back": HOUR}],
    ids=["the CA's advice is wrong", "the clock is wrong", "the clock is wrong and certificates are dated back"],
)
def test_an_operator_that_restarts_goes_on_as_slowly(world, every):
    gaps = World(restarts_every=every, **world).run(12 * DAY)
    assert all(gap >= wanted - SECOND for gap, wanted in zip(gaps, [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR], strict=False))
    assert len(gaps) < 20


def test_a_mass_revocation_right_after_the_issuance_is_followed_once_and_soon():
    world = World(advice=lambda serial: PAST if serial == 1 else Window(NOW + 60 * DAY, NOW + 61 * DAY))
    assert world.run(50 * DAY) == [HOUR]
    assert world.seen.secret.in_a_row == 1, "and it is known that this one came by a replacement that was early"


def test_a_mass_revocation_of_older_certificates_is_followed_at_once():
    assert decide(observed(secret=secret(), proof=proof(), window=PAST), NOW).step is Step.PREFLIGHT


@LIVES
def test_renewals_in_time_are_never_held(life):
    gaps = World(life=life).run(life * 4)
    due = schedule.renewal_time(NOW, NOW + life) - NOW
    assert set(gaps) == {due}
    half = Window(NOW + life / 2, NOW + life / 2)
    assert World(life=life, advice=lambda serial: half if serial == 1 else None).run(life * 0.9) == [life / 2]


@LIVES
@pytest.mark.parametrize("times", [0, 1, 5, 1000, 10**9])
def test_a_certificate_is_held_for_a_third_of_its_life_at_most(life, times):
    assert min(life / 10, HOUR) <= schedule.least_age(life, times) <= min(life / 3, DAY)


def test_a_certificate_of_minutes_is_held_for_a_tenth_of_its_life_and_the_next_ones_longer():
    assert [schedule.least_age(8 * MINUTE, times) for times in range(4)] == [
        48 * SECOND, 96 * SECOND, 160 * SECOND, 160 * SECOND
    ]  # fmt: skip


JUST_COME = facts(not_before=NOW - 70 * DAY, not_after=NOW + 20 * DAY)


def just_come(**changes):
    """One that is due, by a clock that is ahead, and that was stored a moment ago."""
    given = {"secret": secret(JUST_COME), "proof": proof(JUST_COME), "stored_since": MINUTE} | changes
    return observed(**given)


def test_what_is_due_and_has_only_just_come_is_left_and_looked_at_when_it_may_be_replaced():
    plan = decide(just_come(), NOW)
    assert (plan.step, plan.again_after) == (Step.NONE, 10 * MINUTE), "the next look is the routine one"
    soon = decide(just_come(stored_since=58 * MINUTE), NOW)
    assert (soon.step, soon.again_after) == (Step.NONE, 2 * MINUTE)
    assert decide(just_come(stored_since=HOUR), NOW).step is Step.PREFLIGHT


def test_a_jump_of_the_clock_does_not_make_a_certificate_older():
    assert decide(just_come(), NOW + 3 * DAY).step is Step.PROVE
    assert decide(just_come(proof=proof(JUST_COME, at=NOW + 3 * DAY)), NOW + 3 * DAY).step is Step.NONE


@pytest.mark.parametrize(
    "change",
    [
        {"domain": domain(annotations={ANNOTATION_REFRESH: "2"}, status={"handled": {"refresh": "1"}})},
        {"secret": secret(JUST_COME, is_revoked=True)},
        {"secret": secret(JUST_COME, issuer="former")},
        {"app": app(key_type="RSA-2048")},
        {"secret": broken_secret()},
    ],
    ids=["a refresh", "a revocation", "another issuer", "another key type", "a certificate that cannot be served"],
)
def test_what_somebody_asks_for_or_changes_is_not_held(change):
    assert decide(just_come(**change), NOW).step is Step.PREFLIGHT


def test_only_the_certificate_that_this_process_has_stored_has_an_age_that_no_clock_tells():
    memory = Memory(stored=(JUST_COME.fingerprint_sha256, time.monotonic() - 60))
    age = _stored_since(memory, secret(JUST_COME))
    assert age
    assert MINUTE <= age < 2 * MINUTE
    assert _stored_since(memory, secret(facts(2))) is None
    assert _stored_since(memory, broken_secret()) is None
    assert _stored_since(Memory(), secret(JUST_COME)) is None


@pytest.mark.parametrize(
    ("noted", "is_held"),
    [(NOW - 30 * MINUTE, True), (NOW - HOUR, False), (NOW + 20 * DAY, False), (None, False)],
    ids=["half an hour ago", "an hour ago", "in times to come: the clock was set back", "never"],
)
def test_another_process_goes_by_what_is_noted_beside_the_certificate(noted, is_held):
    seen = just_come(stored_since=None, secret=secret(JUST_COME, issued_at=noted))
    assert decide(seen, NOW).step is (Step.NONE if is_held else Step.PREFLIGHT)


@pytest.mark.parametrize(
    ("seen", "now", "times"),
    [
        pytest.param(observed(), NOW, 0, id="there was none"),
        pytest.param(just_come(stored_since=HOUR), NOW, 1, id="it was replaced early"),
        pytest.param(just_come(stored_since=4 * HOUR, secret=secret(JUST_COME, in_a_row=2)), NOW, 3, id="once more"),
        pytest.param(just_come(secret=secret(JUST_COME, in_a_row=2)), NOW, 2, id="somebody asked for it"),
        pytest.param(just_come(stored_since=30 * DAY, secret=secret(JUST_COME, in_a_row=2)), NOW, 0, id="it has lived"),
        pytest.param(just_come(stored_since=None), NOW, 0, id="it was renewed in time"),
        pytest.param(just_come(secret=broken_secret()), NOW, 0, id="it could not be served"),
    ],
)
def test_how_many_in_a_row_have_come_early(seen, now, times):
    assert renewal.in_a_row(seen, now) == times


def test_a_window_that_has_passed_makes_no_renewal_overdue_that_is_only_held():
    shown = facts(not_before=NOW, not_after=NOW + LIFE)
    plan = decide(observed(secret=secret(shown), proof=proof(shown), stored_since=SECOND, window=PAST), NOW)
    assert plan.status["certificate"]["renewalTime"] == "2026-11-23T13:00:00Z"
    assert not is_true(plan.status["conditions"], "RenewalOverdue")
