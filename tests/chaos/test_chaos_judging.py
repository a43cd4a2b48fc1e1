"""How the chaos suite judges: what is excused and what is not, without a cluster."""

import base64
import datetime as dt
import time
from collections import Counter
from unittest.mock import Mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chaos import mutations, orders
from chaos.clients import Shown
from chaos.disturbing import Disturbing
from chaos.hands import Hands
from chaos.keys import Keys
from chaos.killing import Killing
from chaos.observing import INVARIANTS, Observer
from chaos.plan import WEIGHTS, chance_of, drawn
from chaos.record import BOUND, MOST, Cause, Record, Trouble, Window
from chaos.world import Host
from cluster.paths import CHECKOUT
from faulty.journal import Order
from scale.local_ca import LocalCA

HOST = "shop.example.com"
NOW = time.time()
CHAIN, _KEY = LocalCA().issue(HOST)
DAY = 86400.0


def order(at: float, *, chain: bytes = CHAIN, **facts: bool) -> Order:
    return Order(f"/my-order/{at}", HOST, at=NOW + at, chain=chain, **facts)


def record(*causes: float, troubles: tuple[tuple[float, float], ...] = ()) -> Record:
    found = Record()
    found.causes = [Cause(HOST, "asked for", NOW + at) for at in causes]
    found.troubles = [Trouble("leader killed", NOW + begun, NOW + ended) for begun, ended in troubles]
    return found


RIGHT = {
    "the first": ([order(1)], record(0)),
    "one for each cause": ([order(1), order(5)], record(0, 4)),
    "another after a crash during the first": ([order(1, chain=b""), order(5)], record(0, troubles=((2, 3),))),
    "another after one that the CA ended": ([order(1, chain=b"", is_ended=True), order(60)], record(0)),
    "another whose answer was lost": ([order(1, chain=b"", is_lost=True), order(3)], record(0)),
    "a renewal after half of the life": ([order(0), order(46 * DAY)], record(-1)),
    "two asked for in a row, of which the first order knew one": ([order(3), order(4)], record(0, 1)),
    "one asked for long before and one that is not known yet": ([order(20), order(21)], record(0, 19)),
    "a cause that comes while an order is open": ([order(1), order(5)], record(0, 2)),
}
WRONG = {
    "one that nothing asked for": ([order(1)], record()),
    "one before its cause": ([order(1)], record(2)),
    "two for one cause": ([order(1), order(2)], record(0)),
    "two for two causes that the first has answered": ([order(13), order(14)], record(0, 1)),
    "three for two asked for in a row": ([order(3), order(4), order(5)], record(0, 1)),
    "another where nothing was amiss": ([order(1, chain=b""), order(5)], record(0, troubles=((7, 8),))),
    "two more for one crash": (
        [order(1, chain=b""), order(4, chain=b""), order(5)],
        record(0, troubles=((2, 3),)),
    ),
    "a renewal before half of the life": ([order(0), order(44 * DAY)], record(-1)),
}


@pytest.mark.parametrize("case", RIGHT)
def test_an_order_with_a_reason_is_right(case: str) -> None:
    judged = orders.judge(*RIGHT[case])
    assert judged.broken == []
    assert judged.placed == judged.budget == len(RIGHT[case][0])


@pytest.mark.parametrize("case", WRONG)
def test_an_order_without_a_reason_is_told(case: str) -> None:
    judged = orders.judge(*WRONG[case])
    assert len(judged.broken) == 1
    assert judged.budget == judged.placed - 1


def test_a_clock_that_is_ahead_makes_a_renewal_due_earlier() -> None:
    placed, told = WRONG["a renewal before half of the life"]
    told.skews = [(NOW, 2 * DAY)]
    assert orders.judge(placed, told).broken == []


def test_a_new_owner_may_order_twice_and_no_more() -> None:
    told = record()
    told.causes = [Cause(HOST, "a new Domain", NOW, inherits=True)]
    assert orders.judge([order(1, chain=b""), order(2)], told).broken == []
    assert len(orders.judge([order(1, chain=b""), order(2), order(3)], told).broken) == 1


def test_a_new_owner_may_order_once_more_for_each_certificate_of_the_former_one() -> None:
    told = record()
    told.causes = [Cause(HOST, "the first certificate", NOW), Cause(HOST, "asked for", NOW + 1.5)]
    told.causes.append(Cause(HOST, "a new Domain", NOW + 2.5, inherits=True))
    before, given_up = [order(1), order(2)], [order(number, chain=b"") for number in (3, 4)]
    assert orders.judge([*before, *given_up, order(5)], told).broken == []
    assert len(orders.judge([*before, *given_up, order(5, chain=b""), order(6)], told).broken) == 1


WINDOW = Window("Secret deleted", HOST, begun=10, limit=50, ended=20)


@pytest.mark.parametrize(
    ("subject", "begun", "ended", "is_covered"),
    [
        (HOST, 12, 13, True),
        (HOST, 9, 10.5, True),
        (HOST, 20.5, 21, True),
        (HOST, 23, 24, False),
        (HOST, 8, 9, False),
        ("another.example.com", 12, 13, False),
    ],
)
def test_a_fault_excuses_its_own_host_until_it_is_back(
    subject: str, begun: float, ended: float, is_covered: bool
) -> None:
    assert WINDOW.covers(subject, begun, ended) is is_covered


@pytest.mark.parametrize(
    ("shown", "held", "is_well"),
    [
        (Shown(NOW + 1, 7), 7, True),
        (Shown(NOW + 1, 6), 7, False),  # the ingress does not know of it yet
        (Shown(NOW - 1, 7), 7, False),
        (Shown(), 7, False),
        (Shown(NOW + 1, 0), 0, False),
    ],
)
def test_a_host_is_well_once_a_client_was_shown_what_its_secret_holds(shown: Shown, held: int, is_well: bool) -> None:
    seen = Mock(spec=Observer)
    seen.clients = Mock(shown=lambda _: shown)
    seen.secrets = Mock(serial=lambda _: held, is_good=lambda _: held != 0)
    host = Host("steady-1", "steady00", "steady")
    assert Observer.is_well(seen, host, NOW) is is_well


def test_what_is_not_back_within_the_bound_is_no_longer_excused() -> None:
    told = Record()
    window = told.window("Secret deleted", HOST)
    assert told.excuse([HOST], window.begun + BOUND - 1, window.begun + BOUND - 1)
    assert not told.excuse([HOST], window.begun + BOUND + 1, window.begun + BOUND + 2)


def test_the_bound_counts_from_the_end_of_a_trouble_and_ends_all_the_same() -> None:
    told = Record()
    window = told.window("Secret deleted", HOST)
    window.begun -= 60
    with told.trouble("CA away for an hour"):
        pass
    assert window.begun + BOUND < window.limit <= time.time() + BOUND
    window.begun -= 1000
    with told.trouble("CA away for an hour"):
        pass
    assert window.limit == window.begun + MOST


@pytest.fixture(scope="module", params=["ECDSA", "RSA"])
def key(request: pytest.FixtureRequest) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if request.param == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, serial: int) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, now, now + dt.timedelta(days=1))
    signer = ec.generate_private_key(ec.SECP256R1())
    return builder.sign(signer, hashes.SHA256())


def test_a_key_is_found_in_each_form(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    seen, pem = Keys(), pem_of(key)
    seen.private(pem)
    line = pem.splitlines()[2] if isinstance(key, ec.EllipticCurvePrivateKey) else pem.splitlines()[-4]
    texts = [pem, base64.b64encode(pem), b'stored "' + line + b'"', b"x" * 7 + line + b"y"]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        number = key.private_numbers().private_value
        texts += [f"{number:064x}".encode(), f"d={number}".encode(), base64.b64encode(number.to_bytes(32))]
    assert [bool(seen.leaks(text)) for text in texts] == [True] * len(texts)


def test_what_is_public_is_no_leak(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    seen = Keys()
    seen.private(pem_of(key))
    public = certificate(key, 1).public_bytes(serialization.Encoding.PEM)
    assert seen.leaks(public) == seen.leaks(base64.b64encode(public)) == seen.leaks(b"stored the certificate") == ""


def test_a_key_belongs_to_one_certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    seen = Keys()
    assert seen.certificate(HOST, certificate(key, 1)) == ""
    assert seen.certificate(HOST, certificate(key, 1)) == "", "the same one, seen again"
    assert "two certificates" in seen.certificate(HOST, certificate(key, 2))
    assert "is that of" in seen.certificate("another.example.com", certificate(key, 3))


def test_a_plan_holds_each_kind_and_follows_from_its_seed() -> None:
    kinds = ["leader killed", "DNS away", "slow API server"]
    first, second, other = (drawn(kinds, 30, chance_of(seed, "plan")) for seed in (1, 1, 2))
    assert first == second != other
    assert len(first) == 30
    assert set(Counter(first)) == set(kinds)


KINDS = {kind for lane in (Killing, Disturbing, Hands) for kind in lane.__new__(lane).kinds}


def test_each_kind_that_comes_more_or_less_often_is_there() -> None:
    assert set(WEIGHTS) <= KINDS


def test_each_kind_is_explained() -> None:
    page = (CHECKOUT / "docs" / "testing.md").read_text()
    table = page.partition("## Chaos")[2].partition("\n## ")[0]
    assert {kind for kind in KINDS if kind not in table} == set()


def test_there_is_a_mistake_for_each_invariant() -> None:
    assert {one for one in mutations.EXPECTED.values() if one} == set(INVARIANTS)
