"""What the operator takes at a moment: memory, threads, handles, sockets, its queue; ingress and CA for information."""

from collections import Counter
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.handle import Cluster
from scale import meter, stages

#: States of TCP as /proc/net/tcp numbers them (include/net/tcp_states.h of Linux).
_STATES = {
    "01": "established", "02": "syn-sent", "03": "syn-received", "04": "fin-wait-1", "05": "fin-wait-2",
    "06": "time-wait", "07": "close", "08": "close-wait", "09": "last-ack", "0A": "listen", "0B": "closing",
}  # fmt: skip
Sample = dict[str, Any]


def take(cluster: Cluster) -> Sample:
    """Return a sample of the one operator that runs, its own metrics included.

    Memory is in MiB, the age of the oldest due key in seconds. Raises ClusterError when it is gone.
    """
    (pid,) = cluster.operator_pids() or (0,)
    told = stages.metrics(cluster)
    try:
        handles, sockets = _handles(pid)
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError as error:
        raise ClusterError("the operator ended during the measurement") from error
    return {
        "rss_mib": _mib(pid),
        "threads": threads,
        "handles": handles,
        "sockets": sockets,
        "queue_due": told["certward_queue_keys", (("state", "due"),)],
        "queue_delayed": told["certward_queue_keys", (("state", "delayed"),)],
        "queue_age_seconds": round(told["certward_queue_age_seconds", ()], 3),
        "series": len(told),
        "bugs": told["certward_bugs_total", ()],
        "traefik_rss_mib": _mib(cluster.pid("traefik")),
        "pebble_rss_mib": _mib(cluster.pid("pebble")),
    }


def _mib(pid: int) -> float:
    return round(meter.memory(pid) / 2**20, 2)


def _handles(pid: int) -> tuple[int, dict[str, int]]:
    """How many handles are open, and the sockets of them by their state; one that is no TCP is `other`."""
    targets: list[str] = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            targets.append(str(link.readlink()))
        except FileNotFoundError:
            continue  # it was closed since it was listed
    known = _tcp()
    inodes = [target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")]
    return len(targets), dict(Counter(known.get(inode, "other") for inode in inodes))


def _tcp() -> dict[str, str]:
    """-> inode of each TCP socket of this machine: its state."""
    found: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        file = Path(f"/proc/net/{table}")
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            fields = line.split()
            found[fields[9]] = _STATES.get(fields[3], fields[3])
    return found
