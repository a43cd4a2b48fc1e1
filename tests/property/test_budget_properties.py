"""The budget over generated histories: never more than a limit in any window, nobody starves, estimates hold."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from builders import DAY, NOW, domain
from certward.config.models import Config
from certward.model.resources import Key, format_time
from certward.plan.budget import Budget
from certward.plan.claims import Exemptions
from certward.plan.grants import Grants
from certward.plan.turns import OrderRequest, Urgency, urgency
from certward.plan.windows import Limit
from certward.runtime.ledger import Ledger
from shelf import NAMESPACE, Shelf

T = NOW.timestamp()
HOUR = 3600
WEEK = 7 * 24 * HOUR
LIMITS = {
    "ordersPer3h": 2,
    "certificatesPerRegisteredDomainPer7d": 2,
    "duplicatesPer7d": 1,
    "failuresPerHostnamePer1h": 1,
}
CONFIG = Config.model_validate({"issuers": [{"name": "ca", "directory": "https://ca.example/dir", "limits": LIMITS}]})
NAMES = ["x.a.com", "y.a.com", "z.a.com", "x.b.com"]
PAUSES = st.sampled_from([1, 61, 600, HOUR - 1, HOUR, 3 * HOUR - 1, WEEK - HOUR, WEEK - 1])


def most_in_a_window(times: Iterable[float], window: float) -> int:
    """The largest number of events in any window of that length, its end not included."""
    ordered = sorted(times)
    return max((sum(start <= at < start + window for at in ordered) for start in ordered), default=0)


class LedgerMachine(RuleBasedStateMachine):
    """What the CA would count, against what the ledger lets through.

    A kill loses what the ledger's documentation says that it loses: orders that failed and renewals since the last
    write. They are forgiven here.
    """

    @initialize(is_killed=st.booleans())
    def begin(self, is_killed):
        self.is_killed = is_killed  # either kills or clocks that are set; a clock set while nobody runs is not noticed
        self.true = T
        self.skew = 0.0
        self.shelf = Shelf()
        self.flushed = -1.0
        self.orders: dict[int, tuple[float, str]] = {}
        self.certificates: dict[int, tuple[float, str]] = {}
        self.failures: dict[int, tuple[float, str]] = {}
        self.unsafe: list[tuple[dict[int, tuple[float, str]], int]] = []
        self.granted: set[str] = set()
        self.open: dict[str, float] = {}
        self.status: dict[str, dict] = {}
        self.ledger = self._start()

    def _start(self):
        ledger = Ledger(CONFIG, self.shelf, NAMESPACE, clock=lambda: self.true + self.skew, monotonic=lambda: self.true)
        domains = [domain(name, hostname=name, status=status) for name, status in self.status.items()]
        ledger.load(domains)
        for name in self.open:
            ledger.resumed("ca", self._request(name))
        return ledger

    def _request(self, name):
        return OrderRequest(Key("Domain", "ns", name), (name,), NOW - DAY)

    def _key(self, name):
        return self._request(name).key

    def _wall(self):
        return format_time(datetime.fromtimestamp(self.true + self.skew, UTC))

    @rule(seconds=PAUSES)
    def time_passes(self, seconds):
        assume(seconds <= 61 or not self.granted)  # who is granted an order places it
        self.true += seconds

    @rule(name=st.sampled_from(NAMES))
    def ask(self, name):
        if name not in self.open and self.ledger.ask("ca", self._request(name)) is None:
            self.granted.add(name)

    @rule(name=st.sampled_from(NAMES), is_issued=st.sampled_from([True, False, None]))
    def order(self, name, is_issued):
        self.ask(name)
        if name in self.granted:
            self._place(name)
            if is_issued is not None:
                self._finish(name, is_issued=is_issued)

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def place(self, data):
        self._place(data.draw(st.sampled_from(sorted(self.granted))))

    def _place(self, name):
        self.granted.discard(name)
        number = len(self.orders) + 1
        self.orders[number] = (self.true, name)
        self.ledger.placed("ca", self._key(name))
        self.open[name] = number
        self.status.setdefault(name, {})["order"] = {"createdAt": self._wall(), "issuer": "ca"}

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def cancel(self, data):
        name = data.draw(st.sampled_from(sorted(self.granted)))
        self.granted.discard(name)
        self.ledger.cancelled("ca", self._key(name))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), is_issued=st.booleans())
    def finish(self, data, is_issued):
        self._finish(data.draw(st.sampled_from(sorted(self.open))), is_issued=is_issued)

    def _finish(self, name, *, is_issued):
        order = self.open.pop(name)
        status = self.status[name]
        del status["order"]
        if self.true - self.orders[order][0] >= WEEK:  # the CA keeps an open order for seven days
            self.ledger.failed("ca", self._key(name), is_validation=False)
        elif is_issued:
            self.certificates[len(self.certificates) + 1] = (self.true, name)
            if status.get("state") == "CertIssued":
                self.unsafe += [(self.orders, order), (self.certificates, len(self.certificates))]
            else:
                status["lastUpdated"] = self._wall()
            status |= {"state": "CertIssued", "certificate": {"source": "Automatic", "notBefore": self._wall()}}
            self.ledger.issued("ca", self._key(name))
        else:
            self.failures[len(self.failures) + 1] = (self.true, name)
            self.unsafe += [(self.orders, order), (self.failures, len(self.failures))]
            self.ledger.failed("ca", self._key(name), is_validation=True)

    @rule()
    def flush(self):
        before = len(self.shelf.writes)
        self.ledger.flush()
        if len(self.shelf.writes) > before:
            self.unsafe.clear()

    @rule()
    def restart(self):
        assume(not self.granted)
        self.ledger.flush(is_last=True)
        self.unsafe.clear()
        self.ledger = self._start()

    @precondition(lambda self: self.is_killed)
    @rule()
    def kill(self):
        for events, number in self.unsafe:
            events[number] = (float("-inf"), "")
        self.unsafe.clear()
        self.granted.clear()
        self.ledger = self._start()

    @precondition(lambda self: not self.is_killed)
    @rule(seconds=st.sampled_from([-90 * 24 * HOUR, -HOUR, -100, 100, HOUR, WEEK, 90 * 24 * HOUR]))
    def set_clock(self, seconds):
        self.skew += seconds
        self.ledger.usage()

    @invariant()
    def the_ca_has_nothing_to_refuse(self):
        if not hasattr(self, "orders"):
            return
        times = [at for at, _ in self.orders.values() if at > 0]
        assert most_in_a_window(times, 3 * HOUR) <= LIMITS["ordersPer3h"]
        for name in NAMES:
            mine = [at for at, of in self.certificates.values() if of == name]
            assert most_in_a_window(mine, WEEK) <= LIMITS["duplicatesPer7d"]
            failed = [at for at, of in self.failures.values() if of == name]
            assert most_in_a_window(failed, HOUR) <= LIMITS["failuresPerHostnamePer1h"]
        for registered in ("a.com", "b.com"):
            issued = [at for at, of in self.certificates.values() if of.endswith(registered)]
            assert most_in_a_window(issued, WEEK) <= LIMITS["certificatesPerRegisteredDomainPer7d"]


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)


def asking(name: str, namespace: str, *, age: int, left: float | None) -> OrderRequest:
    """A request of some age, with a certificate of which a part of its life is left, or without one."""
    dates = {}
    if left is not None:
        dates = {"not_before": NOW - 90 * DAY * (1 - left), "not_after": NOW + 90 * DAY * left}
    return OrderRequest(Key("Domain", namespace, name), (f"{name}.{namespace}.com",), NOW - age * DAY, **dates)


REQUESTS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 5), st.sampled_from([None, None, 0.3, 0.1, -0.1])),
    min_size=1,
    max_size=14,
).map(
    lambda given: [
        asking(f"d{number}", namespace, age=age, left=left) for number, (namespace, age, left) in enumerate(given)
    ]
)


def of(limit: int) -> Budget:
    return Budget(Grants({Limit.ORDERS: limit}, str, Exemptions()))


@given(REQUESTS, st.lists(st.integers(0, 13), max_size=6), st.randoms(use_true_random=False))
def test_nobody_waits_more_turns_than_there_are_namespaces_in_his_class(requests, withdrawn, random):
    budget = of(1)
    first = asking("first", "z", age=0, left=None)
    assert budget.ask(first, T) is None
    waiting = {each.key: each for each in requests}
    passed_over: dict[tuple[Urgency, str], int] = {}
    now = T + 1  # none of them has its turn yet, so they stand in line together
    while waiting:
        order = list(waiting.values())
        random.shuffle(order)
        pauses = []
        for each in order:
            classes = {key: urgency(other, now) for key, other in waiting.items()}
            pause = budget.ask(each, now)
            if pause is not None:
                pauses.append(pause.total_seconds())
                continue
            rank = classes[each.key]
            assert rank is min(classes.values()), "expiring before new"
            present = {key.namespace for key, other in classes.items() if other is rank}
            for namespace in present - {each.key.namespace}:
                passed_over[rank, namespace] = passed_over.get((rank, namespace), 0) + 1
                assert passed_over[rank, namespace] < len({one.key.namespace for one in requests})
            passed_over[rank, each.key.namespace] = 0
            del waiting[each.key]
            if withdrawn and (gone := requests[withdrawn.pop() % len(requests)].key) in waiting:
                budget.withdraw(gone)
                del waiting[gone]
        now += min(pauses, default=1.0)
        assert now < T + (len(requests) + 1) * 4 * HOUR, "one is served in each window"


@given(REQUESTS, st.integers(1, 4))
def test_estimates_hold_and_seldom_change_when_nobody_else_comes(requests, limit):
    budget = of(limit)
    told: dict[Key, list[datetime]] = {each.key: [] for each in requests}
    waiting = {each.key: each for each in requests}
    now, rounds = T, 0
    while waiting:
        pauses = []
        for each in waiting.values():
            pause = budget.ask(each, now)
            if pause is not None:
                pauses.append(pause.total_seconds())
        for key in list(waiting):  # once more, when every one of them stands in line
            expected = budget.told(key)[0]
            if budget.orders.is_granted(key):
                budget.orders.placed(key, now)
                budget.orders.failed(key, now, is_validation=False)
                at = datetime.fromtimestamp(now, UTC)
                assert all(at <= each + timedelta(hours=6) for each in told[key]), "off by a step at most"
                assert all(at <= each + timedelta(minutes=10) for each in told[key][-1:])
                del waiting[key]
            elif expected is not None and rounds:
                told[key].append(expected)
                assert expected.second == expected.minute % 10 == 0
                assert len(set(told[key])) <= 5
        rounds += 1
        now += min(pauses, default=1.0) if rounds > 1 else 1.0
        assert now < T + (len(requests) // limit + 2) * 4 * HOUR, "all have had their turn"
