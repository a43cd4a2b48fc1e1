"""One App: pin its TLS default, sum up its Domains."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from certward.config import Config
from certward.errors import Blocked
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.logs import say
from certward.model.conditions import is_true
from certward.model.grade import Grade
from certward.model.policy import Effective
from certward.model.resources import App, Domain, Key, key_of
from certward.names import ANNOTATION_DEFAULT_REVISION, API_VERSION
from certward.plan import app as decisions
from certward.plan.events import of_app
from certward.plan.observed import label
from certward.runtime import routable
from certward.runtime.builtin import Builtins, Told
from certward.runtime.classes import Classes
from certward.runtime.events import Events
from certward.runtime.memory import Memories
from certward.runtime.policies import Policies
from certward.runtime.services import Services

log = logging.getLogger(__name__)


class Apps:
    """Works on Apps. For many threads, each on a key of its own."""

    def __init__(
        self,
        config: Config,
        client: Client,
        cache: Cache,
        *,
        classes: Classes,
        services: Services,
        policies: Policies,
        memories: Memories,
        builtins: Builtins,
        events: Events,
    ) -> None:
        self._config = config
        self._client = client
        self._cache = cache
        self._classes = classes
        self._services = services
        self._policies = policies
        self._memories = memories
        self._builtins = builtins
        self._events = events

    def reconcile(self, key: Key, touched: set[Key]) -> bool:
        """Bring one App's annotation and status up to date.

        Args:
            key: of the App.
            touched: other keys that this concerns are put there, also where it fails after that.

        Returns:
            Whether something is missing that no watch tells about.

        Raises:
            OperatorError: the API server could not or would not.
        """
        app = self._cache.app(key.namespace, key.name)
        if app is None or app.meta.is_deleting:
            if app is not None and app.status.get("hostname"):
                touched.add(Key("Builtin", key.namespace, key.name))
            return False
        touched |= self._pin(app)
        app = self._cache.app(key.namespace, key.name) or app
        effective = self._policies.effective(app)
        domains = self._cache.domains_of(key.namespace, key.name)
        resolved = self._resolve(app, effective, domains)
        if app.status.get("hostname") and not resolved.hostname:
            self._builtins.remove(app)
        touched |= self._write(app, decisions.status(app, domains, resolved, now=datetime.now(UTC)))
        if resolved.hostname:
            touched.add(Key("Builtin", key.namespace, key.name))
        return resolved.problem is not None

    def _resolve(self, app: App, effective: Effective, domains: Sequence[Domain]) -> decisions.Resolved:
        issuer = app.issuer or next((issuer.name for issuer in self._config.issuers), "")
        configured = self._config.issuer(issuer)
        ingress_class = self._classes.name_for(app)
        builtin = self._builtins.told(app)
        return decisions.Resolved(
            effective=effective,
            grades=self._grades(domains, builtin),
            issuer=issuer,
            acme_profile=app.acme_profile or (configured.profile if configured else ""),
            ingress_class=ingress_class,
            is_shown=self._is_shown(app, effective, domains),
            problem=self._problem(app),
            backends=self._backends(app),
            hostname=builtin.hostname if builtin else "",
            hostname_served=builtin.condition if builtin else None,
        )

    def _is_shown(self, app: App, effective: Effective, domains: Sequence[Domain]) -> bool:
        """Whether the hosts that are served were last scanned for the profile in force now."""
        wanted, known = effective.profile, app.status.get("tls") or {}
        is_same = (known.get("profile"), known.get("revision"), known.get("minVersion")) == (
            wanted.name,
            wanted.revision,
            wanted.min_version,
        )
        for domain in domains:
            if not is_true(domain.status.get("conditions") or (), "Served"):
                continue
            memory = self._memories.peek(key_of(domain))
            scanned = memory.proof.profile if memory and memory.proof else ""
            is_remembered = not scanned and is_same and is_true(app.status.get("conditions") or (), "PolicyEnforced")
            if scanned != label(wanted) and not is_remembered:
                return False
        return True

    def _grades(self, domains: Sequence[Domain], builtin: Told | None) -> Sequence[Grade] | None:
        """The grades of the hosts that are served; None while one of them has not been scanned by this process."""
        found = [builtin.grade] if builtin and builtin.grade else []
        for domain in domains:
            if not is_true(domain.status.get("conditions") or (), "Served"):
                continue
            memory = self._memories.peek(key_of(domain))
            if memory is None or memory.proof is None or not memory.proof.grade:
                return None
            found.append(Grade(memory.proof.grade, memory.proof.grade_capped_by))
        return found

    def _backends(self, app: App) -> tuple[str, ...]:
        try:
            dialect = self._classes.of(app).dialect
        except Blocked:
            return routable.kept_backends(app)  # its routes stay as they are
        return routable.backends(dialect, app, self._cache, challenge_port=self._config.challenge.http01.port)

    def _problem(self, app: App) -> tuple[str, str] | None:
        try:
            port = self._config.challenge.http01.port
            routable.check(self._classes.of(app).dialect, app, self._cache, challenge_port=port)
        except Blocked as obstacle:
            return obstacle.reason, obstacle.message
        if missing := self._services.missing(app):
            sentence = (
                f"There is no Service {missing} in namespace {app.meta.namespace}; create it, or correct the Service "
                "of the App."
            )
            return "ServiceNotFound", sentence
        return None

    def _pin(self, app: App) -> set[Key]:
        """Write down which revision's default the App has, once; from then on no change of the default moves it."""
        revision = self._policies.revision_of(app)
        if app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION):
            return set()
        say(log, logging.INFO, key_of(app), f"pinned to the TLS default of revision {revision}", revision=revision)
        written = self._client.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "App",
                "metadata": {
                    "name": app.meta.name,
                    "namespace": app.meta.namespace,
                    "uid": app.meta.uid,
                    "annotations": {ANNOTATION_DEFAULT_REVISION: revision},
                },
            }
        )
        return self._cache.put(App.from_body(written)) - {key_of(app)} if written else set()

    def _write(self, app: App, status: Mapping[str, Any]) -> set[Key]:
        if dict(app.status) == dict(status):
            return set()
        written = self._client.apply_status(app, status)
        if written:
            self._events.tell(app, of_app(app, status))
        return self._cache.put(App.from_body(written)) - {key_of(app)} if written else set()
