"""What stays whole when a part is killed, frozen or away: orders, keys, certificates, statuses, the operator itself."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from kubernetes import client

from cluster import operator_process, processes
from cluster.handle import Cluster
from cluster.ports import Ports
from integration import observer

WORKERS = 16
#: Seconds: less than the pause after a failed validation, because here nothing is wrong with any hostname.
SOON = 50
#: Seconds that the API server is away.
OUTAGE = observer.setting("CERTWARD_TEST_OUTAGE_SECONDS", 20)
KILLS = observer.setting("CERTWARD_TEST_KILLS", 8)
SEED = observer.setting("CERTWARD_TEST_SEED", 20261123)


@pytest.fixture(autouse=True)
def _default_afterwards(cluster: Cluster) -> Iterator[None]:
    yield
    if "apiserver" in processes.running(cluster.state):
        cluster.kill("apiserver", signal.SIGCONT)
    cluster.up()


def start_operator(cluster: Cluster) -> None:
    """Start the dead operator as `cluster.up()` would, without looking at anything else."""
    ports = Ports(cluster.state.root / "ports.json")
    processes.start(cluster.state, operator_process.replica(cluster.state, ports, "certward-0").command)


def orders_in_status(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The ids of the orders that statuses remember, by Domain."""
    urls = {
        name: observer.status(one).get("order", {}).get("url", "")
        for name, one in observer.domains(cluster, namespace).items()
    }
    return {name: url.rpartition("/")[2] for name, url in urls.items() if url}


def account_url(cluster: Cluster) -> str:
    """The URL of the account at the CA, as it stands beside its key."""
    secret = client.CoreV1Api(cluster.api).read_namespaced_secret("certward-account-pebble", operator_process.NAMESPACE)
    return str(secret.metadata.annotations["certward.dev/account-url"])


def test_an_operator_killed_at_random_moments_loses_no_order_and_no_key(cluster: Cluster) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments that are the same each time
    observer.alone(cluster)
    namespace = observer.new_shop(cluster, "killed")
    names = [f"d{number:02}" for number in range(30)]
    groups = [names[kill * len(names) // KILLS : (kill + 1) * len(names) // KILLS] for kill in range(KILLS)]
    ca = observer.CALog(cluster)
    begun = time.monotonic()
    written_down: list[dict[str, str]] = []
    placed_before: list[list[str]] = []
    for group in groups:
        cluster.wait_for(lambda: observer.readyz(cluster).get("leader"), 30, "the operator leads")
        observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in group))
        time.sleep(chance.uniform(0.0, 0.7))
        cluster.kill("certward-0")
        written_down.append(orders_in_status(cluster, namespace))
        placed_before.append(ca.orders())
        start_operator(cluster)
    found = observer.until_settled(cluster, namespace, names, SOON)
    took = time.monotonic() - begun

    placed, issued = ca.orders(), ca.issued()
    used = {f"{serial}" for serial in issued.values()}
    serials = {name: one["status"]["certificate"]["serialNumber"] for name, one in found.items()}
    remembered = {order for moment in written_down for order in moment.values()}
    wasted = [order for order in placed if order not in issued]
    print(
        f"\n{KILLS} kills, {len(placed)} orders placed, {len(issued)} certificates issued, {len(remembered)} orders "
        f"were open and written down at a kill, {len(wasted)} orders without a certificate, of which "
        f"{len(remembered & set(wasted))} were written down; {len(ca.refuted())} validations refuted; {took:.1f} s"
    )
    # Each Domain got one certificate and no more: what the CA issued is what is served, each of its own key.
    assert used == set(serials.values())
    assert len(issued) == len(names)
    certificates = ca.certificates()
    assert len({observer.spki(certificate.public_key()) for certificate in certificates}) == len(names)
    # An order is lost only where a kill came between its placing and the write of its URL; each worker has one at most.
    lost = Counter(
        next(kill for kill, before in enumerate(placed_before) if order in before)
        for order in wasted
        if order not in remembered
    )
    assert all(count <= WORKERS for count in lost.values()), lost
    # One that was written down goes on, unless the CA asked for the challenge while nobody was there to answer.
    assert len(remembered & set(wasted)) <= len(set(ca.refuted()))
    assert_nothing_is_left_over(cluster, namespace, names)


def assert_nothing_is_left_over(cluster: Cluster, namespace: str, names: list[str]) -> None:
    """Each Domain has its Secret, whose key and leaf belong together and are served, and no other Secret is there."""
    assert observer.secret_names(cluster, namespace) == {f"{name}-tls" for name in names}
    for name in names:
        held = observer.secret(cluster, namespace, f"{name}-tls")
        leaf = x509.load_pem_x509_certificate(held["tls.crt"])
        key = serialization.load_pem_private_key(held["tls.key"], None)
        assert observer.spki(leaf.public_key()) == observer.spki(key.public_key()), name
        served = observer.served_leaf(cluster, observer.hostname(name, namespace))
        assert observer.fingerprint(served) == observer.fingerprint(leaf), name


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_an_operator_outlives_the_api_server_being_away(cluster: Cluster, how: str) -> None:
    namespace = observer.new_shop(cluster, how)
    before, during, after = ["old1", "old2"], [f"mid{number}" for number in range(10)], ["new1", "new2", "new3"]
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in before))
    observer.until_settled(cluster, namespace, before)
    pid = cluster.pid("certward-0")
    roots = observer.roots(cluster)
    ca = observer.CALog(cluster)

    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in during))
    cluster.wait_for(ca.orders, 20, "the first order")
    cluster.kill("apiserver", signal.SIGKILL if how == "stopped" else signal.SIGSTOP)

    def is_well() -> None:
        assert observer.healthz(cluster) == 200
        assert cluster.operator_pids() == [pid]
        for name in before:
            assert observer.https_status(cluster, observer.hostname(name, namespace), roots) == 200

    observer.throughout(OUTAGE, is_well)
    if how == "frozen":
        cluster.kill("apiserver", signal.SIGCONT)
    else:
        # Its watches pause up to a minute between attempts (client-go's back-off); started anew it lists at once, so
        # that what is seen here is the operator's own recovery.
        cluster.kill("traefik")
    cluster.up()
    back = time.monotonic()
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in after))
    observer.until_settled(cluster, namespace, [*before, *during, *after], SOON)
    print(f"\n{how} for {OUTAGE} s: all issued {time.monotonic() - back:.1f} s after the API server was back")

    is_well()
    # One order each; and the CA was not sent to an ingress that was just starting.
    assert len(ca.orders()) == len(ca.issued()) == len(during) + len(after)
    assert not ca.refuted()
    assert_nothing_is_left_over(cluster, namespace, [*before, *during, *after])


def test_a_ca_that_lost_all_it_knew_is_used_again(cluster: Cluster) -> None:
    namespace = observer.new_shop(cluster, "no-ca")
    observer.apply(cluster, namespace, observer.domain("old", namespace))
    old = observer.until_settled(cluster, namespace, ["old"])["old"]
    roots, lost = observer.roots(cluster), account_url(cluster)

    cluster.kill("pebble")
    observer.apply(cluster, namespace, observer.domain("new", namespace))

    def trouble() -> observer.Object:
        one = observer.get(cluster, namespace, "new")
        return one if observer.status(one).get("state") == "Failing" else {}

    told = observer.status(cluster.wait_for(trouble, 20, "the trouble in the status"))
    assert told["reason"] == "CAUnavailable"
    assert told["message"] == "The CA pebble cannot be reached; it is tried again."
    assert told["attempts"]["failures"] >= 1
    assert told["attempts"]["nextAttempt"]
    # The second and the third attempt, each after a longer pause than the one before.
    cluster.wait_for(
        lambda: observer.status(observer.get(cluster, namespace, "new"))["attempts"]["failures"] >= 3, 15, "retries"
    )
    assert observer.https_status(cluster, observer.hostname("old", namespace), roots) == 200

    cluster.up()  # a new CA at the old address: no account, no order of before
    back = time.monotonic()
    found = observer.until_settled(cluster, namespace, ["old", "new"], 30)
    print(f"\nissued {time.monotonic() - back:.1f} s after the CA was back")
    assert found["old"]["status"] == old["status"]
    assert observer.https_status(cluster, observer.hostname("old", namespace), roots) == 200
    assert observer.https_status(cluster, observer.hostname("new", namespace), observer.roots(cluster)) == 200

    # A restarted operator, another replica and a backup find the new account beside its key.
    now = cluster.wait_for(lambda: {account_url(cluster)} - {lost}, 10, "the account's URL is the new one")
    pebble = observer.Growing(Path(cluster.env["CLUSTER_LOGS"]) / "pebble.log")
    cluster.kill("certward-0")
    cluster.up()
    observer.apply(cluster, namespace, observer.domain("later", namespace))
    observer.until_settled(cluster, namespace, ["later"])
    assert {account_url(cluster)} == now
    assert not [line for line in pebble.lines() if "/sign-me-up ->" in line]


def test_an_order_that_the_ca_has_forgotten_is_placed_anew(cluster: Cluster) -> None:
    namespace = observer.new_shop(cluster, "forgotten")
    names = [f"d{number}" for number in range(8)]
    ca = observer.CALog(cluster)
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
    cluster.wait_for(lambda: orders_in_status(cluster, namespace), 20, "an order in a status", ignore=(KeyError,))
    cluster.kill("pebble")
    placed = len(ca.orders())

    cluster.up()

    observer.until_settled(cluster, namespace, names, 60)
    print(f"\n{placed} orders placed before, {len(ca.orders())} in all, {len(ca.issued())} certificates")
    assert_nothing_is_left_over(cluster, namespace, names)


def test_hosts_are_served_again_after_the_ingress_was_killed(cluster: Cluster) -> None:
    cluster.up(patch={"probe": {"interval": "2s"}})
    namespace = observer.new_shop(cluster, "ingress")
    names = [f"d{number}" for number in range(5)]
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
    before = observer.until_settled(cluster, namespace, names)
    ca = observer.CALog(cluster)

    cluster.kill("traefik")

    def unready() -> dict[str, observer.Object]:
        ready = {name: observer.condition(one, "Ready") for name, one in observer.domains(cluster, namespace).items()}
        return ready if all(told["status"] == "False" for told in ready.values()) else {}

    told = cluster.wait_for(unready, 30, "statuses that say that nothing is served")
    assert {item["reason"] for item in told.values()} == {"NotServed"}
    print(f"\n{told[names[0]]['message']}")
    cluster.up(patch={"probe": {"interval": "2s"}})
    back = time.monotonic()
    after = observer.until_settled(cluster, namespace, names, 40)
    print(f"\nall Ready {time.monotonic() - back:.1f} s after the ingress was back")
    for name in names:
        assert observer.https_status(cluster, observer.hostname(name, namespace), observer.roots(cluster)) == 200
        assert after[name]["status"]["certificate"] == before[name]["status"]["certificate"]
    assert ca.orders() == []
