"""The local cluster: processes on loopback, Pebble at hand."""

from pathlib import Path

from cluster.handle import Cluster
from e2e.platform import address


class Local:
    """As the `cluster` fixture has brought it up."""

    hostname_suffix = "example.com"  # the local DNS leads every name to the ingress
    own_range = "127.0.0.0/8"
    probe_interval = 30.0
    patience = 20.0

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.http = address(cluster.env["CLUSTER_HTTP"])
        self.https = address(cluster.env["CLUSTER_HTTPS"])
        self.ca = Path(cluster.env["CLUSTER_CA"])
        self._namespaces: list[str] = []

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        return self._cluster.kubectl(*arguments, input=input)

    def namespace(self, name: str) -> None:
        self._cluster.kubectl("create", "namespace", name)
        self._namespaces.append(name)

    def backend(self, namespace: str, name: str) -> None:
        self._cluster.backend(namespace, name)

    def orders(self) -> int | None:
        log = Path(self._cluster.env["CLUSTER_LOGS"]) / "pebble.log"
        return log.read_text(errors="replace").count("Added order ")

    def mistakes(self) -> list[str]:
        return [line for line in self._cluster.operator_log().splitlines() if "mistake in Certward" in line]

    def close(self) -> None:
        if self._namespaces:
            self._cluster.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *self._namespaces)
