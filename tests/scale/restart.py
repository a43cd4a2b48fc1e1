"""The operator stopped and started among many Domains that are served: how soon it is of use, and what it costs."""

import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cluster import operator_process, processes
from cluster.errors import ClusterError
from cluster.ports import Ports
from scale import following, standing
from scale.meter import Meter, cpu_seconds, memory
from scale.stand import NAMESPACES, Stand
from scale.standing import Standing

ABOUT = "the operator restarted among N converged Domains (which came without ACME and without a real ingress)"
DEFAULT = 1000
MOST = 20_000
_REPLICA = "certward-0"
#: What the operator logs when it has compared everything with what there is.
_ALL_SEEN = "all objects have been looked at"


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Have `size` Domains converged, then restart the operator; return times in seconds from its start."""
    with standing.world(stand, min(NAMESPACES, size)) as population:
        hostnames = stand.hostnames(size)
        late = population.place_for_late()
        population.populate(hostnames)
        took = population.converge(hostnames)
        figures = restarted(stand, population, size, late)
    return {**figures, "converged_after_seconds": round(took, 1), "how": standing.HOW}


def restarted(stand: Stand, population: Standing, size: int, late: str) -> dict[str, Any]:
    """Restart the operator among `size` converged Domains, with a new Domain in namespace `late` at once.

    Raises:
        TooLate: it did not get there.
        ClusterError: something was written for a converged Domain.
    """
    cluster, driver, limit = stand.cluster, population.driver, stand.patience(size)
    state = cluster.state
    cluster.kill(_REPLICA, signal.SIGTERM, timeout=60.0)
    log = processes.log_file(state, _REPLICA)
    log_end = log.stat().st_size
    ports = Ports(state.root / "ports.json")
    meter = Meter(cluster, (), driver.api_user())
    moments: dict[str, float] = {}
    (hostname,) = stand.hostnames(1, "late")
    with population.prover() as prover:
        started = time.monotonic()
        pid = processes.start(state, operator_process.replica(state, ports, _REPLICA).command).pid
        creating = threading.Thread(target=driver.request_in, args=(late, hostname), daemon=True)
        creating.start()

        def look() -> int:
            if "synced" not in moments and operator_process.health_of(ports, _REPLICA):
                moments["synced"] = time.monotonic()
            if "new_ready" not in moments and hostname in driver.ready():
                moments["new_ready"] = driver.ready()[hostname]
                prover.add(hostname)
            if "new_proven" not in moments and hostname in prover.proven():
                moments["new_proven"] = prover.proven()[hostname]
            if "all_compared" not in moments and _ALL_SEEN in _added(log, log_end):
                moments["all_compared"] = time.monotonic()
            return len(moments)

        counts = {"synced, new Ready, new proven, all compared": look}
        what = f"a restart among {size}"
        following.everything(counts, 4, what, limit, trouble=lambda: f"only {sorted(moments)}. {driver.trouble()}")
    population.calm(limit)
    rss, busy = memory(pid), cpu_seconds(pid)
    idle = _idle_share(pid, stand.idle_seconds)
    writes, others = _writes(meter, set(driver.namespaces))
    if writes:
        raise ClusterError(f"{writes.total()} writes for Domains that had converged: {dict(writes)}")
    after = {f"{name}_after_seconds": round(at - started, 3) for name, at in moments.items()}
    return {
        "domains": size,
        **after,
        "writes": writes.total(),
        "writes_elsewhere": dict(sorted(others.items())),
        "reads_per_domain": round(meter.api_requests()[1].total() / size, 2),
        "cpu_seconds_until_calm": round(busy, 2),
        "rss_mib": round(rss / 2**20, 1),
        "peak_rss_mib": round(memory(pid, "VmHWM") / 2**20, 1),
        "idle_cpu_share": round(idle, 4),
        "idle_seconds": stand.idle_seconds,
    }


def _added(log: Path, end: int) -> str:
    with log.open("rb") as file:
        file.seek(end)
        return file.read().decode(errors="replace")


def _idle_share(pid: int, seconds: float) -> float:
    """The share of a core that a process takes over so many seconds."""
    first, started = cpu_seconds(pid), time.monotonic()
    following.until(
        lambda: time.monotonic() - started >= seconds, "an idle operator is watched", seconds + 10, every=0.5
    )
    return (cpu_seconds(pid) - first) / (time.monotonic() - started)


def _writes(meter: Meter, namespaces: set[str]) -> tuple[Counter[str], Counter[str]]:
    """-> what was written in these namespaces, and elsewhere, by verb and resource."""
    found: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for event in meter.api_events():
        ref = event.get("objectRef") or {}
        if event["verb"] not in ("get", "list", "watch"):
            where = found if ref.get("namespace") in namespaces else others
            where[f"{event['verb']} {ref.get('resource')}"] += 1
    return found, others


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    table = Table(title=f"The operator restarted among {figures['domains']} Domains")
    table.add_column("since its process was started")
    table.add_column("", justify="right")
    for label, key in (
        ("synced", "synced"),
        ("a Domain made right at the start is Ready", "new_ready"),
        ("and proven by a handshake", "new_proven"),
        ("all objects compared with what there is", "all_compared"),
    ):
        table.add_row(label, f"{figures[f'{key}_after_seconds']:.2f} s")
    table.add_section()
    table.add_row("writes for converged Domains", str(figures["writes"]))
    elsewhere = sum(figures["writes_elsewhere"].values())
    table.add_row("writes elsewhere: for the new one, and the operator's own", str(elsewhere))
    table.add_row("reads for each", f"{figures['reads_per_domain']:.1f}")
    table.add_row("CPU until nothing was left to do", f"{figures['cpu_seconds_until_calm']:.1f} s")
    table.add_row("memory then", f"{figures['rss_mib']:.0f} MiB")
    table.add_row(f"share of a core over the next {figures['idle_seconds']:g} s", f"{figures['idle_cpu_share']:.2%}")
    console.print(table)
    if "how" in figures:
        console.print(f"It took {figures['converged_after_seconds']:g} s to converge. {figures['how']}", soft_wrap=True)
