"""The local cluster: processes on loopback, Pebble at hand."""

from pathlib import Path
from typing import Any

import yaml

from cluster.handle import Cluster
from e2e.platform import address


class Local:
    """As the `cluster` fixture has brought it up."""

    hostname_suffix = "example.com"  # the local DNS leads every name to the ingress
    own_range = "127.0.0.0/8"
    probe_interval = 30.0
    patience = 20.0

    def __init__(self, cluster: Cluster, plane: str = "") -> None:
        self._cluster = cluster
        of = f"_{plane.upper().replace('-', '_')}" if plane else ""
        self.http = address(cluster.env[f"CLUSTER_HTTP{of}"])
        self.https = address(cluster.env[f"CLUSTER_HTTPS{of}"])
        self.ca = Path(cluster.env["CLUSTER_CA"])
        self._namespaces: list[str] = []

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        return self._cluster.kubectl(*arguments, input=input)

    def namespace(self, name: str) -> None:
        self._cluster.kubectl("create", "namespace", name)
        self._namespaces.append(name)

    def backend(self, namespace: str, name: str) -> None:
        self._cluster.backend(namespace, name)

    def settings_of(self, class_name: str) -> dict[str, Any]:
        config = yaml.safe_load(Path(self._cluster.env["CLUSTER_OPERATOR_CONFIG"]).read_text())
        return dict(config["ingress"]["classes"].get(class_name) or {})

    def orders(self) -> int | None:
        log = Path(self._cluster.env["CLUSTER_LOGS"]) / "pebble.log"
        return log.read_text(errors="replace").count("Added order ")

    def mistakes(self) -> list[str]:
        return [line for line in self._cluster.operator_log().splitlines() if "mistake in Certward" in line]

    def close(self) -> None:
        if self._namespaces:
            self._cluster.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *self._namespaces)
