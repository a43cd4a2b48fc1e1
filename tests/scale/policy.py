"""A change of TLS for everybody: one TLSPolicy in each namespace, until every Domain says that it is served so."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from cluster import served
from cluster.proofs import condition
from scale import burst, costs, following
from scale.drivers.certward import Certward
from scale.stand import NAMESPACES, Stand
from scale.watching import Body

ABOUT = "one TLSPolicy (modern) in each of 10 namespaces with N Domains, until PolicyEnforced says so for each"
DEFAULT = 1000
MOST = 20_000
_PROFILE = "modern"
#: What that profile promises: nothing below TLS 1.3.
_VERSIONS = ("TLSv1.3",)
_SAMPLE = 20


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Have `size` Domains served, then change their policy; return times in seconds from the first request."""
    stand.up()
    with stand.certward(min(NAMESPACES, size)) as driver:
        hostnames = burst.issued(stand, driver, size)
        figures = _change(stand, driver, hostnames)
        sample = hostnames[:: max(size // _SAMPLE, 1)][:_SAMPLE]
        wrong = [words for hostname in sample if (words := _offers(stand, hostname))]
        if wrong:
            raise following.TooLate(f"{len(wrong)} of {len(sample)} hosts do not serve the profile: {'; '.join(wrong)}")
        return {**figures, "sampled": len(sample), "sample_client": served.client_program()}


def _change(stand: Stand, driver: Certward, hostnames: Sequence[str]) -> dict[str, Any]:
    size = len(hostnames)
    enforced: dict[str, float] = {}
    lock = threading.Lock()

    def on_change(hostname: str, body: Body, at: float) -> None:
        told = condition(body, "PolicyEnforced")
        if told.get("status") == "True" and f"profile {_PROFILE} of" in told.get("message", ""):
            with lock:
                enforced.setdefault(hostname, at)

    def trouble() -> str:
        left = [hostname for hostname in hostnames if hostname not in enforced]
        return f"{left[0]} says: {condition(driver.body(left[0]), 'PolicyEnforced')}" if left else ""

    driver.on_change(on_change)
    idle = costs.idle_share(stand.cluster, driver, stand.quiet_seconds)
    meter = stand.meter(driver)
    started = time.monotonic()
    for namespace in driver.namespaces:
        driver.create(namespace, "tlspolicies", "TLSPolicy", "bench", {"profile": _PROFILE})
    counts = {"enforced": lambda: len(enforced)}
    following.everything(counts, size, f"{size} under another policy", stand.patience(size), trouble=trouble)
    costs.settle()
    times = [at - started for at in enforced.values()]
    return {
        "domains": size,
        "enforced": len(times),
        "all_enforced_seconds": round(max(times), 3),
        "enforced_seconds": costs.summed_up(times),
        **costs.price(meter, size, idle),
    }


def _offers(stand: Stand, hostname: str) -> str:
    """What a host accepts beside the profile, or does not accept of it; empty when it is right."""
    address = stand.cluster.env["CLUSTER_HTTPS"]
    offers = {version: served.offer(address, hostname, version) for version in served.VERSIONS}
    wrong = [
        f"{version}: {offer.seen}" for version, offer in offers.items() if offer.accepted is not (version in _VERSIONS)
    ]
    return f"{hostname} {', '.join(wrong)}" if wrong else ""


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    rows = {"PolicyEnforced for the new profile": figures["enforced_seconds"]}
    costs.show_times(f"{figures['domains']} Domains, from the first changed TLSPolicy", rows, console)
    table = Table("shown by", "hosts")
    table.add_row(f"each version offered by {figures['sample_client']}", str(figures["sampled"]))
    console.print(table)
    costs.show_price(figures, console)
