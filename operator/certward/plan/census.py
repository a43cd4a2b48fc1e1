"""Apps, Domains and TLSPolicies in figures: what the metrics say of what there is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from certward.model.resources import App, Domain, TLSPolicy, parse_time


class Expiry(NamedTuple):
    """When the certificate that clients are shown for a hostname expires; `at` in seconds of the epoch."""

    namespace: str
    domain: str
    hostname: str
    at: float


@dataclass(slots=True)
class Census:
    """Counts, by labels.

    Attributes:
        domains: by state and reason.
        conditions: of Domains, by type and status.
        mismatches: Domains whose certificate is at hand while the ingress shows something else.
        expiries: one for each Domain that has a certificate.
        apps: by profile, revision and grade.
        policies: conditions of TLSPolicies, by type, status and reason.
    """

    domains: Counter[tuple[str, str]] = field(default_factory=Counter)
    conditions: Counter[tuple[str, str]] = field(default_factory=Counter)
    mismatches: int = 0
    expiries: list[Expiry] = field(default_factory=list)
    apps: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    policies: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def take(domains: Iterable[Domain], apps: Iterable[App], policies: Iterable[TLSPolicy]) -> Census:
    """Count what there is, by its status."""
    census = Census()
    for domain in domains:
        _count(census, domain)
    for app in apps:
        if tls := app.status.get("tls"):
            census.apps[_text(tls, "profile"), _text(tls, "revision"), _text(tls, "grade")] += 1
    for policy in policies:
        for condition in policy.status.get("conditions") or ():
            census.policies[condition["type"], condition["status"], condition["reason"]] += 1
    return census


def _count(census: Census, domain: Domain) -> None:
    status = domain.status
    census.domains[_text(status, "state"), _text(status, "reason")] += 1
    found = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    census.conditions.update(found.items())
    if found.get("CertificateIssued") == "True" and found.get("Served") == "False":
        census.mismatches += 1
    not_after = (status.get("certificate") or {}).get("notAfter")
    if not_after:
        at = parse_time(not_after).timestamp()
        census.expiries.append(Expiry(domain.meta.namespace, domain.meta.name, domain.hostname, at))


def _text(of: Mapping[str, object], name: str) -> str:
    return str(of.get(name) or "")
