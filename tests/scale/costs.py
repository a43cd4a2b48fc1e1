"""The price of a load: what a Meter has seen, for each Domain; and how times and prices are shown."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from cluster import progress
from cluster.handle import Cluster
from scale.drivers import Driver
from scale.meter import Meter

#: An App is summed up every two seconds at most; what follows an issuance is done by then, and belongs to the price.
_SETTLE_SECONDS = 2.5


def settle() -> None:
    """Let what follows an issuance come to its end."""
    time.sleep(_SETTLE_SECONDS)


def idle_share(cluster: Cluster, driver: Driver, seconds: float) -> float:
    """Return the share of a core that the operator takes while nothing is asked of it; takes that many seconds."""
    progress.say(f"the operator is watched while it is idle, {seconds:g} s")
    meter = Meter(cluster, driver.pids(), driver.api_user())
    time.sleep(seconds)
    return meter.cpu() / meter.seconds()


def price(meter: Meter, domains: int, idle: float) -> dict[str, Any]:
    """Return what has been spent since the meter was made, for each of so many Domains; idle CPU is taken off."""
    cpu, passed = meter.cpu(), meter.seconds()
    writes, reads = meter.api_requests()
    asked = meter.ca_requests()
    return {
        "operator_cpu_seconds_per_domain": round(max(cpu - idle * passed, 0.0) / domains, 4),
        "operator_cpu_seconds": round(cpu, 2),
        "operator_cpu_share_idle": round(idle, 4),
        "operator_peak_rss_mib": round(meter.peak_rss() / 2**20, 1),
        **_each("api_writes_per_domain", writes, domains),
        **_each("api_reads_per_domain", reads, domains),
        **_each("ca_requests_per_domain", asked, domains),
    }


def summed_up(values: Iterable[float]) -> dict[str, float]:
    """Return least, median, 90th and 99th percentile (nearest rank) and greatest, in seconds."""
    known = sorted(values)

    def rank(percent: int) -> float:
        return round(known[max(math.ceil(len(known) * percent / 100) - 1, 0)], 4)

    return {
        "min": round(known[0], 4),
        "median": round(statistics.median(known), 4),
        "p90": rank(90),
        "p99": rank(99),
        "max": round(known[-1], 4),
    }


def show_times(title: str, rows: Mapping[str, Mapping[str, float]], console: Console) -> None:
    """Print rows of what `summed_up` has returned."""
    table = Table(title=title)
    table.add_column("until")
    headings = ("min", "median", "p90", "p99", "max")
    for heading in headings:
        table.add_column(heading, justify="right")
    for label, of in rows.items():
        table.add_row(label, *(f"{of[heading]:.3f} s" for heading in headings))
    console.print(table)


def show_price(figures: Mapping[str, Any], console: Console) -> None:
    """Print what `price` has returned."""
    table = Table(title="What it costs")
    table.add_column("what")
    table.add_column("per Domain", justify="right")
    idle = figures["operator_cpu_share_idle"]
    table.add_row(
        f"CPU of the operator (idle: {idle:.1%} of a core, taken off)",
        f"{figures['operator_cpu_seconds_per_domain']:.3f} s",
    )
    for title, key in (
        ("the operator's writes to the API server", "api_writes"),
        ("the operator's reads from the API server", "api_reads"),
        ("requests to the CA", "ca_requests"),
    ):
        table.add_section()
        table.add_row(title, f"{figures[f'{key}_per_domain_total']:.2f}")
        for name, count in figures[f"{key}_per_domain"].items():
            table.add_row(f"  {name}", f"{count:.2f}")
    table.add_section()
    table.add_row(
        "the operator's greatest resident memory, all together", f"{figures['operator_peak_rss_mib']:.0f} MiB"
    )
    console.print(table)


def _each(key: str, counts: Counter[str], domains: int) -> dict[str, Any]:
    return {
        key: {name: round(count / domains, 2) for name, count in sorted(counts.items())},
        f"{key}_total": round(counts.total() / domains, 2),
    }
