"""The two replicas of the operator, and what a kubelet would do for them: start again what has ended."""

import mmap
import signal
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from cluster import operator_process, processes
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.ports import Ports
from integration import observer

NAMES = ("certward-0", "certward-1")
_SABOTEUR = Path(__file__).parent / "saboteur"


class Replicas:
    """`with Replicas(...) as replicas` runs both; whoever has ended without being told so is started again.

    Args:
        cluster: without operators of its own.
        server: the API server's URL as the replicas shall see it.
        mutation: a mistake that they make on purpose; empty for none.
        ended: called with the name of a replica that has ended by itself, before it is started again.

    Attributes:
        ended: how often a replica has ended by itself and was started again.
    """

    def __init__(self, cluster: Cluster, server: str, mutation: str, ended: Callable[[str], None]) -> None:
        self._cluster, self._state, self._mutation = cluster, cluster.state, mutation
        self._ports = Ports(cluster.state.root / "ports.json")
        self._kubeconfig = cluster.state.root / "chaos.kubeconfig"
        told = yaml.safe_load(cluster.state.operator_kubeconfig.read_text())
        told["clusters"][0]["cluster"]["server"] = server
        self._kubeconfig.touch(0o600)
        self._kubeconfig.write_text(yaml.safe_dump(told))
        self._control = {name: cluster.state.root / f"{name}.control" for name in NAMES}
        for file in self._control.values():
            file.write_bytes(bytes(16))
        self._wanted, self._tell = set(NAMES), ended
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="kubelet", daemon=True)
        self.ended: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for name in NAMES:
            self._start(name)
        self._thread.start()
        self._cluster.wait_for(lambda: len(self.synced()) == len(NAMES) and self.leader(), 60, "replicas that lead")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(20)
        found = [one for one in processes.everything(self._state) if operator_process.is_operator(one.name)]
        processes.end(self._state, found, grace=20)

    def leader(self) -> str:
        """Who says that it leads; empty where nobody does."""
        return next(iter(observer.leaders(self._cluster, NAMES)), "")

    def standby(self) -> str:
        """A replica that does not lead."""
        leader = self.leader()
        return next(name for name in reversed(NAMES) if name != leader)

    def synced(self) -> list[str]:
        """The replicas that have filled their caches."""
        return [name for name in NAMES if operator_process.health_of(self._ports, name)]

    def down(self, *names: str, sign: signal.Signals = signal.SIGKILL) -> None:
        """End replicas, which stay away until `back`."""
        with self._lock:
            self._wanted -= set(names)
            for name in names:
                with suppress(ClusterError):
                    self._cluster.kill(name, sign)

    def back(self, *names: str) -> None:
        """Start replicas that were taken down."""
        with self._lock:
            self._wanted |= set(names)
            for name in names:
                if name not in processes.running(self._state):
                    self._start(name)

    def set_clock(self, seconds: float, *names: str) -> None:
        """Let the clocks of these replicas, or of all, be ahead by so much from now on."""
        for name in names or NAMES:
            self._write(name, "<d", 0, seconds)

    def fill_disk(self, *names: str, is_full: bool) -> None:
        """Let each write to the log fail with ENOSPC, or no longer."""
        for name in names:
            self._write(name, "<?", 8, is_full)

    def log(self, name: str) -> Path:
        """Where a replica's lines go."""
        return processes.log_file(self._state, name)

    def metrics_url(self, name: str) -> str:
        """Where a replica tells its metrics."""
        return f"http://127.0.0.1:{observer.health_port(self._cluster, name)}/metrics"

    def _write(self, name: str, form: str, at: int, value: float) -> None:
        with self._control[name].open("r+b") as file, mmap.mmap(file.fileno(), 16) as block:
            struct.pack_into(form, block, at, value)

    def _start(self, name: str) -> None:
        part = operator_process.replica(self._state, self._ports, name)
        own = {
            "KUBECONFIG": str(self._kubeconfig),
            "PYTHONPATH": str(_SABOTEUR),
            "CHAOS_CONTROL": str(self._control[name]),
            "CHAOS_MUTATION": self._mutation,
        }
        with suppress(ClusterError):  # it has ended at once; it is started again like any other
            processes.start(self._state, replace(part, env={**part.env, **own}).command)

    def _keep(self) -> None:
        while not self._stop.wait(0.5):
            with self._lock:
                running = processes.running(self._state)
                for name in sorted(self._wanted - set(running)):
                    self.ended[name] += 1
                    self._tell(name)
                    self._start(name)
