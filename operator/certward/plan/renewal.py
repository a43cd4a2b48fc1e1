"""When the certificate of a Domain is renewed, and whether that is overdue."""

from datetime import datetime

from certward.model.conditions import Condition, no, yes
from certward.model.pki import CertificateFacts
from certward.model.resources import parse_time
from certward.plan import schedule
from certward.plan.gates import Verdict
from certward.plan.observed import Observed


def due_at(observed: Observed, facts: CertificateFacts) -> datetime:
    """When the certificate at hand is to be renewed.

    While this process has not heard the CA's advice it goes by what the status says that was decided before, so that a
    restart changes nothing.
    """
    if observed.window is None:
        known = observed.domain.status.get("certificate") or {}
        if known.get("fingerprintSHA256") == facts.fingerprint_sha256 and known.get("renewalTime"):
            return parse_time(known["renewalTime"])
    uid = observed.domain.meta.uid
    return schedule.renewal_time(facts.not_before, facts.not_after, window=observed.window, uid=uid)


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
