"""Prometheus metrics. Names and meanings are part of what operators of Certward rely on."""

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

RECONCILES = Counter("certward_reconciles", "Passes over an object, by kind and outcome.", ["kind", "outcome"])
RECONCILE_SECONDS = Histogram(
    "certward_reconcile_seconds",
    "Duration of one pass over an object.",
    ["kind"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)
BUGS = Counter("certward_bugs", "Passes that ended with an unexpected exception; any is worth a report.")


class StateCollector(Collector):
    """Metrics that are read from the running operator when they are scraped."""

    def __init__(self, read: Callable[[], dict[str, Any]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The metrics as of now."""
        state = self._read()
        yield GaugeMetricFamily("certward_leader", "1 on the replica that works.", value=float(state["leader"]))
        yield GaugeMetricFamily(
            "certward_synced_age_seconds", "Time since the last full LIST.", value=state["synced_age"]
        )
        due, delayed, age = state["queue"]
        depth = GaugeMetricFamily("certward_queue_keys", "Keys in the work queue.", labels=["state"])
        depth.add_metric(["due"], due)
        depth.add_metric(["delayed"], delayed)
        yield depth
        yield GaugeMetricFamily("certward_queue_age_seconds", "Age of the oldest due key.", value=age)
        domains = GaugeMetricFamily("certward_domains", "Domains by state and reason.", labels=["state", "reason"])
        for labels, count in sorted(state["domains"].items()):
            domains.add_metric(labels, count)
        yield domains
        challenges = CounterMetricFamily(
            "certward_challenge_requests", "Requests at the HTTP-01 answerer, by outcome.", labels=["outcome"]
        )
        for outcome, count in sorted(state["challenges"].items()):
            challenges.add_metric([outcome], count)
        yield challenges
        requests = CounterMetricFamily(
            "certward_api_requests", "Requests to the API server.", labels=["verb", "kind", "status"]
        )
        for (verb, kind, status), count in sorted(state["requests"].items()):
            requests.add_metric([verb, kind, str(status)], count)
        yield requests


def register(read: Callable[[], dict[str, Any]]) -> None:
    """Have the state scraped along with the counters."""
    REGISTRY.register(StateCollector(read))
