"""All renewed: certificates that are served are asked for anew, all at once, until each serves its new one."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from certward.names import ANNOTATION_REFRESH
from cluster.proofs import condition
from scale import burst, costs, following, stages
from scale.drivers.certward import Certward
from scale.handshakes import Prover
from scale.stand import NAMESPACES, Stand
from scale.watching import Body

ABOUT = "N certificates renewed at once (certward.dev/refresh), until each serves its new one"
DEFAULT = 1000
MOST = 20_000


def measure(stand: Stand, size: int) -> dict[str, Any]:
    """Issue `size` certificates, then renew all; return times in seconds from the first request, and the price."""
    stand.up()
    with stand.certward(min(NAMESPACES, size)) as driver:
        hostnames = burst.issued(stand, driver, size)
        with stand.prover() as prover:
            return _renew(stand, driver, hostnames, prover)


def _renew(stand: Stand, driver: Certward, hostnames: Sequence[str], prover: Prover) -> dict[str, Any]:
    size = len(hostnames)
    before = {hostname: _fingerprint(driver.body(hostname)) for hostname in hostnames}
    renewed: dict[str, float] = {}
    lock = threading.Lock()

    def on_change(hostname: str, body: Body, at: float) -> None:
        new = _fingerprint(body)
        is_new = new not in ("", before[hostname]) and condition(body, "Ready").get("status") == "True"
        with lock:
            if not is_new or hostname in renewed:
                return
            renewed[hostname] = at
        prover.add(hostname, new)  # that very certificate has to be shown

    def trouble() -> str:
        left = [hostname for hostname in hostnames if hostname not in renewed]
        example = f"{len(left)} not renewed, as {left[0]}: {driver.body(left[0]).get('status')}" if left else ""
        return " ".join(filter(None, (example, prover.trouble())))

    driver.on_change(on_change)
    idle = costs.idle_share(stand.cluster, driver, stand.quiet_seconds)
    stages_before = stages.read(stand.cluster)
    meter = stand.meter(driver)
    started = time.monotonic()
    driver.annotate(hostnames, ANNOTATION_REFRESH, stand.mark)
    applied = time.monotonic()
    counts = {"renewed": lambda: len(renewed), "proven": lambda: len(prover.proven())}
    following.everything(counts, size, f"{size} renewals", stand.patience(size), trouble=trouble)
    costs.settle()
    ready = [at - started for at in renewed.values()]
    proven = [at - started for at in prover.proven().values()]
    return {
        "domains": size,
        "applied_seconds": round(applied - started, 3),
        "ready": len(ready),
        "proven": len(proven),
        "all_ready_seconds": round(max(ready), 3),
        "all_proven_seconds": round(max(proven), 3),
        "ready_seconds": costs.summed_up(ready),
        "proven_seconds": costs.summed_up(proven),
        **costs.price(meter, size, idle),
        "stages": stages.per_issuance(stages_before, stages.read(stand.cluster), size),
    }


def _fingerprint(body: Body) -> str:
    return str(((body.get("status") or {}).get("certificate") or {}).get("fingerprintSHA256") or "")


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    console.print(f"{figures['domains']} certificates that were served, renewed at once:")
    burst.show(figures, console)
