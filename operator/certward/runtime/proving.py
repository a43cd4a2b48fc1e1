"""Proof by handshake: what the ingress really serves for a hostname, held against what is declared."""

import threading
import time
from datetime import UTC, datetime, timedelta

from certward.config import Config
from certward.model import keys, pki, profiles
from certward.model.pki import CertificateFacts
from certward.model.profiles import Profile
from certward.plan.domain import PROOF_RETRY
from certward.plan.observed import Observed, Proof
from certward.probe.handshake import Served, handshake, probe_name
from certward.probe.link import ProbeFailed
from certward.probe.scan import scan_versions
from certward.runtime.addresses import Addresses
from certward.runtime.memory import Memory

#: How long one go insists before the worker does something else.
_BURST = 0.6
_PAUSE = 0.03
#: How long an ingress may take to follow a change before the status says that it does not.
_QUIET = timedelta(seconds=3)


class Pacer:
    """Spaces out what is not urgent: at most so many a second."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def reserve(self) -> float:
        """Seconds to wait for the next free place; 0 takes one now."""
        now = time.monotonic()
        with self._lock:
            if self._next > now:
                return self._next - now
            self._next = max(self._next, now - self._gap) + self._gap
            return 0.0


class Prover:
    """Makes the handshakes. For many threads."""

    def __init__(self, config: Config, addresses: Addresses) -> None:
        self._addresses = addresses
        self._pacer = Pacer(config.probe.per_second)

    def prove(self, observed: Observed, memory: Memory) -> timedelta | None:
        """Look at what is served and remember it in `memory.proof`.

        Returns:
            How long to wait before the next look; None: remembered, decide on.
        """
        facts = observed.secret.facts
        if facts is None:  # pragma: no cover - decide asks for a proof only when there is a certificate
            return None
        before = memory.proof
        if before and not before.problem and before.fingerprint == facts.fingerprint_sha256:
            pause = self._pacer.reserve()
            if pause > 0:
                return timedelta(seconds=pause)
        started = time.monotonic()
        while True:
            proof = self._look(observed, facts, before)
            is_good = not proof.problem and proof.policy_reason != "NotServed"
            if is_good or time.monotonic() - started > _BURST:
                break
            time.sleep(_PAUSE)
        memory.proof = proof
        if not is_good and proof.since and proof.at - proof.since < _QUIET:
            return PROOF_RETRY
        return None

    def _look(self, observed: Observed, facts: CertificateFacts, before: Proof | None) -> Proof:
        now = datetime.now(UTC)
        since = before.since if before and before.since else now
        address = self._addresses.https(observed.app)
        if address is None:
            problem = (
                "The address of the ingress is not known; the administrator has to set "
                "ingress.classes.<class>.probe.httpsAddress."
            )
            return Proof(at=now, problem=problem, since=since)
        name = probe_name(observed.domain.hostname)
        is_proxied = self._addresses.is_proxied(observed.app)
        try:
            served = handshake(address, name, proxy_protocol=is_proxied)
            fingerprint, problem = _judge(served, facts, observed.domain.hostname, now)
            if problem:
                return Proof(at=now, fingerprint=fingerprint, problem=problem, since=since)
            label = f"{observed.profile.revision}/{observed.profile.name}"
            is_known = before and before.profile == label and before.policy_reason == "Enforced"
            if is_known and before and before.fingerprint == fingerprint:
                return Proof(
                    at=now,
                    fingerprint=fingerprint,
                    versions=before.versions,
                    policy_problem=before.policy_problem,
                    policy_reason=before.policy_reason,
                    profile=label,
                )
            versions = scan_versions(address, name, proxy_protocol=is_proxied)
        except ProbeFailed as failure:
            return Proof(at=now, problem=f"No handshake with the ingress: {failure.message}", since=since)
        reason, words = _hold_against(versions, observed.profile)
        return Proof(
            at=now,
            fingerprint=fingerprint,
            versions=versions,
            policy_problem=words,
            policy_reason=reason,
            profile=label,
            since=since if reason == "NotServed" else None,
        )


def _judge(served: Served, facts: CertificateFacts, hostname: str, now: datetime) -> tuple[str, str]:
    """-> (fingerprint of the leaf that was served, what is wrong with it or "")."""
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
    if shown.not_after <= now:
        return shown.fingerprint_sha256, "The certificate that is served has expired."
    return shown.fingerprint_sha256, ""


def _hold_against(versions: tuple[str, ...], profile: Profile) -> tuple[str, str]:
    """What the accepted versions say of the policy -> (reason of PolicyEnforced, sentence)."""
    promised = profiles.versions(profile)
    name = f"profile {profile.name} of revision {profile.revision}"
    extra = [version for version in versions if version not in promised]
    lacking = [version for version in promised if version not in versions]
    if extra:
        return "NotServed", f"The ingress accepts {', '.join(extra)}, which {name} does not allow."
    if lacking:
        return "NotServed", f"The ingress refuses {', '.join(lacking)}, which {name} promises."
    return "Enforced", f"Handshakes accept {', '.join(versions)} and no other version, as {name} says."
