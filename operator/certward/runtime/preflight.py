"""The looks before a CA is asked: the challenge path at the ingress, then DNS, CAA and the path from outside."""

import secrets as randomness
import time
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from certward.acme.client import Issuer
from certward.acme.dns01 import issuer_domains
from certward.config import Config
from certward.errors import Transient
from certward.model.resources import key_of
from certward.names import CHALLENGE_PATH
from certward.plan import challenges
from certward.plan.observed import Observed, Plan
from certward.probe.caa import CAAPolicy
from certward.probe.fetch import Fetcher, Ports
from certward.probe.handshake import probe_name
from certward.probe.httpget import http_get
from certward.probe.link import ProbeFailed
from certward.probe.preflight import Outcome, Preflight, preflight
from certward.runtime.addresses import Addresses
from certward.runtime.dns_preflight import DnsPreflights, forget
from certward.runtime.flights import NO_PLACE, UNTIL_TOLD, Flights
from certward.runtime.issuers import Issuers
from certward.runtime.memory import Memory
from certward.runtime.reports import Reports
from certward.runtime.take_up import TakeUp
from certward.stages import stage

#: How long the ingress may take to route a new challenge path before that counts as a failure.
_PATIENCE = 20.0
_LEAST_PAUSE = 0.1
_PAUSE = timedelta(seconds=_LEAST_PAUSE)
#: So long it is looked at without a pause, unless others wait for the worker; then ever less often.
_BURST = 0.6
#: When nobody has looked for so long (the API server was away), what was waited before does not count.
_GAP = 10.0
#: A path that was seen to work is looked at again after so long, and every so often until it does.
_STALE = 5.0
_RETURNING = timedelta(seconds=1)
_NOT_YET_ROUTED = ("ChallengeBlocked", "ChallengeUnreachable")
_OK, _REFUSALS = 200, (401, 403)


class Preflights:
    """Looks at hostnames before orders. For many threads."""

    def __init__(
        self,
        config: Config,
        issuers: Issuers,
        addresses: Addresses,
        reports: Reports,
        *,
        is_busy: Callable[[], bool],
        fetcher: Fetcher,
        flights: Flights,
        by_dns: DnsPreflights,
    ) -> None:
        self._mode = config.dns.preflight
        self._issuers = issuers
        self._addresses = addresses
        self._reports = reports
        self._is_busy = is_busy
        self._fetcher, self._flights, self._by_dns = fetcher, flights, by_dns
        self._take_up = TakeUp()

    @stage("preflight")
    def step(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        """Take a look.

        Returns:
            How long to wait before the next one; None: go on, `memory.is_preflighted` says whether all is well.

        Raises:
            OperatorError: something is wrong with the hostname, or the CA or the API server could not be asked.
        """
        memory.look_for(plan.issuer)
        if observed.challenge != "http-01":
            return self._by_dns.step(observed, plan, memory)
        try:
            return self._step(observed, plan, memory)
        except Transient as failure:
            if failure.reason not in challenges.HTTP_ONLY or not observed.ways.has_others:
                raise
            memory.http_failure, memory.preflight_since = failure, None
            return None

    def _step(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        started = time.monotonic()
        if memory.flight is None:
            if started < memory.settle_until:
                return _PAUSE
            issuer = self._issuers.ready(plan.issuer)
            if memory.preflight_since is None or started - memory.preflight_seen > _GAP:
                memory.preflight_since = memory.preflight_seen = started
            pause = self._at_the_ingress(observed, issuer, memory)
            if pause is not None:
                return pause
            if self._mode != "off" and not self._take_off(observed, issuer, memory):
                return NO_PLACE
        return self._land(observed, memory)

    def before_validation(self, observed: Observed, memory: Memory) -> timedelta | None:
        """Have the CA not be sent to an ingress that has just gone away: look again where nobody has for a while.

        Returns:
            How long to wait; None: the path leads here, or does not so long that the CA may say what is wrong.
        """
        now = time.monotonic()
        if now - memory.preflight_seen < _STALE:
            return None
        address, thumbprint = self._addresses.http(observed.app), self._thumbprint(observed)
        is_led_here = not address or not thumbprint or not _look(address, observed.domain.hostname, thumbprint)
        memory.preflight_since = None if is_led_here else memory.preflight_since or now
        if memory.preflight_since is not None and now - memory.preflight_since < _PATIENCE:
            return _RETURNING
        memory.preflight_since, memory.preflight_seen = None, time.monotonic()
        return None

    def is_answered(self, observed: Observed, plan: Plan, memory: Memory) -> bool:
        """Whether the challenge path answers rightly although its route is only about to be made.

        Then it is the route of a former owner of the hostname, which the ingress will drop, maybe for a moment before
        it takes up the new one; a validation in that moment would fail.
        """
        if observed.secret.facts or memory.is_preflighted or observed.order_url or not plan.routes:
            return False
        address = self._addresses.http(observed.app) if plan.routes.challenge else None
        thumbprint = self._thumbprint(observed) if address else None
        return bool(address and thumbprint and not _look(address, observed.domain.hostname, thumbprint))

    def _at_the_ingress(self, observed: Observed, issuer: Issuer, memory: Memory) -> timedelta | None:
        """Wait until the ingress leads the challenge path here. None: it does, or where it is cannot be told."""
        address = self._addresses.http(observed.app)
        is_first = memory.preflight_since == memory.preflight_seen
        started = memory.preflight_seen = time.monotonic()
        if address is not None and is_first and self._take_up.is_slow() and self._is_busy():
            return timedelta(seconds=self._take_up.pause(0.0, _LEAST_PAUSE))
        while address is not None:
            problem = _look(address, observed.domain.hostname, self._thumbprint(observed) or issuer.thumbprint)
            memory.preflight_seen = time.monotonic()
            waited = memory.preflight_seen - (memory.preflight_since or started)
            if not problem:
                self._take_up.took(waited)
                break
            memory.is_preflighted = False
            if waited > _PATIENCE:
                # The CA has not been asked, so its delays after failed validations need not be kept.
                raise Transient(problem.reason, problem.words + self._reports.on(observed))
            if waited > _BURST or self._is_busy():
                return timedelta(seconds=self._take_up.pause(waited, _LEAST_PAUSE))
            time.sleep(0.03)
        return None

    def _take_off(self, observed: Observed, issuer: Issuer, memory: Memory) -> bool:
        """Start the look from outside; False when too many are under way."""
        caa = CAAPolicy(issuer_domains(issuer.directory()), issuer.account_url, "http-01", is_wildcard=False)
        thumbprint = self._thumbprint(observed) or issuer.thumbprint
        question = Preflight(caa, observed.dns_targets, thumbprint, self._mode)
        domain = observed.domain
        memory.flight = self._flights.start(domain.meta.namespace, preflight, domain.hostname, question, self._fetcher)
        return memory.flight is not None

    def _thumbprint(self, observed: Observed) -> str | None:
        """What every replica's answerer answers with now: before an order is written down it knows of no fallback."""
        order, app = observed.domain.status.get("order") or {}, observed.app
        name = order.get("issuer") or (app.issuer if app else "") or next(iter(self._issuers.names()), "")
        return self._issuers.thumbprint(name) if name else None

    def _land(self, observed: Observed, memory: Memory) -> timedelta | None:
        """Take in what a look from outside has shown, if there was one."""
        flight = memory.flight
        if flight is not None:
            if not self._flights.is_over(flight, key_of(observed.domain)):
                return UNTIL_TOLD
            memory.flight = None  # even if it has ended by a mistake of ours: the next look is a new one
            memory.preflight_seen = time.monotonic()  # so that a slow look is not taken for a time without looks
            outcome = flight.result()
            memory.is_pointed_here = outcome.facts.verified
            memory.dns_warning = outcome.message if outcome.verdict == "warning" else ""
            waited = time.monotonic() - (memory.preflight_since or 0.0)
            if outcome.verdict == "blocked":
                if outcome.reason in _NOT_YET_ROUTED and waited < _PATIENCE:
                    return max(_PAUSE, timedelta(seconds=waited / 4))  # another replica of the ingress may be slower
                forget(observed.domain.hostname, self._fetcher.resolver)
                raise Transient(outcome.reason, outcome.message + self._said(observed, outcome))
        memory.is_preflighted, memory.preflight_seen = True, time.monotonic()
        memory.preflight_since = None
        return None

    def _said(self, observed: Observed, outcome: Outcome) -> str:
        return self._reports.on(observed) if outcome.reason in _NOT_YET_ROUTED else ""


class _Problem(NamedTuple):
    reason: str
    words: str


def _look(address: tuple[str, int], hostname: str, thumbprint: str) -> _Problem | None:
    """What is wrong with the challenge path at the ingress's own address; None when it answers rightly."""
    token = randomness.token_urlsafe(24)
    try:
        answer = http_get(address, probe_name(hostname), f"{CHALLENGE_PATH}{token}", timeout=3.0)
    except ProbeFailed as failure:
        words = f"The ingress does not answer plain HTTP for {hostname}: {failure.message}"
        return _Problem("ChallengeUnreachable", words)
    if answer.status == _OK and answer.body.strip() == f"{token}.{thumbprint}".encode():
        return None
    if answer.status in _REFUSALS:
        return _Problem(
            "ChallengeBlocked",
            f"The ingress answers {answer.status} for {hostname}{CHALLENGE_PATH}, so no CA can validate the hostname; "
            "the administrator has to exempt this path from the allow list or login that holds for the whole ingress.",
        )
    return _Problem(
        "ChallengeUnreachable",
        f"The ingress answers {answer.status} for {hostname}{CHALLENGE_PATH} instead of leading to the operator; "
        "look for a redirect or another route for that host.",
    )


def ports(config: Config) -> Ports:
    """Where plain HTTP is found at the DNS target: 80, unless the target is an entry of the ingress as configured.

    That is for CAs that ask elsewhere than at port 80.
    """
    targets = {target for each in config.ingress.classes.values() for target in each.dns_target} | {*config.dns.target}
    entries = [each.probe.http_address for each in config.ingress.classes.values() if each.probe.http_address]
    return Ports(http=next((entry.port for entry in entries if entry.host in targets), 80))
