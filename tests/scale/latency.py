"""`make bench`: how long one certificate takes, from the creation of a Domain to HTTPS served with it, and its price.

Domains are created one after the other for an App with automatic certificates; each run has a hostname that the
CA has never seen. Measured from the moment before the request to create it is sent: until a client's handshake
through the ingress shows a certificate for that hostname whose chain ends in the CA's root (looked at every
10 ms, each look a full handshake), and until a watch sees Ready=True in the status.
"""

import argparse
import json
import statistics
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from kubernetes import client, watch
from rich.console import Console
from rich.table import Table

from cluster import processes, served, wish
from cluster import up as cluster_up
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.proofs import condition
from cluster.waiting import NotInTime
from scale.meter import Meter, machine, versions

_API = ("certward.dev", "v1alpha1")
_APP = "bench"
_LOOK_EVERY = 0.01
_RUN_TIMEOUT = 60.0
_MOST_RUNS = 1000
# What follows an issuance (the App's sums) is done by then; it belongs to the price, not to the next run.
_SETTLE = 1.0


class TooLate(ClusterError):
    """A run took longer than its limit."""


class Bench:
    """Runs in a namespace of their own, which `Cluster.close` takes away."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._env = cluster, cluster.env
        self._custom = client.CustomObjectsApi(cluster.api)
        self._trust = served.trusting(Path(self._env["CLUSTER_CA"]))
        self._mark = uuid.uuid4().hex[:8]
        self._namespace = cluster.namespace("bench")
        cluster.backend(self._namespace, _APP)
        self._create(
            "apps", "App", _APP, {"service": {"name": _APP, "port": 8080}, "certificates": {"automatic": True}}
        )

    def run(self, number: int) -> tuple[float, float]:
        """Create one Domain; return the seconds until HTTPS is served, and until the status says Ready."""
        name, hostname = f"run-{number}", f"run-{number}.{self._mark}.example.com"
        found = self._custom.list_namespaced_custom_object(*_API, self._namespace, "domains")
        version = found["metadata"]["resourceVersion"]
        moments: dict[str, float] = {}
        started = time.monotonic()
        limit = started + _RUN_TIMEOUT
        threads = [
            threading.Thread(target=self._look, args=(hostname, limit, moments), daemon=True),
            threading.Thread(target=self._watch, args=(name, version, limit, moments), daemon=True),
        ]
        for thread in threads:
            thread.start()
        started = time.monotonic()
        self._create("domains", "Domain", name, {"hostname": hostname, "appRef": {"name": _APP}})
        for thread in threads:
            thread.join(max(limit + 5 - time.monotonic(), 0))
        if set(moments) != {"https", "ready"}:
            domain = self._custom.get_namespaced_custom_object(*_API, self._namespace, "domains", name)
            status = {key: (domain.get("status") or {}).get(key) for key in ("state", "reason", "message")}
            missing = " and ".join(sorted({"https", "ready"} - set(moments)))
            raise TooLate(f"{hostname}: {missing} not within {_RUN_TIMEOUT:g} s; its status: {status}")
        return moments["https"] - started, moments["ready"] - started

    def _create(self, plural: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        body = {"apiVersion": "/".join(_API), "kind": kind, "metadata": {"name": name}, "spec": spec}
        self._custom.create_namespaced_custom_object(*_API, self._namespace, plural, body, _request_timeout=10)

    def _look(self, hostname: str, limit: float, moments: dict[str, float]) -> None:
        while (now := time.monotonic()) < limit:
            if served.is_served(self._env["CLUSTER_HTTPS"], hostname, self._trust):
                moments["https"] = time.monotonic()
                return
            time.sleep(max(now + _LOOK_EVERY - time.monotonic(), 0.001))

    def _watch(self, name: str, version: str, limit: float, moments: dict[str, float]) -> None:
        stream = watch.Watch().stream(
            self._custom.list_namespaced_custom_object,
            *_API,
            self._namespace,
            "domains",
            resource_version=version,
            timeout_seconds=max(int(limit - time.monotonic()), 1),
        )
        for event in stream:
            body = event["object"]
            if body["metadata"]["name"] == name and condition(body, "Ready").get("status") == "True":
                moments["ready"] = time.monotonic()
                return


def measure(cluster: Cluster, runs: int, console: Console) -> dict[str, Any]:
    """Do the runs and return all figures; times in seconds, the rest per Domain."""
    bench = Bench(cluster)
    first = bench.run(0)
    console.print(f"first of the namespace, not counted: HTTPS {first[0]:.3f} s, Ready {first[1]:.3f} s")
    time.sleep(_SETTLE)
    idle = Meter(cluster)
    time.sleep(3)
    idle_share = idle.cpu() / idle.seconds()
    meter = Meter(cluster)
    https, ready = [], []
    for number in range(1, runs + 1):
        served_after, ready_after = bench.run(number)
        https.append(served_after)
        ready.append(ready_after)
        console.print(f"{number:4}/{runs}: HTTPS {served_after:.3f} s, Ready {ready_after:.3f} s", highlight=False)
        time.sleep(_SETTLE)
    cpu, passed = meter.cpu(), meter.seconds()
    writes, reads = meter.api_requests()
    asked = meter.ca_requests()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(cluster),
        "runs": runs,
        "https_seconds": {**summed_up(https), "all": [round(value, 4) for value in https]},
        "ready_seconds": {**summed_up(ready), "all": [round(value, 4) for value in ready]},
        "operator_cpu_seconds_per_domain": round((cpu - idle_share * passed) / runs, 4),
        "operator_cpu_share_idle": round(idle_share, 4),
        "api_writes_per_domain": {key: round(count / runs, 2) for key, count in sorted(writes.items())},
        "api_writes_per_domain_total": round(writes.total() / runs, 2),
        "api_reads_per_domain": round(reads / runs, 2),
        "ca_requests_per_domain": {key: round(count / runs, 2) for key, count in sorted(asked.items())},
        "ca_requests_per_domain_total": round(asked.total() / runs, 2),
    }


def summed_up(values: list[float]) -> dict[str, float]:
    """Return least, median and greatest."""
    return {
        "min": round(min(values), 4),
        "median": round(statistics.median(values), 4),
        "max": round(max(values), 4),
    }


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the figures for people."""
    where, told = figures["machine"], figures["versions"]
    table = Table(title=f"From creating a Domain, {figures['runs']} runs")
    for heading in ("until", "min", "median", "max"):
        table.add_column(heading, justify="left" if heading == "until" else "right")
    for key, label in (("https_seconds", "HTTPS served, verified"), ("ready_seconds", "Ready in the status")):
        table.add_row(label, *(f"{figures[key][each]:.3f} s" for each in ("min", "median", "max")))
    console.print(table)
    price = Table(title="What one certificate costs")
    price.add_column("what")
    price.add_column("per Domain", justify="right")
    cpu, idle = figures["operator_cpu_seconds_per_domain"], figures["operator_cpu_share_idle"]
    price.add_row(f"CPU of the operator (idle: {idle:.1%} of a core, taken off)", f"{cpu:.3f} s")
    for title, key in (
        ("the operator's writes to the API server", "api_writes"),
        ("requests to the CA", "ca_requests"),
    ):
        price.add_section()
        price.add_row(title, f"{figures[f'{key}_per_domain_total']:.2f}")
        for name, count in figures[f"{key}_per_domain"].items():
            price.add_row(f"  {name}", f"{count:.2f}")
    price.add_section()
    price.add_row("the operator's reads from the API server", f"{figures['api_reads_per_domain']:.2f}")
    console.print(price)
    console.print(
        f"{where['cores']} cores of {where['cpu']}, kernel {where['kernel']}, load {where['load_at_end']}",
        soft_wrap=True,
    )
    console.print(f"{figures['date']}; {', '.join(f'{name} {value}' for name, value in told.items())}", soft_wrap=True)
    note = "Everything, the client included, runs on this machine; the CA does not sleep before it validates."
    console.print(note, soft_wrap=True)


def _wanted() -> wish.Wish:
    wanted = wish.from_environment()
    if not wanted.operators or wanted.ingress == "none":
        raise ClusterError("this needs an operator and an ingress: unset OPERATORS and INGRESS")
    return wanted


def main(arguments: list[str]) -> int:
    """Measure on the local cluster, which is left as it was found: running, or not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="how many Domains (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args(arguments)
    if not 1 <= options.runs <= _MOST_RUNS:
        parser.error(f"--runs must be from 1 to {_MOST_RUNS}")
    console = Console()
    cluster = Cluster()
    was_running = bool(processes.running(cluster.state))
    try:
        cluster_up.up(_wanted())
        try:
            figures = measure(cluster, options.runs, console)
        finally:
            cluster.close()
            if not was_running:
                cluster.down()
    except (ClusterError, NotInTime) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(figures, console)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
