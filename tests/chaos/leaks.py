"""Looks for private keys wherever others can read: logs, the audit log, Events, statuses, ConfigMaps, metrics."""

import base64
import http.client
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import urllib3
from kubernetes import client, config

from chaos.keys import Keys
from cluster import control_plane, pki, web
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from cluster.paths import service_network
from cluster.ports import Ports

_EVERY = 4.0
_PATHS = (
    "/api/v1/events",
    "/api/v1/configmaps",
    "/apis/certward.dev/v1alpha1/apps",
    "/apis/certward.dev/v1alpha1/domains",
    "/apis/certward.dev/v1alpha1/tlspolicies",
)


class Leaks:
    """Looks again and again from `start` to `stop`.

    Args:
        cluster: whose API server and audit log.
        keys: what is looked for; the operator's own Secrets are added.
        logs: the replicas' logs.
        metrics: URLs.

    Attributes:
        found: where a private key is, in words.
        read: how many bytes were looked at.
    """

    def __init__(self, cluster: Cluster, keys: Keys, logs: list[Path], metrics: list[str]) -> None:
        state = cluster.state
        self._pki = pki.ensure(state.pki, service_network(state))
        self._server = control_plane.server(Ports(state.root / "ports.json"))
        self._core = client.CoreV1Api(config.new_client_from_config(str(state.admin_kubeconfig)))
        self._keys, self._metrics = keys, metrics
        self._files = dict.fromkeys((*logs, state.audit_log), 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leaks", daemon=True)
        self.found: set[str] = set()
        self.read = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Look once more at everything, and end."""
        self._stop.set()
        self._thread.join(30)
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        with suppress(client.ApiException, urllib3.exceptions.HTTPError, OSError):
            self._learn()
        for file in self._files:
            self._judge(file.name, lambda file=file: self._grown(file))
        for path in _PATHS:
            url = f"{self._server}{path}"
            self._judge(path, lambda url=url: web.get(url, ca=self._pki.ca, client=self._pki.both("admin"))[1])
        for url in self._metrics:
            self._judge(url, lambda url=url: web.get(url)[1])

    def _judge(self, where: str, read: Callable[[], bytes]) -> None:
        try:
            text = read()
        except (OSError, http.client.HTTPException):
            return  # it is away, which faults do
        self.read += len(text)
        if words := self._keys.leaks(text):
            self.found.add(f"{where}: {words}")

    def _grown(self, file: Path) -> bytes:
        with file.open("rb") as log:
            log.seek(self._files[file])
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._files[file] += len(whole)
        return whole

    def _learn(self) -> None:
        """The operator's own secrets: accounts' keys, and what keys of orders are derived from."""
        for one in self._core.list_namespaced_secret(NAMESPACE, _request_timeout=5).items:
            for value in (base64.b64decode(value) for value in (one.data or {}).values()):
                if b"PRIVATE KEY-----" in value:
                    self._keys.private(value)
                elif one.metadata.name == "certward-order-seed":
                    self._keys.bare(value)
