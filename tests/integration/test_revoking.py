"""Revocation on request against Pebble: once, only when asked, whatever is killed or away, and without a gap."""

import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from cluster import operator_process, processes, web
from cluster.handle import Cluster
from cluster.ports import Ports
from e2e.local import Local
from e2e.streams import Stream
from e2e.world import World
from integration import observer

REVOKE = "certward.dev/revoke"
ISSUER = "pebble"


@pytest.fixture(autouse=True)
def _default_afterwards(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.up()


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[str]:
    """A namespace with a Domain `www` that has a certificate; its Domains are gone afterwards."""
    namespace = observer.new_shop(cluster, "revoking")
    observer.apply(cluster, namespace, observer.domain("www", namespace))
    observer.until_settled(cluster, namespace, ["www"])
    yield namespace
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def serial(cluster: Cluster, namespace: str) -> str:
    """The serial number of the certificate that the status of `www` tells of."""
    return str(observer.status(observer.get(cluster, namespace, "www"))["certificate"]["serialNumber"])


def told_by_ca(cluster: Cluster, serial_number: str) -> tuple[str, int]:
    """What the CA says of a certificate: Valid or Revoked, and the code of the reason."""
    url = f"{cluster.env['CLUSTER_ACME_MANAGEMENT']}/cert-status-by-serial/{serial_number}"
    status, body = web.get(url, ca=Path(cluster.env["CLUSTER_ACME_CA"]))
    assert status == 200, (url, status)
    told = json.loads(body)
    return told["Status"], told.get("Reason", 0)


def is_revoked(cluster: Cluster, serial_number: str) -> bool:
    return told_by_ca(cluster, serial_number)[0] == "Revoked"


def ask(cluster: Cluster, namespace: str, value: str, *further: str) -> None:
    annotations = [f"{REVOKE}={value}", *further]
    cluster.kubectl("-n", namespace, "annotate", "--overwrite", "domain", "www", *annotations)


def turn(cluster: Cluster, namespace: str, *, automatic: bool) -> None:
    patch = {"spec": {"certificates": {"automatic": automatic}}}
    cluster.kubectl("-n", namespace, "patch", "apps.certward.dev", "shop", "--type=merge", "-p", json.dumps(patch))


def handled(cluster: Cluster, namespace: str) -> str:
    """The value that the status says was handled."""
    one = observer.get(cluster, namespace, "www")
    return str(observer.status(one).get("handled", {}).get("revoke", ""))


def message(cluster: Cluster, namespace: str) -> str:
    return str(observer.status(observer.get(cluster, namespace, "www")).get("message", ""))


def until_replaced(cluster: Cluster, namespace: str, before: str) -> str:
    """Wait for another certificate to be served; returns its serial number."""

    def is_new() -> bool:
        one = observer.get(cluster, namespace, "www")
        return observer.is_settled(one) and serial(cluster, namespace) != before

    cluster.wait_for(is_new, 30, "another certificate is served")
    return serial(cluster, namespace)


def start_operator(cluster: Cluster) -> None:
    """Start the dead operator as `cluster.up()` would, without looking at anything else."""
    ports = Ports(cluster.state.root / "ports.json")
    processes.start(cluster.state, operator_process.replica(cluster.state, ports, "certward-0").command)


@pytest.mark.parametrize(("value", "code"), [("superseded", 4), ("keyCompromise", 1), ("5", 5)])
def test_a_certificate_is_revoked_and_replaced_without_a_gap(
    cluster: Cluster, shop: str, value: str, code: int
) -> None:
    old, ca = serial(cluster, shop), observer.CALog(cluster)
    hostname = observer.hostname("www", shop)
    old_key = observer.served_leaf(cluster, hostname).public_key()

    with Stream(World(Local(cluster)), hostname) as stream:
        cluster.wait_for(lambda: len(stream.requests) > 5, 10, "the stream has begun")
        ask(cluster, shop, value)
        new = until_replaced(cluster, shop, old)
        seen = len(stream.requests)
        cluster.wait_for(lambda: len(stream.requests) > seen + 10, 10, "the stream goes on")
    assert stream.failures == []

    assert told_by_ca(cluster, old) == ("Revoked", code)
    assert told_by_ca(cluster, new) == ("Valid", 0)
    assert observer.served_leaf(cluster, hostname).public_key() != old_key
    assert handled(cluster, shop) == value
    assert message(cluster, shop) == ""

    # The same value is no new request, not even where the status is lost; other words after the reason are one.
    ask(cluster, shop, value, "example.com/touched=yes")
    no_status = '[{"op": "remove", "path": "/status"}]'
    cluster.kubectl("-n", shop, "patch", "domain", "www", "--subresource=status", "--type=json", "-p", no_status)
    observer.until_settled(cluster, shop, ["www"])
    assert handled(cluster, shop) == value
    assert serial(cluster, shop) == new
    assert len(ca.orders()) == 1
    ask(cluster, shop, f"{value} once more")
    until_replaced(cluster, shop, new)
    assert told_by_ca(cluster, new) == ("Revoked", code)


def test_with_automatic_off_the_host_goes_on_with_it_and_says_so(cluster: Cluster, shop: str) -> None:
    old, ca = serial(cluster, shop), observer.CALog(cluster)
    turn(cluster, shop, automatic=False)
    ask(cluster, shop, "cessationOfOperation")
    cluster.wait_for(lambda: handled(cluster, shop) == "cessationOfOperation", 20, "it is handled")
    assert told_by_ca(cluster, old) == ("Revoked", 5)

    one = observer.get(cluster, shop, "www")
    assert (observer.status(one)["state"], observer.status(one)["reason"]) == ("CertIssued", "AutomaticDisabled")
    assert "has been revoked" in message(cluster, shop)
    assert "turn them on" in message(cluster, shop)
    assert observer.condition(one, "Ready")["status"] == "True"
    assert observer.served_leaf(cluster, observer.hostname("www", shop)).serial_number == int(old, 16)
    assert ca.orders() == []

    turn(cluster, shop, automatic=True)
    new = until_replaced(cluster, shop, old)
    assert told_by_ca(cluster, new) == ("Valid", 0)
    assert message(cluster, shop) == ""


def test_what_is_no_reason_is_told_and_nothing_is_revoked(cluster: Cluster, shop: str) -> None:
    old = serial(cluster, shop)
    ask(cluster, shop, "compromised")
    cluster.wait_for(lambda: "Nothing is revoked" in message(cluster, shop), 20, "it is told")
    one = observer.get(cluster, shop, "www")
    assert "keyCompromise" in message(cluster, shop)
    assert observer.condition(one, "Ready")["status"] == "True"
    assert handled(cluster, shop) == ""
    assert not is_revoked(cluster, old)
    assert serial(cluster, shop) == old


def test_a_ca_that_is_away_is_told_of_and_asked_again(cluster: Cluster, shop: str) -> None:
    old = serial(cluster, shop)
    cluster.kill("pebble", signal.SIGSTOP)
    try:
        ask(cluster, shop, "superseded")
        cluster.wait_for(lambda: "has not been revoked yet" in message(cluster, shop), 60, "it is told")
        one = observer.get(cluster, shop, "www")
        assert observer.condition(one, "Ready")["status"] == "True"
        assert "has not been revoked yet" in observer.condition(one, "CertificateIssued")["message"]
        assert serial(cluster, shop) == old
    finally:
        cluster.kill("pebble", signal.SIGCONT)
    until_replaced(cluster, shop, old)
    assert told_by_ca(cluster, old) == ("Revoked", 4)


def test_an_issuer_that_is_not_configured_any_more_is_told_of(cluster: Cluster, shop: str) -> None:
    old = serial(cluster, shop)
    turn(cluster, shop, automatic=False)
    cluster.kubectl("-n", shop, "annotate", "--overwrite", "secret", "www-tls", "certward.dev/issuer=gone")
    ask(cluster, shop, "superseded")
    cluster.wait_for(lambda: "not configured any more" in message(cluster, shop), 20, "it is told")
    assert handled(cluster, shop) == ""

    # The next certificate is not the one that was meant, and the status says what became of that.
    turn(cluster, shop, automatic=True)
    new = until_replaced(cluster, shop, old)
    assert "before this one" in message(cluster, shop)
    assert (told_by_ca(cluster, old), told_by_ca(cluster, new)) == (("Valid", 0), ("Valid", 0))


@pytest.mark.parametrize("attempt", range(3))
def test_an_operator_killed_beside_a_revocation_does_the_rest_and_no_more(
    cluster: Cluster, shop: str, attempt: int
) -> None:
    old, ca = serial(cluster, shop), observer.CALog(cluster)
    ask(cluster, shop, "superseded")
    # Before the CA was asked, right after it has done it, or once the next order is placed.
    if attempt == 1:
        cluster.wait_for(lambda: is_revoked(cluster, old), 20, "the CA has revoked it")
    elif attempt == 2:
        cluster.wait_for(ca.orders, 20, "the next order is placed")
    cluster.kill("certward-0")
    start_operator(cluster)
    new = until_replaced(cluster, shop, old)
    assert told_by_ca(cluster, old) == ("Revoked", 4)
    assert told_by_ca(cluster, new) == ("Valid", 0)
    assert handled(cluster, shop) == "superseded"
    assert len(ca.issued()) == 1


def test_an_account_that_was_lost_does_not_keep_a_certificate_from_being_revoked(cluster: Cluster, shop: str) -> None:
    old = serial(cluster, shop)
    core = client.CoreV1Api(cluster.api)
    name = f"certward-account-{ISSUER}"
    uid = core.read_namespaced_secret(name, operator_process.NAMESPACE).metadata.uid
    core.delete_namespaced_secret(name, operator_process.NAMESPACE)
    cluster.kill("certward-0")
    start_operator(cluster)
    ask(cluster, shop, "keyCompromise")
    until_replaced(cluster, shop, old)
    assert told_by_ca(cluster, old) == ("Revoked", 1)
    assert core.read_namespaced_secret(name, operator_process.NAMESPACE).metadata.uid != uid


def test_nothing_else_revokes(cluster: Cluster) -> None:
    namespace = observer.new_shop(cluster, "revoking")
    names = ["with-domain", "with-secret", "with-app"]
    observer.apply(cluster, namespace, observer.app("other"))
    for name in names:
        observer.apply(cluster, namespace, observer.domain(name, namespace, of="other" if "app" in name else "shop"))
    issued = observer.until_settled(cluster, namespace, names)
    numbers = [observer.status(issued[name])["certificate"]["serialNumber"] for name in names]

    cluster.kubectl("-n", operator_process.NAMESPACE, "delete", "secret", f"certward-account-{ISSUER}")
    cluster.kubectl("-n", namespace, "delete", "domain", "with-domain")
    cluster.kubectl("-n", namespace, "delete", "secret", "with-secret-tls")
    cluster.kubectl("-n", namespace, "delete", "apps.certward.dev", "other")

    def is_all_seen() -> bool:
        found = observer.domains(cluster, namespace)
        is_reissued = observer.is_settled(found["with-secret"]) and (
            observer.status(found["with-secret"])["certificate"]["serialNumber"] != numbers[1]
        )
        return is_reissued and observer.status(found["with-app"]).get("reason") == "AppNotFound"

    cluster.wait_for(is_all_seen, 60, "the operator has seen it all", ignore=(http.client.HTTPException, KeyError))
    cluster.kubectl("delete", "namespace", namespace)
    assert [told_by_ca(cluster, number) for number in numbers] == [("Valid", 0)] * 3
