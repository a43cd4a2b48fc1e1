"""Where the retries of a Domain stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certward.errors import RateLimited, Rejected
from certward.model.resources import parse_time
from certward.plan import schedule
from certward.plan.gates import Verdict
from certward.plan.observed import Observed

#: A remembered moment may lie so far behind the one that was meant: see schedule.retry_at.
_ROUNDED = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Where the retries stand: `held` says what holds the next attempt back until `until`."""

    failures: int = 0
    until: datetime | None = None
    held: Verdict | None = None


def attempts_of(observed: Observed, now: datetime) -> Attempts:
    """Where the retries stand, from the failure just now or from what the status remembers."""
    before = observed.domain.status.get("attempts") or {}
    failures = int(before.get("failures") or 0)
    reason = observed.domain.status.get("reason") or ""
    failure = observed.failure
    if failure is not None:
        count = failures + 1 if failure.reason == reason and not observed.is_edited else 1
        if isinstance(failure, Rejected):
            state = "Failed"
        else:
            state = "Waiting" if isinstance(failure, RateLimited) else "Failing"
        until = schedule.retry_at(failure, count, now)
        return Attempts(count, until, Verdict(state, failure.reason, failure.message))
    if not failures or observed.is_edited:
        return Attempts()
    if reason == "WaitingForBudget":
        return Attempts(failures)  # its turn comes when it comes; what the status tells of it is an estimate
    if not reason:
        return Attempts(failures)  # an attempt is under way that was made when the pause was over
    message = observed.domain.status.get("message") or ""
    until = parse_time(before["nextAttempt"]) if before.get("nextAttempt") else None
    if until is None:
        return Attempts(failures, None, Verdict("Failed", reason, message))
    state = "Waiting" if reason == "RateLimited" else "Failing"
    is_over = reason == "RateLimited" and observed.is_pause_over and until > now + _ROUNDED
    if is_over or until > now + schedule.longest_pause(reason, failures):
        # The clock was set back since, so the pause is or may be over; the ledger holds an order that has to wait.
        return Attempts(failures)
    return Attempts(failures, until, Verdict(state, reason, message))
