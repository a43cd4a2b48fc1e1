"""Whether a certificate is to be revoked: only when its Domain asks for it, and once for each value that it asks with.

What is asked is about the certificate that is at hand then. That a revocation was done stands on the Secret, beside
the certificate, and is written after the CA was asked: a crash in between asks it once more, for the same certificate.
A new certificate carries what was asked before it came, so that nothing of that is ever done to the new one.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from certward.model.resources import Domain
from certward.names import ANNOTATION_REVOKE
from certward.plan import renewal
from certward.plan.observed import Observed, Plan, Step

#: What a subscriber may say (RFC 5280, 5.3.1); the others are a CA's to give.
REASONS: Final = {
    "unspecified": 0,
    "keyCompromise": 1,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
}
_CODES: Final = {**REASONS, **{str(code): code for code in REASONS.values()}}
_ORDERS: Final = (Step.PREFLIGHT, Step.PLACE, Step.ADVANCE)


def asked(domain: Domain) -> str:
    """The value with which a Domain asks for a revocation; empty when it does not."""
    return domain.meta.annotations.get(ANNOTATION_REVOKE, "").strip()


def is_asked_anew(domain: Domain) -> bool:
    """Whether something is asked that the status does not know as handled."""
    return asked(domain) not in ("", (domain.status.get("handled") or {}).get("revoke"))


def code_of(value: str) -> int | None:
    """The code of the reason that a value begins with, by name or number; what follows it only makes the value new."""
    reason, *_ = value.split() or [""]
    return _CODES.get(reason)


def is_settled(observed: Observed) -> bool:
    """Whether nothing was asked for, or it was done, or is past doing."""
    value = asked(observed.domain)
    return not value or value in (_handled_before(observed), observed.secret.revoke)


def is_due(observed: Observed) -> bool:
    """Whether the certificate at hand has to be revoked."""
    has_certificate = observed.secret.is_managed and observed.secret.facts is not None
    return not is_settled(observed) and has_certificate and code_of(asked(observed.domain)) is not None


def handled(observed: Observed) -> str:
    """The value that counts as handled from now on; empty when none has been yet."""
    value = asked(observed.domain)
    is_handled = code_of(value) is not None and value == observed.secret.revoke
    return value if is_handled else _handled_before(observed)


def first(plan: Plan, observed: Observed, now: datetime) -> Plan:
    """The plan, with the revocation that is due before anything else.

    While the CA cannot be asked, no new certificate takes the place of the one that is to be revoked, until its renewal
    is overdue: being served goes first then.
    """
    facts = observed.secret.facts
    if facts is None or not is_due(observed):
        return plan
    trouble = observed.unrevoked
    if trouble is None or (trouble.wait is not None and trouble.wait <= timedelta()):
        return replace(plan, step=Step.REVOKE, issuer=observed.secret.issuer, why="a revocation was asked for")
    if trouble.wait is None:
        return plan
    if plan.step in _ORDERS and now < renewal.overdue_at(observed, facts):
        return replace(plan, step=Step.NONE, again_after=trouble.wait, why="a revocation comes first")
    return replace(plan, again_after=min(plan.again_after, trouble.wait))


def words(observed: Observed) -> str:
    """What the Domain's owner has to know, as a sentence; empty when there is nothing."""
    value = asked(observed.domain)
    if value and code_of(value) is None:
        return (
            f"Nothing is revoked: annotation {ANNOTATION_REVOKE} has to be one of {', '.join(REASONS)}, or another "
            "value that begins with one of these and a space."
        )
    if value and observed.secret.not_revoked == value:
        return (
            "The certificate before this one was to be revoked and was replaced before its CA could do it; have it "
            "revoked there, where that matters."
        )
    if observed.secret.is_revoked:
        is_replaced = observed.app is not None and observed.app.is_automatic
        return "The automatic certificate has been revoked as asked" + (
            "; it is served until the new one is there."
            if is_replaced
            else " and is not replaced, since such certificates are off: turn them on for a new one."
        )
    if is_settled(observed):
        return ""
    if not is_due(observed):
        return "Nothing is revoked: there is no automatic certificate at hand."
    return f"The certificate has not been revoked yet: {observed.unrevoked.words}" if observed.unrevoked else ""


def _handled_before(observed: Observed) -> str:
    return str((observed.domain.status.get("handled") or {}).get("revoke") or "")
