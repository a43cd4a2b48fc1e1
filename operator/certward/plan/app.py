"""The status of an App: a summary of its Domains and of the TLS that it is served with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certward.model.conditions import Condition, is_true, no, render, unknown, yes
from certward.model.grade import Grade, worst
from certward.model.policy import Effective
from certward.model.profiles import default_key_type
from certward.model.resources import App, Domain

#: Domain states in which nothing is wrong although nothing is served: nobody asked for a certificate.
_QUIET_REASONS = ("AutomaticDisabled",)
#: What keeps an App from being served and passes when somebody applies what is missing, perhaps a moment later.
_PASSING_PROBLEMS = ("ServiceNotFound", "GatewayNotFound")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the operator makes of what an App leaves unset, and what is wrong with what it sets.

    Attributes:
        effective: the TLS that it is to be served with.
        grades: of the hosts that are served; None while not all of them have been scanned.
        issuer: the first issuer that is asked.
        acme_profile: the ACME profile that is asked for; empty for the CA's default.
        ingress_class: the class that routes the App.
        is_shown: what its Domains say of their policy was found under the profile in force now.
        hostname: the one that the platform gives it; empty where it gives none.
        hostname_served: what is to be said of that; None where it gives none.
        problem: (reason, sentence) when the App as a whole cannot be served; None when it can.
        backends: those that are its own, where the controller may take one App's for another's.
    """

    effective: Effective
    grades: Sequence[Grade] | None
    issuer: str
    acme_profile: str
    ingress_class: str
    is_shown: bool = True
    problem: tuple[str, str] | None = None
    hostname: str = ""
    hostname_served: Condition | None = None
    backends: Sequence[str] = ()


def status(app: App, domains: Sequence[Domain], resolved: Resolved, *, now: datetime) -> dict[str, Any]:
    """The whole status.

    Args:
        app: the App.
        domains: its Domains.
        resolved: what the operator makes of the App.
        now: aware UTC datetime; shows only where something changes.
    """
    profile = resolved.effective.profile
    grade = _grade(app, resolved)
    states = [(domain, str(domain.status.get("state") or "")) for domain in domains]
    built: dict[str, Any] = {
        "observedGeneration": app.meta.generation,
        "tls": {
            "profile": profile.name,
            "revision": profile.revision,
            "policy": resolved.effective.policy,
            "minVersion": profile.min_version,
            "maxVersion": profile.max_version,
            "grade": grade.letter,
            "gradeCappedBy": grade.capped_by,
        },
        "ingressClassName": resolved.ingress_class,
        "domains": {
            "total": len(domains),
            "issued": sum(state == "CertIssued" for _, state in states),
            "failing": sum(state in ("Failing", "Failed") for _, state in states),
        },
        "conditions": render(
            _conditions(domains, resolved),
            app.status.get("conditions") or (),
            generation=app.meta.generation,
            now=now,
        ),
    }
    if resolved.hostname:
        built["hostname"] = resolved.hostname
    if resolved.backends:
        built["backends"] = list(resolved.backends)
    if app.is_automatic:
        built["certificates"] = {
            "issuer": resolved.issuer,
            "profile": resolved.acme_profile,
            "keyType": app.key_type or default_key_type(profile),
        }
    return built


def _grade(app: App, resolved: Resolved) -> Grade:
    """The worst grade of the App's hosts; the one before while they are being scanned anew."""
    if resolved.grades is not None:
        return worst(resolved.grades)
    before = app.status.get("tls") or {}
    profile = resolved.effective.profile
    if (before.get("profile"), before.get("revision")) != (profile.name, profile.revision):
        return Grade("", "")
    return Grade(before.get("grade") or "", before.get("gradeCappedBy") or "")


def _conditions(domains: Sequence[Domain], resolved: Resolved) -> list[Condition]:
    problem = resolved.problem
    broken = [d for d in domains if d.status.get("state") in ("Failing", "Failed")]
    failed = [d for d in domains if d.status.get("state") == "Failed"]
    pending = [
        d
        for d in domains
        if not is_true(d.status.get("conditions") or (), "Ready")
        and d.status.get("reason") not in _QUIET_REASONS
        and d not in broken
    ]
    working = [d for d in pending if not _waits(d)]
    if problem:
        ready = no("Ready", *problem)
    elif broken:
        ready = no("Ready", "DomainsFailing", f"See Domain {_first(broken)}.")
    elif working:
        ready = no("Ready", "DomainsPending", f"Waiting for Domain {_first(working)}.")
    elif pending:
        ready = no("Ready", "DomainsWaiting", f"See what Domain {_first(pending)} waits for.")
    else:
        ready = yes("Ready", "Served" if domains else "NoDomains")
    is_blocked = problem is not None and problem[0] not in _PASSING_PROBLEMS
    is_working = not is_blocked and bool(working or problem or len(broken) > len(failed))
    # Never both at once, as kstatus wants them: what has been given up is told once nothing else is at work.
    is_stalled = is_blocked or (bool(failed) and not is_working)
    return [
        ready,
        _policy_enforced(domains, is_shown=resolved.is_shown),
        *([resolved.hostname_served] if resolved.hostname_served else []),
        yes("Reconciling", ready.reason, ready.message) if is_working else no("Reconciling", "Settled"),
        _stalled(ready, failed) if is_stalled else no("Stalled", "NotStalled"),
    ]


def _stalled(ready: Condition, failed: Sequence[Domain]) -> Condition:
    if ready.reason == "DomainsFailing":
        return yes("Stalled", "DomainsFailed", f"See Domain {_first(failed)}.")
    return yes("Stalled", ready.reason, ready.message)


def _waits(domain: Domain) -> bool:
    """Whether a Domain waits for somebody else, and not for the operator."""
    is_at_work = is_true(domain.status.get("conditions") or (), "Reconciling")
    return domain.status.get("state") == "Waiting" and not is_at_work


def _policy_enforced(domains: Sequence[Domain], *, is_shown: bool) -> Condition:
    found = [
        (domain, condition)
        for domain in domains
        for condition in domain.status.get("conditions") or ()
        if condition.get("type") == "PolicyEnforced" and condition["status"] != "Unknown"
    ]
    for domain, condition in found:
        if condition["status"] == "False":
            return no("PolicyEnforced", condition["reason"], f"{domain.hostname}: {condition['message']}")
    if found and not is_shown:
        return unknown("PolicyEnforced", "NotProbed", "No handshake has shown yet what the last change made of it.")
    if found:
        narrower = [c for _, c in found if c["reason"] == "EnforcedNarrower"]
        return yes("PolicyEnforced", "EnforcedNarrower" if narrower else "Enforced")
    return unknown("PolicyEnforced", "NotProbed", "No Domain is served over HTTPS yet.")


def _first(domains: Sequence[Domain]) -> str:
    """The first by name, so that the sentence stays the same while the set does."""
    return min(domain.meta.name for domain in domains)
