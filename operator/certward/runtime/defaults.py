"""The TLS default that each App is pinned to, and the recorded history of the default."""

import json
import logging
from datetime import UTC, datetime

from certward.config import Config
from certward.kube.client import Client
from certward.model import policy
from certward.model.policy import DefaultChange
from certward.model.profiles import Profile
from certward.model.resources import App, format_time, parse_time
from certward.names import DEFAULTS_CONFIGMAP, LABEL_MANAGED_BY, MANAGED_BY

log = logging.getLogger(__name__)


class Defaults:
    """Knows since when which revision has been the default."""

    def __init__(self, config: Config, client: Client, *, namespace: str) -> None:
        self._default = config.tls.default_revision
        self._client = client
        self._namespace = namespace
        self._history: tuple[DefaultChange, ...] = ()

    def load(self) -> None:
        """Read the history and, when the configured default is new, add it.

        Only the leader does this, before any App is looked at.
        """
        live = self._client.get("ConfigMap", self._namespace, DEFAULTS_CONFIGMAP)
        history = _parse(((live or {}).get("data") or {}).get("history", "[]"))
        if not history or history[-1].revision != self._default:
            history = (*history, DefaultChange(datetime.now(UTC).replace(microsecond=0), self._default))
            self._client.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": DEFAULTS_CONFIGMAP,
                        "namespace": self._namespace,
                        "labels": {LABEL_MANAGED_BY: MANAGED_BY},
                    },
                    "data": {"history": _format(history)},
                }
            )
            log.info("TLS revision %s is the default for new Apps from now on", self._default)
        self._history = history

    def revision_of(self, app: App) -> str:
        """The revision that an App is pinned to, or has to be."""
        return policy.pinned_revision(app, default=self._default, history=self._history)

    def profile_of(self, app: App) -> Profile:
        """The profile in force for an App."""
        rules = policy.Rules(default=self._default, history=self._history)
        return policy.effective(app, (), rules).profile


def _parse(text: str) -> tuple[DefaultChange, ...]:
    try:
        return tuple(DefaultChange(parse_time(entry["since"]), str(entry["revision"])) for entry in json.loads(text))
    except (ValueError, KeyError, TypeError):
        log.exception("ConfigMap %s cannot be read; the history of defaults starts anew", DEFAULTS_CONFIGMAP)
        return ()


def _format(history: tuple[DefaultChange, ...]) -> str:
    return json.dumps([{"since": format_time(change.since), "revision": change.revision} for change in history])
