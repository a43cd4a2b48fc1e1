"""Whether the certificate that an ingress shows is the one that it ought to show."""

from datetime import datetime

from certward.model import keys, pki
from certward.model.pki import CertificateFacts
from certward.probe.handshake import Served

_NOT_YET = (
    "The certificate that is served is not valid yet by the operator's clock; if it stays so, the administrator has to "
    "set the clock of the operator's node right, or to tell the CA that its own is ahead."
)


def judge(served: Served, facts: CertificateFacts, hostname: str, now: datetime) -> tuple[str, str]:
    """Hold what a handshake showed against the certificate that ought to be served.

    Args:
        served: what it showed.
        facts: the certificate's.
        hostname: for which it was asked.
        now: aware UTC datetime.

    Returns:
        The fingerprint of the leaf that was served, and what is wrong with it as a sentence; empty when nothing is.
    """
    if not served.chain_der:
        return "", "The ingress sent no certificate."
    try:
        chain = tuple(pki.load_der(der) for der in served.chain_der)
        shown = pki.facts_of(chain[0])
    except keys.CertificateProblem as problem:
        return "", f"The ingress sent a certificate that cannot be read: {problem}"
    if shown.fingerprint_sha256 != facts.fingerprint_sha256:
        names = ", ".join(shown.hostnames[:3]) or shown.subject or "no name"
        return shown.fingerprint_sha256, f"The ingress serves another certificate, for {names}."
    if not pki.chain_consistent(chain):
        return (
            shown.fingerprint_sha256,
            "The ingress sends a chain whose certificates do not belong together.",
        )
    if not pki.covers(shown.hostnames, hostname):
        return shown.fingerprint_sha256, f"The certificate that is served does not cover {hostname}."
    if now < shown.not_before:
        return shown.fingerprint_sha256, _NOT_YET
    if shown.not_after <= now:
        return shown.fingerprint_sha256, "The certificate that is served has expired."
    return shown.fingerprint_sha256, ""
