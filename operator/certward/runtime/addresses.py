"""Where the ingress of a class is reached by the operator: as configured, or its controller's in-cluster Service."""

import threading
import time
from collections.abc import Mapping

from certward.config import Config, HostPort
from certward.kube.client import Client
from certward.model.resources import App

Address = tuple[str, int]

#: Labels of the controllers' Services as their Helm charts set them, and the names of the two ports.
_KNOWN_SERVICES: Mapping[str, tuple[str, str, str]] = {
    "traefik": ("app.kubernetes.io/name=traefik", "web", "websecure"),
}
_BELIEVED_SECONDS = 60.0


class Addresses:
    """Looks up, once a minute, where to make handshakes and plain requests."""

    def __init__(self, config: Config, client: Client) -> None:
        self._config = config
        self._client = client
        self._lock = threading.Lock()
        self._found: dict[str, tuple[float, Address | None, Address | None]] = {}

    def http(self, app: App | None) -> Address | None:
        """The plain HTTP entry of an App's class; None when it cannot be told."""
        class_name = self._class_of(app)
        configured = self._config.ingress.classes.get(class_name)
        if configured and configured.probe.http_address:
            return _pair(configured.probe.http_address)
        return self._discover(class_name)[1]

    def https(self, app: App | None) -> Address | None:
        """The TLS entry of an App's class; None when it cannot be told."""
        class_name = self._class_of(app)
        configured = self._config.ingress.classes.get(class_name)
        if configured and configured.probe.https_address:
            return _pair(configured.probe.https_address)
        return self._discover(class_name)[2]

    def is_proxied(self, app: App | None) -> bool:
        """Whether the entries of an App's class expect the PROXY protocol."""
        configured = self._config.ingress.classes.get(self._class_of(app))
        return bool(configured and configured.probe.proxy_protocol)

    def _class_of(self, app: App | None) -> str:
        return (app.ingress_class if app else None) or self._config.ingress.default_class

    def _discover(self, class_name: str) -> tuple[float, Address | None, Address | None]:
        with self._lock:
            found = self._found.get(class_name)
            if found is None or time.monotonic() - found[0] > _BELIEVED_SECONDS:
                found = (time.monotonic(), *self._look(class_name))
                self._found[class_name] = found
            return found

    def _look(self, class_name: str) -> tuple[Address | None, Address | None]:
        configured = self._config.ingress.classes.get(class_name)
        if configured is None or configured.dialect not in _KNOWN_SERVICES:
            return (None, None)
        labels, http_name, https_name = _KNOWN_SERVICES[configured.dialect]
        for service in self._client.list("Service", labels=labels):
            spec = service.get("spec") or {}
            ports = {port.get("name"): port["port"] for port in spec.get("ports") or ()}
            address = spec.get("clusterIP") or ""
            if http_name in ports and https_name in ports and address not in ("", "None"):
                return (address, ports[http_name]), (address, ports[https_name])
        return (None, None)


def _pair(address: HostPort) -> Address:
    return (address.host, address.port)
