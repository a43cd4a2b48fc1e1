"""A long run: Domains, Apps and namespaces come, change and go, while the operator's memory and handles are watched."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster import operator_process, progress
from cluster.errors import ClusterError
from scale import churn_report, costs, following, meter, remains, samples
from scale.churning import MIX, RATE, Churning
from scale.population import NAMESPACES, Population
from scale.stand import Stand

ABOUT = "N seconds of Domains, Apps and namespaces that come, change and go: do memory, handles and queue stay flat"
DEFAULT = 1800
MOST = 24 * 3600
_SEED = "CERTWARD_BENCH_SEED"
_BOUND = 60.0
#: How often a sample is taken, in seconds; oftener in a run of less than five minutes.
_EVERY = 10.0
_FOLLOW_EVERY = 1.0
#: So long it churns before the first sample, so that connections and caches are there that any load needs.
_WARM_UP = 30.0
_TELL_EVERY = 30.0
_INSIDE = Path(__file__).parent / "inside"
Figures = dict[str, Any]


def measure(stand: Stand, size: int) -> Figures:
    """Churn for `size` seconds; return samples, trends, verdicts, what was done and what is left of it."""
    seed = int(os.environ.get(_SEED) or 1)
    bound = stand.limit or _BOUND
    with _looked_into():
        stand.up()
        if not stand.has_ingress:
            raise ClusterError(f"{stand.operator} has no such scenario; latency and burst are for every operator")
        (mark,) = {name.split(".")[1] for name in stand.hostnames(1)}
        rng = random.Random(seed)  # noqa: S311 - choices that are the same each time
        population = Population(stand.cluster, mark, rng)
        try:
            for _ in range(NAMESPACES):
                population.add_place()
            _settle(stand, population, rng)
            before = remains.in_memory(stand.cluster, mark)
            churning = Churning(stand.cluster, population, rng, bound)
            figures = {
                "seconds": size,
                "seed": seed,
                "rate_per_second": RATE,
                "mix": MIX,
                "bound_seconds": bound,
                "domains": len(population.domains),
                **_churn(stand, churning, population, size),
            }
            figures["grown"] = remains.grown(before, remains.in_memory(stand.cluster, mark))
            figures["left"] = remains.after(stand.cluster, population, mark, before)
        finally:
            stand.cluster.close()
    figures["wrong"] = churn_report.wrong(figures)
    return figures


@contextmanager
def _looked_into() -> Iterator[None]:
    """Operators that are started meanwhile can be looked into; what else is to be in their process comes behind."""
    before = os.environ.get(operator_process.PYTHONPATH)
    os.environ[operator_process.PYTHONPATH] = os.pathsep.join(filter(None, (str(_INSIDE), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[operator_process.PYTHONPATH]
        else:
            os.environ[operator_process.PYTHONPATH] = before


def _settle(stand: Stand, population: Population, rng: random.Random) -> None:
    """Wait until the first Domains, which come all at once, are as declared."""
    limit = stand.patience(len(population.domains))
    churning = Churning(stand.cluster, population, rng, limit)

    def settled() -> int:
        churning.follow()
        return len(population.domains) - churning.unsettled

    following.everything({"settled": settled}, len(population.domains), "the first Domains", limit, every=_FOLLOW_EVERY)


def _churn(stand: Stand, churning: Churning, population: Population, size: int) -> Figures:
    """The churn, with a sample every so often; then what is under way may end."""
    every = min(_EVERY, size / 30)
    (pid,) = stand.cluster.operator_pids()
    cpu = meter.cpu_seconds(pid)
    taken: list[samples.Sample] = []
    followed_at = time.monotonic()
    started = told_at = followed_at + _WARM_UP
    while (passed := time.monotonic() - started) <= size:
        churning.step()
        if time.monotonic() - followed_at >= _FOLLOW_EVERY:
            churning.follow()
            followed_at = time.monotonic()
        if passed >= len(taken) * every:
            there = {"at_seconds": round(passed, 2), "domains": len(population.domains)}
            taken.append({**there, "unsettled": churning.unsettled, **samples.take(stand.cluster)})
        if time.monotonic() - told_at >= _TELL_EVERY:
            last = taken[-1]
            progress.say(
                f"churn: {passed:.0f} of {size} s, {churning.done.total()} operations, {last['domains']} Domains, "
                f"{len(churning.failures)} failures, {last['rss_mib']:.0f} MiB, {last['handles']} handles"
            )
            told_at = time.monotonic()
        time.sleep(0.02)
    spent = meter.cpu_seconds(pid) - cpu
    churning.finish()
    _end(churning)
    return {
        "sample_every_seconds": every,
        "operations": dict(churning.done.most_common()),
        "operations_total": churning.done.total(),
        "domains_moved": churning.moved,
        "settled_seconds": {cause: costs.summed_up(times) for cause, times in sorted(churning.times.items())},
        "settled": sum(len(times) for times in churning.times.values()),
        "failures": churning.failures,
        "operator_cpu_share": round(spent / (_WARM_UP + size), 4),
        **churn_report.trends(taken, size),
        "samples": taken,
    }


def _end(churning: Churning) -> None:
    """Let what is under way end; each Domain that does not is a failure by its bound."""

    def is_over() -> bool:
        churning.follow()
        return churning.unsettled == churning.late

    following.until(is_over, "what was under way has ended", 3 * _BOUND, every=_FOLLOW_EVERY)


def show(figures: Figures, console: Console) -> None:
    """Print the figures for people."""
    churn_report.show(figures, console)
