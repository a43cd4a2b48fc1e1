"""Whether the Services of an App exist. Looked up by name, and believed for a few seconds."""

import threading
import time

from certward.kube.client import Client
from certward.model.resources import App

_BELIEVED_SECONDS = 5.0


class Services:
    """Answers from a short memory, so that a hundred Domains of one App ask once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], tuple[bool, float]] = {}

    def missing(self, app: App) -> str:
        """The name of a Service that the App names and that does not exist; empty when all do."""
        for service in app.services:
            if not self._exists(app.meta.namespace, service.name):
                return service.name
        return ""

    def _exists(self, namespace: str, name: str) -> bool:
        at, now = (namespace, name), time.monotonic()
        with self._lock:
            seen = self._seen.get(at)
            if seen is not None and seen[0] and now - seen[1] < _BELIEVED_SECONDS:
                return True
        found = self._client.get("Service", namespace, name) is not None
        with self._lock:
            if len(self._seen) > 4096:  # noqa: PLR2004 - bounds the memory of a burst
                self._seen.clear()
            self._seen[at] = (found, now)
        return found
