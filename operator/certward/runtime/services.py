"""Whether the Services of an App exist, and their ports. Looked up by name, and believed for a few seconds."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from certward.kube.client import Client
from certward.model.resources import App, ServiceRef

_BELIEVED_SECONDS = 5.0


class Services:
    """Answers from a short memory, so that a hundred Domains of one App ask once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], tuple[Mapping[str | int, int] | None, float]] = {}

    def missing(self, app: App) -> str:
        """The name of a Service that the App names and that does not exist; empty when all do."""
        for service in app.services:
            if self._ports(app.meta.namespace, service.name) is None:
                return service.name
        return ""

    def numbered(self, app: App) -> App:
        """The App with the ports of its Services as numbers; one that its Service does not have stays a name."""

        def number(service: ServiceRef) -> ServiceRef:
            ports = self._ports(app.meta.namespace, service.name) or {}
            return replace(service, port=ports.get(service.port, service.port))

        paths = tuple(replace(route, service=number(route.service)) for route in app.paths)
        return replace(app, service=number(app.service), paths=paths)

    def _ports(self, namespace: str, name: str) -> Mapping[str | int, int] | None:
        """Number by name of a Service's ports; None when there is no such Service."""
        at, now = (namespace, name), time.monotonic()
        with self._lock:
            seen = self._seen.get(at)
            if seen is not None and seen[0] is not None and now - seen[1] < _BELIEVED_SECONDS:
                return seen[0]
        live = self._client.get("Service", namespace, name)
        ports: Mapping[str | int, int] | None = None
        if live is not None:
            ports = {
                port["name"]: port["port"] for port in (live.get("spec") or {}).get("ports") or () if "name" in port
            }
        with self._lock:
            if len(self._seen) > 4096:  # noqa: PLR2004 - bounds the memory of a burst
                self._seen.clear()
            self._seen[at] = (ports, now)
        return ports
