"""One Domain: gather what is known, decide, act; again until nothing is left to do at once."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from certward.errors import OperatorError
from certward.kube.cache import Cache
from certward.logs import say
from certward.model.resources import Domain, Key, key_of
from certward.plan import domain as decisions
from certward.plan.latency import wanted_since
from certward.plan.observed import Observed, Plan, Proof, Step
from certward.runtime.domain_status import DomainStatus, must_persist
from certward.runtime.gather import Gatherer, inputs_of
from certward.runtime.glances import Glances
from certward.runtime.host_routes import LEFT_OVER_SECONDS, HostRoutes
from certward.runtime.issuance import Issuance
from certward.runtime.manuals import Manuals
from certward.runtime.memory import LONG_AGO, Memories, Memory
from certward.runtime.metrics import FAILURES
from certward.runtime.proving import Prover
from certward.runtime.revocations import Revocations
from certward.runtime.secrets import Secrets

log = logging.getLogger(__name__)

#: More steps in one go than any issuance takes; a plan that asks for more is a mistake in the decisions.
_MAX_STEPS = 60
#: So long the ingress is not told again to serve a certificate that it did not show.
_REFUSED_SECONDS = 600.0
#: How soon a host is looked at again whose objects are in somebody's way.
_BLOCKED_RETRY = timedelta(seconds=30)


class Domains:
    """Works on Domains. For many threads, each on a key of its own."""

    def __init__(
        self,
        cache: Cache,
        *,
        gatherer: Gatherer,
        secrets: Secrets,
        manuals: Manuals,
        routes: HostRoutes,
        status: DomainStatus,
        issuance: Issuance,
        revocations: Revocations,
        prover: Prover,
        glances: Glances,
        memories: Memories,
    ) -> None:
        self._cache = cache
        self._gatherer = gatherer
        self._secrets = secrets
        self._manuals = manuals
        self._routes = routes
        self._status = status
        self._issuance = issuance
        self._revocations = revocations
        self._prover = prover
        self._glances = glances
        self._memories = memories

    def reconcile(self, key: Key, touched: set[Key], *, is_news: bool = True) -> timedelta | None:
        """Bring one Domain as far as it goes now.

        Args:
            key: of the Domain.
            touched: other keys that its new status concerns are put there, also where it fails after that.
            is_news: something has happened, so that it has to be decided on.

        Returns:
            When to look again (None: never, it is gone).

        Raises:
            OperatorError: the API server could not or would not; the CA's and the ingress's failures are in status.
        """
        self._issuance.begin()
        for _ in range(_MAX_STEPS):
            domain = self._cache.domain(key.namespace, key.name)
            if domain is None or domain.meta.is_deleting:
                self._let_go(key, domain)
                return None
            memory = self._memories.of(key, domain.meta.uid)
            if not is_news and (pause := self._glances.at(domain, memory)) is not None:
                return pause
            memory.named = memory.named or replace(domain, status={})
            pause = self._pass(domain, memory, touched)
            if pause is not None:
                return pause
        raise RuntimeError(f"{key} asks for more than {_MAX_STEPS} steps at once")

    def _let_go(self, key: Key, domain: Domain | None) -> None:
        """Forget a Domain that is gone; the API server deletes what belongs to it, by ownerReferences.

        Not before it is gone, which a finalizer may hold up for good, while its hostname is another's already. So its
        routes are taken away as soon as it is on its way. Its Secret stays until then: nothing leads to it any more.

        Raises:
            OperatorError: the API server could not or would not.
        """
        if domain is not None:
            self._routes.take_away(domain)
        elif (known := self._memories.peek(key)) and known.named:
            self._routes.forget(known.named)
        self._memories.drop(key)
        self._issuance.forget(key)
        self._secrets.forget(key.namespace, key.name)
        if domain is not None:
            # That they are not there is known until it is gone, so that nothing is asked for at each look.
            self._memories.of(key, domain.meta.uid).named = replace(domain, status={})

    def _pass(self, domain: Domain, memory: Memory, touched: set[Key]) -> timedelta | None:
        """Gather, decide, act once. Returns when to look again; None: at once."""
        memory.rest = None
        now = datetime.now(UTC)
        if not memory.is_compared and domain.status.get("observedGeneration", -1) == -1:
            self._routes.doubt(domain.meta.namespace)
        observed, plan = self._decide(domain, memory, now)
        is_blocked = not self._routes.keep(observed, plan, memory)
        if is_blocked:
            plan = decisions.decide(self._gatherer.gather(domain, memory, now), now)
        elif memory.proof is not observed.proof:
            observed = self._gatherer.gather(domain, memory, now)
            plan = decisions.decide(observed, now)
        memory.is_compared = True
        if observed.secret.is_remembered:
            # Compared by what the status remembers; the Secret is read when the handshake is due, or at once where
            # something is not as it was.
            is_as_before = plan.routes is not None and _verdict_of(plan.status) == _verdict_of(domain.status)
            return _again(plan, memory) if is_as_before and plan.step is Step.NONE and not is_blocked else None
        memory.wanted_since = wanted_since(observed, plan, memory.wanted_since, now)
        if plan.routes is None:
            memory.proof = None  # what was shown is shown no longer; with the routes comes a new handshake
        self._keep_secrets(observed, plan, memory)
        if "order" not in plan.status:
            memory.drop_order()
        if is_blocked or plan.step is Step.NONE or must_persist(domain, plan):
            touched |= self._status.write(domain, plan, memory)
            memory.failure = None
        if is_blocked:
            return _BLOCKED_RETRY
        if plan.step is Step.NONE:
            latest = self._cache.domain(domain.meta.namespace, domain.meta.name) or domain
            self._glances.settle(replace(observed, domain=latest), plan, memory, now)
            return _again(plan, memory)
        return self._step(observed, plan, memory, touched)

    def _decide(self, domain: Domain, memory: Memory, now: datetime) -> tuple[Observed, Plan]:
        observed = self._gatherer.gather(domain, memory, now)
        plan = decisions.decide(observed, now)
        if not plan.refuses:
            return observed, plan
        _say(logging.WARNING, domain, plan.status["message"], reason=plan.status["reason"])
        inputs = inputs_of(domain, observed.app, observed.secret, observed.issuer, observed.account)
        memory.refused = (plan.refuses, time.monotonic() + _REFUSED_SECONDS, inputs)
        memory.proof = Proof(at=LONG_AGO, fingerprint=memory.proof.fingerprint) if memory.proof else None
        observed = self._gatherer.gather(domain, memory, now)
        return observed, decisions.decide(observed, now)

    def _keep_secrets(self, observed: Observed, plan: Plan, memory: Memory) -> None:
        """Drop the key that is no longer needed, and make a Secret that was restored go with its Domain."""
        domain = observed.domain
        if plan.drop_next_key:
            self._secrets.drop_next_key(domain)
            memory.has_next_key = False
        if observed.secret.is_managed and not observed.secret.is_owned:
            self._secrets.adopt(domain)
            _say(logging.INFO, domain, f"Secret {domain.secret_name} is taken up")

    def _step(self, observed: Observed, plan: Plan, memory: Memory, touched: set[Key]) -> timedelta | None:
        """Do the plan's step. Returns how long to let go of the Domain; None: go on at once."""
        _say(logging.DEBUG, observed.domain, f"{plan.step.value}: {plan.why}")
        try:
            if plan.step is Step.PROVE:
                before = memory.proof
                if plan.serving is None:  # pragma: no cover - a proof is asked for only when there is a certificate
                    return None
                pause = self._prover.prove(observed, plan.serving.facts, memory)
                if memory.proof and (before is None or _of_scan(before) != _of_scan(memory.proof)):
                    touched.add(Key("App", observed.domain.meta.namespace, observed.domain.app))
                return pause
            if plan.step is Step.REVOKE:
                return self._revocations.step(observed, plan, memory)
            had_order = memory.order is not None
            pause = self._issuance.step(observed, plan, memory)
            if had_order and memory.order is None and plan.serving and plan.serving.is_manual:
                # Stored. Those that are served with the same manual certificate may have waited for this one.
                touched.update(map(key_of, self._manuals.served_with(observed.domain, plan.serving.secret_name)))
        except OperatorError as failure:
            if failure.reason in ("APIServerUnavailable", "Conflict", "Forbidden", "Invalid"):
                raise
            FAILURES.labels(failure.reason).inc()
            self._issuance.failed(observed, memory, failure)
            memory.is_after_edit = observed.is_edited
            memory.failed_inputs = inputs_of(
                observed.domain, observed.app, observed.secret, observed.issuer, observed.account
            )
            _say(logging.INFO, observed.domain, failure, reason=failure.reason, issuer=observed.issuer)
            return None
        return pause


def _say(level: int, domain: Domain, words: object, **fields: str) -> None:
    say(log, level, key_of(domain), words, hostname=domain.hostname, **fields)


def _verdict_of(status: Mapping[str, Any]) -> tuple[object, object]:
    return status.get("state"), status.get("reason")


def _again(plan: Plan, memory: Memory) -> timedelta:
    return min(plan.again_after, timedelta(seconds=LEFT_OVER_SECONDS)) if memory.left_over else plan.again_after


def _of_scan(proof: Proof) -> tuple[str, str]:
    """What an App's status takes from a scan."""
    return proof.grade, proof.profile
