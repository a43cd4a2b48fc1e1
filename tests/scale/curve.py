"""Whether costs grow with the number of Domains: memory, restart, idle and the price of a burst, at several sizes."""

import signal
from typing import Any

from rich.console import Console
from rich.table import Table

from cluster import processes
from scale import burst, restart, standing
from scale.stand import NAMESPACES, Stand

ABOUT = "memory, restart, idle and the price of 50 more, at 100, 1000 ... up to N converged Domains"
DEFAULT = 1000
MOST = 20_000
_SIZES = (100, 1000)
_BURST = 50
_SMALL = 4


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Grow a population up to `size`, measuring at each step."""
    points: list[dict[str, Any]] = []
    hostnames: list[str] = []
    with standing.world(stand, min(NAMESPACES, size)) as population:
        late = population.place_for_late()
        for target in sizes(size):
            _stop(stand)
            more = stand.hostnames(target - len(hostnames))
            population.populate(more)
            hostnames += more
            took = population.converge(hostnames)
            point = restart.restarted(stand, population, target, late)
            with population.prover() as prover:
                few = stand.hostnames(min(_BURST, target), "more")
                price = burst.load(stand, population.driver, few, prover)
            hostnames += few
            points.append({**point, "converged_after_seconds": round(took, 1), "burst": price})
            show_points(points, stand.console)
    return {"points": points, "how": standing.HOW}


def sizes(size: int) -> list[int]:
    """Return at which numbers of Domains to measure, up to `size`."""
    known = [each for each in _SIZES if each < size]
    return sorted({*(known or [max(size // _SMALL, 1)]), size})


def _stop(stand: Stand) -> None:
    """Have no operator run, so that a population can be written."""
    for name in processes.running(stand.cluster.state):
        if name.startswith("certward-"):
            stand.cluster.kill(name, signal.SIGTERM, timeout=60.0)


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    show_points(figures["points"], console)
    console.print(figures["how"], soft_wrap=True)


def show_points(points: list[dict[str, Any]], console: Console) -> None:
    """Print a row for each size, with what it is for each Domain where that ought to stay the same."""
    table = Table(title="As the number of Domains grows")
    headings = (
        "Domains",
        "memory",
        "above the first",
        "synced",
        "all compared",
        "each",
        "idle",
        "CPU of one more",
        "API",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for point in points:
        grown = point["domains"] - points[0]["domains"]
        more = (point["rss_mib"] - points[0]["rss_mib"]) * 1024 / grown if grown else 0.0
        compared, price = point["all_compared_after_seconds"], point["burst"]
        table.add_row(
            str(point["domains"]),
            f"{point['rss_mib']:.0f} MiB",
            f"{more:.1f} KiB each" if grown else "",
            f"{point['synced_after_seconds']:.2f} s",
            f"{compared:.2f} s",
            f"{(compared - point['synced_after_seconds']) * 1000 / point['domains']:.1f} ms",
            f"{point['idle_cpu_share']:.2%}",
            f"{price['operator_cpu_seconds_per_domain']:.3f} s",
            f"{price['api_writes_per_domain_total'] + price['api_reads_per_domain_total']:.1f}",
        )
    console.print(table)
