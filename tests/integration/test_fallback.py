"""Two CAs: when the first cannot issue the second does, for as long as it has to, and the status says so."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from kubernetes import client

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import observer
from integration.own_ca import Detour, OwnPebble

INSTEAD_OF = "certward.dev/issued-instead-of"
#: Seconds within which the second CA has taken over from one that is away.
TAKE_OVER = 60


@pytest.fixture(scope="module")
def pebbles(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnPebble, OwnPebble]]:
    """The first and the second CA, each with a name of its own for CAA records."""
    folder = tmp_path_factory.mktemp("fallback")
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(OwnPebble(cluster, folder, name, CAAIdentities=[f"{name}.example"]))
            for name in ("first", "second")
        )
        yield first, second
        cluster.up()
        for name in ("first", "second"):
            delete_account(cluster, name)


def delete_account(cluster: Cluster, issuer: str) -> None:
    """Delete the Secret of an account's key."""
    client.CoreV1Api(cluster.api).delete_namespaced_secret(f"certward-account-{issuer}", NAMESPACE)


@pytest.fixture(scope="module")
def both(cluster: Cluster, pebbles: tuple[OwnPebble, OwnPebble]) -> tuple[OwnPebble, OwnPebble]:
    """The operator with both."""
    cluster.up(patch={"issuers": [one.issuer() for one in pebbles]})
    return pebbles


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[str]:
    """A namespace whose Domains are gone afterwards."""
    namespace = observer.new_shop(cluster, "fallback")
    yield namespace
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def add(cluster: Cluster, namespace: str, *names: str, of: str = "shop") -> None:
    """Add Domains."""
    observer.apply(cluster, namespace, *(observer.domain(name, namespace, of=of) for name in names))


def annotations(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    """The annotations of a Domain's Secret."""
    found = client.CoreV1Api(cluster.api).read_namespaced_secret(f"{name}-tls", namespace)
    told: dict[str, str] = found.metadata.annotations
    return told


def said_of_issuance(one: observer.Object) -> str:
    """What the condition CertificateIssued says."""
    message: str = observer.condition(one, "CertificateIssued").get("message", "")
    return message


def settled(
    cluster: Cluster, namespace: str, names: list[str], within: float
) -> tuple[dict[str, observer.Object], float]:
    """The Domains once they are issued, and the seconds that it took."""
    begun = time.monotonic()
    return observer.until_settled(cluster, namespace, names, within), time.monotonic() - begun


def until_told(cluster: Cluster, namespace: str, name: str, reason: str, within: float = 30) -> observer.Object:
    """The status of a Domain once it gives this reason."""

    def told() -> observer.Object:
        status = observer.status(observer.get(cluster, namespace, name))
        return status if status.get("reason") == reason else {}

    return cluster.wait_for(told, within, f"{reason} of {name}")


def refresh(cluster: Cluster, namespace: str, name: str) -> str:
    """Ask for a new certificate and return the issuer in it once it is there; its Secret says who that is."""
    before = observer.get(cluster, namespace, name)["status"]["certificate"]["serialNumber"]
    cluster.kubectl("-n", namespace, "annotate", "--overwrite", "domain", name, f"certward.dev/refresh={time.time()}")

    def is_new() -> bool:
        one = observer.get(cluster, namespace, name)
        return observer.is_settled(one) and one["status"]["certificate"]["serialNumber"] != before

    cluster.wait_for(is_new, 30, "the new certificate")
    return annotations(cluster, namespace, name)["certward.dev/issuer"]


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_the_second_takes_over_from_a_first_that_is_away(
    cluster: Cluster, both: tuple[OwnPebble, OwnPebble], shop: str, how: str
) -> None:
    first, second = both
    observer.apply(cluster, shop, observer.app("faithful", issuer="first"))
    add(cluster, shop, "before")
    observer.until_settled(cluster, shop, ["before"], 30)
    assert annotations(cluster, shop, "before")["certward.dev/issuer"] == "first"
    log = second.says()
    first.stop() if how == "stopped" else first.signal(signal.SIGSTOP)
    try:
        add(cluster, shop, "a", "b", "c")
        add(cluster, shop, "only", of="faithful")
        found, took = settled(cluster, shop, ["a", "b", "c"], TAKE_OVER + 60)
        told = until_told(cluster, shop, "only", "CAUnavailable")
    finally:
        first.start() if how == "stopped" else first.signal(signal.SIGCONT)
    print(f"\nthe first CA {how}: the second issued all after {took:.1f} s; {said_of_issuance(found['a'])}")
    assert took < TAKE_OVER
    for name in ("a", "b", "c"):
        notes = annotations(cluster, shop, name)
        assert notes["certward.dev/issuer"] == "second"
        assert notes[INSTEAD_OF].startswith("first: ")
        message = said_of_issuance(found[name])
        assert message.startswith("Issued by second, because first could not; first is asked again at the renewal. ")
        assert "The CA first" in message
        assert found[name]["status"]["certificate"]["issuer"]
    # Who named the first has nobody else asked, and is told why nothing comes.
    assert told["state"] == "Failing"
    assert "first" in told["message"]
    assert len(log.orders()) == 3

    back, waited = settled(cluster, shop, ["only"], 60)
    print(f"the App that names the first: issued {waited:.1f} s after it was back")
    assert annotations(cluster, shop, "only")["certward.dev/issuer"] == "first"
    assert said_of_issuance(back["only"]) == ""
    # At the next certificate it is the first one's turn again, and nothing speaks of the second any more.
    assert refresh(cluster, shop, "a") == "first"
    assert INSTEAD_OF not in annotations(cluster, shop, "a")
    assert said_of_issuance(observer.get(cluster, shop, "a")) == ""
    assert len(log.orders()) == 3


@pytest.fixture(scope="module")
def detour(cluster: Cluster, pebbles: tuple[OwnPebble, OwnPebble]) -> Iterator[Detour]:
    """The operator with both, the first one by a way on which orders can be refused."""
    first, second = pebbles
    with Detour(first) as way:
        cluster.up(patch={"issuers": [way.issuer(), second.issuer()]})
        yield way


@pytest.fixture
def limited(detour: Detour) -> Iterator[Detour]:
    """The first CA refuses new orders for a while."""
    detour.retry_after, detour.asked = 20, 0
    yield detour
    detour.retry_after = 0


def test_the_second_issues_while_the_first_limits_orders(cluster: Cluster, limited: Detour, shop: str) -> None:
    add(cluster, shop, "a")
    found, took = settled(cluster, shop, ["a"], 30)
    add(cluster, shop, "b", "c")
    observer.until_settled(cluster, shop, ["b", "c"], 30)
    print(f"\nthe first CA limits: the second issued after {took:.1f} s, {limited.asked} orders tried at the first")
    assert annotations(cluster, shop, "a")["certward.dev/issuer"] == "second"
    assert "It says: too many new orders" in said_of_issuance(found["a"])
    assert limited.asked == 1, "it is asked once and then left alone until its time is over"

    limited.retry_after = 0
    at_the_end = time.monotonic() + 21
    cluster.wait_for(lambda: time.monotonic() > at_the_end, 30, "the end of the limit")
    assert refresh(cluster, shop, "a") == "first"


def test_caa_decides_who_issues(cluster: Cluster, detour: Detour, shop: str) -> None:
    names = {"to-second": "second.example", "to-nobody": "third.example"}
    hostnames = {name: observer.hostname(name, shop) for name in names}
    for name, issuer in names.items():
        cluster.tell_dns("add-caa", hostnames[name], policies=[{"tag": "issue", "value": issuer}])
    try:
        add(cluster, shop, *names)
        found, took = settled(cluster, shop, ["to-second"], 30)
        told = until_told(cluster, shop, "to-nobody", "CAAForbids")
    finally:
        for hostname in hostnames.values():
            cluster.tell_dns("clear-caa", hostname)
    print(f"\nCAA: the second issued after {took:.1f} s; {told['message']}")
    assert annotations(cluster, shop, "to-second")["certward.dev/issuer"] == "second"
    assert "CAA" in said_of_issuance(found["to-second"])
    assert hostnames["to-nobody"] in told["message"]
    assert "order" not in told
    assert detour.asked >= 0


def test_caa_that_forbids_the_second_is_respected(
    cluster: Cluster, limited: Detour, shop: str, pebbles: tuple[OwnPebble, OwnPebble]
) -> None:
    log, hostname = pebbles[1].says(), observer.hostname("to-first", shop)
    cluster.tell_dns("add-caa", hostname, policies=[{"tag": "issue", "value": "first.example"}])
    try:
        add(cluster, shop, "to-first")

        def told() -> str:
            status = observer.status(observer.get(cluster, shop, "to-first"))
            return status["reason"] if status.get("reason") in ("CAAForbids", "RateLimited") else ""

        reason = cluster.wait_for(told, 20, "why there is no certificate")
        limited.retry_after = 0
        _, took = settled(cluster, shop, ["to-first"], 60)
    finally:
        cluster.tell_dns("clear-caa", hostname)
    print(f"\nCAA forbids the second, the first limits: {reason}; issued by the first {took:.1f} s after it could")
    assert annotations(cluster, shop, "to-first")["certward.dev/issuer"] == "first"
    assert log.orders() == []
