"""What is left once everything is deleted: in the cluster, in the operator's metrics, and in its memory."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from cluster import progress
from cluster.errors import ClusterError
from cluster.handle import Cluster
from scale import following, samples, stages
from scale.inside import looking_inside
from scale.population import Population

#: Of a namespace, whatever is in it; Events are kept for an hour by the API server, whoever is gone.
_OF_ANYBODY = ("ServiceAccount/default", "ConfigMap/kube-root-ca.crt")
#: The API server's own IPAddresses stay as long as the Services that they are of.
_NOT_LOOKED_AT = ("events", "events.events.k8s.io", "ipaddresses.networking.k8s.io")
#: Where the operator keeps names of what is gone, on purpose and within bounds.
BOUNDED = {
    "certward.kube.known.KnownObjects._of": "what is known not to be there: an hour",
    "certward.runtime.queue.WorkQueue._heap": "times in place of which earlier ones have come: 64 more than keys",
    "certward.runtime.events.Events._told": "what was told in Events: an hour, 8,192 at most",
    "certward.runtime.services.Services._seen": "ports of Services: 4,096 at most",
    "certward.probe.resolver.Resolver._cache": "answers of the DNS: a minute, 10,000 at most",
}
_LOOK_SECONDS = 60.0
#: So long what is deleted may take to be gone, everywhere.
_GOING_SECONDS = 90.0


def after(cluster: Cluster, population: Population, mark: str, before: dict[str, Any]) -> dict[str, Any]:
    """Delete everything, at first all but the namespaces, and return what is left once that had its time.

    Args:
        cluster: where.
        population: what is deleted.
        mark: a text that the names of all that was deleted hold.
        before: what `in_memory` has said before the churn.
    """
    progress.say("everything is deleted, but namespaces and Services")
    population.empty()
    in_namespaces = _staying(lambda: in_cluster(cluster, mark, population.own()))
    progress.say("everything is deleted")
    for place in list(population.places):
        population.drop_place(place)
    in_all = _staying(lambda: in_cluster(cluster, mark, set()))
    series = _staying(lambda: in_metrics(cluster, mark))
    found: dict[str, Any] = {}

    def unbounded_now() -> list[str]:
        nonlocal found
        found = in_memory(cluster, mark)
        return list(unbounded(found))

    _staying(unbounded_now)
    return {
        "in_namespaces": in_namespaces,
        "in_cluster": in_all,
        "in_metrics": series,
        "in_memory": unbounded(found),
        "in_memory_for_a_time": {name: n for name, n in found["holders"].items() if name in BOUNDED},
        "texts": found["strings"],
        "texts_bytes": found["bytes"],
        "texts_in_types": found["in_types"],
        "objects": {"before": before["objects"], "after": found["objects"]},
        "objects_grown": _grown(before["by_type"], found["by_type"]),
        "sample": samples.take(cluster),
    }


def grown(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """By how much a process has grown between two looks into it, in objects, blocks of Python and bytes of malloc.

    Where bytes that are free grow, and blocks do not, memory is in pieces and not lost.
    """
    return {
        "blocks": now["blocks"] - before["blocks"],
        "malloc": {name: count - before["malloc"][name] for name, count in now["malloc"].items()},
        "objects": now["objects"] - before["objects"],
        "by_type": _grown(before["by_type"], now["by_type"]),
    }


def _staying(find: Callable[[], list[str]]) -> list[str]:
    """What is still found when it had its time to go."""
    with contextlib.suppress(following.TooLate):
        following.until(lambda: not find(), "what was deleted is gone everywhere", _GOING_SECONDS, every=3.0)
    return find()


def _grown(before: Mapping[str, int], after_it: Mapping[str, int]) -> dict[str, int]:
    grown = {name: count - before.get(name, 0) for name, count in after_it.items()}
    return {name: count for name, count in sorted(grown.items(), key=lambda item: -item[1]) if count > 0}


def in_cluster(cluster: Cluster, mark: str, ours: set[str]) -> list[str]:
    """Return every object of the cluster that names the mark, Events aside, as namespace/Kind/name.

    Args:
        cluster: where.
        mark: a text that the names of all that was deleted hold.
        ours: what the bench has not deleted, in the same form.
    """
    told = cluster.kubectl("api-resources", "--verbs=list", "--output=name").split()
    kinds = [kind for kind in told if kind not in _NOT_LOOKED_AT]
    found: set[str] = set()
    for body in json.loads(cluster.kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json"))["items"]:
        meta = body["metadata"]
        name = f"{body['kind']}/{meta['name']}"
        meta.pop("managedFields", None)
        if name not in _OF_ANYBODY and mark in json.dumps(body):
            found.add(f"{meta.get('namespace', '')}/{name}".lstrip("/"))
    return sorted(found - ours)


def in_metrics(cluster: Cluster, mark: str) -> list[str]:
    """Return the series of the operator's metrics with a label that names the mark."""
    return sorted(
        f"{name}{dict(labels)}" for name, labels in stages.metrics(cluster) if any(mark in value for _, value in labels)
    )


def in_memory(cluster: Cluster, mark: str) -> dict[str, Any]:
    """Look into the operator's process; what comes back is as `looking_inside.look` says. Raises ClusterError."""
    (pid,) = cluster.operator_pids()
    answer = cluster.state.root / f"look-{time.monotonic_ns()}.json"
    ask = cluster.state.root / looking_inside.ASK
    ask.write_text(json.dumps({"mark": mark, "answer": str(answer)}))
    os.kill(pid, signal.SIGUSR2)
    following.until(answer.exists, "the operator has been looked into", _LOOK_SECONDS, every=0.1)
    found: dict[str, Any] = json.loads(answer.read_text())
    answer.unlink()
    ask.unlink()
    if "error" in found:
        raise ClusterError(f"the operator could not be looked into: {found['error']}")
    return found


def unbounded(found: dict[str, Any]) -> dict[str, int]:
    """-> Class.attribute: how many entries are kept of what is gone, where nothing bounds them."""
    return {name: count for name, count in found["holders"].items() if name not in BOUNDED}
