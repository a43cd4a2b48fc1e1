"""One App: pin its TLS default, sum up its Domains."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from certward.config import Config
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.kube.ensure import Ensurer, holds
from certward.model.resources import App, Key, key_of
from certward.names import ANNOTATION_DEFAULT_REVISION, API_VERSION
from certward.plan import app as decisions
from certward.render.dialects import Dialect
from certward.runtime.defaults import Defaults
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
        dialects: Mapping[str, Dialect],
        ensurer: Ensurer,
        services: Services,
        defaults: Defaults,
    ) -> None:
        self._config = config
        self._client = client
        self._cache = cache
        self._dialects = dialects
        self._ensurer = ensurer
        self._services = services
        self._defaults = defaults

    def reconcile(self, key: Key) -> tuple[bool, set[Key]]:
        """Bring one App's annotation and status up to date.

        Returns:
            Whether something is missing that no watch tells about, and other keys that this concerns.
        """
        app = self._cache.app(key.namespace, key.name)
        if app is None or app.meta.is_deleting:
            return False, set()
        touched = self._pin(app)
        app = self._cache.app(key.namespace, key.name) or app
        for dialect in self._dialects.values():
            self._ensurer.absent(dialect.obsolete_of(app))
        missing = self._services.missing(app)
        status = decisions.status(
            app,
            self._cache.domains_of(key.namespace, key.name),
            profile=self._defaults.profile_of(app),
            missing_service=missing,
            now=datetime.now(UTC),
        )
        self._write(app, status)
        return bool(missing), touched

    def _pin(self, app: App) -> set[Key]:
        """Write down which revision's default the App has, once; from then on no change of the default moves it."""
        revision = self._defaults.revision_of(app)
        if app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION):
            return set()
        log.info("%s: pinned to the TLS default of revision %s", key_of(app), revision)
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

    def _write(self, app: App, status: Mapping[str, Any]) -> None:
        if holds(app.status, status) and not set(app.status) - set(status):
            return
        written = self._client.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "App",
                "metadata": {"name": app.meta.name, "namespace": app.meta.namespace, "uid": app.meta.uid},
                "status": dict(status),
            },
            subresource="status",
        )
        if written:
            self._cache.put(App.from_body(written))
