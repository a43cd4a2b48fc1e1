"""Ledgers of several replicas over generated histories: together they never use more than the account may."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from builders import DAY, NOW
from certward.config.models import Config
from certward.model.resources import Key
from certward.plan.shards import shard_of
from certward.plan.turns import OrderRequest
from certward.runtime.ledger import Ledger
from certward.runtime.ledger_keeping import WRITE_SECONDS
from shelf import NAMESPACE, Shelf

HOUR = 3600
ORDERS, OF_DOMAIN = 7, 5
NAMESPACES = [f"team-{number}" for number in range(12)]
#: Written by one and read by the other.
HEARD = 2 * WRITE_SECONDS + 2


def config(shards):
    limits = {"ordersPer3h": ORDERS, "certificatesPerRegisteredDomainPer7d": OF_DOMAIN}
    issuer = {"name": "ca", "directory": "https://ca.example/dir", "limits": limits}
    return Config.model_validate({"issuers": [issuer], "shards": shards})


class Replicas(RuleBasedStateMachine):
    """Two replicas, each with some of the shards; shards go from one to the other, and their number changes."""

    @initialize(shards=st.sampled_from([1, 2, 4]))
    def begin(self, shards):
        self.now, self.shelf, self.count = NOW.timestamp(), Shelf(), 0
        self.orders: list[float] = []
        self.issued: list[tuple[float, str]] = []
        self._start(shards)

    def _start(self, shards):
        self.shards = shards
        self.replicas = [
            Ledger(config(shards), self.shelf, NAMESPACE, clock=lambda: self.now, monotonic=lambda: self.now)
            for _ in range(2)
        ]
        self.of = {shard: self.replicas[shard % 2] for shard in range(shards)}
        for shard, ledger in self.of.items():
            ledger.load((), shard)
            ledger.flush()  # what stood there of another number of shards is overwritten before the next one reads it

    def _pass(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + WRITE_SECONDS + 1, end)
            for ledger in set(self.of.values()):
                ledger.flush()

    @rule(seconds=st.sampled_from([HEARD, 600, HOUR, 3 * HOUR - 1]))
    def time_passes(self, seconds):
        self._pass(seconds)

    @rule(namespace=st.sampled_from(NAMESPACES), times=st.integers(1, 4), is_one_domain=st.booleans())
    def order(self, namespace, times, is_one_domain):
        ledger = self.of[shard_of(namespace, self.shards)]
        for _ in range(times):
            self.count += 1
            domain = "one.com" if is_one_domain else f"d{self.count}.com"
            key = Key("Domain", namespace, f"d{self.count}")
            request = OrderRequest(key, (f"h{self.count}.{domain}",), NOW - DAY)
            if ledger.ask("ca", request) is None:
                ledger.placed("ca", key)
                ledger.issued("ca", key)
                self.orders.append(self.now)
                self.issued.append((self.now, domain))
            else:
                ledger.withdraw(key)
        window = [at for at in self.orders if at > self.now - timedelta(hours=3).total_seconds()]
        assert len(window) <= ORDERS
        week = [at for at, domain in self.issued if domain == "one.com" and at > self.now - 7 * 24 * HOUR]
        assert len(week) <= OF_DOMAIN
        self._pass(HEARD)

    @rule(data=st.data())
    def hand_over(self, data):
        shard = data.draw(st.integers(0, self.shards - 1))
        giver = self.of[shard]
        if self.shards == 1:
            return
        giver.leave(shard)
        self.of[shard] = next(each for each in self.replicas if each is not giver)
        self.of[shard].load((), shard)

    @rule(shards=st.sampled_from([1, 2, 3, 4, 7]))
    def change_the_number_of_shards(self, shards):
        for ledger in self.replicas:
            ledger.flush(is_last=True)
        self._start(shards)


Replicas.TestCase.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
TestReplicas = Replicas.TestCase
