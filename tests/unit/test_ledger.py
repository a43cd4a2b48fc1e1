"""The ledger: kept once a minute, taken over, merged, and never a reason to fall."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from builders import DAY, NOW, domain
from certward.config.models import Config
from certward.errors import Rejected, Transient
from certward.model.resources import Key, format_time
from certward.plan.shards import shard_of
from certward.plan.turns import OrderRequest
from certward.runtime.ledger import Ledger
from certward.runtime.ledger_keeping import WRITE_SECONDS
from certward.runtime.metrics import ORDERS_ENDED
from certward.runtime.registered import registered_domain
from shelf import NAMESPACE, Shelf

CONFIG = Config.model_validate(
    {
        "issuers": [
            {"name": "le", "directory": "https://acme-v02.api.letsencrypt.org/directory"},
            {"name": "own", "directory": "https://ca.example/dir"},
        ]
    }
)


class World:
    """A shelf and a clock."""

    def __init__(self):
        self.shelf = Shelf()
        self.now = NOW.timestamp()
        self.uptime = 5000.0

    def ledger(self, config=CONFIG, domains=()):
        made = Ledger(config, self.shelf, NAMESPACE, clock=lambda: self.now, monotonic=lambda: self.uptime)
        made.load(domains)
        return made

    def passes(self, seconds):
        self.now += seconds
        self.uptime += seconds


@pytest.fixture
def world() -> World:
    return World()


def request(name, namespace="a", **changes):
    return OrderRequest(Key("Domain", namespace, name), (f"{name}.example.com",), NOW - DAY, **changes)


def order(ledger, name, issuer="le"):
    asked = request(name)
    assert ledger.ask(issuer, asked) is None
    ledger.placed(issuer, asked.key)
    ledger.issued(issuer, asked.key)


def test_it_is_written_at_most_once_a_minute_and_only_when_something_changed(world):
    ledger = world.ledger()
    ledger.flush()
    ledger.flush(is_last=True)
    assert world.shelf.writes == []
    for number in range(40):
        order(ledger, str(number))
        ledger.flush()
        world.passes(3)
    assert len(world.shelf.writes) == 2
    world.passes(WRITE_SECONDS)
    ledger.flush()
    ledger.flush()
    world.passes(WRITE_SECONDS)
    ledger.flush()
    assert len(world.shelf.writes) == 3
    assert sum(world.shelf.ledger()["orders"][""].values()) == 40


def test_the_next_one_goes_on_with_what_was_kept(world):
    ledger = world.ledger()
    order(ledger, "x")
    ledger.rate_limited("own", request("y").key, NOW + timedelta(hours=2))
    ledger.flush(is_last=True)
    world.passes(5)
    after = world.ledger()
    assert after.usage()["le"].orders_left == 299
    assert after.usage()["own"].orders_left is None
    assert after.ask("own", request("z")) is not None
    assert after.ask("le", request("z")) is None


def test_what_one_shard_was_told_to_wait_for_holds_for_all_of_the_replica(world):
    config = CONFIG.model_copy(update={"shards": 2})
    ledger = world.ledger(config)
    ledger.load((), 1)
    one, other = (next(f"team-{n}" for n in range(99) if shard_of(f"team-{n}", 2) == shard) for shard in (0, 1))
    ledger.rate_limited("own", request("x", one).key, NOW + timedelta(hours=2))
    assert ledger.ask("own", request("y", other)) is not None
    world.passes(2 * 3600 + 2)
    assert ledger.ask("own", request("y", other)) is None


def test_what_was_not_kept_is_found_in_the_domains(world):
    ledger = world.ledger()
    order(ledger, "x")
    ledger.flush()
    world.passes(10)
    at = format_time(NOW + timedelta(seconds=10))
    placed = domain("y", hostname="y.example.com", status={"order": {"createdAt": at, "issuer": "le"}})
    done = domain(
        "z",
        hostname="z.example.com",
        status={"state": "CertIssued", "lastUpdated": at, "certificate": {"source": "Automatic"}},
    )
    after = world.ledger(domains=[placed, done])
    assert after.usage()["le"].orders_left == 297
    assert world.ledger(domains=[placed, done]).usage()["le"].orders_left == 297


def test_after_a_clean_stop_nothing_is_counted_twice(world):
    ledger = world.ledger()
    order(ledger, "x")
    at = format_time(NOW)
    done = domain(status={"state": "CertIssued", "lastUpdated": at, "certificate": {"source": "Automatic"}})
    ledger.flush()
    world.passes(10)
    ledger.flush(is_last=True)
    assert world.ledger(domains=[done]).usage()["le"].orders_left == 299


@pytest.mark.parametrize(
    ("stored", "is_overwritten"),
    [
        pytest.param({"metadata": {"labels": {}}, "data": {"mine": "x"}}, False, id="somebody else's"),
        pytest.param({"data": {"ledger.json": "{"}}, True, id="cut off"),
        pytest.param({"data": None}, True, id="empty"),
        pytest.param({"data": {"other": "x"}}, True, id="another key"),
    ],
)
def test_content_that_cannot_be_used_is_warned_of_and_no_more(world, caplog, stored, is_overwritten):
    metadata = {"labels": {"app.kubernetes.io/managed-by": "certward"}, "resourceVersion": "7"}
    world.shelf.maps["certward-budget-le"] = {**stored, "metadata": metadata | stored.get("metadata", {})}
    with caplog.at_level(logging.WARNING):
        ledger = world.ledger()
    assert "certward-budget-le" in caplog.text
    order(ledger, "x")
    ledger.flush()
    assert bool(world.shelf.writes) == is_overwritten
    assert ledger.usage()["le"].orders_left == 299


def issued(issuer):
    """How many orders are counted as issued."""
    samples = (sample for metric in ORDERS_ENDED.collect() for sample in metric.samples)
    wanted = {"issuer": issuer, "outcome": "issued"}
    return sum(each.value for each in samples if each.name.endswith("_total") and each.labels == wanted)


def test_an_order_is_counted_once_however_often_its_certificate_cannot_be_kept(world):
    ledger, before = world.ledger(), issued("le")
    order(ledger, "x")
    for _ in range(3):
        ledger.issued("le", request("x").key)  # the Secret cannot be written; it is tried again with the same order
    assert issued("le") == before + 1
    order(ledger, "x")
    ledger.resumed("le", request("y"))
    ledger.issued("le", request("y").key)
    assert issued("le") == before + 3


def test_two_writers_lose_nothing(world):
    first = world.ledger()
    order(first, "x")
    first.flush()
    second = world.ledger()
    order(second, "y")
    second.flush()
    world.passes(WRITE_SECONDS)
    order(first, "z")
    first.flush()
    assert sum(world.shelf.ledger()["orders"][""].values()) == 3
    assert first.usage()["le"].orders_left == 297
    del world.shelf.maps["certward-budget-le"]  # somebody deletes it
    world.passes(WRITE_SECONDS)
    order(first, "more")
    first.flush()
    assert sum(world.shelf.ledger()["orders"][""].values()) == 4


@pytest.mark.parametrize("error", [Transient("APIServerUnavailable", "away"), Rejected("Forbidden", "no")])
def test_a_write_that_fails_is_tried_again_and_stops_nobody(world, error):
    ledger = world.ledger()
    order(ledger, "x")
    world.shelf.error = error
    ledger.flush()
    assert ledger.ask("le", request("y")) is None
    world.shelf.error = None
    ledger.flush()
    assert world.shelf.writes == []
    world.passes(WRITE_SECONDS)
    ledger.flush()
    assert len(world.shelf.writes) == 1


def test_without_the_api_server_nobody_begins_to_work(world):
    world.shelf.error = Transient("APIServerUnavailable", "away")
    with pytest.raises(Transient):
        world.ledger()


def test_without_the_right_to_read_it_works_from_memory(world):
    world.shelf.error = Rejected("Forbidden", "no")
    ledger = world.ledger()
    world.shelf.error = None
    order(ledger, "x")
    ledger.flush()
    assert world.shelf.writes == []


@pytest.mark.parametrize("jump", [-400 * 86400, -3600, -40, 40, 3 * 3600, 400 * 86400])
def test_a_clock_that_is_set_changes_no_age(world, jump, caplog):
    ledger = world.ledger()
    for number in range(50):
        order(ledger, str(number))
    assert ledger.ask("le", request("more")) is not None  # 50 of the registered domain
    world.passes(3600)
    world.now += jump
    with caplog.at_level(logging.WARNING):
        assert ledger.ask("le", request("more")) is not None
    assert "clock" in caplog.text
    assert ledger.usage()["le"].orders_left == 250
    world.passes(7 * 86400 - 2 * 3600)
    assert ledger.ask("le", request("more")) is not None
    ledger.flush()
    world.passes(4 * 3600)
    assert ledger.ask("le", request("more")) is None


def test_a_request_is_made_at_one_issuer_at_a_time(world):
    ledger = world.ledger()
    for number in range(50):
        order(ledger, str(number))
    ledger.ask("le", request("more"))
    assert ledger.usage()["le"].waiting == 1
    assert ledger.told("le", request("more"))[1].startswith("The CA issues only so many certificates for example.com")
    assert ledger.ask("own", request("more")) is None
    assert ledger.usage()["le"].waiting == 0
    assert ledger.estimate("le", request("more").key) is None


def test_an_issuer_that_is_not_configured_has_no_budget(world):
    ledger = world.ledger()
    assert ledger.ask("gone", request("x")) is None
    ledger.placed("gone", request("x").key)
    ledger.rate_limited("gone", request("x").key, NOW)
    assert ledger.told("gone", request("x")) == (None, "")


def test_many_threads_never_get_more_than_there_is(world):
    limits = {"ordersPer3h": 100, "certificatesPerRegisteredDomainPer7d": 30}
    issuers = [{"name": "le", "directory": "https://ca.example/dir", "limits": limits}]
    ledger = world.ledger(Config.model_validate({"issuers": issuers}))
    begin = threading.Barrier(8)

    def work(number):
        granted = []
        begin.wait(10)
        for turn in range(60):
            hostname = f"d{turn}.example{number}.com"
            asked = OrderRequest(Key("Domain", f"ns{number}", f"d{turn}"), (hostname,), NOW - DAY)
            if ledger.ask("le", asked) is None:
                granted.append(asked.key)
                ledger.placed("le", asked.key)
                if turn % 3:
                    ledger.issued("le", asked.key)
                else:
                    ledger.failed("le", asked.key, is_validation=True)
            for key in ledger.due():
                ledger.estimate("le", key)
            if turn % 5 == 0:
                ledger.flush()
        return granted

    with ThreadPoolExecutor(8) as pool:
        granted = [key for keys in pool.map(work, range(8)) for key in keys]
    assert len(granted) == len(set(granted)) == 100
    assert ledger.usage()["le"].orders_left == 0
    assert ledger.usage()["le"].open == 0


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("www.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("*.example.com", "example.com"),
        ("example.com", "example.com"),
        ("x.github.io", "x.github.io"),
        ("github.io", "github.io"),
        ("shop.team-a.test", "team-a.test"),
    ],
)
def test_registered_domain(hostname, expected):
    assert registered_domain(hostname) == expected
