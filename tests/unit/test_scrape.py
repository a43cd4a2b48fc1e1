"""What is told at /metrics: of the cluster as a whole by the replica that works and by no other."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from builders import NOW, domain, observed, proof, secret
from certward.acme.http01 import Answerer
from certward.config.models import Config
from certward.kube.cache import Cache
from certward.plan.domain import decide
from certward.runtime import scrape
from certward.runtime.holding import Holding
from certward.runtime.issuers import Issuers
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.queue import WorkQueue
from shelf import NAMESPACE, Shelf
from thumbprints import by_hostname

CONFIG = Config.model_validate(
    {
        "issuers": [
            {"name": "le", "directory": "https://acme-v02.api.letsencrypt.org/directory"},
            {"name": "own", "directory": "https://ca.example/dir"},
        ]
    }
)


class Counted(Shelf):
    """An API server that has been asked."""

    requests = {("GET", "Secret", 200): 3, ("PATCH", "Domain", 0): 1}  # noqa: RUF012 - never changed


def holding(*, shards=1, begun=(0,), held=(0,)):
    """What a replica works on."""
    made = Holding(SimpleNamespace(holds=lambda shard: shard in held), shards)
    for shard in begun:
        made.begin(shard)
    return made


@pytest.fixture
def sources():
    client, cache = Counted(), Cache()
    status = decide(observed(secret=secret(), proof=proof()), NOW).status
    cache.put(domain(status=status))
    cache.put(domain("new"))
    return scrape.Sources(
        answerer=Answerer("127.0.0.1", 0, by_hostname({})),
        cache=cache,
        client=client,
        issuers=Issuers(CONFIG, client, namespace=NAMESPACE),
        lease=Leadership(client, namespace=NAMESPACE, replica="a", on_lost=lambda: None),
        ledger=Ledger(CONFIG, client, NAMESPACE),
        queue=WorkQueue(),
        synced_age=lambda: 7.0,
        unseen=lambda: 3,
        holding=holding(),
    )


def scraped(sources):
    """Series -> value, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(scrape.StateCollector(sources))
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_replica_that_works_tells_all(sources):
    told = scraped(sources)
    assert told["certward_leader"] == 1
    assert told["certward_synced_age_seconds"] == 7
    assert told['certward_api_requests_total{kind="Secret",status="200",verb="GET"}'] == 3
    assert told['certward_api_requests_total{kind="Domain",status="0",verb="PATCH"}'] == 1
    assert told['certward_domains{reason="",state="CertIssued"}'] == 1
    assert told['certward_domains{reason="",state=""}'] == 1
    assert told["certward_served_mismatches"] == 0
    assert told['certward_ca_orders_limit{issuer="le"}'] == told['certward_ca_orders_left{issuer="le"}'] == 300
    assert told['certward_ca_orders_left{issuer="own"}'] == float("inf")
    assert told['certward_ca_held_until_timestamp_seconds{issuer="le"}'] == 0
    expiry = 'certward_certificate_expiry_timestamp_seconds{domain="www",hostname="www.example.com",namespace="team-a"}'
    assert told[expiry] == 1803124800


def test_a_replica_that_stands_by_tells_of_itself_only(sources):
    told = scraped(replace(sources, holding=holding(begun=())))
    assert told["certward_leader"] == 0
    assert told["certward_lease_age_seconds"] == float("inf")
    names = {re.match(r"\w+", series).group() for series in told}
    assert names == {
        "certward_build_info",
        "certward_leader",
        "certward_shards",
        "certward_shards_held",
        "certward_lease_age_seconds",
        "certward_synced_age_seconds",
        "certward_challenge_requests_total",
        "certward_api_requests_total",
    }


def test_while_the_api_server_is_away_what_was_known_is_told(sources):
    told = scraped(replace(sources, holding=holding(held=())))
    assert told["certward_leader"] == 0
    assert told['certward_domains{reason="",state="CertIssued"}'] == 1


def test_of_two_that_work_one_tells_of_the_cluster_and_each_of_what_it_works_on(sources):
    first = scraped(replace(sources, holding=holding(shards=4, begun=(0, 2), held=(0, 2))))
    second = scraped(replace(sources, holding=holding(shards=4, begun=(1, 3), held=(1,))))
    assert (first["certward_leader"], second["certward_leader"]) == (1, 0)
    assert (first["certward_shards_held"], second["certward_shards_held"]) == (2, 1)
    assert first["certward_shards"] == second["certward_shards"] == 4
    assert "certward_served_mismatches" in first
    assert "certward_served_mismatches" not in second
    assert "certward_queue_age_seconds" in second


def test_a_domain_has_one_series(sources):
    before = scraped(sources)
    for number in range(50):
        sources.cache.put(domain(f"d{number}", status=sources.cache.domain("team-a", "www").status))
    assert len(scraped(sources)) == len(before) + 50
