"""Which of two CAs is asked for whom, by what the first has said or failed to say."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from certward.config.models import Config
from certward.errors import RateLimited, Rejected, Transient
from certward.model.resources import Key
from certward.plan.turns import OrderRequest
from certward.runtime import troubles as module
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Memory
from certward.runtime.troubles import Troubles
from shelf import NAMESPACE, Shelf

BOTH = ("le", "second")
ALL = "Error creating new order :: too many new orders (300) from this account in the last 3h0m0s"
OF_NAMES = "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s"
OF_DOMAIN = 'too many certificates (50) already issued for "example.com" in the last 168h0m0s'
CONFIG = Config.model_validate(
    {
        "issuers": [
            {"name": "le", "directory": "https://acme-v02.api.letsencrypt.org/directory"},
            {"name": "second", "directory": "https://ca.example/dir"},
        ]
    }
)


class World:
    """Two CAs and the clock; each hostname stands for its Domain."""

    def __init__(self):
        self.shelf = Shelf()
        self.uptime = 5000.0
        self.begun = datetime.now(UTC) - timedelta(seconds=self.uptime)
        self.memories = {}
        self.begin()

    def begin(self):
        """The process begins, and knows what the one before it has kept."""
        self.ledger = Ledger(CONFIG, self.shelf, NAMESPACE, clock=self.clock, monotonic=self.monotonic)
        self.ledger.load()
        self.troubles = Troubles(self.ledger)
        self.memories.clear()

    @property
    def now(self):
        return self.begun + timedelta(seconds=self.uptime)

    def clock(self):
        return self.now.timestamp()

    def monotonic(self):
        return self.uptime

    def memory(self, hostname):
        return self.memories.setdefault(hostname, Memory())

    def request(self, hostname):
        return OrderRequest(Key("Domain", "team", hostname), (hostname,), self.begun)

    def asked(self, hostname, *, open_at=""):
        return self.troubles.choose(
            BOTH, open_at, self.memory(hostname), lambda _: self.request(hostname), is_open=bool(open_at)
        )

    def refused(self, hostname, words, **wait):
        """The first CA takes no order for a hostname, and says so."""
        request = self.request(hostname)
        assert self.ledger.ask("le", request) is None
        limit = RateLimited("RateLimited", f"It says: {words}", until=self.now + timedelta(**wait))
        self.ledger.rate_limited("le", request.key, limit.until, limit.message)
        self.troubles.note("le", limit, self.memory(hostname), began=self.uptime)

    def fails(self, hostname, failure):
        self.troubles.note("le", failure, self.memory(hostname), began=self.uptime)


@pytest.fixture
def world(monkeypatch):
    made = World()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr(module, "datetime", SimpleNamespace(now=lambda _: made.now))
    return made


def test_the_first_is_asked_where_nothing_is_amiss(world):
    assert world.asked("a.example.com") == "le"


@pytest.mark.parametrize(
    ("words", "concerned"),
    [
        pytest.param(OF_NAMES, {"a.example.com"}, id="one set of names"),
        pytest.param(OF_DOMAIN, {"a.example.com", "b.example.com"}, id="one registered domain"),
        pytest.param(ALL, {"a.example.com", "b.example.com", "c.example.net"}, id="the account"),
    ],
)
def test_whom_a_limit_concerns_goes_to_the_second_and_nobody_else_does(world, words, concerned):
    world.refused("a.example.com", words, hours=34)
    hosts = ("a.example.com", "b.example.com", "c.example.net")
    assert {each for each in hosts if world.asked(each) == "second"} == concerned
    for each in concerned:
        assert words in world.troubles.with_issuer("le", world.memory(each), world.request(each))
    world.uptime += 34 * 3600 + 2
    assert {world.asked(each) for each in hosts} == {"le"}


def test_a_limit_does_not_end_an_order_that_is_open(world):
    world.refused("a.example.com", ALL, hours=3)
    assert world.asked("b.example.com", open_at="le") == "le"


def test_a_limit_lasts_though_orders_that_were_open_give_certificates(world):
    world.refused("a.example.com", ALL, hours=3)
    world.troubles.over("le")
    assert world.asked("c.example.net") == "second"


def test_a_limit_lasts_though_the_ca_is_away_for_a_moment(world):
    world.refused("a.example.com", ALL, hours=3)
    world.fails("b.example.com", Transient("CAUnavailable", "It does not answer."))
    assert world.asked("c.example.net") == "second"


def test_a_limit_lasts_over_a_restart(world):
    world.refused("a.example.com", ALL, hours=3)
    world.ledger.flush(is_last=True)
    world.begin()
    assert world.asked("c.example.net") == "second"
    assert "no orders like this one" in world.troubles.with_issuer(
        "le", world.memory("c.example.net"), world.request("c.example.net")
    )


def test_who_is_told_to_wait_for_seconds_waits(world):
    world.refused("a.example.com", ALL, seconds=3)
    assert {world.asked("a.example.com"), world.asked("b.example.com")} == {"le"}


def test_a_ca_that_is_away_for_longer_is_passed_over_by_all_until_it_issues(world):
    for _ in range(3):
        world.fails("a.example.com", Transient("CAUnavailable", "It does not answer."))
        assert world.asked("b.example.com") == "le"
        world.uptime += 8
    world.fails("a.example.com", Transient("CAUnavailable", "It does not answer."))
    assert {world.asked("b.example.com"), world.asked("c.example.net", open_at="le")} == {"second"}
    world.troubles.over("le")
    assert world.asked("b.example.com") == "le"


def test_who_is_refused_goes_to_the_second_alone_and_for_an_hour(world):
    world.fails("a.example.com", Rejected("CAAForbids", "CAA records forbid it."))
    assert (world.asked("a.example.com"), world.asked("b.example.com")) == ("second", "le")
    world.uptime += 3601
    assert world.asked("a.example.com") == "le"


def test_where_none_can_issue_the_one_that_is_asked_stays(world):
    world.refused("a.example.com", ALL, hours=3)
    for issuer in BOTH:
        world.troubles.note(issuer, Rejected("CARejected", "No."), world.memory("a.example.com"), began=world.uptime)
    assert world.asked("a.example.com") == "le"
    assert world.asked("a.example.com", open_at="second") == "second"
