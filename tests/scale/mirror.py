"""What the SNI server is told of the cluster: certificates and routes that the operator writes from now on."""

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, watch

from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from certward.render.manifests import ANNOTATION_HOSTNAME
from cluster.paths import write_atomically

_CONNECTION_SECONDS = 3


class Mirror:
    """Follows Secrets and Ingresses while it is on.

    Args:
        api: the client to use.
        folder: the SNI server's; a `.pem` is a certificate with its key, a `.route` says that a host is routed.
    """

    def __init__(self, api: client.ApiClient, folder: Path) -> None:
        self._folder = folder
        self._stop, self._on = threading.Event(), threading.Event()
        core, networking = client.CoreV1Api(api), client.NetworkingV1Api(api)
        followed = (
            (core.list_secret_for_all_namespaces, self._take_secret),
            (networking.list_ingress_for_all_namespaces, self._take_ingress),
        )
        self._threads = [threading.Thread(target=self._follow, args=each, daemon=True) for each in followed]
        for thread in self._threads:
            thread.start()

    def turn_on(self) -> None:
        """Follow from now on."""
        self._on.set()

    def turn_off(self) -> None:
        """Leave alone what comes: it is written by the bench itself, or needs no mirror, and there is much of it."""
        self._on.clear()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_CONNECTION_SECONDS + 5)

    def put(self, hostname: str, pem: bytes) -> None:
        """Have a host be served with this chain and key."""
        write_atomically(self._folder / f"{Path(hostname).name}.pem", pem, 0o600)

    def _follow(self, listing: Callable[..., Any], take: Callable[[dict[str, Any]], None]) -> None:
        selector = {"label_selector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}
        version = ""
        while not self._stop.is_set():
            if not self._on.is_set():
                version = ""
                self._stop.wait(0.05)
                continue
            try:
                if not version:
                    version = listing(limit=1, **selector).metadata.resource_version
                stream = watch.Watch().stream(
                    listing, resource_version=version, timeout_seconds=_CONNECTION_SECONDS, **selector
                )
                for event in stream:
                    version = event["raw_object"]["metadata"]["resourceVersion"]
                    if event["type"] in ("ADDED", "MODIFIED"):
                        take(event["raw_object"])
            except (client.ApiException, urllib3.exceptions.HTTPError, OSError):
                version = ""
                self._stop.wait(0.2)

    def _take_secret(self, secret: dict[str, Any]) -> None:
        hostname = (secret["metadata"].get("annotations") or {}).get(ANNOTATION_HOSTNAME)
        data = secret.get("data") or {}
        if hostname and data.get("tls.crt") and data.get("tls.key"):
            self.put(hostname, base64.b64decode(data["tls.crt"]) + base64.b64decode(data["tls.key"]))

    def _take_ingress(self, ingress: dict[str, Any]) -> None:
        for rule in ingress["spec"].get("rules") or ():
            if host := rule.get("host"):
                (self._folder / f"{Path(host).name}.route").touch()
