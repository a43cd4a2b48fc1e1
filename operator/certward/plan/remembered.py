"""What the status of a Domain at rest tells of its certificate, so that a new leader need not read every Secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from certward.model.conditions import is_true
from certward.model.pki import CertificateFacts
from certward.model.resources import App, Domain, parse_time
from certward.names import ANNOTATION_REFRESH
from certward.plan import revocation
from certward.plan.checks import SecretState
from certward.plan.status import remembers_served


def facts_of(certificate: Mapping[str, Any], hostname: str) -> CertificateFacts:
    """A certificate as `status.certificate` tells of it. What is not told there is empty."""
    return CertificateFacts(
        subject="",
        issuer=str(certificate["issuer"]),
        serial_number=str(certificate["serialNumber"]),
        fingerprint_sha256=str(certificate["fingerprintSHA256"]),
        key_type=str(certificate["keyType"]),
        hostnames=(hostname,),
        not_before=parse_time(certificate["notBefore"]),
        not_after=parse_time(certificate["notAfter"]),
        spki_sha256="",
    )


def at_rest(domain: Domain, app: App | None, now: datetime) -> SecretState | None:
    """The state of the Secret of a Domain for which nothing is to be done but to look whether all is as it was.

    Args:
        domain: the object.
        app: its App.
        now: aware UTC datetime.

    Returns:
        None where it is not at rest: then the Secret has to be read.
    """
    status = domain.status
    certificate = status.get("certificate") or {}
    fingerprint = str(certificate.get("fingerprintSHA256") or "")
    if app is None or not app.is_automatic or app.manual_secrets or not certificate.get("renewalTime"):
        return None
    if domain.meta.is_deleting or status.get("order") or status.get("observedGeneration") != domain.meta.generation:
        return None
    if (status.get("state"), status.get("reason")) != ("CertIssued", "") or not remembers_served(domain, fingerprint):
        return None
    if not is_true(status.get("conditions") or (), "Ready") or certificate.get("secretName") != domain.secret_name:
        return None
    asked = domain.meta.annotations.get(ANNOTATION_REFRESH, "")
    if asked != (status.get("handled") or {}).get("refresh", "") or revocation.is_asked_anew(domain):
        return None
    if parse_time(certificate["renewalTime"]) <= now:
        return None
    return SecretState(exists=True, is_managed=True, is_remembered=True, facts=facts_of(certificate, domain.hostname))
