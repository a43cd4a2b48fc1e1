"""Any other cluster, by kubectl's current context and a few environment variables.

CLUSTER_HTTP, CLUSTER_HTTPS   host:port of the ingress (127.0.0.1:80 and :443)
CLUSTER_CA                    PEM file that verifies what the CA issues (the roots of this machine)
CLUSTER_HOSTNAME_SUFFIX       names below it lead to the ingress, for the CA at least (example.com)
CLUSTER_OWN_RANGE             a range that this machine's requests come from, as the ingress sees it (0.0.0.0/0)
CLUSTER_PROBE_INTERVAL        the operator's probe interval in seconds (600, its default)
CLUSTER_GATEWAY               namespace/name of the Gateway, for INGRESS=envoy-gateway (envoy-gateway-system/eg)
CLUSTER_PATIENCE              how many seconds an issuance may take (180)
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import ClusterError
from e2e.platform import address

#: The one image that is pulled; it answers every request with one text.
ECHO_IMAGE = "hashicorp/http-echo:1.0.0"


class CurrentContext:
    """The cluster of the current context; Certward, an ingress and an issuer are set up in it."""

    def __init__(self) -> None:
        told = os.environ
        self.http = address(told.get("CLUSTER_HTTP") or "127.0.0.1:80")
        self.https = address(told.get("CLUSTER_HTTPS") or "127.0.0.1:443")
        self.ca = Path(told["CLUSTER_CA"]) if told.get("CLUSTER_CA") else None
        self.hostname_suffix = told.get("CLUSTER_HOSTNAME_SUFFIX") or "example.com"
        self.own_range = told.get("CLUSTER_OWN_RANGE") or "0.0.0.0/0"
        self.probe_interval = float(told.get("CLUSTER_PROBE_INTERVAL") or "600")
        self.patience = float(told.get("CLUSTER_PATIENCE") or "180")
        self._namespaces: list[str] = []

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        done = subprocess.run(
            ["kubectl", *arguments],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL if input is None else None,
        )
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def namespace(self, name: str) -> None:
        self.kubectl("create", "namespace", name)
        self._namespaces.append(name)

    def backend(self, namespace: str, name: str) -> None:
        labels = {"app.kubernetes.io/name": name}
        text = f'-text={{"backend": "{name}"}}'
        container = {
            "name": "echo",
            "image": ECHO_IMAGE,
            "args": ["-listen=:8080", text],
            "ports": [{"name": "http", "containerPort": 8080}],
        }
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 8080, "targetPort": "http"}]},
        }
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([deployment, service]))

    def settings_of(self, class_name: str) -> dict[str, Any]:  # noqa: ARG002 - all classes have the one Gateway
        namespace, _, name = (os.environ.get("CLUSTER_GATEWAY") or "envoy-gateway-system/eg").partition("/")
        return {"gateway": {"namespace": namespace, "name": name, "httpPort": 80, "httpsPort": 443}}

    def orders(self) -> int | None:
        return None

    def mistakes(self) -> list[str]:
        return []

    def close(self) -> None:
        if self._namespaces:
            self.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *self._namespaces)
