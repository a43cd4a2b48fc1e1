"""Metrics that are read when they are scraped: the replica, its queue, what the cache holds, how the CAs stand.

What is about the cluster as a whole is told by the replica with shard 0, also while the API server is away, and by no
other one; what is about shards, by the replica that works on them. So sums over all replicas are right.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from certward import __version__
from certward.acme.http01 import Answerer
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.model.resources import App, Domain, TLSPolicy
from certward.plan import census
from certward.runtime.holding import Holding
from certward.runtime.issuers import Issuers
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.queue import WorkQueue

#: (values of the labels, value of the series)
Values = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures come from.

    Attributes:
        synced_age: -> seconds since the last full LIST; 0 before the first one.
        unseen: -> objects not looked at yet since this replica began to work.
        holding: what this replica works on.
    """

    answerer: Answerer
    cache: Cache
    client: Client
    issuers: Issuers
    lease: Leadership
    ledger: Ledger
    queue: WorkQueue
    synced_age: Callable[[], float]
    unseen: Callable[[], int]
    holding: Holding


class StateCollector(Collector):
    """Reads the running operator. Takes no lock for longer than a copy, so that scrapes hold nobody up."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources

    def collect(self) -> Iterable[Metric]:
        """The metrics as of now."""
        yield from self._replica()
        holding = self._from.holding
        if holding.begun:
            yield from self._queue()
            yield from self._budgets()
        if holding.has_first():
            yield from self._census()

    def _replica(self) -> Iterable[Metric]:
        of = self._from
        build = InfoMetricFamily("certward_build", "The version that runs.", value={"version": __version__})
        yield build
        leads, held = of.holding.leads(), of.holding.working_on()
        yield _gauge("certward_leader", "1 on the replica that works; of several, on that with shard 0.", float(leads))
        yield _gauge("certward_shards", "Into how many shards the work is split.", of.holding.shards)
        yield _gauge("certward_shards_held", "How many of them this replica works on.", len(held))
        yield _gauge(
            "certward_lease_age_seconds",
            "Time since this replica last renewed its Lease, the oldest of several; +Inf where it holds none.",
            of.lease.age(),
        )
        yield _gauge("certward_synced_age_seconds", "Time since the last full LIST.", of.synced_age())
        answered = [(("answered",), of.answerer.answered), (("refused",), of.answerer.refused)]
        yield _counters(
            "certward_challenge_requests", "Requests at the HTTP-01 answerer, by outcome.", ["outcome"], answered
        )
        asked = (((verb, kind, str(status)), n) for (verb, kind, status), n in of.client.requests.copy().items())
        yield _counters(
            "certward_api_requests",
            "Requests to the API server; status 0: no answer.",
            ["verb", "kind", "status"],
            asked,
        )
        told = (((name, result), n) for name, counts in of.issuers.answers().items() for result, n in counts.items())
        yield _counters(
            "certward_ca_requests", "Requests to CAs by HTTP status; none: no answer.", ["issuer", "result"], told
        )

    def _queue(self) -> Iterable[Metric]:
        due, delayed, age = self._from.queue.depth()
        keys = [(("due",), due), (("delayed",), delayed)]
        yield _gauges("certward_queue_keys", "Keys in the work queue.", ["state"], keys)
        yield _gauge("certward_queue_age_seconds", "Age of the oldest due key.", age)
        yield _gauge(
            "certward_unseen_objects",
            "Objects that have not been looked at since this replica began to work.",
            self._from.unseen(),
        )

    def _budgets(self) -> Iterable[Metric]:
        usage = self._from.ledger.usage().items()
        for name, meaning, values in (
            (
                "certward_ca_orders_limit",
                "How many orders the issuer takes in 3 hours; +Inf: no limit.",
                [(issuer, _or_infinite(each.orders_limit)) for issuer, each in usage],
            ),
            (
                "certward_ca_orders_left",
                "How many of them may be placed now; +Inf: no limit.",
                [(issuer, _or_infinite(each.orders_left)) for issuer, each in usage],
            ),
            ("certward_ca_orders_open", "Orders under way.", [(issuer, each.open) for issuer, each in usage]),
            (
                "certward_ca_orders_waiting",
                "Domains that wait for their turn at the issuer.",
                [(issuer, each.waiting) for issuer, each in usage],
            ),
            (
                "certward_ca_held_until_timestamp_seconds",
                "Until when the issuer has said that it takes no orders; 0 where it takes them.",
                [(issuer, each.held_until.timestamp() if each.held_until else 0) for issuer, each in usage],
            ),
        ):
            yield _gauges(name, meaning, ["issuer"], (((issuer,), value) for issuer, value in values))

    def _census(self) -> Iterable[Metric]:
        cache = self._from.cache
        found = census.take(cache.all(Domain), cache.all(App), cache.all(TLSPolicy))
        yield _gauges("certward_domains", "Domains by state and reason.", ["state", "reason"], found.domains.items())
        yield _gauges(
            "certward_domain_conditions", "Domains by their conditions.", ["type", "status"], found.conditions.items()
        )
        yield _gauge(
            "certward_served_mismatches",
            "Domains whose certificate is at hand while the ingress shows something else.",
            found.mismatches,
        )
        yield _gauges(
            "certward_apps",
            "Apps by the TLS profile in force and the grade of what is served.",
            ["profile", "revision", "grade"],
            found.apps.items(),
        )
        yield _gauges(
            "certward_policy_conditions",
            "TLSPolicies by their conditions.",
            ["type", "status", "reason"],
            found.policies.items(),
        )
        yield _gauges(
            "certward_certificate_expiry_timestamp_seconds",
            "When the certificate that clients are shown expires; one series for each Domain.",
            ["namespace", "domain", "hostname"],
            ((each[:3], each.at) for each in found.expiries),
        )


def register(sources: Sources) -> None:
    """Have the state scraped along with the counters."""
    REGISTRY.register(StateCollector(sources))


def _or_infinite(limit: int | None) -> float:
    return math.inf if limit is None else limit


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _gauges(name: str, meaning: str, labels: list[str], values: Values) -> Metric:
    return _filled(GaugeMetricFamily(name, meaning, labels=labels), values)


def _counters(name: str, meaning: str, labels: list[str], values: Values) -> Metric:
    return _filled(CounterMetricFamily(name, meaning, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for of, value in sorted(values):
        family.add_metric(of, value)
    return family
