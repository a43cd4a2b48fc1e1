"""How much faster replicas are that share the work: one, then two, at a CA that takes its time for each request.

All Domains are created at once, in as many namespaces of each shard, and waited for until each is Ready. A worker
waits while the CA has its request, so that what counts is how many workers there are, and not how fast the machine is.
Between the operator and Pebble is a proxy that passes each request on after --latency seconds.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import yaml
from kubernetes import client

from certward.plan.shards import MOST_SHARDS, shard_of
from cluster import processes
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.pki import Pki
from cluster.waiting import NotInTime
from faulty.proxy import Proxy
from integration import observer

_TICKS = os.sysconf("SC_CLK_TCK")
_MOST_DOMAINS = 1000
_BALANCED = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure with one replica and with two; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=200, help="how many Domains (default: %(default)s)")
    parser.add_argument("--shards", type=int, default=4, help="how many shards (default: %(default)s)")
    parser.add_argument("--each", type=int, default=2, help="namespaces in each shard (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=2.0, help="seconds of each request (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for each run (default: %(default)s)")
    options = parser.parse_args(argv)
    if not 2 <= options.shards <= MOST_SHARDS or not 0 < options.domains <= _MOST_DOMAINS or not 0 < options.each <= 8:
        parser.error(f"--shards is from 2 to {MOST_SHARDS}, --domains up to {_MOST_DOMAINS}, --each up to 8")
    cluster = Cluster()
    was_running = bool(processes.running(cluster.state))
    try:
        cluster.up(operators=0)
        took = _both(cluster, options)
    except (ClusterError, NotInTime, AssertionError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        cluster.close()
        if not was_running:
            cluster.down()
    sys.stdout.write(f"ratio {took[0] / took[1]:.2f}\n")
    return 0


def _both(cluster: Cluster, options: argparse.Namespace) -> list[float]:
    env, pki = cluster.env, Pki(cluster.state.pki)
    issuer = yaml.safe_load(Path(env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"][0]
    upstream = env["CLUSTER_ACME_DIRECTORY"].removesuffix("/dir")
    certificate = pki.both("pebble")
    took = []
    with Proxy(upstream, ca=pki.ca, certificate=certificate, delay=options.latency) as proxy:
        patch = {"shards": options.shards, "issuers": [{**issuer, "directory": proxy.directory}]}
        for replicas in (1, 2):
            cluster.up(operators=replicas, patch=patch)
            _await_balance(cluster, replicas, options.shards)
            took.append(_run(cluster, replicas, options))
            observer.alone(cluster)
            cluster.close()
        cluster.up(operators=0)
    return took


def _await_balance(cluster: Cluster, replicas: int, shards: int) -> None:
    names = [f"certward-{number}" for number in range(replicas)]

    def is_balanced() -> bool:
        counts = [len(observer.readyz(cluster, name).get("shards") or ()) for name in names]
        return sum(counts) == shards and max(counts) - min(counts) <= 1

    cluster.wait_for(is_balanced, _BALANCED, "a fair share for each replica")


def _run(cluster: Cluster, replicas: int, options: argparse.Namespace) -> float:
    """Have all issued; returns how many seconds that took."""
    namespaces = _namespaces(cluster, options.shards, options.each)
    domains: dict[str, list[observer.Object]] = {namespace: [] for namespace in namespaces}
    for number in range(options.domains):
        namespace = namespaces[number % len(namespaces)]
        domains[namespace].append(observer.domain(f"d{number}", namespace))
    pids, cpu = cluster.operator_pids(), _cpu(cluster.operator_pids())
    begun = time.monotonic()
    for namespace, objects in domains.items():
        observer.apply(cluster, namespace, *objects)
    api = client.CustomObjectsApi(cluster.api)

    def is_done() -> bool:
        listed = api.list_cluster_custom_object("certward.dev", "v1alpha1", "domains")["items"]
        return sum(observer.condition(one, "Ready").get("status") == "True" for one in listed) == options.domains

    cluster.wait_for(is_done, options.timeout, "all Ready")
    took = time.monotonic() - begun
    if cluster.operator_pids() != pids:
        raise ClusterError("an operator ended or was started during the measurement")
    sys.stdout.write(
        f"{replicas} replica(s), {options.shards} shards, {options.domains} Domains in {len(namespaces)} namespaces, "
        f"{options.latency:g} s for each request: all Ready after {took:.1f} s; {_cpu(pids) - cpu:.1f} s of CPU\n"
    )
    sys.stdout.flush()
    return took


def _namespaces(cluster: Cluster, shards: int, each: int) -> list[str]:
    """So many namespaces in each shard, with an App; what is drawn beyond that stays empty."""
    found: dict[int, list[str]] = {shard: [] for shard in range(shards)}
    while any(len(names) < each for names in found.values()):
        name = cluster.namespace("shards")
        if len(found[shard_of(name, shards)]) < each:
            found[shard_of(name, shards)].append(name)
            cluster.backend(name, "shop")
            observer.apply(cluster, name, observer.app())
    return [name for names in found.values() for name in names]


def _cpu(pids: Sequence[int]) -> float:
    """CPU time of processes in seconds, user and system."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS


if __name__ == "__main__":
    sys.exit(main())
