"""One at a time: how long one certificate takes, from its request to HTTPS served with it, and its price.

Each run has a hostname that the CA has never seen. Measured from the moment before the request is sent: until a
client's handshake through the ingress shows a certificate for that hostname whose chain ends in the CA's root (looked
at every 10 ms, each look a full handshake), and until a watch sees Ready=True in the status.
"""

import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster import served
from scale import costs, following, stages
from scale.drivers import Driver
from scale.handshakes import look
from scale.stand import Stand

ABOUT = "one certificate at a time, N runs"
DEFAULT = 20
MOST = 1000
_LOOK_EVERY = 0.01
_RUN_TIMEOUT = 60.0


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Do `size` runs; return times in seconds, the rest per Domain."""
    stand.up()
    with stand.driver(1) as driver:
        hostnames = stand.hostnames(size + 1)
        first = _run(stand, driver, hostnames[0])
        stand.console.print(f"first of the namespace, not counted: {_words(first)}", highlight=False)
        costs.settle()
        idle = costs.idle_share(stand.cluster, driver, stand.quiet_seconds)
        before = stages.read(stand.cluster) if stand.has_ingress else {}
        meter = stand.meter(driver)
        runs = []
        for number, hostname in enumerate(hostnames[1:], 1):
            runs.append(_run(stand, driver, hostname))
            stand.console.print(f"{number:4}/{size}: {_words(runs[-1])}", highlight=False)
            costs.settle()
        figures: dict[str, Any] = {"domains": size, "ready": len(runs)}
        for key in runs[0]:
            values = [run[key] for run in runs]
            figures[f"{key}_seconds"] = {**costs.summed_up(values), "all": [round(value, 4) for value in values]}
        figures |= costs.price(meter, size, idle)
        if stand.has_ingress:
            figures["stages"] = stages.per_issuance(before, stages.read(stand.cluster), size)
    return figures


def _run(stand: Stand, driver: Driver, hostname: str) -> dict[str, float]:
    """Ask for one certificate; return the seconds until HTTPS is served (with an ingress), and until Ready."""
    limit = stand.limit or _RUN_TIMEOUT
    moments: dict[str, float] = {}
    stop = threading.Event()
    env = stand.cluster.env

    def look_on() -> None:
        trust = served.trusting(Path(env["CLUSTER_CA"]))
        while not stop.is_set():
            now = time.monotonic()
            if not look(env["CLUSTER_HTTPS"], hostname, trust):
                moments["https"] = time.monotonic()
                return
            stop.wait(max(now + _LOOK_EVERY - time.monotonic(), 0.001))

    looker = threading.Thread(target=look_on, daemon=True)
    if stand.has_ingress:
        looker.start()
    started = time.monotonic()
    try:
        driver.request([hostname])
        counts = {"Ready": lambda: int(hostname in driver.ready())}
        if stand.has_ingress:
            counts["HTTPS"] = lambda: int("https" in moments)
        following.everything(counts, 1, hostname, limit, trouble=driver.trouble)
    finally:
        stop.set()
    moments["ready"] = driver.ready()[hostname]
    return {key: moments[key] - started for key in ("https", "ready") if key in moments}


def _words(run: dict[str, float]) -> str:
    names = {"https": "HTTPS", "ready": "Ready"}
    return ", ".join(f"{names[key]} {seconds:.3f} s" for key, seconds in run.items())


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    labels = {"https_seconds": "HTTPS served, verified", "ready_seconds": "Ready in the status"}
    rows = {label: figures[key] for key, label in labels.items() if key in figures}
    costs.show_times(f"From creating a Domain, {figures['domains']} runs", rows, console)
    costs.show_price(figures, console)
    if "stages" in figures:
        stages.show(figures["stages"], console)
