"""The account at a CA: its contact follows the configuration, its key is changed on request, whoever dies meanwhile."""

import base64
import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from certward.acme.client import Issuer, IssuerSettings
from certward.model import keys
from cluster import operator_process, processes
from cluster.handle import Cluster
from cluster.ports import Ports
from integration import observer
from integration.test_leadership import answers

NAME = "certward-account-pebble"
ROLLOVER = "certward.dev/rollover"
REPLICAS = operator_process.names(2)


@pytest.fixture(scope="module", autouse=True)
def _default_afterwards(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.up()


@pytest.fixture(autouse=True)
def _registered(cluster: Cluster) -> Iterator[None]:
    """An account that has been used, with no change of its key under way."""
    namespace = observer.new_shop(cluster, "keys")
    observer.apply(cluster, namespace, observer.domain("first", namespace))
    observer.until_settled(cluster, namespace, ["first"])
    cluster.wait_for(lambda: contact(cluster), 30, "the CA has been told the contact")
    yield
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def account(cluster: Cluster) -> client.V1Secret:
    return client.CoreV1Api(cluster.api).read_namespaced_secret(NAME, operator_process.NAMESPACE)


def told(cluster: Cluster, what: str) -> str:
    """An annotation of the account's Secret."""
    return str((account(cluster).metadata.annotations or {}).get(f"certward.dev/{what}", ""))


def key(cluster: Cluster) -> bytes:
    return base64.b64decode(account(cluster).data["tls.key"])


def contact(cluster: Cluster) -> str:
    return told(cluster, "contact")


def issuer(cluster: Cluster, key_pem: bytes) -> Issuer:
    """The CA, as whoever has this key may ask it."""
    ca = Path(cluster.env["CLUSTER_ACME_CA"]).read_bytes()
    settings = IssuerSettings("pebble", cluster.env["CLUSTER_ACME_DIRECTORY"], ca_bundle_pem=ca)
    return Issuer(settings, key_pem, timeout=10)


def known_to_ca(cluster: Cluster, key_pem: bytes) -> str:
    """The URL of the account with a key; empty where the CA knows none."""
    with closing(issuer(cluster, key_pem)) as asking:
        return asking.find_account()


def ask(cluster: Cluster, value: str) -> None:
    cluster.kubectl(
        *("-n", operator_process.NAMESPACE, "annotate", "--overwrite", "secret", NAME, f"{ROLLOVER}={value}")
    )


def until_handled(cluster: Cluster, value: str) -> None:
    cluster.wait_for(lambda: told(cluster, "rollover-handled") == value, 90, f"rollover {value} is done")


def add(cluster: Cluster, namespace: str, *names: str) -> None:
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))


def start_operator(cluster: Cluster) -> None:
    ports = Ports(cluster.state.root / "ports.json")
    processes.start(cluster.state, operator_process.replica(cluster.state, ports, "certward-0").command)


def test_the_contact_follows_the_configuration(cluster: Cluster) -> None:
    def at_ca() -> list[str]:
        with closing(issuer(cluster, key(cluster))) as asking:
            url = asking.find_account()
            found: list[str] = json.loads(asking.post(url).body).get("contact") or []
            return found

    assert at_ca() == ["mailto:ops@example.com"]
    configured = yaml.safe_load(Path(cluster.env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"][0]
    changed = configured | {"email": "platform@example.com"}
    cluster.up(patch={"issuers": [changed]})
    cluster.wait_for(lambda: at_ca() == ["mailto:platform@example.com"], 30, "the CA has been told")
    cluster.wait_for(lambda: contact(cluster) == "platform@example.com", 10, "that is remembered")
    cluster.up(patch={"issuers": [changed | {"email": ""}]})
    cluster.wait_for(lambda: at_ca() == [], 30, "the CA knows of no contact any more")
    cluster.up()
    cluster.wait_for(lambda: at_ca() == ["mailto:ops@example.com"], 30, "the CA has been told again")


def test_a_key_is_changed_on_request_while_orders_are_open(cluster: Cluster) -> None:
    cluster.up(operators=2)
    namespace = observer.new_shop(cluster, "rollover")
    old, url = key(cluster), told(cluster, "account-url")
    first, then = [f"a{number}" for number in range(8)], [f"b{number}" for number in range(8)]
    add(cluster, namespace, *first)
    ask(cluster, "one")
    failed: set[str] = set()

    def note() -> None:
        found = observer.domains(cluster, namespace)
        failed.update(name for name, one in found.items() if observer.status(one).get("state") in ("Failing", "Failed"))

    cluster.wait_for(lambda: note() or told(cluster, "rollover-handled") == "one", 90, "the key is changed")
    add(cluster, namespace, *then)
    observer.until_settled(cluster, namespace, [*first, *then], 90)
    note()
    assert failed == set()

    new = key(cluster)
    assert new != old
    assert account(cluster).data["next.key"] == ""
    assert (known_to_ca(cluster, new), known_to_ca(cluster, old)) == (url, "")
    assert told(cluster, "account-url") == url
    # Every replica answers with it.
    with closing(issuer(cluster, new)) as asking:
        assert answers(cluster, observer.hostname("a0", namespace), 40) == {asking.thumbprint}
    assert {observer.readyz(cluster, replica).get("synced") for replica in REPLICAS} == {True}

    # The same value again is no new request.
    ask(cluster, "one")
    observer.throughout(12, lambda: None)
    assert key(cluster) == new
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")
    cluster.up()


@pytest.mark.parametrize("is_done", [False, True], ids=["the CA was not asked yet", "the CA has done it"])
def test_after_a_crash_the_ca_says_which_key_it_knows(cluster: Cluster, is_done: bool) -> None:
    cluster.up(operators=0)
    url, old, new = told(cluster, "account-url"), key(cluster), keys.generate_key("ECDSA-P256")
    both = {"data": {"next.key": base64.b64encode(new).decode()}}
    client.CoreV1Api(cluster.api).patch_namespaced_secret(NAME, operator_process.NAMESPACE, both)
    value = f"crash-{is_done}"
    ask(cluster, value)
    if is_done:
        with closing(issuer(cluster, old)) as asking:
            asking.change_key(new)
    cluster.up()
    until_handled(cluster, value)
    assert key(cluster) == new
    assert (known_to_ca(cluster, new), told(cluster, "account-url")) == (url, url)

    namespace = observer.new_shop(cluster, "rollover")
    add(cluster, namespace, "www")
    observer.until_settled(cluster, namespace, ["www"], 60)
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def test_an_operator_killed_while_the_ca_is_asked(cluster: Cluster) -> None:
    old, url = key(cluster), told(cluster, "account-url")
    cluster.kill("pebble", signal.SIGSTOP)
    try:
        ask(cluster, "killed")
        cluster.wait_for(lambda: account(cluster).data.get("next.key"), 30, "the new key is kept")
        cluster.kill("certward-0")
    finally:
        cluster.kill("pebble", signal.SIGCONT)
    start_operator(cluster)
    until_handled(cluster, "killed")
    assert key(cluster) != old
    assert known_to_ca(cluster, key(cluster)) == url


def test_a_key_that_the_ca_does_not_take_is_told_of_and_the_account_goes_on(cluster: Cluster) -> None:
    cluster.up(operators=0)
    url, old, taken = told(cluster, "account-url"), key(cluster), keys.generate_key("ECDSA-P256")
    with closing(issuer(cluster, taken)) as another:
        assert another.ensure_account() != url
    both = {"data": {"next.key": base64.b64encode(taken).decode()}}
    client.CoreV1Api(cluster.api).patch_namespaced_secret(NAME, operator_process.NAMESPACE, both)
    ask(cluster, "taken")
    cluster.up()
    until_handled(cluster, "taken")
    assert "another account" in told(cluster, "rollover-problem")
    assert (key(cluster), told(cluster, "account-url")) == (old, url)
    assert known_to_ca(cluster, old) == url
