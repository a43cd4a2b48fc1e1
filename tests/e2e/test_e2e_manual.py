"""Certificates that were obtained elsewhere, and the way from them to automatic ones and back."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from cluster.handle import Cluster
from e2e.bought import DAY, Seller, key_pem, pem, tls_secret
from e2e.shops import Shop, go_on, source_of, streams
from e2e.world import Domain, World, condition, serial

pytestmark = pytest.mark.cluster


def test_a_manual_certificate_is_served_and_told_of(shop: Shop) -> None:
    for domain, status in zip(shop.domains, shop.wait("Manual"), strict=True):
        certificate = status["certificate"]
        assert (status["state"], status["reason"], status["message"]) == ("CertIssued", "", "")
        assert (certificate["secretName"], certificate["trusted"]) == ("bought", False)
        assert serial(status) == shop.leaf.serial_number
        assert "renewalTime" not in certificate
        assert condition(status, "CertificateIssued", field="reason") == "Manual"
        assert condition(status, "Reconciling") == "False"
        assert shop.world.secret(domain) == {}


def test_moving_to_automatic_and_back_fails_no_request(shop: Shop) -> None:
    with ExitStack() as stack:
        running = streams(stack, shop)
        shop.app(automatic=True)
        automatic = {serial(status) for status in shop.wait("Automatic")}
        go_on(shop, running)
        shop.app(automatic=False)
        shop.wait("Manual", serial_number=shop.leaf.serial_number)
        go_on(shop, running)
        # Nothing of the automatic ones is lost: the next time they are there at once.
        orders = shop.world.orders()
        shop.app(automatic=True)
        assert {serial(status) for status in shop.wait("Automatic")} == automatic
        go_on(shop, running)
        assert shop.world.orders() == orders
    for one in running:
        assert one.failures == [], f"of {len(one.requests)} requests"
    print(f"\n{sum(len(one.requests) for one in running)} requests during three moves of two hosts, none failed")


@pytest.mark.parametrize("there", ["to automatic", "to manual"])
def test_a_move_goes_on_after_the_operator_was_killed(cluster: Cluster, shop: Shop, there: str) -> None:
    if there == "to manual":
        shop.app(automatic=True)
        shop.wait("Automatic")
    with ExitStack() as stack:
        running = streams(stack, shop)
        shop.app(automatic=there == "to automatic")
        cluster.kill("certward-0")
        stack.callback(cluster.up)
        go_on(shop, running)
        cluster.up()
        shop.wait("Automatic" if there == "to automatic" else "Manual")
        go_on(shop, running)
    for one in running:
        assert one.failures == [], f"of {len(one.requests)} requests"


def test_a_move_that_is_called_off_loses_nothing(world: World, shop: Shop) -> None:
    with ExitStack() as stack:
        running = streams(stack, shop)
        shop.app(automatic=True)
        shop.app(automatic=False)
        shop.wait("Manual", serial_number=shop.leaf.serial_number)
        go_on(shop, running)
    for one in running:
        assert one.failures == []
    for domain in shop.domains:
        assert world.get("secret", domain.namespace, f"{domain.name}-tls-next") == {}


def test_turning_automatic_off_keeps_the_last_one_where_no_manual_one_covers(world: World, seller: Seller) -> None:
    namespace = world.shop()
    covered, bare = world.hostname("a"), world.hostname("b")
    chain, key, _ = seller.sell([covered])
    world.apply(tls_secret("half", namespace, chain, key))
    half = {"manual": [{"secretName": "half"}]}
    world.app(namespace, automatic=True, certificates=half)
    a, b = (world.domain(namespace, name, hostname=host) for name, host in (("a", covered), ("b", bare)))
    world.wait_issued(b)
    world.until(lambda: source_of(world.status(a)) == "Automatic", "a has an automatic one")

    world.app(namespace, automatic=False, certificates=half)
    world.until(lambda: source_of(world.status(a)) == "Manual", "a is served the bought one")
    status = world.wait_state(b, "CertIssued", "AutomaticDisabled")
    assert source_of(status) == "Automatic"
    # And one that never had any says what can be done.
    c = world.domain(namespace, "c")
    status = world.wait_state(c, "Waiting", "AutomaticDisabled")
    assert status["message"] == (
        f"None of the App's manual certificates covers {c.hostname} and automatic ones are off; name one that does in "
        "spec.certificates.manual, or set spec.certificates.automatic: true on App shop."
    )


def test_a_secret_that_is_replaced_is_picked_up(shop: Shop) -> None:
    with ExitStack() as stack:
        running = streams(stack, shop)
        leaf = shop.buy("bought", shop.hosts)
        shop.wait("Manual", serial_number=leaf.serial_number)
        go_on(shop, running)
    for one in running:
        assert one.failures == []
    # Of two, the one that is valid longer.
    longer = shop.buy("longer", shop.hosts, days=390)
    shop.app("bought", "longer", automatic=False)
    for status in shop.wait("Manual", serial_number=longer.serial_number):
        assert status["certificate"]["secretName"] == "longer"


def test_one_that_expires_soon_is_told_of(shop: Shop) -> None:
    shop.buy("bought", shop.hosts, begins=-280 * DAY)
    shop.poke()
    for status in shop.wait("Manual", reason="ManualCertificateExpiring"):
        assert status["state"] == "CertIssued"
        assert status["message"] == (
            "The certificate in Secret bought is about to expire (status.certificate.notAfter); put a newer one into "
            "it, or set spec.certificates.automatic: true on App shop."
        )


BAD: dict[str, tuple[Callable[[Seller, str], tuple[bytes, bytes]], str]] = {}


def bad(words: str) -> Callable[[Any], Any]:
    """A pair that cannot be served, and what is said of it."""

    def note(make: Callable[[Seller, str], tuple[bytes, bytes]]) -> Any:
        BAD[make.__name__] = (make, words)
        return make

    return note


@bad("The certificate in Secret bought has expired; put a newer one into it.")
def expired(seller: Seller, host: str) -> tuple[bytes, bytes]:
    return seller.sell([host], days=0.5)[:2]


@bad("Secret bought cannot be served: The private key does not belong to the first certificate in the file.")
def mismatched(seller: Seller, host: str) -> tuple[bytes, bytes]:
    return seller.sell([host])[0], seller.sell([host])[1]


@bad("Secret bought cannot be served: The private key is encrypted; store it without a passphrase.")
def encrypted(seller: Seller, host: str) -> tuple[bytes, bytes]:
    chain, key, _ = seller.sell([host])
    loaded: Any = serialization.load_pem_private_key(key, None)
    return chain, key_pem(loaded, b"secret")


@bad("Secret bought cannot be served: There is no certificate in PEM form.")
def empty(_seller: Seller, _host: str) -> tuple[bytes, bytes]:
    return b"", b""


@bad("Secret bought cannot be served: The RSA key has 1024 bits; 2048 is the least.")
def weak(seller: Seller, host: str) -> tuple[bytes, bytes]:
    return seller.sell([host], bits=1024)[:2]


@bad(
    "Secret bought cannot be served: The file's certificates are not a chain: each one has to sign the one before it, "
    "leaf first."
)
def wrong_chain(seller: Seller, host: str) -> tuple[bytes, bytes]:
    chain, key, leaf = seller.sell([host])
    assert chain
    return pem(leaf) + pem(seller.root), key


@pytest.fixture(scope="module")
def faulty(world: World, seller: Seller) -> dict[str, Domain]:
    """A Domain for each, all at once."""
    domains = {}
    for name, (make, _) in BAD.items():
        namespace, host = world.shop(), world.hostname()
        world.apply(tls_secret("bought", namespace, *make(seller, host)))
        world.app(namespace, certificates={"manual": [{"secretName": "bought"}]})
        domains[name] = world.domain(namespace, hostname=host)
    return domains


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_manual_certificate_is_told(world: World, faulty: dict[str, Domain], name: str) -> None:
    status = world.wait_state(faulty[name], "Failed", "SecretInvalid")
    assert status["message"].startswith(BAD[name][1])
    assert condition(status, "Ready") == "False"
    assert condition(status, "Stalled") == "True"


def test_a_secret_that_is_missing_or_of_another_type(world: World, seller: Seller) -> None:
    namespace = world.shop()
    world.app(namespace, certificates={"manual": [{"secretName": "bought"}]})
    www = world.domain(namespace)
    status = world.wait_state(www, "Failed", "SecretMissing")
    assert status["message"] == "There is no Secret bought; create it (kubernetes.io/tls), or take it out of the App."
    chain, key, _ = seller.sell([www.hostname])
    world.apply(tls_secret("bought", namespace, chain, key, "Opaque"))
    status = world.wait_state(www, "Failed", "SecretInvalid")
    assert "Its type is Opaque and has to be kubernetes.io/tls." in status["message"]
    world.delete("secret", namespace, "bought")
    world.wait_state(www, "Failed", "SecretMissing")
    world.apply(tls_secret("bought", namespace, chain, key))
    world.until(lambda: source_of(world.status(www)) == "Manual", "it is served once it is right")


def test_a_certificate_for_hosts_of_another_namespace_is_not_served(world: World, seller: Seller) -> None:
    theirs, ours = world.shop(), world.shop()
    world.app(theirs, automatic=True)
    victim = world.domain(theirs)
    world.wait_issued(victim)
    host = world.hostname()
    chain, key, _ = seller.sell([host, victim.hostname])
    world.apply(tls_secret("greedy", ours, chain, key))
    world.app(ours, certificates={"manual": [{"secretName": "greedy"}]})
    www = world.domain(ours, hostname=host)
    status = world.wait_state(www, "Failed", "SecretInvalid")
    assert (
        f"also covers the hostname of Domain {victim.namespace}/{victim.name} in another namespace" in status["message"]
    )
    assert world.is_served(victim.hostname)


def test_a_secret_that_turns_into_garbage_while_it_serves(world: World, shop: Shop) -> None:
    """The last good state stays reported; what the ingress serves then is its own affair, and said to be."""
    world.apply(tls_secret("bought", shop.namespace, b"garbage", b"garbage"))
    shop.poke()
    for domain in shop.domains:
        status = world.wait_state(domain, "Failed", "SecretInvalid", 45)
        assert status["message"] == (
            "Secret bought cannot be served: There is no certificate in PEM form. Put a right pair of key and chain "
            "into it. Until then the ingress serves whatever it has for the host, mostly a certificate of its own."
        )
        assert serial(status) == shop.leaf.serial_number
        assert condition(status, "Ready") == "False"
    leaf = shop.buy("bought", shop.hosts)
    shop.wait("Manual", serial_number=leaf.serial_number)


def test_garbage_beside_an_automatic_certificate_changes_over_to_it(world: World, shop: Shop) -> None:
    shop.app(automatic=True)
    shop.wait("Automatic")
    shop.app(automatic=False)
    shop.wait("Manual")
    world.apply(tls_secret("bought", shop.namespace, b"garbage", b"garbage"))
    shop.poke()
    for status in shop.wait("Automatic", reason="AutomaticDisabled"):
        assert "Secret bought cannot be served" in status["message"]
