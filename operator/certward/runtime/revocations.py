"""Revoking a certificate at the CA that issued it, when its Domain asks for it."""

import logging
import time
from datetime import UTC, datetime, timedelta

from certward.acme import certificates
from certward.errors import OperatorError, Rejected, Transient
from certward.logs import say
from certward.model import pki
from certward.model.keys import CertificateProblem
from certward.model.resources import key_of
from certward.plan import revocation, schedule
from certward.plan.observed import Observed, Plan
from certward.runtime.issuers import Issuers
from certward.runtime.memory import Memory, Unrevoked
from certward.runtime.secrets import Secrets

log = logging.getLogger(__name__)

#: What the API server could not do, which the reconciler tries again by itself.
_OF_THE_API_SERVER = ("APIServerUnavailable", "Conflict", "Forbidden", "Invalid")
#: While the account gets another key.
_PAUSE = timedelta(seconds=1)


class Revocations:
    """Does the step REVOKE of a plan. For many threads."""

    def __init__(self, issuers: Issuers, secrets: Secrets) -> None:
        self._issuers = issuers
        self._secrets = secrets

    def step(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        """Revoke the certificate at hand.

        A failure of the CA is remembered for the status; what is served does not change by it.

        Returns:
            How long to wait before the next look; None: go on at once.

        Raises:
            OperatorError: the API server could not or would not.
        """
        try:
            with self._issuers.using(plan.issuer) as is_free:
                if not is_free:
                    return _PAUSE
                self._revoke(observed, plan.issuer)
        except OperatorError as failure:
            if failure.reason in _OF_THE_API_SERVER:
                raise
            self._note(observed, memory, failure)
            return None
        memory.unrevoked = None
        return None

    def _revoke(self, observed: Observed, name: str) -> None:
        domain, facts, asked = observed.domain, observed.secret.facts, revocation.asked(observed.domain)
        if facts is None:  # pragma: no cover - the plan says so only of a certificate
            return
        if name not in self._issuers.names():
            whose = f"issuer {name}, which is not configured any more" if name else "an issuer that is not known"
            raise Rejected("CARejected", f"It is from {whose}; have it revoked there, or add the issuer again.")
        chain_pem, key_pem = self._secrets.certificate(domain)
        try:
            fingerprint = pki.facts_of(pki.load_chain(chain_pem)[0]).fingerprint_sha256
        except CertificateProblem:
            fingerprint = ""
        if fingerprint != facts.fingerprint_sha256:
            raise Transient("Conflict", "the Secret was written meanwhile")
        certificates.revoke(self._issuers.ready(name), chain_pem, revocation.code_of(asked) or 0, key_pem=key_pem)
        # Only now: a crash before this asks the CA again, for the same certificate.
        self._secrets.mark_revoked(domain, fingerprint=fingerprint, asked=asked)
        serial = facts.serial_number
        words = f"certificate {serial} revoked: {asked}"
        say(log, logging.INFO, key_of(domain), words, hostname=domain.hostname, issuer=name, serial=serial)

    @staticmethod
    def _note(observed: Observed, memory: Memory, failure: OperatorError) -> None:
        asked, now = revocation.asked(observed.domain), datetime.now(UTC)
        known = memory.unrevoked
        failures = known.failures + 1 if known and known.asked == asked else 1
        until = schedule.retry_at(failure, failures, now)
        retry_at = None if until is None else time.monotonic() + (until - now) / timedelta(seconds=1)
        memory.unrevoked = Unrevoked(asked, failure.message, failures, retry_at)
        words, hostname = f"not revoked: {failure.message}", observed.domain.hostname
        say(log, logging.WARNING, key_of(observed.domain), words, hostname=hostname)
