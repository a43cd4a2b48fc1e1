"""Accounts that cannot be used, and issuers that go away: who is told what, what is kept, and how it goes on."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import josepy
import pytest
from acme import client as acme_client
from acme import messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from kubernetes import client

from certward.model import keys
from cluster import waiting
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import observer
from integration.own_ca import Detour, OwnPebble

KEY_ID, HMAC_SECRET, HMAC_FIELD = "customer-1", "external-account", "hmac"
HMAC_KEY, WRONG_KEY = (urlsafe_b64encode(bytes([number] * 32)).decode().rstrip("=") for number in (1, 2))
REFUSED = (
    "The CA {name} cannot be used with the external account that is configured: the operator's administrator has to "
    "correct externalAccountBinding of issuer {name}, or the Secret with its key."
)
SPOILT = (
    "The account key of issuer {name} cannot be used; the administrator has to restore Secret certward-account-{name} "
    "in the operator's namespace, or to delete it, so that a new account is made."
)
DEACTIVATED = (
    "The CA {name} does not accept the operator's account: the administrator has to have it reactivated there, or to "
    "delete Secret certward-account-{name} in the operator's namespace, so that a new one is made."
)
#: Seconds until something is told, or goes on after it was mended.
SOON = 40


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[ExitStack]:
    with ExitStack() as made:
        made.callback(cluster.up)  # after all others
        yield made


@pytest.fixture(scope="module")
def plain(cluster: Cluster, stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> OwnPebble:
    """A CA for accounts that go bad."""
    pebble = stack.enter_context(OwnPebble(cluster, tmp_path_factory.mktemp("plain"), "plain"))
    stack.callback(cluster.kubectl, "-n", NAMESPACE, "delete", "secret", "certward-account-plain", "--ignore-not-found")
    return pebble


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[str]:
    """A namespace whose Domains are gone afterwards."""
    namespace = observer.new_shop(cluster, "accounts")
    yield namespace
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def secrets(cluster: Cluster) -> client.CoreV1Api:
    return client.CoreV1Api(cluster.api)


def put_secret(cluster: Cluster, name: str, field: str, value: bytes) -> None:
    """Write a field of a Secret in the operator's namespace, whether the Secret is there or not."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {field: b64encode(value).decode()},
    }
    cluster.kubectl("-n", NAMESPACE, "apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(secret))


def account(cluster: Cluster, issuer: str) -> tuple[bytes, str]:
    """An account's key and its URL."""
    found = secrets(cluster).read_namespaced_secret(f"certward-account-{issuer}", NAMESPACE)
    annotations = found.metadata.annotations or {}
    return observer.secret(cluster, NAMESPACE, found.metadata.name)["tls.key"], annotations["certward.dev/account-url"]


def delete_account(cluster: Cluster, issuer: str) -> None:
    secrets(cluster).delete_namespaced_secret(f"certward-account-{issuer}", NAMESPACE)


def add(cluster: Cluster, namespace: str, *names: str, of: str = "shop") -> None:
    observer.apply(cluster, namespace, *(observer.domain(name, namespace, of=of) for name in names))


def until_told(cluster: Cluster, namespace: str, name: str, reason: str) -> observer.Object:
    """A Domain once its status gives this reason."""

    def told() -> observer.Object:
        one = observer.get(cluster, namespace, name)
        return one if observer.status(one).get("reason") == reason else {}

    return cluster.wait_for(told, SOON, f"{reason} of {name}")


def assert_failed(one: observer.Object, message: str) -> None:
    """Whether an owner is told that the administrator has to do something, and nothing is tried meanwhile."""
    told = observer.status(one)
    print(f"\n{told['message']}")
    assert (told["state"], told["reason"]) == ("Failed", "CARejected")
    assert told["message"].startswith(message)
    assert "nextAttempt" not in told["attempts"]
    assert observer.condition(one, "Stalled")["status"] == "True"
    assert observer.condition(one, "Ready")["status"] == "False"


# An account at the CA's customer portal.


@pytest.fixture(scope="module")
def bound(cluster: Cluster, stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> OwnPebble:
    """A CA that wants an external account."""
    external = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {KEY_ID: HMAC_KEY}}
    return stack.enter_context(OwnPebble(cluster, tmp_path_factory.mktemp("bound"), "bound", **external))


def binding(key_id: str, secret: str) -> dict[str, Any]:
    reference = {"name": f"{HMAC_SECRET}-{secret}", "key": HMAC_FIELD}
    return {"externalAccountBinding": {"keyID": key_id, "hmacKeySecretRef": reference}}


#: Issuer -> what its configuration says of the external account.
BINDINGS: dict[str, dict[str, Any]] = {
    "wrong-key": binding(KEY_ID, "wrong"),
    "no-base64": binding(KEY_ID, "garbage"),
    "unknown-id": binding("customer-9", "right"),
    "no-secret": binding(KEY_ID, "missing"),
    "no-binding": {},
}
SECRETS = {"wrong": WRONG_KEY.encode(), "garbage": b"\xff\xfe not base64url", "right": HMAC_KEY.encode()}


def test_a_wrong_external_account_is_named_and_used_once_it_is_right(
    cluster: Cluster, stack: ExitStack, bound: OwnPebble, plain: OwnPebble, shop: str
) -> None:
    for name, value in SECRETS.items():
        put_secret(cluster, f"{HMAC_SECRET}-{name}", HMAC_FIELD, value)
    for name in (*SECRETS, "missing"):
        stack.callback(
            cluster.kubectl, "-n", NAMESPACE, "delete", "secret", f"{HMAC_SECRET}-{name}", "--ignore-not-found"
        )
    for name in BINDINGS:
        stack.callback(
            cluster.kubectl, "-n", NAMESPACE, "delete", "secret", f"certward-account-{name}", "--ignore-not-found"
        )
    ca = bound.says()
    wrong = [bound.issuer(**fields) | {"name": name} for name, fields in BINDINGS.items()]
    cluster.up(patch={"issuers": [*wrong, plain.issuer()]})
    observer.apply(cluster, shop, *(observer.app(name, issuer=name) for name in BINDINGS))
    for name in BINDINGS:
        add(cluster, shop, name, of=name)
    add(cluster, shop, "anybody")  # of an App that leaves it open who issues

    told = {name: until_told(cluster, shop, name, "CARejected") for name in BINDINGS}
    for name in ("wrong-key", "no-base64", "unknown-id"):
        assert_failed(told[name], REFUSED.format(name=name))
    assert_failed(
        told["no-secret"],
        "Issuer no-secret cannot be used: the administrator has to put the key of its external account into Secret "
        f"{HMAC_SECRET}-missing of the operator's namespace, as {HMAC_FIELD}.",
    )
    assert_failed(
        told["no-binding"],
        "The CA no-binding needs an external account: the operator's administrator has to set externalAccountBinding "
        "of issuer no-binding.",
    )
    assert ca.orders() == []
    issued = observer.until_settled(cluster, shop, ["anybody"], SOON)["anybody"]
    why = observer.condition(issued, "CertificateIssued")["message"]
    assert why.startswith("Issued by plain, because wrong-key could not; wrong-key is asked again at the renewal. ")

    # A Secret that is mended is noticed; a mended configuration starts the operator anew.
    for name in ("wrong", "garbage", "missing"):
        put_secret(cluster, f"{HMAC_SECRET}-{name}", HMAC_FIELD, HMAC_KEY.encode())
    observer.until_settled(cluster, shop, ["wrong-key", "no-base64", "no-secret"], SOON)
    right = [bound.issuer(**binding(KEY_ID, "right")) | {"name": name} for name in BINDINGS]
    cluster.up(patch={"issuers": [*right, plain.issuer()]})
    observer.until_settled(cluster, shop, [*BINDINGS, "anybody"], SOON)
    assert len(ca.orders()) == len(BINDINGS)
    assert observer.metric(cluster, "certward_bugs_total") == 0


# The account's key.


@pytest.fixture(scope="module")
def detour(cluster: Cluster, stack: ExitStack, plain: OwnPebble) -> Detour:
    """The operator with that CA, by a way on which orders can be kept open."""
    way = stack.enter_context(Detour(plain))
    cluster.up(patch={"issuers": [way.issuer()]})
    return way


@pytest.fixture
def busy(detour: Detour) -> Iterator[Detour]:
    """The way, on which orders are kept open as long as it says so."""
    yield detour
    detour.is_busy = False


def open_order(cluster: Cluster, way: Detour, namespace: str, name: str, of: str = "shop") -> str:
    """Add a Domain and return the URL of its order, which stays open."""
    way.is_busy = True
    add(cluster, namespace, name, of=of)
    told = observer.status(until_told(cluster, namespace, name, "CAUnavailable"))
    url: str = told["order"]["url"]
    return url


def test_a_deleted_account_is_made_anew(cluster: Cluster, plain: OwnPebble, detour: Detour, shop: str) -> None:
    ca = plain.says()
    add(cluster, shop, "before")
    observer.until_settled(cluster, shop, ["before"], SOON)
    before = account(cluster, "plain")

    delete_account(cluster, "plain")
    cluster.wait_for(
        lambda: "issuer plain: the keys of its account have changed" in cluster.operator_log(), SOON, "it is noticed"
    )
    add(cluster, shop, "while-running")
    observer.until_settled(cluster, shop, ["before", "while-running"], SOON)
    second = account(cluster, "plain")

    cluster.up(operators=0)
    delete_account(cluster, "plain")
    cluster.up(patch={"issuers": [detour.issuer()]})
    add(cluster, shop, "while-stopped")
    observer.until_settled(cluster, shop, ["before", "while-running", "while-stopped"], SOON)
    third = account(cluster, "plain")

    assert len({before[0], second[0], third[0]}) == len({before[1], second[1], third[1]}) == 3
    assert len(ca.orders()) == 3


def test_a_spoilt_key_holds_orders_open_until_it_is_restored(
    cluster: Cluster, plain: OwnPebble, busy: Detour, shop: str
) -> None:
    ca = plain.says()
    url = open_order(cluster, busy, shop, "open")
    key, account_url = account(cluster, "plain")

    put_secret(cluster, "certward-account-plain", "tls.key", b"-----BEGIN PRIVATE KEY-----\nnonsense\n")
    told = until_told(cluster, shop, "open", "CARejected")
    assert_failed(told, SPOILT.format(name="plain"))
    assert observer.status(told)["order"]["url"] == url
    add(cluster, shop, "new")
    assert_failed(until_told(cluster, shop, "new", "CARejected"), SPOILT.format(name="plain"))

    busy.is_busy = False
    put_secret(cluster, "certward-account-plain", "tls.key", key)
    observer.until_settled(cluster, shop, ["open", "new"], SOON)
    assert account(cluster, "plain") == (key, account_url)
    assert len(ca.orders()) == len(ca.issued()) == 2


def test_a_key_of_another_kind(cluster: Cluster, plain: OwnPebble, detour: Detour, shop: str) -> None:
    ca = plain.says()
    add(cluster, shop, "before")
    observer.until_settled(cluster, shop, ["before"], SOON)
    first = account(cluster, "plain")
    unusable = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    cluster.up(operators=0)
    put_secret(cluster, "certward-account-plain", "tls.key", unusable)
    cluster.up(patch={"issuers": [detour.issuer()]})
    add(cluster, shop, "unusable")
    assert_failed(until_told(cluster, shop, "unusable", "CARejected"), SPOILT.format(name="plain"))
    observer.until_settled(cluster, shop, ["before"], SOON)  # whoever has a certificate needs no account

    put_secret(cluster, "certward-account-plain", "tls.key", keys.generate_key("RSA-2048"))
    observer.until_settled(cluster, shop, ["before", "unusable"], SOON)
    assert account(cluster, "plain")[1] != first[1], "another key is another account"
    assert len(ca.orders()) == 2


def deactivate(plain: OwnPebble, key_pem: bytes, url: str) -> None:
    """Close an account as its holder may (RFC 8555, 7.3.6)."""
    ca = plain.issuer()["caBundle"]
    # Its URL at the CA itself: that of the operator leads through the detour.
    uri = plain.directory.removesuffix("/dir") + url[url.index("/", len("https://")) :]
    registration = messages.RegistrationResource(uri=uri, body=messages.Registration())
    jwk = josepy.JWK.load(key_pem)
    algorithm = josepy.ES256 if isinstance(jwk, josepy.JWKEC) else josepy.RS256
    network = acme_client.ClientNetwork(jwk, account=registration, alg=algorithm, verify_ssl=ca)
    directory = acme_client.ClientV2.get_directory(plain.directory, network)
    holder = acme_client.ClientV2(directory, network)

    def is_deactivated() -> bool:
        """Pebble rejects one nonce in twenty on purpose; the library tries once more, which may be rejected too."""
        try:
            holder.deactivate_registration(registration)
        except messages.Error as error:
            if error.code != "badNonce":
                raise
            return False
        return True

    waiting.wait_for(is_deactivated, SOON, "the CA takes the nonce")


def test_a_deactivated_account_is_replaced_when_the_administrator_says_so(
    cluster: Cluster, plain: OwnPebble, detour: Detour, shop: str
) -> None:
    add(cluster, shop, "before")
    observer.until_settled(cluster, shop, ["before"], SOON)
    key, url = account(cluster, "plain")
    deactivate(plain, key, url)
    ca, asked = plain.says(), detour.asked

    add(cluster, shop, "after")
    told = until_told(cluster, shop, "after", "CARejected")
    assert_failed(told, DEACTIVATED.format(name="plain"))
    assert "deactivated" in observer.status(told)["message"]
    assert detour.asked == asked + 1, "it is asked once"
    observer.until_settled(cluster, shop, ["before"], SOON)

    delete_account(cluster, "plain")
    observer.until_settled(cluster, shop, ["after"], SOON)
    assert account(cluster, "plain")[1] != url
    assert len(ca.orders()) == 1


# An issuer that is taken out of the configuration.


def test_an_issuer_that_is_removed_while_orders_are_open(
    cluster: Cluster, plain: OwnPebble, busy: Detour, shop: str, tmp_path: Path
) -> None:
    observer.apply(cluster, shop, observer.app("faithful", issuer="plain"))
    open_order(cluster, busy, shop, "free")
    open_order(cluster, busy, shop, "bound", of="faithful")
    with OwnPebble(cluster, tmp_path, "other") as other:
        ca, old = other.says(), plain.says()
        cluster.up(patch={"issuers": [other.issuer()]})
        observer.until_settled(cluster, shop, ["free"], SOON)
        told = until_told(cluster, shop, "bound", "CARejected")
        assert_failed(
            told,
            "App faithful asks for issuer plain, which is not configured; name a configured one or leave "
            "spec.certificates.issuer out.",
        )
        assert "order" not in observer.status(told)
        assert observer.secret_names(cluster, shop) == {"free-tls"}, "no key of an order is left behind"
        assert len(ca.orders()) == 1

        busy.is_busy = False
        cluster.up(patch={"issuers": [other.issuer(), busy.issuer()]})
        observer.until_settled(cluster, shop, ["free", "bound"], SOON)
        assert len(ca.orders()) == len(old.orders()) == 1
    delete_account(cluster, "other")
