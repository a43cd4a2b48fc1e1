"""All at once: so many Domains are applied together; how long until each is Ready, and is served, and the price."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from scale import costs, following, stages
from scale.drivers import Driver
from scale.handshakes import Prover, escort
from scale.stand import NAMESPACES, Stand

ABOUT = "N certificates asked for at once, in 10 namespaces"
DEFAULT = 50
MOST = 20_000


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Ask for `size` certificates at once; return times in seconds from the first request, and the price."""
    stand.up()
    with stand.driver(min(NAMESPACES, size)) as driver:
        if not stand.has_ingress:
            return load(stand, driver, stand.hostnames(size), None)
        with stand.prover() as prover:
            return load(stand, driver, stand.hostnames(size), prover)


def issued(stand: Stand, driver: Driver, size: int) -> list[str]:
    """Have `size` certificates issued before something else is measured; return their hostnames."""
    hostnames = stand.hostnames(size)
    driver.request(hostnames)
    counts = {"Ready": lambda: len(driver.ready())}
    following.everything(counts, size, "before", stand.patience(size), trouble=driver.trouble)
    costs.settle()
    return hostnames


def load(stand: Stand, driver: Driver, hostnames: Sequence[str], prover: Prover | None) -> dict[str, Any]:
    """The burst itself, on a cluster and an operator that are there; without a prover nothing is proven."""
    size = len(hostnames)
    idle = costs.idle_share(stand.cluster, driver, stand.quiet_seconds)
    before = stages.read(stand.cluster) if stand.has_ingress else {}
    meter = stand.meter(driver)
    figures: dict[str, Any] = {"domains": size}
    figures |= _times(stand, driver, hostnames, prover)
    costs.settle()
    figures |= costs.price(meter, size, idle)
    if stand.has_ingress:
        figures["stages"] = stages.per_issuance(before, stages.read(stand.cluster), size)
    return figures


def _times(stand: Stand, driver: Driver, hostnames: Sequence[str], prover: Prover | None) -> dict[str, Any]:
    size, wanted = len(hostnames), set(hostnames)
    stop = threading.Event()

    def ready() -> dict[str, float]:
        return _of(driver.ready(), wanted)

    watcher = escort(ready, prover, stop) if prover else None
    counts = {"Ready": lambda: len(ready())}
    if prover:
        counts["proven"] = lambda: len(_of(prover.proven(), wanted))

    def trouble() -> str:
        return " ".join(filter(None, (driver.trouble(), prover.trouble() if prover else "")))

    started = time.monotonic()
    try:
        driver.request(hostnames)
        applied = time.monotonic()
        following.everything(counts, size, f"{size} at once", stand.patience(size), trouble=trouble)
    finally:
        stop.set()
        if watcher:
            watcher.join(5)
    shown = [at - started for at in ready().values()]
    figures: dict[str, Any] = {
        "applied_seconds": round(applied - started, 3),
        "ready": len(shown),
        "all_ready_seconds": round(max(shown), 3),
        "ready_seconds": costs.summed_up(shown),
    }
    if prover:
        proven = [at - started for at in _of(prover.proven(), wanted).values()]
        figures |= {
            "proven": len(proven),
            "all_proven_seconds": round(max(proven), 3),
            "proven_seconds": costs.summed_up(proven),
        }
    return figures


def _of(moments: Mapping[str, float], wanted: set[str]) -> dict[str, float]:
    return {hostname: at for hostname, at in moments.items() if hostname in wanted}


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    rows = {"Ready": figures["ready_seconds"]}
    if "proven_seconds" in figures:
        rows["proven by a handshake, once Ready"] = figures["proven_seconds"]
    costs.show_times(f"{figures['domains']} Domains at once, from the start of applying them", rows, console)
    console.print(f"applied after {figures['applied_seconds']:.2f} s", highlight=False)
    costs.show_price(figures, console)
    if "stages" in figures:
        stages.show(figures["stages"], console)
