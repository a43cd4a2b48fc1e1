"""The routes of a Domain: what the ingress is to have of it, and what it is to have no more."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from certward.config import Config
from certward.errors import Blocked, ChallengeFailed, Rejected
from certward.kube.cache import Cache
from certward.kube.ensure import Ensurer, ref_of
from certward.logs import say
from certward.model.resources import App, Domain, key_of, parse_time
from certward.plan.observed import Observed, Plan, Step
from certward.render.dialects import Dialect, Host, ObjectRef, Rendered
from certward.render.registry import DIALECTS
from certward.runtime import routable
from certward.runtime.classes import Class, Classes
from certward.runtime.gather import inputs_of
from certward.runtime.memory import LONG_AGO, Kept, Memory
from certward.runtime.metrics import FAILURES
from certward.runtime.namespaces import Namespaces
from certward.runtime.permitted import Permitted
from certward.runtime.preflight import Preflights
from certward.runtime.proving import Prover
from certward.runtime.services import Services
from certward.stages import stage

log = logging.getLogger(__name__)

#: How long an ingress may go on with the routes of a hostname's former owner.
_SETTLE_SECONDS = 3.0
#: So long what a class has had as another controller's stays beside what it has now.
LEFT_OVER_SECONDS = 5.0
#: So long routes that were found in place are not rendered again while something is being waited for.
_KEPT_SECONDS = 2.0


class HostRoutes:
    """Writes and deletes them. For many threads, each about a Domain of its own."""

    def __init__(
        self,
        config: Config,
        cache: Cache,
        *,
        classes: Classes,
        ensurer: Ensurer,
        permitted: Permitted,
        services: Services,
        namespaces: Namespaces,
        preflights: Preflights,
        prover: Prover,
    ) -> None:
        self._config = config
        self._cache = cache
        self._classes = classes
        self._ensurer = ensurer
        self._permitted = permitted
        self._services = services
        self._namespaces = namespaces
        self._preflights = preflights
        self._prover = prover

    @stage("routes")
    def keep(self, observed: Observed, plan: Plan, memory: Memory) -> bool:
        """Make the ingress have what the plan says.

        Returns:
            False when somebody else's object is in the way.

        Raises:
            OperatorError: the API server could not or would not.
        """
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
            elif not observed.is_moving:
                self._clear(class_.dialect, domain, memory)
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

    def doubt(self, namespace: str) -> None:
        """Take nothing for true any more of what was in place in a namespace."""
        self._ensurer.doubt(namespace)

    def take_away(self, domain: Domain) -> None:
        """Delete the routes of a Domain that is on its way.

        Raises:
            OperatorError: the API server could not or would not.
        """
        self._ensurer.absent(self._routes_of(domain))

    def forget(self, domain: Domain) -> None:
        """Forget the routes of a Domain that is gone."""
        self._ensurer.forget_absent(_everything_for(domain))

    def _routes_of(self, domain: Domain) -> Iterator[ObjectRef]:
        """What the classes that have routed a Domain may have made for it: few objects, as thousands may go at once."""
        app = self._cache.app(domain.meta.namespace, domain.app)
        names = {self._classes.name_for(app), domain.status.get("ingressClassName") or ""} - {""}
        try:
            dialects = {self._classes.named(name).dialect for name in names}
        except Blocked:
            return _everything_for(domain)
        return (ref for dialect in dialects for ref in dialect.all_of(domain))

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
            memory.proof = replace(memory.proof, at=LONG_AGO)
        self._ensurer.absent(rendered.unwanted)

    def _clear(self, dialect: Dialect, domain: Domain, memory: Memory) -> None:
        """Take away what the class had when it was taken for another controller, before this process began.

        A while after what it has now is in place, so that the ingress can have taken that up.
        """
        if not memory.is_compared:
            its = set(dialect.all_of(domain))
            memory.left_over = self._ensurer.listed(ref for ref in _everything_for(domain) if ref not in its)
            memory.clears_at = time.monotonic() + LEFT_OVER_SECONDS
        elif memory.left_over and time.monotonic() >= memory.clears_at:
            self._ensurer.absent(memory.left_over)
            memory.left_over = ()

    def _check(self, class_: Class, app: App, domain: Domain) -> None:
        """Do not route at all what would be open to more than the App says, or be another's."""
        try:
            routable.check(class_.dialect, app, self._cache, challenge_port=self._config.challenge.http01.port)
        except Blocked as refusal:
            # Where it is about who may come in, what a former class still serves is open as well.
            is_open = refusal.reason == "TrustedRangesNotSupported"
            self._ensurer.absent(_everything_for(domain) if is_open else class_.dialect.all_of(domain))
            raise


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


def _is_due(domain: Domain) -> bool:
    """Whether the next attempt that the status names is due; so that a lasting obstacle is not counted every look."""
    at = (domain.status.get("attempts") or {}).get("nextAttempt")
    return at is None or parse_time(at) <= datetime.now(UTC)
