"""Which changes of a status people are told of by an Event, and in which words. Never a second time for one change.

Told is what has come out (a certificate after failures, a renewal, a move) and what somebody has to do something about.
Left to the status and the metrics are steps on the way, a first certificate that simply comes, and waiting for a CA's
limits, which is about an account and not about one Domain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from certward.model.resources import App, Domain, TLSPolicy

Status = Mapping[str, Any]

#: Reasons with which a Domain waits although nobody has to do anything.
_QUIET: Final = frozenset({"", "AutomaticDisabled", "WaitingForBudget", "RateLimited"})
#: Reasons of an App that its Domains have already told, or that pass by themselves.
_OF_DOMAINS: Final = frozenset({"DomainsFailing", "DomainsPending", "DomainsWaiting"})


@dataclass(frozen=True, slots=True)
class Event:
    """What people are told of an object.

    Attributes:
        reason: CamelCase.
        note: one or more sentences.
        action: what Certward was doing, CamelCase; events.k8s.io wants it.
        is_warning: somebody may have to do something.
    """

    reason: str
    note: str
    action: str
    is_warning: bool = False


def of_domain(domain: Domain, after: Status) -> list[Event]:
    """What the change from a Domain's status to another one is worth telling.

    Args:
        domain: with the status before.
        after: the status that has been written.
    """
    before = domain.status
    told = [*_certificate(domain, before, after), *_trouble(before, after), *_policy(before, after)]
    overdue = _condition(after, "RenewalOverdue")
    if overdue.get("status") == "True" and _condition(before, "RenewalOverdue").get("status") != "True":
        told.append(Event("RenewalOverdue", overdue["message"], "Renew", is_warning=True))
    asked, known = ((status.get("handled") or {}).get("revoke") for status in (after, before))
    if asked and asked != known:
        words = _condition(after, "CertificateIssued").get("message") or "It has been revoked as asked."
        told.append(Event("Revoked", f"{words} (certward.dev/revoke: {asked})", "Revoke"))
    left, entered = before.get("ingressClassName"), after.get("ingressClassName")
    if left and entered and left != entered:
        told.append(Event("Moved", f"Ingress class {entered} serves the host now, {left} no longer does.", "Route"))
    return told


def of_app(app: App, after: Status) -> list[Event]:
    """What the change from an App's status to another one is worth telling."""
    told = []
    was, is_now = app.status.get("tls") or {}, after["tls"]
    if was and _profile(was) != _profile(is_now):
        by = f"TLSPolicy {is_now['policy']}" if is_now.get("policy") else "the App's own default"
        told.append(
            Event("TLSProfileChanged", f"In force is {_profile(is_now)}, by {by}; it was {_profile(was)}.", "Configure")
        )
    ready, before = _condition(after, "Ready"), _condition(app.status, "Ready")
    if ready["status"] == "False" and ready["reason"] not in _OF_DOMAINS and ready["reason"] != before.get("reason"):
        told.append(Event(ready["reason"], ready["message"], "Route", is_warning=True))
    return told


def of_policy(policy: TLSPolicy, after: Status) -> list[Event]:
    """What the change from a TLSPolicy's status to another one is worth telling."""
    accepted, before = _condition(after, "Accepted"), _condition(policy.status, "Accepted")
    enforced, known = _condition(after, "Enforced"), _condition(policy.status, "Enforced")
    if accepted["status"] == "False":
        if accepted["reason"] == before.get("reason"):
            return []
        return [Event(accepted["reason"], accepted["message"], "Accept", is_warning=True)]
    told = []
    if before.get("status") == "False":
        told.append(Event("Accepted", "The policy is accepted now.", "Accept"))
    if enforced["reason"] == "PartiallyOverridden" and known.get("reason") != "PartiallyOverridden":
        told.append(Event("PartiallyOverridden", enforced["message"], "Enforce", is_warning=True))
    return told


def _certificate(domain: Domain, before: Status, after: Status) -> Sequence[Event]:
    """What clients are shown: another certificate, none that is right any more, or the right one again."""
    was, is_now = before.get("certificate") or {}, after.get("certificate") or {}
    served, known = _condition(after, "Served"), _condition(before, "Served")
    if is_now and is_now["fingerprintSHA256"] != was.get("fingerprintSHA256"):
        reason = "Issued" if is_now.get("source") == "Automatic" else "Served"
        if was:
            reason = "Renewed" if was.get("source") == is_now.get("source") else "Switched"
        if reason == "Issued" and not _has_failed(before):
            return []  # Events are writes, and a thousand hostnames are a thousand of them
        words = f"{domain.hostname} is served with a certificate from {is_now['issuer']} until {is_now['notAfter']}."
        return [Event(reason, f"{words} {_condition(after, 'CertificateIssued').get('message', '')}".rstrip(), "Issue")]
    if not is_now or not was or served["status"] == known.get("status"):
        return []
    if served["status"] == "False" and served["reason"] == "NotServed":
        return [Event("NotServed", served["message"], "Prove", is_warning=True)]
    if served["status"] == "True":
        return [Event("ServedAgain", f"{domain.hostname} is served with its certificate again.", "Prove")]
    return []


def _has_failed(before: Status) -> bool:
    return bool(before.get("reason") or (before.get("attempts") or {}).get("failures"))


def _trouble(before: Status, after: Status) -> Sequence[Event]:
    """What keeps a Domain from its certificate, or the certificate from its renewal."""
    reason = after["reason"]
    if reason in _QUIET or reason == before.get("reason"):
        return []
    return [Event(reason, after["message"], "Issue", is_warning=True)]


def _policy(before: Status, after: Status) -> Sequence[Event]:
    was, is_now = _condition(before, "PolicyEnforced").get("status"), _condition(after, "PolicyEnforced")
    if is_now["status"] == "False" and was != "False":
        return [Event("PolicyNotEnforced", is_now["message"], "Prove", is_warning=True)]
    if is_now["status"] == "True" and was == "False":
        return [Event("PolicyEnforced", "The host is served within its TLS profile again.", "Prove")]
    return []


def _condition(status: Status, kind: str) -> Mapping[str, Any]:
    return next((c for c in status.get("conditions") or () if c.get("type") == kind), {})


def _profile(tls: Mapping[str, Any]) -> str:
    return f"profile {tls.get('profile')} of revision {tls.get('revision')} (from {tls.get('minVersion')})"
