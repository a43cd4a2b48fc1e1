"""The hostnames that the platform gives Apps: routed, served with the platform's certificate, shown by handshakes."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from certward.config import Config
from certward.errors import Blocked, Rejected
from certward.kube.cache import Cache
from certward.kube.ensure import Ensurer
from certward.kube.foreign import ForeignRoutes
from certward.model.conditions import Condition, is_true, no
from certward.model.grade import Grade
from certward.model.resources import App, Builtin, Key, builtin_hostname, key_of
from certward.plan import builtin as decisions
from certward.plan import schedule
from certward.plan.builtin import SERVED
from certward.plan.observed import Observed, Proof
from certward.render.dialects import Host
from certward.render.registry import DIALECTS
from certward.runtime import routable
from certward.runtime.classes import Classes
from certward.runtime.memory import Memories, Memory
from certward.runtime.permitted import Permitted
from certward.runtime.platform import Platform
from certward.runtime.policies import Policies
from certward.runtime.proving import Prover
from certward.runtime.services import Services

log = logging.getLogger(__name__)

#: How soon a hostname is looked at again whose way is blocked by something that no watch tells about.
_BLOCKED_RETRY = timedelta(seconds=30)
#: A scan, and the redirect that follows it; more is a mistake.
_MOST_LOOKS = 8


class Told(NamedTuple):
    """What an App's status says of its built-in hostname.

    Attributes:
        hostname: it.
        condition: whether it is served.
        grade: of what is served; None while it has not been scanned.
    """

    hostname: str
    condition: Condition
    grade: Grade | None


class Builtins:
    """Works on built-in hostnames. For many threads, each on a key of its own: ("Builtin", namespace, App)."""

    def __init__(
        self,
        config: Config,
        cache: Cache,
        *,
        permitted: Permitted,
        platform: Platform,
        classes: Classes,
        ensurer: Ensurer,
        services: Services,
        policies: Policies,
        foreign: ForeignRoutes,
        prover: Prover,
        memories: Memories,
    ) -> None:
        self._config = config
        self._cache = cache
        self._permitted = permitted
        self._platform = platform
        self._classes = classes
        self._ensurer = ensurer
        self._services = services
        self._policies = policies
        self._foreign = foreign
        self._prover = prover
        self._memories = memories

    def hostname(self, app: App) -> str:
        """The built-in hostname of an App; empty where it has none."""
        if not self._platform.suffix or self._permitted.is_platform(app.meta.namespace, app.meta.name):
            return ""
        return builtin_hostname(app, self._platform.suffix)

    def told(self, app: App) -> Told | None:
        """What is to be said of it in the App's status, all of it at one moment; None where it has none."""
        hostname = self.hostname(app)
        if not hostname:
            return None
        memory = self._memories.peek(_key(app))
        proof, obstacle = (memory.proof, memory.obstacle) if memory else (None, "")
        grade = Grade(proof.grade, proof.grade_capped_by) if proof and proof.grade else None
        return Told(hostname, self._condition(app, hostname, proof, obstacle), grade)

    def reconcile(self, key: Key, touched: set[Key]) -> timedelta | None:
        """Bring one hostname as far as it goes now.

        Args:
            key: ("Builtin", namespace, App).
            touched: the App is put there where there is something new to say of it, also where it fails after that.

        Returns:
            When to look again (None: never).

        Raises:
            OperatorError: the API server could not or would not.
        """
        app = self._cache.app(key.namespace, key.name)
        if app is None or app.meta.is_deleting:
            if app is not None and self.hostname(app):
                self.remove(app)  # a finalizer may hold the App up, while the hostname is another's already
            self._memories.drop(key)
            return None  # the API server deletes what belongs to it, by ownerReferences
        hostname = self.hostname(app)
        if not hostname:
            self._memories.drop(key)
            return None
        domain = _domain(app, hostname)
        is_new = self._memories.peek(key) is None
        memory = self._memories.of(key, app.meta.uid)
        if is_new:
            self._ensurer.doubt(key.namespace)
            memory.proof = self._remembered_proof(app)
        graded = memory.proof.grade if memory.proof else ""
        try:
            again = self._bring(app, domain, memory)
        finally:
            if graded != (memory.proof.grade if memory.proof else ""):
                touched.add(key_of(app))
        if _is_news(app, self._condition(app, hostname, memory.proof, memory.obstacle)):
            touched.add(key_of(app))
        return again

    def remove(self, app: App) -> None:
        """Take the routes of an App's built-in hostname away."""
        domain = _domain(app, "")
        self._ensurer.absent(ref for dialect in DIALECTS.values() for ref in dialect.all_of(domain))

    def _bring(self, app: App, domain: Builtin, memory: Memory) -> timedelta:
        for _ in range(_MOST_LOOKS):
            try:
                observed = self._observed(app, domain, memory)
                plan = decisions.decide(observed, app, self._platform.domain, datetime.now(UTC))
                self._route(app, domain, plan)
            except (Blocked, Rejected) as obstacle:
                memory.obstacle, memory.proof = obstacle.message, None
                return _BLOCKED_RETRY
            memory.obstacle = ""
            if not plan.is_due or plan.facts is None:
                return plan.again_after
            pause = self._prover.prove(observed, plan.facts, memory)
            if pause is not None:
                return pause
        raise RuntimeError(f"the built-in hostname of {key_of(app)} asks for one handshake after the other")

    def _remembered_proof(self, app: App) -> Proof | None:
        """What the status remembers of a handshake, due again within an interval: else all were due after a restart."""
        facts = decisions.certificate_of(self._platform.domain)
        if facts is None or not is_true(app.status.get("conditions") or (), SERVED):
            return None
        interval = self._config.probe.interval
        at = self._memories.started_at - interval + schedule.spread(app.meta.uid, interval)
        return Proof(at=at, fingerprint=facts.fingerprint_sha256)

    def _route(self, app: App, domain: Builtin, plan: decisions.Plan) -> None:
        class_ = self._classes.of(app)
        default = self._config.ingress.default_class
        if class_.name != default:
            self.remove(app)
            raise Blocked("OtherClass", f"The platform's hostnames are served by class {default} only.")
        try:
            self._check_owner(app, domain.hostname)
            routable.check(class_.dialect, app, self._cache, challenge_port=self._config.challenge.http01.port)
        except Blocked:
            self.remove(app)
            raise
        rendered = class_.dialect.render(
            Host(
                domain=domain,
                app=app if class_.dialect.knows_port_names else self._services.numbered(app),
                routes=plan.routes,
                class_name=class_.name,
                challenge_port=self._config.challenge.http01.port,
                gateway=class_.gateway,
                platform=self._platform.domain,
            )
        )
        self._ensurer.present((*rendered.shared, *rendered.own))
        self._ensurer.absent(rendered.unwanted)

    def _check_owner(self, app: App, hostname: str) -> None:
        """Let the older of two Apps have a hostname; long names of theirs are cut, and so is the hash."""
        suffix = self._platform.suffix
        same = [other for other in self._cache.same_hash(app) if builtin_hostname(other, suffix) == hostname]
        oldest = min([app, *same], key=lambda other: other.meta.age_order)
        if oldest is not app:
            raise Blocked(
                "HostnameTaken",
                f"{hostname} is the built-in hostname of the older App {oldest.meta.namespace}/{oldest.meta.name}; "
                "give this App another name.",
            )

    def _observed(self, app: App, domain: Builtin, memory: Memory) -> Observed:
        effective = self._policies.effective(app)
        ingress_class = self._classes.name_for(app)
        return Observed(
            domain=domain,
            app=app,
            profile=effective.profile,
            hsts=effective.hsts,
            foreign=self._foreign.of(domain.hostname, self._classes.reads(ingress_class)),
            proof=memory.proof,
            probe_interval=self._config.probe.interval,
            ingress_class=ingress_class,
            shares_certificate=True,
        )

    def _condition(self, app: App, hostname: str, proof: Proof | None, obstacle: str) -> Condition:
        if obstacle:
            return no(SERVED, "Blocked", obstacle)
        effective = self._policies.effective(app)
        observed = Observed(
            domain=_domain(app, hostname), app=app, profile=effective.profile, hsts=effective.hsts, proof=proof
        )
        return decisions.decide(observed, app, self._platform.domain, datetime.now(UTC)).condition


def _domain(app: App, hostname: str) -> Builtin:
    return Builtin(meta=app.meta, hostname=hostname, app=app.meta.name, status={})


def _key(app: App) -> Key:
    return Key("Builtin", app.meta.namespace, app.meta.name)


def _is_news(app: App, said: Condition) -> bool:
    known: dict[str, Any] = next((c for c in app.status.get("conditions") or () if c.get("type") == SERVED), {})
    told = (known.get("status"), known.get("reason"), known.get("message") or "")
    return told != (said.status, said.reason, said.message)
