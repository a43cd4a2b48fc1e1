"""TLSPolicies at work: which is in force for an App, the recorded history of the default, the policies' status."""

import json
import logging
from datetime import UTC, datetime

from certward.config import Config
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.logs import say
from certward.model import policy
from certward.model.policy import DefaultChange, Effective, Rules
from certward.model.resources import App, Key, TLSPolicy, format_time, parse_time
from certward.names import DEFAULTS_CONFIGMAP, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan import policy as decisions
from certward.plan.events import of_policy
from certward.runtime.events import Events

log = logging.getLogger(__name__)


class Policies:
    """Knows the policies, and since when which revision has been the default. For many threads."""

    def __init__(self, config: Config, client: Client, cache: Cache, *, namespace: str, events: Events) -> None:
        self._default = config.tls.default_revision
        self._floor = config.tls.floor.min_version
        self._client = client
        self._cache = cache
        self._namespace = namespace
        self._events = events
        self._history: tuple[DefaultChange, ...] = ()

    def load(self, *, may_write: bool = True) -> None:
        """Read the history and, when the configured default is new, add it; before any App is looked at.

        Args:
            may_write: whether what is new is written down. Only one replica does that.
        """
        live = self._client.get("ConfigMap", self._namespace, DEFAULTS_CONFIGMAP)
        kept = (live or {}).get("data") or {}
        history = _parse(kept.get("history", "[]"))
        is_new = not history or history[-1].revision != self._default
        if is_new:
            history = (*history, DefaultChange(datetime.now(UTC).replace(microsecond=0), self._default))
            if may_write:
                log.info("TLS revision %s is the default for new Apps from now on", self._default)
        if may_write and (is_new or kept.get("floor", "") != self._floor):
            self._client.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": DEFAULTS_CONFIGMAP,
                        "namespace": self._namespace,
                        "labels": {LABEL_MANAGED_BY: MANAGED_BY},
                    },
                    # The floor is here to be read: by the plugin, which foretells what a move would change.
                    "data": {"history": _format(history), "floor": self._floor},
                }
            )
        self._history = history

    def revision_of(self, app: App) -> str:
        """The revision that an App is pinned to, or has to be."""
        return policy.pinned_revision(app, default=self._default, history=self._history)

    def effective(self, app: App) -> Effective:
        """What an App is to be served with."""
        return policy.effective(app, self._cache.all(TLSPolicy, app.meta.namespace), self._rules())

    def reconcile(self, key: Key) -> None:
        """Bring one TLSPolicy's status up to date."""
        found = self._cache.policy(key.namespace, key.name)
        if found is None or found.meta.is_deleting:
            return
        wanted = decisions.status(
            found,
            self._cache.all(TLSPolicy, key.namespace),
            self._cache.all(App, key.namespace),
            self._rules(),
            now=datetime.now(UTC),
        )
        if dict(found.status) == wanted:
            return
        written = self._client.apply_status(found, wanted)
        accepted, before = wanted["conditions"][0], (found.status.get("conditions") or [{}])[0]
        if (before.get("status"), before.get("reason")) != (accepted["status"], accepted["reason"]):
            words = f"Accepted={accepted['status']} ({accepted['reason']})"
            say(log, logging.INFO, key, words, reason=accepted["reason"])
        if written:
            self._events.tell(found, of_policy(found, wanted))
            self._cache.put(TLSPolicy.from_body(written))

    def _rules(self) -> Rules:
        return Rules(default=self._default, history=self._history, floor=self._floor)


def _parse(text: str) -> tuple[DefaultChange, ...]:
    try:
        return tuple(DefaultChange(parse_time(entry["since"]), str(entry["revision"])) for entry in json.loads(text))
    except (ValueError, KeyError, TypeError):
        log.exception("ConfigMap %s cannot be read; the history of defaults starts anew", DEFAULTS_CONFIGMAP)
        return ()


def _format(history: tuple[DefaultChange, ...]) -> str:
    return json.dumps([{"since": format_time(change.since), "revision": change.revision} for change in history])
