"""The status of an App: a summary of its Domains and of the TLS that it is served with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from certward.model.conditions import Condition, is_true, no, render, unknown, yes
from certward.model.profiles import Profile
from certward.model.resources import App, Domain

#: Domain states in which nothing is wrong although nothing is served: nobody asked for a certificate.
_QUIET_REASONS = ("AutomaticDisabled",)


def status(
    app: App, domains: Sequence[Domain], *, profile: Profile, missing_service: str, now: datetime
) -> dict[str, Any]:
    """The whole status.

    Args:
        app: the App.
        domains: its Domains.
        profile: the TLS profile in force.
        missing_service: a Service that the App names and that does not exist; empty when all do.
        now: aware UTC datetime; shows only where something changes.
    """
    states = [(domain, str(domain.status.get("state") or "")) for domain in domains]
    built: dict[str, Any] = {
        "observedGeneration": app.meta.generation,
        "tls": {
            "profile": profile.name,
            "revision": profile.revision,
            "policy": "",
            "minVersion": profile.min_version,
            "maxVersion": profile.max_version,
        },
        "domains": {
            "total": len(domains),
            "issued": sum(state == "CertIssued" for _, state in states),
            "failing": sum(state in ("Failing", "Failed") for _, state in states),
        },
        "conditions": render(
            _conditions(app, domains, missing_service),
            app.status.get("conditions") or (),
            generation=app.meta.generation,
            now=now,
        ),
    }
    return built


def _conditions(app: App, domains: Sequence[Domain], missing_service: str) -> list[Condition]:
    broken = [d for d in domains if d.status.get("state") in ("Failing", "Failed")]
    failed = [d for d in domains if d.status.get("state") == "Failed"]
    pending = [
        d
        for d in domains
        if not is_true(d.status.get("conditions") or (), "Ready")
        and d.status.get("reason") not in _QUIET_REASONS
        and d not in broken
    ]
    if missing_service:
        sentence = (
            f"There is no Service {missing_service} in namespace {app.meta.namespace}; create it, or correct the "
            "Service of the App."
        )
        ready = no("Ready", "ServiceNotFound", sentence)
    elif broken:
        ready = no("Ready", "DomainsFailing", f"See Domain {_first(broken)}.")
    elif pending:
        ready = no("Ready", "DomainsPending", f"Waiting for Domain {_first(pending)}.")
    else:
        ready = yes("Ready", "Served" if domains else "NoDomains")
    is_working = bool(pending or missing_service or len(broken) > len(failed))
    return [
        ready,
        _policy_enforced(domains),
        yes("Reconciling", ready.reason, ready.message) if is_working else no("Reconciling", "Settled"),
        yes("Stalled", "DomainsFailed", f"See Domain {_first(failed)}.") if failed else no("Stalled", "NotStalled"),
    ]


def _policy_enforced(domains: Sequence[Domain]) -> Condition:
    found = [
        (domain, condition)
        for domain in domains
        for condition in domain.status.get("conditions") or ()
        if condition.get("type") == "PolicyEnforced" and condition["status"] != "Unknown"
    ]
    for domain, condition in found:
        if condition["status"] == "False":
            return no("PolicyEnforced", condition["reason"], f"{domain.hostname}: {condition['message']}")
    if found:
        narrower = [c for _, c in found if c["reason"] == "EnforcedNarrower"]
        return yes("PolicyEnforced", "EnforcedNarrower" if narrower else "Enforced")
    return unknown("PolicyEnforced", "NotProbed", "No Domain is served over HTTPS yet.")


def _first(domains: Sequence[Domain]) -> str:
    """The first by name, so that the sentence stays the same while the set does."""
    return min(domain.meta.name for domain in domains)
