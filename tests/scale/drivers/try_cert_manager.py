"""N certificates at once by cert-manager on the local cluster, and what they cost.

    .venv/bin/python tests/scale/drivers/try_cert_manager.py 50 --settings raised

The cluster is brought up without operator and ingress, and afterwards left as it was found.
"""

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from cluster import processes
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.waiting import NotInTime, wait_for
from scale.drivers.cert_manager import CertManager
from scale.drivers.cert_manager_process import SETTINGS

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_MOST = 500
_QUIET_TIMEOUT = 60.0


def measure(cluster: Cluster, driver: CertManager, count: int, timeout: float) -> None:
    """Ask for so many certificates at once, wait for them and for the cleaning up, and print times and costs."""
    audit = Path(cluster.env["CLUSTER_AUDIT_LOG"])
    begun_at = audit.stat().st_size
    hostnames = [f"h{number}.{uuid.uuid4().hex[:8]}.example.com" for number in range(count)]
    answered, cpu, own, begun = driver.answered, _cpu(driver), time.process_time(), time.monotonic()
    driver.request(hostnames)
    asked = time.monotonic() - begun
    try:
        wait_for(lambda: set(hostnames) <= driver.ready().keys(), timeout, f"{count} certificates")
    except NotInTime as error:
        raise ClusterError(f"{error}: {driver.trouble()}") from error
    after = sorted(driver.ready()[hostname] - begun for hostname in hostnames)
    wait_for(lambda: driver.challenges() == 0, _QUIET_TIMEOUT, "all challenges are cleaned up")
    spent, own = _cpu(driver) - cpu, time.process_time() - own
    writes = _writes(audit, begun_at, driver.api_user())
    print(f"{count} at once: created in {asked:.2f} s; Ready: first {after[0]:.2f} s, ", end="")
    print(f"median {statistics.median(after):.2f} s, last {after[-1]:.2f} s")
    print(f"  for each: {spent / count:.3f} s CPU, {writes.total() / count:.1f} writes, ", end="")
    print(f"{own / count:.3f} s CPU of the driver, ", end="")
    print(f"{(driver.answered - answered) / count:.1f} challenge answers; peak RSS {_peak(driver)} MiB")
    print("  " + ", ".join(f"{what} {times / count:.1f}" for what, times in writes.most_common()))


def _cpu(driver: CertManager) -> float:
    total = 0
    for pid in driver.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _peak(driver: CertManager) -> int:
    texts = (Path(f"/proc/{pid}/status").read_text() for pid in driver.pids())
    kilobytes = (int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("VmHWM"))
    return sum(kilobytes) // 1024


def _writes(audit: Path, begun_at: int, user: str) -> Counter[str]:
    """Return the user's writes by verb and resource, from what the audit log has more than at the beginning."""
    writes: Counter[str] = Counter()
    with audit.open("rb") as file:
        file.seek(begun_at)
        for event in map(json.loads, file):
            ref = event.get("objectRef") or {}
            is_done = event["stage"] == "ResponseComplete" and event["verb"] in _WRITES
            if is_done and event["user"].get("username") == user:
                below = f"/{ref['subresource']}" if ref.get("subresource") else ""
                writes[f"{event['verb']} {ref.get('resource', '?')}{below}"] += 1
    return writes


def main(arguments: list[str]) -> int:
    """Run the rounds that are asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=1, help=f"certificates at once, at most {_MOST}")
    parser.add_argument("--settings", choices=SETTINGS, default="defaults")
    parser.add_argument("--rounds", type=int, default=1, help="one after the other, with the same process")
    parser.add_argument("--namespaces", type=int, default=10)
    parser.add_argument("--timeout", type=float, default=900.0, metavar="SECONDS", help="for each round")
    options = parser.parse_args(arguments)
    if not 1 <= options.count <= _MOST or options.rounds < 1 or options.namespaces < 1:
        parser.error(f"count must be from 1 to {_MOST}, rounds and namespaces at least 1")
    cluster = Cluster()
    was_running = bool(processes.running(cluster.state))
    try:
        cluster.up(operators=0, ingress="none")
        driver = CertManager(cluster, SETTINGS[options.settings])
        try:
            driver.prepare(options.namespaces)
            for _ in range(options.rounds):
                measure(cluster, driver, options.count, options.timeout)
        finally:
            driver.close()
            cluster.close()
            if not was_running:
                cluster.down()
    except (ClusterError, NotInTime) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
