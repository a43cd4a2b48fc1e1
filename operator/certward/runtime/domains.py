"""One Domain: gather what is known, decide, act; again until nothing is left to do at once."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from certward.config import Config
from certward.errors import Blocked, ChallengeFailed, OperatorError, Rejected, Transient
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.kube.ensure import Ensurer, ref_of
from certward.logs import say
from certward.model.resources import App, Domain, Key, key_of, parse_time
from certward.plan import domain as decisions
from certward.plan.events import of_domain
from certward.plan.latency import wanted_since
from certward.plan.observed import Observed, Plan, Proof, Step
from certward.render.dialects import Host, ObjectRef, Rendered
from certward.render.registry import DIALECTS
from certward.runtime import routable
from certward.runtime.classes import Class, Classes
from certward.runtime.events import Events
from certward.runtime.gather import Gatherer, inputs_of
from certward.runtime.glances import Glances
from certward.runtime.issuance import Issuance
from certward.runtime.manuals import Manuals
from certward.runtime.memory import Kept, Memories, Memory
from certward.runtime.metrics import FAILURES, TIME_TO_CERTIFICATE
from certward.runtime.namespaces import Namespaces
from certward.runtime.permitted import Permitted
from certward.runtime.preflight import Preflights
from certward.runtime.proving import Prover
from certward.runtime.revocations import Revocations
from certward.runtime.secrets import Secrets
from certward.runtime.services import Services
from certward.stages import stage

log = logging.getLogger(__name__)

#: More steps in one go than any issuance takes; a plan that asks for more is a mistake in the decisions.
_MAX_STEPS = 60
#: When a proof was made that counts for nothing any more.
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
#: How long an ingress may go on with the routes of a hostname's former owner.
_SETTLE_SECONDS = 3.0
#: So long the ingress is not told again to serve a certificate that it did not show.
_REFUSED_SECONDS = 600.0
#: How soon a host is looked at again whose objects are in somebody's way.
_BLOCKED_RETRY = timedelta(seconds=30)
#: So long routes that were found in place are not rendered again while something is being waited for.
_KEPT_SECONDS = 2.0


class Domains:
    """Works on Domains. For many threads, each on a key of its own."""

    def __init__(
        self,
        config: Config,
        client: Client,
        cache: Cache,
        *,
        classes: Classes,
        ensurer: Ensurer,
        gatherer: Gatherer,
        secrets: Secrets,
        manuals: Manuals,
        permitted: Permitted,
        services: Services,
        namespaces: Namespaces,
        issuance: Issuance,
        revocations: Revocations,
        preflights: Preflights,
        prover: Prover,
        glances: Glances,
        memories: Memories,
        events: Events,
    ) -> None:
        self._config = config
        self._client = client
        self._cache = cache
        self._classes = classes
        self._ensurer = ensurer
        self._gatherer = gatherer
        self._secrets = secrets
        self._manuals = manuals
        self._permitted = permitted
        self._services = services
        self._namespaces = namespaces
        self._issuance = issuance
        self._revocations = revocations
        self._preflights = preflights
        self._prover = prover
        self._glances = glances
        self._memories = memories
        self._events = events

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
            self._ensurer.absent(self._routes_of(domain))
        elif (known := self._memories.peek(key)) and known.named:
            self._ensurer.forget_absent(_everything_for(known.named))
        self._memories.drop(key)
        self._issuance.forget(key)
        self._secrets.forget(key.namespace, key.name)
        if domain is not None:
            # That they are not there is known until it is gone, so that nothing is asked for at each look.
            self._memories.of(key, domain.meta.uid).named = replace(domain, status={})

    def _routes_of(self, domain: Domain) -> Iterator[ObjectRef]:
        """What the classes that have routed a Domain may have made for it: few objects, as thousands may go at once."""
        app = self._cache.app(domain.meta.namespace, domain.app)
        names = {self._classes.name_for(app), domain.status.get("ingressClassName") or ""} - {""}
        try:
            dialects = {self._classes.named(name).dialect for name in names}
        except Blocked:
            return _everything_for(domain)
        return (ref for dialect in dialects for ref in dialect.all_of(domain))

    def _pass(self, domain: Domain, memory: Memory, touched: set[Key]) -> timedelta | None:
        """Gather, decide, act once. Returns when to look again; None: at once."""
        memory.rest = None
        now = datetime.now(UTC)
        if not memory.is_compared and domain.status.get("observedGeneration", -1) == -1:
            self._ensurer.doubt(domain.meta.namespace)
        observed, plan = self._decide(domain, memory, now)
        is_blocked = not self._keep_routes(observed, plan, memory)
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
            return plan.again_after if is_as_before and plan.step is Step.NONE and not is_blocked else None
        memory.wanted_since = wanted_since(observed, plan, memory.wanted_since, now)
        if plan.routes is None:
            memory.proof = None  # what was shown is shown no longer; with the routes comes a new handshake
        self._keep_secrets(observed, plan, memory)
        if "order" not in plan.status:
            memory.drop_order()
        if is_blocked or plan.step is Step.NONE or self._must_persist(domain, plan):
            touched |= self._write(domain, plan, memory)
            memory.failure = None
        if is_blocked:
            return _BLOCKED_RETRY
        if plan.step is Step.NONE:
            latest = self._cache.domain(domain.meta.namespace, domain.meta.name) or domain
            self._glances.settle(replace(observed, domain=latest), plan, memory, now)
            return plan.again_after
        return self._step(observed, plan, memory, touched)

    def _decide(self, domain: Domain, memory: Memory, now: datetime) -> tuple[Observed, Plan]:
        observed = self._gatherer.gather(domain, memory, now)
        plan = decisions.decide(observed, now)
        if not plan.refuses:
            return observed, plan
        _say(logging.WARNING, domain, plan.status["message"], reason=plan.status["reason"])
        inputs = inputs_of(domain, observed.app, observed.secret, observed.issuer, observed.account)
        memory.refused = (plan.refuses, time.monotonic() + _REFUSED_SECONDS, inputs)
        memory.proof = Proof(at=_LONG_AGO, fingerprint=memory.proof.fingerprint) if memory.proof else None
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

    @stage("routes")
    def _keep_routes(self, observed: Observed, plan: Plan, memory: Memory) -> bool:
        """Make the ingress have what the plan says. False when somebody else's object is in the way."""
        domain, app = observed.domain, observed.app
        try:
            if plan.routes is None or app is None:
                memory.kept = None
                self._ensurer.absent(_everything_for(domain))
                return True
            if not plan.routes.challenge:
                memory.is_preflighted = False  # the next one is another route, and has to be seen to work
            if plan.step is not Step.NONE and _has_been_kept(domain, app, plan, memory):
                return True
            class_ = self._classes.of(app)
            self._check(class_, app, domain)
            if plan.routes.challenge:
                self._namespaces.provide(domain.meta.namespace)
            rendered = class_.dialect.render(
                Host(
                    domain=domain,
                    app=app if class_.dialect.knows_port_names else self._services.numbered(app),
                    routes=plan.routes,
                    class_name=class_.name,
                    challenge_port=self._config.challenge.http01.port,
                    gateway=class_.gateway,
                    is_platform=self._permitted.is_platform(domain.meta.namespace, domain.meta.name),
                )
            )
            self._put(rendered, observed, plan, memory)
            if plan.leaves_class:
                _say(logging.INFO, domain, f"class {class_.name} serves it now", ingressClass=class_.name)
                kept = {ref_of(manifest) for manifest in (*rendered.shared, *rendered.own)}
                self._ensurer.absent(ref for ref in _everything_for(domain) if ref not in kept)
            memory.kept = Kept(_said_by(domain), app, plan.routes, time.monotonic())
        except (Blocked, Rejected) as obstacle:  # the latter: an admission webhook or policy does not take a route
            if memory.obstacle != obstacle.message:
                _say(logging.WARNING, domain, obstacle.message, reason=obstacle.reason)
            memory.obstacle, memory.kept = obstacle.message, None
            inputs = inputs_of(domain, app, observed.secret, observed.issuer, observed.account)
            if memory.failed_inputs != inputs or _is_due(domain):
                memory.failure = ChallengeFailed("ChallengeUnreachable", obstacle.message)
                FAILURES.labels(memory.failure.reason).inc()
                memory.is_after_edit = memory.failed_inputs not in (None, inputs)
                memory.failed_inputs = inputs
            return False
        memory.obstacle = ""
        return True

    def _put(self, rendered: Rendered, observed: Observed, plan: Plan, memory: Memory) -> None:
        """Have the cluster hold what was rendered, and take note where the ingress has to follow."""
        is_answered = self._preflights.is_answered(observed, plan, memory)
        self._prover.before_change(observed, plan, memory)
        is_amiss = memory.preflight_since is not None or bool(memory.proof and memory.proof.problem)
        is_changed = self._ensurer.present((*rendered.shared, *rendered.own), is_doubted=is_amiss)
        if is_changed and is_answered:
            memory.settle_until = time.monotonic() + _SETTLE_SECONDS
        if is_changed and memory.proof and not memory.proof.profile:
            # Remembered from before a restart, and the ingress has just been told something else.
            memory.proof = replace(memory.proof, at=_LONG_AGO)
        self._ensurer.absent(rendered.unwanted)

    def _check(self, class_: Class, app: App, domain: Domain) -> None:
        """Do not route at all what would be open to more than the App says, or be another's."""
        try:
            routable.check(class_.dialect, app, self._cache, challenge_port=self._config.challenge.http01.port)
        except Blocked:
            self._ensurer.absent(class_.dialect.all_of(domain))
            raise

    @staticmethod
    def _must_persist(domain: Domain, plan: Plan) -> bool:
        """An order's URL is written down before anything else is asked of the CA."""
        url = (plan.status.get("order") or {}).get("url", "")
        return bool(url) and url != (domain.status.get("order") or {}).get("url")

    @stage("status")
    def _write(self, domain: Domain, plan: Plan, memory: Memory) -> set[Key]:
        wanted = dict(plan.status)
        if _same(domain.status, wanted):
            return set()
        touched: set[Key] = set()
        if wanted.get("certificate") != domain.status.get("certificate"):
            _log_change(domain, wanted)
            if self._permitted.is_platform(domain.meta.namespace, domain.meta.name):
                touched = {Key("Builtin", app.namespace, app.name) for app in self._cache.keys("App")}
        written = self._client.apply_status(domain, wanted)
        state, reason = wanted["state"], wanted["reason"]
        _log_policy(domain, wanted)
        if (domain.status.get("state"), domain.status.get("reason") or "") != (state, reason):
            _say(logging.INFO, domain, f"{state} ({reason})" if reason else state, state=state, reason=reason)
        if written is None:
            # Deleted, as a watch will say in a moment; or the API server is starting and does not serve our kinds yet.
            raise Transient("APIServerUnavailable", f"{key_of(domain)} is not there to write its status")
        if memory.wanted_since and (wanted.get("certificate") or {}).get("source") == "Automatic":
            TIME_TO_CERTIFICATE.observe((datetime.now(UTC) - memory.wanted_since) / timedelta(seconds=1))
        self._events.tell(domain, of_domain(domain, wanted))
        new = Domain.from_body(written)
        # Its echo comes by no watch any more; an edit that came with the answer has to be worked on all the same.
        is_edited = (new.meta.generation, new.meta.annotations) != (domain.meta.generation, domain.meta.annotations)
        return touched | self._cache.put(new) - (set() if is_edited else {key_of(domain)})

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


def _has_been_kept(domain: Domain, app: App, plan: Plan, memory: Memory) -> bool:
    """Whether just this was found in place a moment ago; the last pass of a burst does not rely on it."""
    kept, since = memory.kept, time.monotonic() - _KEPT_SECONDS
    is_same = kept and kept.app is app and kept.said == _said_by(domain) and kept.routes == plan.routes
    return bool(is_same and not plan.leaves_class and kept and kept.at > since)


def _said_by(domain: Domain) -> tuple[object, ...]:
    return domain.meta.uid, domain.meta.generation, domain.meta.annotations


def _say(level: int, domain: Domain, words: object, **fields: str) -> None:
    say(log, level, key_of(domain), words, hostname=domain.hostname, **fields)


def _everything_for(domain: Domain) -> Iterator[ObjectRef]:
    """Whatever may have been made for a Domain, for ingress controllers of any kind."""
    for dialect in DIALECTS.values():
        yield from dialect.all_of(domain)


def _verdict_of(status: Mapping[str, Any]) -> tuple[object, object]:
    return status.get("state"), status.get("reason")


def _of_scan(proof: Proof) -> tuple[str, str]:
    """What an App's status takes from a scan."""
    return proof.grade, proof.profile


def _is_due(domain: Domain) -> bool:
    """Whether the next attempt that the status names is due; so that a lasting obstacle is not counted every look."""
    at = (domain.status.get("attempts") or {}).get("nextAttempt")
    return at is None or parse_time(at) <= datetime.now(UTC)


def _log_policy(domain: Domain, wanted: Mapping[str, Any]) -> None:
    """One line when what is served no longer is, or is again, what the policy says."""
    before = {c["type"]: c for c in domain.status.get("conditions") or ()}.get("PolicyEnforced", {})
    after = {c["type"]: c for c in wanted["conditions"]}["PolicyEnforced"]
    if before.get("status") != after["status"] and after["status"] != "Unknown":
        level = logging.INFO if after["status"] == "True" else logging.WARNING
        _say(level, domain, f"PolicyEnforced={after['status']}: {after['message']}", reason=after["reason"])


def _log_change(domain: Domain, wanted: Mapping[str, Any]) -> None:
    """One line when another Secret is served than before."""
    before, after = domain.status.get("certificate") or {}, wanted.get("certificate") or {}
    if before and after and before.get("secretName") != after.get("secretName"):
        old, new = (f"{of.get('source')} certificate in Secret {of.get('secretName')}" for of in (before, after))
        _say(logging.INFO, domain, f"{old} gives way to {new}")


def _same(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a status needs no write. Nobody else writes it, so it is ours to the last field."""
    return dict(live) == dict(wanted)
