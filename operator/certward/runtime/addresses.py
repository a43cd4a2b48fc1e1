"""Where the ingress of a class is reached by the operator: as configured, or its controller's in-cluster Service."""

import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from certward.config import HostPort
from certward.kube.client import Client
from certward.model.resources import App
from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from certward.runtime.classes import Class, Classes

Address = tuple[str, int]
_BELIEVED_SECONDS = 60.0
_HTTP, _HTTPS = 80, 443


class _Service(NamedTuple):
    """How a controller's Service is found, and what its two ports are called (or their numbers)."""

    labels: str = ""
    namespace: str = ""
    name: str = ""
    http: str = "http"
    https: str = "https"


#: As the controllers' Helm charts and install manifests have them.
_KNOWN_SERVICES: Mapping[str, _Service] = {
    "traefik": _Service(labels="app.kubernetes.io/name=traefik", http="web", https="websecure"),
    "ingress-nginx": _Service(labels="app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller"),
    "haproxy-ingress": _Service(labels="app.kubernetes.io/name=haproxy-ingress", http="http-80", https="https-443"),
    "contour": _Service(namespace="projectcontour", name="envoy"),
}


class _Found(NamedTuple):
    at: float
    http: Address | None
    https: Address | None


class Addresses:
    """Looks up, once a minute, where to make handshakes and plain requests."""

    def __init__(self, classes: Classes, client: Client) -> None:
        self._classes = classes
        self._client = client
        self._lock = threading.Lock()
        self._found: dict[str, _Found] = {}

    def http(self, app: App | None) -> Address | None:
        """The plain HTTP entry of an App's class; None when it cannot be told.

        Raises:
            Blocked: there is no such class.
            Transient: the API server could not be asked.
        """
        class_ = self._classes.of(app)
        configured = class_.settings.probe.http_address
        return _pair(configured) if configured else self._discover(class_).http

    def https(self, app: App | None) -> Address | None:
        """The TLS entry of an App's class; None when it cannot be told. Raises as `http` does."""
        class_ = self._classes.of(app)
        configured = class_.settings.probe.https_address
        return _pair(configured) if configured else self._discover(class_).https

    def is_proxied(self, app: App | None) -> bool:
        """Whether the entries of an App's class expect the PROXY protocol."""
        return self._classes.settings(self._classes.name_for(app)).probe.proxy_protocol

    def _discover(self, class_: Class) -> _Found:
        with self._lock:
            found = self._found.get(class_.name)
        if found is None or time.monotonic() - found.at > _BELIEVED_SECONDS:
            found = _Found(time.monotonic(), *self._look(class_))
            with self._lock:
                self._found[class_.name] = found
        return found

    def _look(self, class_: Class) -> tuple[Address | None, Address | None]:
        if class_.gateway is not None:
            return self._of_gateway(class_)
        known = _KNOWN_SERVICES.get(class_.dialect.name)
        return (self._of_service(known) if known else None) or self._of_status(class_)

    def _of_service(self, known: _Service) -> tuple[Address, Address] | None:
        if known.name:
            one = self._client.get("Service", known.namespace, known.name)
            services = [one] if one else []
        else:
            services = list(self._client.list("Service", labels=known.labels))
        return next(filter(None, (_entries(service, known) for service in services)), None)

    def _of_gateway(self, class_: Class) -> tuple[Address | None, Address | None]:
        """The Service that the controller made for the Gateway, else the first address in the Gateway's status."""
        gateway = class_.gateway
        if gateway is None:  # pragma: no cover - asked for classes with a Gateway only
            return (None, None)
        owned = (
            f"gateway.envoyproxy.io/owning-gateway-name={gateway.name},"
            f"gateway.envoyproxy.io/owning-gateway-namespace={gateway.namespace}"
        )
        for service in self._client.list("Service", labels=owned):
            address = (service.get("spec") or {}).get("clusterIP") or ""
            if address not in ("", "None"):
                return (address, gateway.http_port), (address, gateway.https_port)
        body = self._client.get("Gateway", gateway.namespace, gateway.name) or {}
        for entry in (body.get("status") or {}).get("addresses") or ():
            if entry.get("value"):
                return (entry["value"], gateway.http_port), (entry["value"], gateway.https_port)
        return (None, None)

    def _of_status(self, class_: Class) -> tuple[Address | None, Address | None]:
        """What the controller says in the status of an Ingress of ours."""
        labels = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
        kind = next((kind for kind in class_.dialect.kinds if kind in ("Ingress", "HTTPProxy")), "")
        for body in self._client.list(kind, labels=labels, may_be_absent=True) if kind else ():
            if (body.get("spec") or {}).get("ingressClassName") == class_.name and (address := _told(body)):
                return (address, _HTTP), (address, _HTTPS)
        return (None, None)


def _told(body: Mapping[str, Any]) -> str:
    """The first address in the status of an Ingress or HTTPProxy; empty when there is none."""
    for entry in ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        if address := entry.get("ip") or entry.get("hostname"):
            return str(address)
    return ""


def _entries(service: Mapping[str, Any], known: _Service) -> tuple[Address, Address] | None:
    spec = service.get("spec") or {}
    address = spec.get("clusterIP") or ""
    ports = {port.get("name"): port["port"] for port in spec.get("ports") or ()}
    numbers = set(ports.values())
    http = ports.get(known.http) or (_HTTP if _HTTP in numbers else None)
    https = ports.get(known.https) or (_HTTPS if _HTTPS in numbers else None)
    if address in ("", "None") or http is None or https is None:
        return None
    return (address, http), (address, https)


def _pair(address: HostPort) -> Address:
    return (address.host, address.port)
