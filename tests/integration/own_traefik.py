"""Another Traefik in the cluster, at ports of its own and with settings that would disturb others in the first one."""

import os
import subprocess
from pathlib import Path
from typing import Self

from cluster import binaries
from cluster.handle import Cluster
from integration.pebble_world import free_ports


class OwnTraefik:
    """A Traefik beside the cluster's, which reads the same routes; `with OwnTraefik(...) as traefik`.

    Args:
        cluster: whose routes it reads.
        log: where it writes.
        flags: further ones.
    """

    def __init__(self, cluster: Cluster, log: Path, *flags: str) -> None:
        self.http, self.https = (f"127.0.0.1:{port}" for port in free_ports(2))
        self._log, self._kubeconfig = log, str(cluster.state.admin_kubeconfig)
        self._flags = [
            f"--entrypoints.web.address={self.http}",
            f"--entrypoints.websecure.address={self.https}",
            "--providers.kubernetesingress=true",
            "--providers.kubernetesingress.nativelbbydefault=true",
            "--providers.kubernetescrd=true",
            "--providers.kubernetescrd.nativelbbydefault=true",
            "--providers.providersthrottleduration=100ms",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            *flags,
        ]

    def __enter__(self) -> Self:
        command = [str(binaries.binary("traefik")), *self._flags]
        environment = {**os.environ, "KUBECONFIG": self._kubeconfig}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
