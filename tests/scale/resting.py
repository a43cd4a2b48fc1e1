"""What the operator takes while nothing happens: looks at hosts at rest, as many a second as it takes at most."""

import time
from typing import Any

from rich.console import Console
from rich.table import Table

from scale import following, stages, standing
from scale.meter import Meter, cpu_seconds, memory
from scale.stand import NAMESPACES, Stand
from scale.standing import Standing

ABOUT = "the operator among N Domains at rest, each looked at so often that it makes two looks a second"
DEFAULT = 240
MOST = 1200
_PER_SECOND = 2
_WATCHED_SECONDS = 120.0
_LOOKS = ("glance", "proof")


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Have `size` Domains converged and at rest; return the CPU of so many looks, and of each of them."""
    # By default hosts are looked at every ten minutes, or less often where they are more than 1,200: two a second.
    patch = {"probe": {"interval": f"{max(size // _PER_SECOND, 10)}s", "perSecond": _PER_SECOND}}
    with standing.world(stand, min(NAMESPACES, size), patch) as population:
        hostnames = stand.hostnames(size)
        population.populate(hostnames)
        population.converge(hostnames)
        _until_at_rest(stand, size)
        return {"domains": size, **_watched(stand, population), "how": standing.HOW}


def _looks(stand: Stand) -> tuple[float, float]:
    """How many glances, and how many looks that a decision was taken on, there were so far."""
    found = stages.read(stand.cluster)
    glances, whole = (found.get(kind, (0.0, 0.0))[1] for kind in _LOOKS)
    return glances, whole


def _until_at_rest(stand: Stand, size: int) -> None:
    """Wait until each may have been looked at once since it came to rest, and hosts are looked at by glances alone."""
    last: tuple[float, float, float] = (*_looks(stand), time.monotonic())

    def is_at_rest() -> bool:
        nonlocal last
        glances, whole = _looks(stand)
        if whole != last[1]:
            last = glances, whole, time.monotonic()
        return glances - last[0] >= min(size, 10 * _PER_SECOND)

    following.until(is_at_rest, "hosts are glanced at", stand.patience(size) + size / _PER_SECOND, every=1.0)


def _watched(stand: Stand, population: Standing) -> dict[str, Any]:
    (pid,) = population.driver.pids()
    meter = Meter(stand.cluster, (), population.driver.api_user())
    before, busy, started = _looks(stand), cpu_seconds(pid), time.monotonic()
    following.until(
        lambda: time.monotonic() - started >= _WATCHED_SECONDS,
        "an operator at rest is watched",
        _WATCHED_SECONDS + 10,
        every=1.0,
    )
    seconds, spent, after = time.monotonic() - started, cpu_seconds(pid) - busy, _looks(stand)
    glances, whole = (now - then for now, then in zip(after, before, strict=True))
    writes, reads = meter.api_requests()
    return {
        "seconds": round(seconds, 1),
        "glances": int(glances),
        "whole_looks": int(whole),
        "looks_per_second": round((glances + whole) / seconds, 2),
        "cpu_share": round(spent / seconds, 4),
        "cpu_seconds_per_look": round(spent / max(glances + whole, 1), 4),
        "writes": writes.total(),
        "reads_per_look": round(reads.total() / max(glances + whole, 1), 2),
        "rss_mib": round(memory(pid) / 2**20, 1),
    }


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    table = Table(title=f"The operator among {figures['domains']} Domains at rest, over {figures['seconds']:g} s")
    table.add_column("what")
    table.add_column("", justify="right")
    table.add_row("looks a second", f"{figures['looks_per_second']:.2f}")
    table.add_row("of these with a decision", str(figures["whole_looks"]))
    table.add_row("share of a core", f"{figures['cpu_share']:.2%}")
    table.add_row("CPU for each look, everything else included", f"{figures['cpu_seconds_per_look'] * 1000:.1f} ms")
    table.add_row("reads for each look", f"{figures['reads_per_look']:.1f}")
    table.add_row("writes", str(figures["writes"]))
    table.add_row("memory", f"{figures['rss_mib']:.0f} MiB")
    console.print(table)
    console.print(figures["how"], soft_wrap=True)
