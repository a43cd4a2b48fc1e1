"""What a CA on a bad day costs: time, and nothing else. No order, key or request more than its trouble calls for."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from cluster.handle import Cluster
from cluster.pki import Pki
from faulty.faults import ENDING, HARMLESS, HOLDING, LOSING, Chance, Fault, Kind, Peace, Script, Sequence, Strike
from faulty.journal import Journal
from faulty.proxy import ELSEWHERE, RETRY_AFTER, Proxy
from faulty.watching import Statuses, Told
from integration import observer

DOMAINS = observer.setting("CERTWARD_TEST_FAULTY_DOMAINS", 40)
#: Requests with trouble, in percent.
PERCENT = observer.setting("CERTWARD_TEST_FAULTY_PERCENT", 15)
SEED = observer.setting("CERTWARD_TEST_SEED", 20261123)
#: Seconds in which a request may have been on its way when another one was answered with a Retry-After.
IN_FLIGHT = 0.75
#: Seconds of a Retry-After that outlasts what an issuance takes.
LONGER = 7
#: An ingress that has not taken up the challenge's route yet, which is no trouble of the CA's.
SLOW_INGRESS = ("Failing", "ChallengeUnreachable")
#: What concerns one order, in the order of an issuance.
OF_AN_ORDER = (Kind.NEW_ORDER, Kind.AUTHZ, Kind.CHALLENGE, Kind.ORDER, Kind.FINALIZE, Kind.CERT)


@dataclass(frozen=True)
class Case:
    """One fault, once, in the issuance of one Domain."""

    name: str
    kind: Kind
    fault: Fault


# A Retry-After to newOrder concerns the whole account, so it has tests of its own.
_WHERE: dict[Fault, tuple[Kind, ...]] = {
    **dict.fromkeys(LOSING, OF_AN_ORDER),
    Fault.BAD_NONCE: (Kind.NEW_ORDER, Kind.FINALIZE),
    Fault.SPOILT_NONCE: (Kind.NEW_ORDER, Kind.CHALLENGE),
    Fault.EMPTY_NONCE: (Kind.AUTHZ, Kind.ORDER),
    Fault.DRIP: (Kind.NEW_ORDER, Kind.CERT),
    Fault.AT_ONCE: (Kind.AUTHZ, Kind.ORDER),
    Fault.RATE_LIMITED_SECONDS: (Kind.FINALIZE, Kind.ORDER),
    Fault.RATE_LIMITED_DATE: (Kind.AUTHZ, Kind.CERT),
    Fault.TOO_MANY_SECONDS: (Kind.CHALLENGE,),
    Fault.TOO_MANY_DATE: (Kind.FINALIZE,),
    Fault.BUSY: (Kind.CERT, Kind.ORDER),
    Fault.UNAVAILABLE: (Kind.NEW_ORDER, Kind.AUTHZ),
    Fault.SERVER_INTERNAL: (Kind.NEW_ORDER, Kind.FINALIZE),
    Fault.REDIRECT: (Kind.CHALLENGE, Kind.CERT),
    Fault.RESET_BEFORE: (Kind.NEW_ORDER, Kind.FINALIZE),
    Fault.NO_ACCOUNT: (Kind.NEW_ORDER,),
    Fault.ORDER_INVALID: (Kind.ORDER, Kind.FINALIZE),
    Fault.WRONG_KEY: (Kind.CERT,),
    Fault.WRONG_NAME: (Kind.CERT,),
    Fault.ANOTHERS: (Kind.CERT,),
    Fault.PASSED_WINDOW: (),  # costs orders, in test_reissues
}
CASES = [
    Case(f"{kind.lower()}-{number:02}", kind, fault) for number, fault in enumerate(Fault) for kind in _WHERE[fault]
]


@pytest.fixture(scope="module")
def behind(cluster: Cluster) -> Iterator[Proxy]:
    """The operator's issuer is reached through the proxy."""
    env, pki = cluster.env, Pki(cluster.state.pki)
    issuer = yaml.safe_load(Path(env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"][0]
    upstream = env["CLUSTER_ACME_DIRECTORY"].removesuffix("/dir")
    with Proxy(upstream, ca=pki.ca, certificate=pki.both("pebble")) as proxy:
        cluster.up(patch={"issuers": [{**issuer, "directory": proxy.directory}]})
        yield proxy
        proxy.plan = Peace()
        cluster.up()


@pytest.fixture
def faulty(behind: Proxy) -> Iterator[Proxy]:
    """The proxy with nothing in its journal and no trouble planned."""
    behind.plan, behind.journal, behind.retry_after = Peace(), Journal(), RETRY_AFTER
    yield behind
    behind.plan = Peace()


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, behind: Proxy) -> str:
    """An App; the Domains of single tests come into it one by one."""
    assert behind
    return observer.new_shop(cluster, "faulty")


def refresh(cluster: Cluster, namespace: str, name: str) -> None:
    """Ask for a certificate now, whatever was to be waited for."""
    body = {"metadata": {"annotations": {"certward.dev/refresh": str(time.time_ns())}}}
    api = client.CustomObjectsApi(cluster.api)
    api.patch_namespaced_custom_object("certward.dev", "v1alpha1", namespace, "domains", name, body)


def is_over(told: Told) -> bool:
    """Whether a status says that the CA ended the order and when the next one is placed."""
    return (told.state, told.reason) == ("Failing", "OrderInvalid") and told.next_attempt is not None


def until_issued(cluster: Cluster, namespace: str, names: list[str], statuses: Statuses, timeout: float) -> list[Told]:
    """Wait until all are issued; orders that the CA ended are placed anew at once. Returns what was said of those."""
    hurried: dict[str, Told] = {}

    def hurry() -> bool:
        for name in names:
            told = next(filter(is_over, statuses.of(name)), None)
            if told and name not in hurried:
                hurried[name] = told
                refresh(cluster, namespace, name)
        last = statuses.last()
        return all(name in last and observer.is_settled(last[name]) for name in names)

    try:
        cluster.wait_for(hurry, timeout, "all issued", ignore=(client.ApiException,))
    except AssertionError:
        observer.until_settled(cluster, namespace, names, 1)  # which names those that are not
    return list(hurried.values())


def assert_in_order(faulty: Proxy) -> None:
    """What holds whatever the CA does."""
    journal = faulty.journal
    assert not journal.keys_of_several_orders()
    assert not journal.needless_orders()
    assert not [one for one in journal.requests() if one.path.startswith(ELSEWHERE) and one.method == "POST"]


def assert_kept_as_issued(cluster: Cluster, namespace: str, names: list[str], faulty: Proxy) -> None:
    """Each Secret holds the whole chain of an order that the CA did not end, and it is served."""
    roots = observer.roots(cluster)
    for name in names:
        hostname = observer.hostname(name, namespace)
        assert what_is_kept(cluster, namespace, name) in of_good_orders(faulty.journal, hostname), name
        assert observer.https_status(cluster, hostname, roots) == 200, name


def what_is_kept(cluster: Cluster, namespace: str, name: str) -> str:
    """The chain in a Domain's Secret."""
    return observer.secret(cluster, namespace, f"{name}-tls")["tls.crt"].decode().strip()


def of_good_orders(journal: Journal, hostname: str) -> list[str]:
    """The chains that the CA gave for a hostname, but for orders that it ended."""
    return [one.chain.decode().strip() for one in journal.orders(hostname) if not one.is_ended]


# One fault at a time.


@dataclass(frozen=True)
class Outcome:
    """What the single faults have led to."""

    namespace: str
    journal: Journal
    statuses: Statuses
    kept: dict[str, str]

    def requests(self, case: Case, kind: Kind) -> list[float]:
        """When requests of a kind came for the Domain of a case."""
        hostname = observer.hostname(case.name, self.namespace)
        return [one.at for one in self.journal.requests(hostname, kind)]


@pytest.fixture(scope="module")
def outcome(cluster: Cluster, behind: Proxy) -> Outcome:
    """A Domain for each case, all at once."""
    namespace, names = observer.new_shop(cluster, "singly"), [case.name for case in CASES]
    behind.journal = journal = Journal()
    behind.plan = Script(Strike(one.kind, one.fault, observer.hostname(one.name, namespace)) for one in CASES)
    refuted, begun = observer.CALog(cluster), time.monotonic()
    with Statuses(cluster, namespace) as statuses:
        observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
        until_issued(cluster, namespace, names, statuses, 120)
    assert not refuted.refuted(), "a validation failed, which is no trouble of this test's making"
    print(f"\n{len(names)} issued with one fault each in {time.monotonic() - begun:.1f} s")
    behind.plan = Peace()
    return Outcome(namespace, journal, statuses, {name: what_is_kept(cluster, namespace, name) for name in names})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.fault}")
def test_one_fault_costs_what_it_has_to(outcome: Outcome, case: Case) -> None:
    hostname = observer.hostname(case.name, outcome.namespace)
    at = outcome.requests(case, case.kind)
    troubles = {(told.state, told.reason) for told in outcome.statuses.of(case.name) if told.failures}
    troubles.discard(SLOW_INGRESS)
    injected = [one.fault for one in outcome.journal.requests(hostname) if one.fault]
    orders = outcome.journal.orders(hostname)

    assert injected == [case.fault]
    assert outcome.kept[case.name] in of_good_orders(outcome.journal, hostname)
    assert troubles == expected_troubles(case.fault)
    is_lost = case.kind is Kind.NEW_ORDER and case.fault in LOSING
    assert len(orders) == (2 if is_lost or case.fault in ENDING else 1)
    for kind in OF_AN_ORDER:
        # How often an order and its authorization are looked at depends on how long the CA takes.
        if kind not in (Kind.ORDER, Kind.AUTHZ) and case.fault not in ENDING:
            is_again = kind is case.kind and (case.fault not in HARMLESS or case.fault is Fault.BAD_NONCE)
            assert len(outcome.requests(case, kind)) == (2 if is_again else 1), kind
    if case.fault is Fault.BAD_NONCE:
        assert at[1] - at[0] < 1
    if case.fault in ENDING:
        told = next(filter(is_over, outcome.statuses.of(case.name)))
        assert told.next_attempt is not None
        assert 55 < told.next_attempt - told.at <= 60, "the first pause after a failed order is a minute"
        assert told.failures == 1


def expected_troubles(fault: Fault) -> set[tuple[str, str]]:
    """State and reason that a status shows meanwhile."""
    if fault in HARMLESS or fault is Fault.NO_ACCOUNT:
        return set()
    if fault in HOLDING:
        return {("Waiting", "RateLimited")}
    return {("Failing", "OrderInvalid" if fault in ENDING else "CAUnavailable")}


def test_single_faults_cost_no_key_and_no_patience(outcome: Outcome) -> None:
    assert outcome.journal.too_early(IN_FLIGHT) == []
    assert not outcome.journal.keys_of_several_orders()
    assert not outcome.journal.needless_orders()
    assert not [one for one in outcome.journal.requests() if one.path.startswith(ELSEWHERE) and one.method == "POST"]


# What concerns the whole account.


@pytest.mark.parametrize("fault", sorted(HOLDING))
def test_the_account_places_no_order_before_the_ca_allows(
    cluster: Cluster, faulty: Proxy, namespace: str, fault: Fault
) -> None:
    number, faulty.retry_after = sorted(HOLDING).index(fault), LONGER
    first, others = f"a{number}", [f"b{number}-{other}" for other in range(5)]
    faulty.plan = Script(
        [
            Strike(Kind.AUTHZ, Fault.DRIP, observer.hostname(first, namespace)),
            Strike(Kind.NEW_ORDER, fault, observer.hostname(others[0], namespace)),
        ]
    )

    observer.apply(cluster, namespace, observer.domain(first, namespace))
    cluster.wait_for(lambda: faulty.journal.requests(kind=Kind.AUTHZ), 20, "an open order")
    observer.apply(cluster, namespace, observer.domain(others[0], namespace))
    held = cluster.wait_for(
        lambda: [one for one in faulty.journal.requests(kind=Kind.NEW_ORDER) if one.until], 20, "the Retry-After"
    )[0]
    cluster.wait_for(lambda: time.time() > held.answered + IN_FLIGHT, 5, "the end of what was on its way")
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in others[1:]))
    observer.until_settled(cluster, namespace, [first, *others], 40)

    finished = faulty.journal.requests(observer.hostname(first, namespace), Kind.CERT)
    assert finished[0].at < (held.until or 0), "other work goes on"
    assert faulty.journal.too_early(IN_FLIGHT) == []
    assert_in_order(faulty)


@pytest.mark.parametrize("kind", [Kind.NEW_ORDER, Kind.CHALLENGE, Kind.FINALIZE])
def test_whoever_asks_again_waits_like_all_others(cluster: Cluster, faulty: Proxy, namespace: str, kind: Kind) -> None:
    name = f"impatient-{kind.lower()}"
    faulty.plan = Script([Strike(kind, Fault.RATE_LIMITED_SECONDS)])

    observer.apply(cluster, namespace, observer.domain(name, namespace))
    told = lambda: observer.status(observer.get(cluster, namespace, name)).get("reason")  # noqa: E731
    cluster.wait_for(lambda: told() == "RateLimited", 20, "the wait")
    refresh(cluster, namespace, name)
    observer.until_settled(cluster, namespace, [name], 30)

    assert faulty.journal.too_early(0) == []
    assert_in_order(faulty)


# The newNonce that follows an empty nonce, the directory that is read again after trouble, a lost account.
FIRST = {
    Kind.DIRECTORY: (Kind.NEW_ORDER, Fault.RESET_BEFORE),
    Kind.NEW_NONCE: (Kind.AUTHZ, Fault.EMPTY_NONCE),
    Kind.NEW_ACCOUNT: (Kind.NEW_ORDER, Fault.NO_ACCOUNT),
}
SHARED = [
    (Kind.DIRECTORY, Fault.HTML),
    (Kind.DIRECTORY, Fault.TRUNCATED),
    (Kind.DIRECTORY, Fault.RATE_LIMITED_DATE),
    (Kind.DIRECTORY, Fault.REDIRECT),
    (Kind.NEW_NONCE, Fault.EMPTY_NONCE),
    (Kind.NEW_NONCE, Fault.SPOILT_NONCE),
    (Kind.NEW_NONCE, Fault.REDIRECT),
    (Kind.NEW_NONCE, Fault.BUSY),
    (Kind.NEW_ACCOUNT, Fault.SERVER_INTERNAL),
    (Kind.NEW_ACCOUNT, Fault.RESET_AFTER),
    (Kind.NEW_ACCOUNT, Fault.TOO_MANY_SECONDS),
]


@pytest.mark.parametrize(("kind", "fault"), SHARED, ids=[f"{kind}: {fault}" for kind, fault in SHARED])
def test_trouble_with_what_all_orders_need(
    cluster: Cluster, faulty: Proxy, namespace: str, kind: Kind, fault: Fault
) -> None:
    name = f"shared{SHARED.index((kind, fault)):02}"
    faulty.plan = Sequence([Strike(*FIRST[kind]), Strike(kind, fault)])

    observer.apply(cluster, namespace, observer.domain(name, namespace))
    observer.until_settled(cluster, namespace, [name], 30)

    assert faulty.journal.faults()[fault]
    assert len(faulty.journal.orders()) == 1
    assert faulty.journal.too_early(IN_FLIGHT) == []
    assert_in_order(faulty)
    assert_kept_as_issued(cluster, namespace, [name], faulty)


# All of it together.


@pytest.mark.timeout(300 + DOMAINS * 3)
def test_all_are_issued_by_a_ca_on_a_bad_day(cluster: Cluster, faulty: Proxy) -> None:
    namespace, names = observer.new_shop(cluster, "badday"), [f"d{number:03}" for number in range(DOMAINS)]
    refuted = observer.CALog(cluster)
    faulty.plan = Chance(SEED, PERCENT / 100)
    begun = time.monotonic()
    with Statuses(cluster, namespace) as statuses:
        observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
        over = until_issued(cluster, namespace, names, statuses, 120 + DOMAINS * 2)
    took = time.monotonic() - begun

    journal = faulty.journal
    orders, requests = journal.orders(), journal.requests()
    faults = journal.faults()
    print(
        f"\nseed {SEED}, {PERCENT} % of {len(requests)} requests: {len(names)} Domains issued in {took:.1f} s, "
        f"{len(orders)} orders ({sum(one.is_lost for one in orders)} whose answer was lost, "
        f"{sum(one.is_ended for one in orders)} ended by the CA), {sum(faults.values())} faults:"
    )
    for fault, count in faults.most_common():
        print(f"  {count:4} {fault}: {dict(Counter(str(one.kind) for one in requests if one.fault == fault))}")
    assert not refuted.refuted(), "a validation failed, which is no trouble of this test's making"
    assert len(over) == sum(one.is_ended for one in orders)
    assert all(55 < (told.next_attempt or 0) - told.at <= 60 for told in over)
    assert sum(faults.values()) > DOMAINS / 2
    assert journal.too_early(IN_FLIGHT) == []
    assert_in_order(faulty)
    assert_kept_as_issued(cluster, namespace, names, faulty)
