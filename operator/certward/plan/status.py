"""The status of a Domain, whole, from what was observed and decided. A converged object renders to what it has."""

import ipaddress
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from certward.model import profiles
from certward.model.conditions import Condition, is_true, no, render, unknown, yes
from certward.model.resources import Domain, format_time
from certward.names import ANNOTATION_REFRESH
from certward.plan import renewal, revocation, verdicts
from certward.plan.gates import Verdict
from certward.plan.manual import Serving
from certward.plan.observed import Observed, label
from certward.plan.serving import Choice

#: As many as the schema takes; forgetting them costs an order each.
_MOST_ISSUERS = 100


def remembers_served(domain: Domain, fingerprint: str) -> bool:
    """Whether the status says that a handshake has shown this leaf."""
    served = domain.status.get("served") or {}
    return served.get("fingerprintSHA256") == fingerprint and is_true(domain.status.get("conditions") or (), "Served")


def build(
    observed: Observed,
    verdict: Verdict,
    choice: Choice,
    *,
    now: datetime,
    shown: Serving | None = None,
    is_routed: bool = True,
    has_arrived: bool = True,
    has_order: bool = False,
    handled_refresh: bool = False,
    failures: int = 0,
    next_attempt: datetime | None = None,
) -> dict[str, Any]:
    """The whole status.

    Args:
        observed: what was seen.
        verdict: state, reason and message.
        now: aware UTC datetime; shows only where something changes.
        choice: what the ingress is told to serve.
        shown: the certificate that a handshake showed, if it is the one to be served or the one before it.
        is_routed: the host has routes; without, nothing is served for it.
        has_arrived: the host is routed by the class that its App asks for, and no other is needed any more.
        has_order: an order is open.
        handled_refresh: the refresh annotation counts as handled from now on.
        failures: consecutive failures for the same reason.
        next_attempt: when the next attempt is made; None when there is none.

    Returns:
        What `status` should be, ready for a server-side apply.
    """
    before = observed.domain.status
    unchanged = before.get("state") == verdict.state and (before.get("reason") or "") == verdict.reason
    built: dict[str, Any] = {
        "observedGeneration": observed.domain.meta.generation,
        "state": verdict.state,
        "reason": verdict.reason,
        "message": _message(observed, verdict, failures),
        "lastUpdated": before["lastUpdated"] if unchanged and "lastUpdated" in before else format_time(now),
        "attempts": {"failures": failures},
        "conditions": render(
            _conditions(observed, verdict, choice, now, shown=shown),
            before.get("conditions") or (),
            generation=observed.domain.meta.generation,
            now=now,
        ),
    }
    if next_attempt:
        built["attempts"]["nextAttempt"] = format_time(next_attempt)
    if dns := _dns(observed, before):
        built["dns"] = dns
    if is_routed and (routed_by := observed.ingress_class if has_arrived else before.get("ingressClassName")):
        built["ingressClassName"] = routed_by
    if is_routed and (certificate := _certificate(observed, shown)):
        built["certificate"] = certificate
    if has_order:
        built["order"] = {
            "url": observed.order_url,
            "createdAt": observed.order_created_at or format_time(now),
            "issuer": observed.order_issuer,
        }
    if cleared := _cleared(observed, before, has_order=has_order):
        built["clearedIssuers"] = cleared
    if is_routed and (served := _served(observed, before, now=now)):
        built["served"] = served
    if handled := _handled(observed, before, handled_refresh=handled_refresh):
        built["handled"] = handled
    return built


def _handled(observed: Observed, before: Mapping[str, Any], *, handled_refresh: bool) -> dict[str, str]:
    """The values of the annotations that have been acted upon; beside a certificate stands what is behind it."""
    handled = dict(before.get("handled") or {})
    asked = observed.domain.meta.annotations.get(ANNOTATION_REFRESH)
    if asked and (handled_refresh or asked == observed.secret.refresh):
        handled["refresh"] = asked
    if revoked := revocation.handled(observed):
        handled["revoke"] = revoked
    return handled


def _message(observed: Observed, verdict: Verdict, failures: int) -> str:
    """What is wrong and what to do. A failure's sentence is read again after a restart, so it stays alone."""
    if failures:
        return verdict.message
    return " ".join(filter(None, (verdict.message, revocation.words(observed))))


def _cleared(observed: Observed, before: Mapping[str, Any], *, has_order: bool) -> list[str]:
    """The issuers at which no authorization is left that an earlier owner of the hostname has obtained.

    That is seen to before an order is written down here. Nobody but the operator writes a status, so a namespace cannot
    claim it for itself, as it could by a Secret.
    """
    if observed.owner or observed.refusal:
        return []
    known = set(before.get("clearedIssuers") or ())
    if not has_order or not observed.order_issuer or observed.order_issuer in known:
        return sorted(known)
    return sorted({observed.order_issuer} if len(known) >= _MOST_ISSUERS else known | {observed.order_issuer})


def _dns(observed: Observed, before: Mapping[str, Any]) -> dict[str, Any]:
    """What the hostname should point at, and whether it was found to."""
    dns: dict[str, Any] = {}
    if observed.dns_targets:
        dns = {"target": ", ".join(observed.dns_targets), "recordType": record_type(observed.dns_targets[0])}
    known = before.get("dns") or {}
    if observed.challenge == "dns-persist-01" and (record := _validation_record(observed, known)):
        dns["validationRecord"] = record
    verified = known.get("verified") if observed.is_pointed_here is None else observed.is_pointed_here
    return dns if verified is None else {**dns, "verified": verified}


def _validation_record(observed: Observed, known: Mapping[str, Any]) -> Mapping[str, str] | None:
    """The record that lets the CA validate the hostname without the operator's doing anything."""
    name, value = observed.ways.persist_record
    return {"name": name, "type": "TXT", "value": value} if name else known.get("validationRecord")


def record_type(target: str) -> str:
    """The DNS record type that leads to a target: A or AAAA for an address, CNAME for a name."""
    try:
        return "A" if ipaddress.ip_address(target).version == 4 else "AAAA"  # noqa: PLR2004 - IPv4
    except ValueError:
        return "CNAME"


def _certificate(observed: Observed, shown: Serving | None) -> dict[str, Any] | None:
    """The certificate that the ingress is told to serve; follows the proof, so the old one stays until then."""
    known = observed.domain.status.get("certificate") or {}
    if shown is None:
        return dict(known) or None  # expired or vanished, it is still what clients were last shown
    app, facts = observed.app, shown.facts
    certificate = {
        "source": shown.source,
        "secretName": shown.secret_name,
        "issuer": facts.issuer,
        "serialNumber": facts.serial_number,
        "fingerprintSHA256": facts.fingerprint_sha256,
        "keyType": facts.key_type,
        "trusted": shown.is_trusted,
        "notBefore": format_time(facts.not_before),
        "notAfter": format_time(facts.not_after),
    }
    fits = profiles.fits(observed.profile, facts.key_type)
    if tls_profile := label(observed.profile) if fits else known.get("tlsProfile"):
        certificate["tlsProfile"] = tls_profile
    if app is not None and app.is_automatic and not shown.is_manual:
        certificate["renewalTime"] = format_time(renewal.due_at(observed, facts))
    return certificate


def _served(observed: Observed, before: Mapping[str, Any], *, now: datetime) -> dict[str, Any] | None:
    """What a handshake showed and since when; rewritten only when that changes."""
    known: dict[str, Any] = dict(before.get("served") or {})
    proof = observed.proof
    if proof is None:
        return known or None
    if not proof.fingerprint:
        return None
    shown: dict[str, Any] = {"fingerprintSHA256": proof.fingerprint}
    if proof.versions:
        shown |= {"minVersion": proof.versions[0], "maxVersion": proof.versions[-1]}
    else:
        shown |= {name: known[name] for name in ("minVersion", "maxVersion") if name in known}
    if {name: value for name, value in known.items() if name != "observedAt"} == shown:
        return known
    return {"observedAt": format_time(now), **shown}


def _conditions(
    observed: Observed, verdict: Verdict, choice: Choice, now: datetime, *, shown: Serving | None
) -> list[Condition]:
    reason = verdict.reason or verdict.state
    problem = (observed.proof.problem if observed.proof else "") or "No handshake has shown it yet."
    if shown:
        ready = yes("Ready", "Served", "Served over HTTPS with the certificate as declared.")
        served = yes("Served", "Served")
    elif _cannot_be_rendered(observed, verdict, choice):
        ready = no("Ready", reason, verdict.message)
        served = no("Served", reason, verdict.message)
    elif choice.serving and verdict.state == "CertIssued":
        ready = no("Ready", "NotServed", problem)
        served = no("Served", "NotServed", problem)
    else:
        ready = no("Ready", reason, verdict.message)
        served = no("Served", "NoCertificate", "There is no certificate to serve.")
    return [
        ready,
        _dns_verified(observed, verdict),
        _issued(observed, verdict, choice),
        served,
        _policy_enforced(observed, verdict, choice, is_served=shown is not None),
        renewal.overdue(observed, verdict, now),
        _reconciling(observed, verdict, choice, ready=ready),
        yes("Stalled", reason, verdict.message) if verdict.state == "Failed" else no("Stalled", "NotStalled"),
    ]


def _issued(observed: Observed, verdict: Verdict, choice: Choice) -> Condition:
    if observed.app and observed.secret.facts and choice.serving:
        said = filter(None, (_by_whom(observed), revocation.words(observed)))
        return yes("CertificateIssued", "Issued", " ".join(said))
    if choice.serving:
        return yes("CertificateIssued", "Manual", f"It was put into Secret {choice.serving.secret_name}.")
    return no("CertificateIssued", verdict.reason or verdict.state, verdict.message)


def _reconciling(observed: Observed, verdict: Verdict, choice: Choice, *, ready: Condition) -> Condition:
    """Whether something comes of it without anybody's doing; never together with Stalled, as kstatus wants it."""
    is_taking_over = (
        observed.app is not None and observed.app.is_automatic and choice.serving and choice.serving.is_manual
    )
    if (
        verdict.state in ("InProgress", "DNSVerified", "Failing")
        or (verdict.state == "Waiting" and verdict.reason in ("RateLimited", "WaitingForBudget"))
        or (verdict.state == "CertIssued" and not verdict.reason and (is_taking_over or choice.before))
    ):
        return yes("Reconciling", verdict.reason or verdict.state, verdict.message)
    is_looked_for = choice.serving and not _cannot_be_rendered(observed, verdict, choice)
    if verdict.state == "CertIssued" and is_looked_for and ready.status != "True":
        return yes("Reconciling", ready.reason, ready.message)  # it is looked at until it is served
    return no("Reconciling", "Settled")


def _dns_verified(observed: Observed, verdict: Verdict) -> Condition:
    if verdict.reason.startswith("DNS"):
        return no("DNSVerified", verdict.reason, verdict.message)
    if observed.dns_warning:
        return unknown("DNSVerified", "Doubtful", observed.dns_warning)
    if observed.is_pointed_here:
        return yes("DNSVerified", "PointsHere", "The hostname leads here.")
    if observed.secret.facts and observed.secret.is_managed:
        known = _known(observed, "DNSVerified")
        if observed.is_pointed_here is None and known and known.reason in ("PointsHere", "Doubtful"):
            return known  # an earlier process has looked; the next look is with the next order
        return yes("DNSVerified", "Validated", "The CA reached this cluster under the hostname.")
    return unknown("DNSVerified", "NotChecked", "The CA has not validated the hostname yet.")


def _known(observed: Observed, kind: str) -> Condition | None:
    """A condition as the status has it."""
    for known in observed.domain.status.get("conditions") or ():
        if known.get("type") == kind:
            return Condition(kind, known["status"], known["reason"], known["message"])
    return None


def _by_whom(observed: Observed) -> str:
    """Why it was not the first issuer, if it was not."""
    if not observed.secret.instead_of:
        return ""
    first, _, why = observed.secret.instead_of.partition(": ")
    return (
        f"Issued by {observed.secret.issuer}, because {first} could not; {first} is asked again at the renewal. {why}"
    )


def _cannot_be_rendered(observed: Observed, verdict: Verdict, choice: Choice) -> bool:
    """Whether the certificate has a key that the profile cannot serve, and only somebody's edit changes that."""
    facts = choice.serving.facts if choice.serving else None
    is_unfit = facts is not None and not profiles.fits(observed.profile, facts.key_type)
    return is_unfit and verdict.reason == "KeyTypeNotServed"


def _policy_enforced(observed: Observed, verdict: Verdict, choice: Choice, *, is_served: bool) -> Condition:
    proof, facts = observed.proof, choice.serving.facts if choice.serving else None
    if is_served and facts and not profiles.fits(observed.profile, facts.key_type):
        return no("PolicyEnforced", "NotServed", verdicts.key_does_not_fit(observed, facts.key_type))
    if not is_served and _cannot_be_rendered(observed, verdict, choice):
        return no("PolicyEnforced", verdict.reason, verdict.message)
    if is_served and proof and proof.policy_reason:
        if proof.policy_reason in ("Enforced", "EnforcedNarrower"):
            return yes("PolicyEnforced", proof.policy_reason, proof.policy_problem)
        return no("PolicyEnforced", proof.policy_reason, proof.policy_problem)
    if is_served and (known := _known(observed, "PolicyEnforced")):
        return known
    return unknown("PolicyEnforced", "NotProbed", "No handshake has shown what the host accepts yet.")
