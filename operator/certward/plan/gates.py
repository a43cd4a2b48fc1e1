"""What can keep a Domain from being worked on at all, in the order in which it is said."""

from typing import NamedTuple

from certward.model import profiles
from certward.plan import challenges
from certward.plan.observed import Observed


class Verdict(NamedTuple):
    """State, reason and sentence as api.md's table has them."""

    state: str
    reason: str = ""
    message: str = ""


def closed(observed: Observed) -> Verdict | None:
    """The first thing that keeps this Domain from its hostname and its routes; None when the way is free."""
    domain = observed.domain
    if observed.app is None:
        return Verdict(
            "Waiting",
            "AppNotFound",
            f"There is no App {domain.app} in namespace {domain.meta.namespace}; create it, or correct "
            "spec.appRef.name.",
        )
    if observed.refusal:
        return Verdict("Failed", *observed.refusal)
    if observed.owner:
        return Verdict(
            "Waiting",
            "HostnameTaken",
            f"{domain.hostname} belongs to the older Domain {observed.owner}; this one takes over when that "
            "one is deleted.",
        )
    if observed.collides_with:
        return Verdict(
            "Failed",
            "SecretNameCollides",
            f"The ingress cannot tell Secret {domain.meta.namespace}/{domain.secret_name} from that of the "
            f"older Domain {observed.collides_with}; give this Domain another name.",
        )
    return _missing_service(observed)


def _missing_service(observed: Observed) -> Verdict | None:
    if not observed.missing_service or observed.has_certificate:
        # A host that has a certificate keeps being served: its ingress answers 503 and heals by itself.
        return None
    return Verdict(
        "Waiting",
        "ServiceNotFound",
        f"There is no Service {observed.missing_service} in namespace {observed.domain.meta.namespace}; create "
        f"it, or correct the Service of App {observed.domain.app}.",
    )


def cannot_issue(observed: Observed) -> Verdict | None:
    """Why an automatic certificate cannot be obtained, although it was asked for; None when it can."""
    domain, app = observed.domain, observed.app
    if app is None:
        return None
    if observed.secret.exists and not observed.secret.is_managed:
        return Verdict(
            "Failed",
            "SecretInvalid",
            f"A Secret {domain.secret_name} that is not Certward's is in the way and is left untouched; rename or "
            "delete it, or give this Domain another name.",
        )
    if problem := challenges.obstacle(domain.hostname, observed.ways):
        return Verdict("Failed", "WildcardNeedsDNS01", problem)
    if app.key_type and not profiles.fits(observed.profile, app.key_type):
        return Verdict(
            "Failed",
            "KeyTypeNotServed",
            f"TLS profile {observed.profile.name} of revision {observed.profile.revision} cannot serve a key of type "
            f"{app.key_type} at every protocol version; use {profiles.default_key_type(observed.profile)} or "
            "another profile.",
        )
    if observed.unknown_issuer:
        return Verdict(
            "Failed",
            "CARejected",
            f"App {app.meta.name} asks for issuer {observed.unknown_issuer}, which is not configured; name a "
            "configured one or leave spec.certificates.issuer out.",
        )
    if not observed.issuers:
        return Verdict("Failed", "CARejected", "No issuer is configured; ask the administrator to add one.")
    return None
