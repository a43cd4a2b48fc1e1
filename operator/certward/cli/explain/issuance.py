"""The links from the order at the CA to the Secret that holds its certificate."""

from datetime import timedelta
from typing import Any, Final

from certward.cli.explain.facts import Facts
from certward.cli.findings import Finding, Unseen, Verdict, broken, not_looked_at, ok
from certward.model.resources import format_time, parse_time

#: An order takes seconds; the CA may sleep some before it validates.
_PATIENCE: Final = timedelta(minutes=10)
#: An operator that works says something of a new Domain within this time; it takes long where addresses do not answer.
_TAKEN_UP: Final = timedelta(minutes=1)
#: Reasons of other links; where these are in order as seen from here, only the last attempt is still in the way.
_EARLIER: Final = (
    "DNSNotFound",
    "DNSWrongTarget",
    "DNSStrayAAAA",
    "CAAForbids",
    "ChallengeUnreachable",
    "ChallengeBlocked",
    "CDNInterferes",
)
_OF_SECRET: Final = ("SecretInvalid", "SecretMissing")


def order(facts: Facts) -> Finding:
    """Whether the CA issues."""
    if not facts.is_automatic:
        return ok("It is not needed: automatic certificates are off.")
    if facts.reason in _OF_SECRET:
        return ok("No order is placed before the Secret, next in the chain, is in order.")
    state = facts.status.get("state")
    if facts.good_until is not None:
        return _in_place(facts)
    if not facts.status:
        return _not_taken_up(facts)
    if state == "CertIssued":
        return Finding(Verdict.OK, "The CA has issued a certificate.", told_at=facts.told_at)
    if state in ("InProgress", "DNSVerified"):
        return _under_way(facts)
    if facts.reason in _EARLIER:
        return _attempted(facts)
    return Finding(Verdict.BROKEN, facts.message or f"The operator says {state}.", _again(facts), told_at=facts.told_at)


def secret(facts: Facts) -> Finding:
    """Whether the certificate is where it should be, and can be served."""
    look = facts.secret
    namespace = facts.domain.meta.namespace if facts.domain else ""
    where = f"Secret {facts.secret_name} in namespace {namespace}"
    if isinstance(look, Unseen):
        if facts.reason in _OF_SECRET:
            return Finding(Verdict.BROKEN, facts.message, told_at=facts.told_at)
        until = facts.certificate.get("notAfter")
        if until and facts.good_until is None:
            words = f"{look.why[:1].upper()}{look.why[1:]}; the operator says that its certificate has expired"
            return Finding(Verdict.BROKEN, f"{words} ({until}).", _refresh(facts), told_at=facts.told_at)
        told = f" The operator says that it holds a certificate that is good until {until}." if until else ""
        return not_looked_at(f"{where}: {look.why}.{told}")
    if not look.exists:
        return broken(f"{where} is not there.", _mended(facts))
    if not look.is_managed and not _is_manual(facts):
        return broken(
            f"{where} is not Certward's, so it is left untouched and no certificate is stored.",
            "Rename or delete it, or give the Domain another name.",
        )
    if look.facts is None:
        return broken(f"{where} cannot be served: {look.problem}", _mended(facts))
    made = look.facts
    if facts.reason == "ManualCertificateExpiring":
        return Finding(Verdict.WARNING, facts.message, told_at=facts.told_at)
    return ok(f"{where} holds a certificate by {made.issuer}, good until {format_time(made.not_after)}.")


def _is_manual(facts: Facts) -> bool:
    """Whether the Secret is the App's own, and not made by the operator."""
    return facts.certificate.get("source") == "Manual" or not facts.is_automatic


def _in_place(facts: Facts) -> Finding:
    until = format_time(facts.good_until) if facts.good_until else ""
    overdue = facts.condition("RenewalOverdue")
    if overdue.get("status") == "True":
        words = f"{overdue.get('message') or ''} It expires at {until}."
        return Finding(Verdict.WARNING, words, _refresh(facts), told_at=facts.condition_at("RenewalOverdue"))
    if facts.reason not in ("", "AutomaticDisabled", "NotServed") and facts.message:
        words = f"There is a certificate, good until {until}, but: {facts.message}"
        return Finding(Verdict.WARNING, words, _again(facts), told_at=facts.told_at)
    if _is_manual(facts):
        return ok(facts.message or "A manual certificate is served.")
    due: Any = facts.certificate.get("renewalTime")
    return ok(f"The CA has issued a certificate{f'; it is renewed at {due}' if due else ''}.")


def _not_taken_up(facts: Facts) -> Finding:
    words = "The operator has not said anything of the Domain yet"
    if facts.domain and facts.now - facts.domain.meta.created_at < _TAKEN_UP:
        return Finding(Verdict.WARNING, f"{words}; it was created just now.", "Look again in a moment.", stops=True)
    return broken(f"{words}.", "See whether it works: kubectl certward doctor")


def _under_way(facts: Facts) -> Finding:
    opened = facts.status.get("order") or {}
    since = parse_time(opened["createdAt"]) if opened.get("createdAt") else facts.told_at
    which = f"The order at {opened['issuer']}" if opened.get("issuer") else "The order"
    begun = f" (since {format_time(since)})" if since else ""
    if since and facts.now - since > _PATIENCE:
        return broken(
            f"{which} has been under way for longer than usual{begun}. {facts.message}".rstrip(),
            f"See whether the operator works: kubectl certward doctor; then ask again:{_refresh(facts)}",
        )
    words = f"{which} is under way{begun}; that takes seconds as a rule."
    return Finding(Verdict.WARNING, words, "Look again in a moment.", stops=True)


def _attempted(facts: Facts) -> Finding:
    return Finding(
        Verdict.BROKEN,
        f"What the last attempt failed for looks right from here now; the operator had found: {facts.message}",
        _again(facts),
        told_at=facts.told_at,
    )


def _again(facts: Facts) -> str:
    """When the next attempt is made, and how to have it made now."""
    at = (facts.status.get("attempts") or {}).get("nextAttempt")
    if facts.reason in ("RateLimited", "WaitingForBudget"):
        return f"Nothing has to be done: it goes on by itself{f' at {at}' if at else ''}."
    if facts.status.get("state") == "Failed":
        return f"Nothing is tried before that is mended; then:{_refresh(facts)}"
    return f"The next attempt is made {f'at {at}' if at else 'soon'}; to have it made now:{_refresh(facts)}"


def _mended(facts: Facts) -> str:
    if _is_manual(facts):
        return f"Upload it again: kubectl certward certs update {facts.secret_name} CRT KEY{facts.app_flag}"
    return (
        f"The operator gets a new certificate as soon as it notices, at its next look; to have it look now:"
        f"{_refresh(facts)} (and kubectl certward doctor, if nothing comes of it)"
    )


def _refresh(facts: Facts) -> str:
    return f" kubectl certward certs auto refresh{facts.app_flag}"
