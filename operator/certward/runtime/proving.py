"""Proof by handshake: what the ingress really serves for a hostname, held against what is declared."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from certward.config import Config
from certward.kube.cache import Cache
from certward.model import grade, hostnames, profiles
from certward.model.pki import CertificateFacts
from certward.model.resources import Domain, key_of
from certward.names import ANSWERER_HEADER, PROBE_PATH
from certward.plan import enforcement
from certward.plan.domain import DISTURBANCE, PROOF_RETRY
from certward.plan.enforcement import Accepted, Capabilities, Verdict
from certward.plan.observed import Observed, Plan, Proof, label, max_age
from certward.probe import tickets
from certward.probe.handshake import handshake, probe_name
from certward.probe.httpget import http_get
from certward.probe.link import ProbeFailed
from certward.probe.misdirection import misdirected
from certward.probe.scan import ScanResult, confirms, scan
from certward.runtime.addresses import Address, Addresses
from certward.runtime.classes import Classes
from certward.runtime.memory import Memory
from certward.runtime.pacer import Pacer
from certward.runtime.reports import Reports
from certward.runtime.shown import judge
from certward.runtime.take_up import TakeUp
from certward.stages import stage

#: How long one go insists before the worker does something else; unless others wait for it.
_BURST = 0.6
_PAUSE = 0.03
#: How long an ingress may take to follow a change before the status says that it does not.
_QUIET = timedelta(seconds=3)
#: For so long after a full scan that was as declared other hosts of the same settings are compared with it, in seconds.
_COMPARABLE = 3600.0
_MOST_SETTINGS = 256
#: How long a change of others' routes keeps a host under a close look, in seconds.
_DISTURBANCE = DISTURBANCE / timedelta(seconds=1)


class Prover:
    """Makes the handshakes: one each time, a full scan after a change. For many threads."""

    def __init__(
        self,
        config: Config,
        cache: Cache,
        *,
        classes: Classes,
        addresses: Addresses,
        reports: Reports,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cache = cache
        self._classes = classes
        self._addresses = addresses
        self._reports = reports
        self._is_busy = is_busy
        self._found: dict[tuple[str, ...], tuple[ScanResult, float]] = {}
        self._pacer = Pacer(config.probe.per_second)
        self._take_up = TakeUp()

    @stage("proof")
    def prove(self, observed: Observed, facts: CertificateFacts, memory: Memory) -> timedelta | None:
        """Look at what is served and remember it in `memory.proof`.

        Args:
            observed: of the Domain.
            facts: the certificate that ought to be served.
            memory: of the Domain.

        Returns:
            How long to wait before the next look; None: remembered, decide on.
        """
        before = memory.proof
        is_routine = before and not before.problem and before.fingerprint == facts.fingerprint_sha256
        is_routine = is_routine and before and before.profile in ("", label(observed.profile))
        if is_routine and observed.disturbed is None and (pause := self.book(memory)) is not None:
            return pause
        memory.place = None
        if pause := self._for_now(facts, memory):
            return pause
        started = time.monotonic()
        while True:
            proof = self._look(observed, facts, memory)
            is_good = not proof.problem and proof.since is None
            if is_good or time.monotonic() - started > _BURST or self._is_busy():
                break
            time.sleep(_PAUSE)
        if proof.problem and proof.since and proof.at - proof.since >= _QUIET:
            proof = replace(proof, problem=proof.problem + self._reports.on(observed))
        # The pause before the next look begins now: an entry that is slow to fail would be looked at without end.
        memory.proof = proof = replace(proof, at=datetime.now(UTC))
        if memory.disturbed_at is not None and time.monotonic() - memory.disturbed_at > _DISTURBANCE:
            memory.disturbed_at = None
        return self._until_next(before, proof, is_good=is_good)

    def book(self, memory: Memory) -> timedelta | None:
        """How long until the routine handshake has its turn; None: it has it now."""
        # Booked once: if all that are due asked again for each place, all but one would have come for nothing.
        if memory.place is None:
            memory.place = self._pacer.book()
        if memory.place > time.monotonic():
            return timedelta(seconds=memory.place - time.monotonic())
        memory.place = None
        return None

    def _until_next(self, before: Proof | None, proof: Proof, *, is_good: bool) -> timedelta | None:
        """How long the ingress has until the next look, and what this one says of how long it takes."""
        if is_good and before and before.since and before.expected == proof.expected:
            self._take_up.took((proof.at - before.since) / timedelta(seconds=1))
        if not is_good and proof.since and proof.at - proof.since < _QUIET:
            waited = (proof.at - proof.since) / timedelta(seconds=1)
            return timedelta(seconds=self._take_up.pause(waited, PROOF_RETRY / timedelta(seconds=1)))
        return None

    def _for_now(self, facts: CertificateFacts, memory: Memory) -> timedelta | None:
        """How long to let go of a change that the ingress has just been told; None: look at once."""
        before, expected = memory.proof, facts.fingerprint_sha256
        is_known = before is not None and expected in (before.expected, before.fingerprint)
        if is_known or not (self._take_up.is_slow() and self._is_busy()):
            return None
        now, problem = datetime.now(UTC), "The ingress has just been told."
        shown = before.fingerprint if before else ""
        memory.proof = Proof(at=now, fingerprint=shown, problem=problem, since=now, expected=expected)
        return timedelta(seconds=self._take_up.pause(0.0, PROOF_RETRY / timedelta(seconds=1)))

    def before_change(self, observed: Observed, plan: Plan, memory: Memory) -> None:
        """Keep a session of the profile that is about to be replaced, to see afterwards whether it still resumes."""
        proof, routes = memory.proof, plan.routes
        if memory.session or not proof or not proof.profile or routes is None or routes.profile is None:
            return
        address = self._addresses.https(observed.app)
        if address is not None and proof.profile != label(routes.profile):
            memory.session = tickets.take(
                address,
                probe_name(observed.domain.hostname),
                proxy_protocol=self._addresses.is_proxied(observed.app),
            )

    def _look(self, observed: Observed, facts: CertificateFacts, memory: Memory) -> Proof:
        now, expected = datetime.now(UTC), facts.fingerprint_sha256
        before = memory.proof
        is_waited_for = before is not None and before.expected == expected
        since = before.since if before and before.since and is_waited_for else now
        address = self._addresses.https(observed.app)
        if address is None:
            problem = (
                "The address of the ingress is not known; the administrator has to set "
                "ingress.classes.<class>.probe.httpsAddress."
            )
            return Proof(at=now, problem=problem, since=since, expected=expected)
        try:
            served = handshake(
                address,
                probe_name(observed.domain.hostname),
                proxy_protocol=self._addresses.is_proxied(observed.app),
            )
        except ProbeFailed as failure:
            problem = f"No handshake with the ingress: {failure.message}"
            return Proof(at=now, problem=problem, since=since, expected=expected)
        fingerprint, problem = judge(served, facts, observed.domain.hostname, now)
        if not problem and observed.shares_certificate:
            problem = self._is_led_elsewhere(observed, address)
        if problem:
            return Proof(at=now, fingerprint=fingerprint, problem=problem, since=since, expected=expected)
        if before and not _needs_scan(before, observed, fingerprint):
            return replace(before, at=now, problem="", since=None)
        shown = Proof(at=now, fingerprint=fingerprint, since=since, expected=expected)
        return self._scan(observed, facts, address, shown, memory)

    def _is_led_elsewhere(self, observed: Observed, address: Address) -> str:
        """Why the host is not served although its certificate is shown, as a sentence; empty when it is.

        Who has no route of his own under the platform's wildcard is answered as a name is that nobody has: by the
        answerer, or by the ingress itself as long as it does not know the wildcard's route either.
        """
        hostname = observed.domain.hostname
        nobody = f"nobody-{secrets.token_hex(8)}.{hostnames.parent(hostname)}"
        proxied = self._addresses.is_proxied(observed.app)
        try:
            by_nobody = _answer(address, nobody, proxy_protocol=proxied)
            answered = _answer(address, hostname, proxy_protocol=proxied)
        except ProbeFailed as failure:
            return f"The ingress does not answer for the host: {failure.message}"
        if answered == by_nobody or answered.is_answerers:
            return "The ingress does not lead the host to the App yet."
        return ""

    @stage("scan")
    def _scan(
        self, observed: Observed, facts: CertificateFacts, address: Address, proof: Proof, memory: Memory
    ) -> Proof:
        """The proof with what a full scan says of the policy."""
        found, is_like_another = self._find(observed, facts, address)
        if not found.complete:
            return replace(proof, since=None)  # what the handshake has shown stands; the rest is looked at next time
        engine = self._classes.of(observed.app).dialect.capabilities
        accepted = Accepted(found.versions, found.suites, frozenset(found.groups_tls12) | frozenset(found.groups_tls13))
        verdict = enforcement.judge(
            accepted, observed.profile, facts.key_type, engine, wants_hsts=observed.hsts is not None
        )
        if verdict.is_kept and not is_like_another:
            self._remember(observed, facts, found)
        if verdict.is_kept:
            verdict = (
                self._resumption(observed, address, engine, memory)
                or self._misdirection(observed, address, engine)
                or self._refusal(observed, engine)
                or verdict
            )
        seconds = max_age(observed.hsts) if engine.sends_hsts else 0
        graded = grade.grade(found.versions, found.suites, key_type=facts.key_type, hsts_max_age=seconds)
        return replace(
            proof,
            versions=found.versions,
            policy_problem=verdict.message + self._more(verdict, observed, engine),
            policy_reason=verdict.reason,
            profile=label(observed.profile),
            grade=graded.letter,
            grade_capped_by=graded.capped_by,
            hsts_max_age=max_age(observed.hsts),
            since=None if verdict.is_lasting else proof.since,
        )

    def _find(self, observed: Observed, facts: CertificateFacts, address: Address) -> tuple[ScanResult, bool]:
        """What a host accepts, and whether that was only compared with a host of the same settings."""
        name, is_proxied = probe_name(observed.domain.hostname), self._addresses.is_proxied(observed.app)
        known, at = self._found.get(_settings(observed, facts), (None, 0.0))
        is_comparable = not observed.foreign and observed.disturbed is None and time.monotonic() - at < _COMPARABLE
        if known and is_comparable and confirms(address, name, known, proxy_protocol=is_proxied):
            return known, True
        return scan(address, name, proxy_protocol=is_proxied), False

    def _remember(self, observed: Observed, facts: CertificateFacts, found: ScanResult) -> None:
        if len(self._found) > _MOST_SETTINGS:
            self._found.clear()
        self._found[_settings(observed, facts)] = (found, time.monotonic())

    def _more(self, verdict: Verdict, observed: Observed, engine: Capabilities) -> str:
        """Who is to blame, what the controller says, what an administrator could do; sentences to be appended."""
        if verdict.is_kept:
            is_lacking = observed.hsts is not None and not engine.sends_hsts
            return self._reports.advice(observed) if is_lacking else ""
        advice = self._reports.advice(observed) if verdict.reason == "NotEnforceable" else ""
        return _culprits(observed, engine) + self._reports.on(observed) + advice

    def _resumption(self, observed: Observed, address: Address, engine: Capabilities, memory: Memory) -> Verdict | None:
        """Whether a session of the profile before resumes with a version that the profile in force does not have."""
        if memory.session is None:
            return None
        version = tickets.resumes(
            memory.session,
            address,
            probe_name(observed.domain.hostname),
            proxy_protocol=self._addresses.is_proxied(observed.app),
        )
        if version and version not in profiles.versions(observed.profile):
            return Verdict(
                is_kept=False,
                reason="NotServed",
                message=f"{engine.engine} still resumes {version} sessions that were made before the change.",
                is_lasting=False,
            )
        memory.session = None
        return None

    def _misdirection(self, observed: Observed, address: Address, engine: Capabilities) -> Verdict | None:
        """Whether a request gets through to this host in a connection that was opened for a laxer one."""
        other = self._laxer_host(observed)
        if other is None:
            return None
        is_proxied = self._addresses.is_proxied(observed.app)
        asked_for = probe_name(observed.domain.hostname)
        if not misdirected(address, opened_for=other, asked_for=asked_for, proxy_protocol=is_proxied):
            return None
        return Verdict(
            is_kept=False,
            reason="NotServed",
            message=f"{engine.engine} answers requests for {observed.domain.hostname} in connections that were opened "
            "for another host with a laxer profile.",
            is_lasting=False,
        )

    def _refusal(self, observed: Observed, engine: Capabilities) -> Verdict | None:
        """Whether somebody else's route makes the controller refuse ours; the handshake need not show that."""
        if not observed.foreign or not self._reports.on(observed):
            return None
        words = f"{engine.engine} does not route all of the host."
        return Verdict(is_kept=False, reason="NotServed", message=words, is_lasting=False)

    def _laxer_host(self, observed: Observed) -> str | None:
        """A host of the App's namespace that its class serves with older protocol versions; None: there is none."""
        lowest = profiles.versions(observed.profile)[0]
        for domain in self._cache.all(Domain, observed.domain.meta.namespace):
            served = domain.status.get("served") or {}
            if domain.status.get("ingressClassName") != observed.ingress_class:
                continue
            if key_of(domain) != key_of(observed.domain) and (served.get("minVersion") or lowest) < lowest:
                return probe_name(domain.hostname)
        return None


class _Answer(NamedTuple):
    """By what two answers are told apart."""

    status: int
    body: bytes
    is_answerers: bool


def _answer(address: Address, hostname: str, *, proxy_protocol: bool) -> _Answer:
    found = http_get(
        address, hostname, PROBE_PATH, tls=True, timeout=3.0, max_bytes=1024, proxy_protocol=proxy_protocol
    )
    return _Answer(found.status, found.body, ANSWERER_HEADER.lower() in found.headers)


def _settings(observed: Observed, facts: CertificateFacts) -> tuple[str, ...]:
    """What decides about what a host accepts, its certificate aside."""
    return (observed.ingress_class, label(observed.profile), facts.key_type)


def _needs_scan(before: Proof, observed: Observed, fingerprint: str) -> bool:
    """A full scan after a change; and as long as somebody else's route may interfere or something is amiss."""
    return (
        before.fingerprint != fingerprint
        or before.profile != label(observed.profile)
        or before.hsts_max_age != max_age(observed.hsts)
        or before.policy_reason not in ("Enforced", "EnforcedNarrower")
        or before.since is not None
        or bool(observed.foreign)
        or observed.disturbed is not None
    )


def _culprits(observed: Observed, engine: Capabilities) -> str:
    """Who may be to blame for a policy that is not served: routes of others for the same host."""
    if not observed.foreign:
        return ""
    verb = "routes" if len(observed.foreign) == 1 else "route"
    return f" {', '.join(observed.foreign)} {verb} the same host, which {engine.foreign_route}; remove the host there."
