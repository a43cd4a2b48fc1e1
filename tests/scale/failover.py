"""The leader is killed in the middle of a burst: how long until the other replica issues, and whether all is there."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from cluster import operator_process
from cluster.errors import ClusterError
from scale import following, stages
from scale.drivers import Driver
from scale.handshakes import Prover, escort
from scale.stand import NAMESPACES, Stand

ABOUT = "two replicas, the one that leads killed (SIGKILL) during a burst of N"
DEFAULT = 50
MOST = 5000
_REPLICAS = 2
#: The leader is killed once this part of the burst is Ready.
_KILLED_AT = 0.3


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Kill the leader during a burst of `size`; return times in seconds since then."""
    if not stand.has_ingress:
        raise ClusterError(f"{stand.operator} has no such scenario; latency and burst are for every operator")
    stand.up(operators=_REPLICAS)
    with stand.driver(min(NAMESPACES, size)) as driver, stand.prover() as prover:
        return _kill(stand, driver, stand.hostnames(size), prover)


def _kill(stand: Stand, driver: Driver, hostnames: Sequence[str], prover: Prover) -> dict[str, Any]:
    size, limit = len(hostnames), stand.patience(len(hostnames))
    leader = next(name for name in operator_process.names(_REPLICAS) if stages.is_leader(stand.cluster, name))
    (other,) = set(operator_process.names(_REPLICAS)) - {leader}
    meter = stand.meter(driver, may_end=True)
    stop = threading.Event()
    watcher = escort(driver.ready, prover, stop)
    requesting = threading.Thread(target=driver.request, args=(hostnames,), daemon=True)
    started = time.monotonic()
    try:
        requesting.start()
        few = max(int(size * _KILLED_AT), 1)
        what = f"{few} of {size} Ready"
        following.everything(
            {"Ready": lambda: len(driver.ready())}, few, what, limit, trouble=driver.trouble, every=0.005
        )
        stand.cluster.kill(leader)
        killed = time.monotonic()
        led = following.until(lambda: stages.is_leader(stand.cluster, other), f"{other} leads", limit)
        requesting.join(limit)

        def trouble() -> str:
            return " ".join(filter(None, (driver.trouble(), prover.trouble())))

        counts = {"Ready": lambda: len(driver.ready()), "proven": lambda: len(prover.proven())}
        following.everything(counts, size, f"{size} in spite of it", limit, trouble=trouble)
    finally:
        stop.set()
        watcher.join(5)
    ready = driver.ready()
    later = [at for at in ready.values() if at > led]
    if not later:
        raise following.TooLate(f"all {size} were Ready before {other} led, so nothing was measured; use more")
    asked = meter.ca_requests()
    return {
        "domains": size,
        "ready_when_killed": sum(at <= killed for at in ready.values()),
        "killed_after_seconds": round(killed - started, 3),
        "other_leads_after_seconds": round(led - killed, 3),
        "other_issues_after_seconds": round(min(later) - killed, 3),
        "all_ready_after_seconds": round(max(ready.values()) - killed, 3),
        "all_proven_after_seconds": round(max(prover.proven().values()) - killed, 3),
        "ready": len(ready),
        "proven": len(prover.proven()),
        "lost": size - len(prover.proven()),
        "orders_placed": sum(count for name, count in asked.items() if "order-plz" in name),
    }


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    table = Table(title=f"The leader killed during a burst of {figures['domains']}")
    table.add_column("since it was killed")
    table.add_column("", justify="right")
    for label, key in (
        ("the other replica leads", "other_leads"),
        ("it has issued its first one", "other_issues"),
        ("all are Ready", "all_ready"),
        ("all are proven by a handshake", "all_proven"),
    ):
        table.add_row(label, f"{figures[f'{key}_after_seconds']:.2f} s")
    table.add_section()
    table.add_row("Ready when it was killed", str(figures["ready_when_killed"]))
    table.add_row("lost", str(figures["lost"]))
    table.add_row("orders placed", str(figures["orders_placed"]))
    console.print(table)
