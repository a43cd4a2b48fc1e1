"""When the certificate of a Domain is renewed, and whether that is overdue."""

from datetime import datetime, timedelta

from certward.model.conditions import Condition, no, yes
from certward.model.pki import CertificateFacts
from certward.model.resources import parse_time
from certward.plan import schedule
from certward.plan.gates import Verdict
from certward.plan.observed import Observed


def due_at(observed: Observed, facts: CertificateFacts) -> datetime:
    """When the certificate at hand is to be renewed.

    While this process has not heard the CA's advice it goes by what the status says that was decided before, so that a
    restart changes nothing. Never before the certificate is as old as it has to be, by its own dates: what is told does
    not depend on a clock.
    """
    if observed.window is None:
        known = observed.domain.status.get("certificate") or {}
        if known.get("fingerprintSHA256") == facts.fingerprint_sha256 and known.get("renewalTime"):
            return parse_time(known["renewalTime"])
    uid = observed.domain.meta.uid
    due = schedule.renewal_time(facts.not_before, facts.not_after, window=observed.window, uid=uid)
    return max(due, facts.not_before + _least_age(observed, facts))


def held_for(observed: Observed, facts: CertificateFacts, now: datetime) -> timedelta:
    """How long neither time nor advice have the certificate at hand replaced, because it has only just come.

    Zero or less: they may. What somebody asks for or changes is not held.
    """
    return _least_age(observed, facts) - _age(observed, facts, now)


def in_a_row(observed: Observed, now: datetime) -> int:
    """What to note beside the certificate that now takes the place of the one at hand: see `schedule.least_age`.

    One more where time or advice had the former replaced early; as many where it was early for another reason, which
    says nothing of them; none where it has lived.
    """
    facts = observed.secret.facts
    if facts is None or _age(observed, facts, now) >= schedule.row_ends_at(facts.not_after - facts.not_before):
        return 0
    is_by_time = now >= due_at(observed, facts) and held_for(observed, facts, now) <= timedelta()
    return observed.secret.in_a_row + is_by_time


def _least_age(observed: Observed, facts: CertificateFacts) -> timedelta:
    return schedule.least_age(facts.not_after - facts.not_before, observed.secret.in_a_row)


def _age(observed: Observed, facts: CertificateFacts, now: datetime) -> timedelta:
    """How long ago the certificate came.

    By the clock that nobody sets, where this process has stored it. Otherwise from what was noted beside it then: that
    is of the same clock as `now`, so that one which is wrong all the time cancels out. Where that lies ahead the clock
    has been set back since, and only the certificate's own dates are left; they may be an hour too early (Let's Encrypt
    dates certificates back by so much).
    """
    if observed.stored_since is not None:
        return observed.stored_since
    noted = observed.secret.issued_at
    return now - (noted if noted and noted <= now else facts.not_before)


def overdue_at(observed: Observed, facts: CertificateFacts) -> datetime:
    """When a renewal that has not come is no longer a matter of patience."""
    return schedule.overdue_time(due_at(observed, facts), facts.not_after)


def overdue(observed: Observed, verdict: Verdict, now: datetime) -> Condition:
    """The condition RenewalOverdue. The deadline is status.certificate.notAfter."""
    facts, app = observed.secret.facts, observed.app
    if facts is None or app is None or not app.is_automatic:
        return no("RenewalOverdue", "NotDue" if facts else "NoCertificate")
    if now < overdue_at(observed, facts):
        return no("RenewalOverdue", "NotDue")
    why = f" The last attempt says: {verdict.message}" if verdict.message else ""
    return yes(
        "RenewalOverdue",
        verdict.reason or "Overdue",
        "The certificate ought to have been renewed by now. It is served until it expires "
        f"(status.certificate.notAfter).{why}",
    )
