"""A CA whose order comes to no end: a worker does not stay with it."""

import time
from collections import Counter
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from builders import observed
from certward.acme import orders
from certward.acme.client import Issuer, IssuerSettings
from certward.model import pki
from certward.runtime.issuance import Issuance
from certward.runtime.memory import Memory
from certward.runtime.troubles import Troubles
from cluster import pki as cluster_pki
from faulty.faults import Fault, Kind, Peace, Script, Strike
from faulty.journal import Journal
from faulty.proxy import Proxy
from scripted_ca import ACCOUNT_KEY, ScriptedCA, order_document

CSR = pki.csr_der(pki.generate_key("ECDSA-P256"), ["www.example.com"])
KEY: Any = SimpleNamespace(csr=lambda: CSR)


def issuance() -> Issuance:
    """Where only the CA has a part."""
    nothing: Any = None
    unused = dict.fromkeys(("secrets", "preflights", "ledger", "dns01", "seeds", "ordering"), nothing)
    return Issuance(nothing, troubles=Troubles(nothing), **unused)


@pytest.mark.parametrize("then", ["ready", "processing"])
def test_a_pass_ends_and_the_order_is_left_alone_for_a_while(then):
    """The order is ready whenever it is looked at, whatever the answer to the signing request was."""
    with closing(ScriptedCA()) as ca, closing(ca.issuer()) as issuer:
        at_once = {"Retry-After": "0"}
        ca.says("/newOrder", (201, order_document(ca, "ready"), {"Location": f"{ca.url}/order"}))
        ca.says("/order", (200, order_document(ca, "ready"), at_once))
        ca.says("/finalize", (200, order_document(ca, then), at_once))
        memory = Memory(order=orders.new_order(issuer, ["www.example.com"]))
        began = time.monotonic()
        assert issuance()._follow(observed(), issuer, KEY, memory) is None
    assert len(ca.seen) < 40
    assert memory.wait_until - began > 0.3


@pytest.fixture
def faulty(tmp_path):
    """The faulty CA before one whose order stays pending, as its authorization does, which it has begun to validate."""
    files = cluster_pki.ensure(tmp_path / "pki", "10.0")
    with (
        closing(ScriptedCA()) as ca,
        Proxy(ca.url, ca=files.ca, certificate=files.both("pebble")) as proxy,
    ):
        url = proxy.directory.removesuffix("/dir")
        order = order_document(ca, "pending", authorizations=[f"{url}/authZ/1"], finalize=f"{url}/finalize-order/1")
        challenge = {"type": "http-01", "url": f"{url}/chalZ/1", "status": "processing", "token": "x"}
        paths = {"newNonce": "nonce-plz", "newAccount": "sign-me-up", "newOrder": "order-plz"}
        ca.says("/dir", (200, {name: f"{url}/{path}" for name, path in paths.items()}))
        ca.says("/nonce-plz", (200, b""))
        ca.says("/sign-me-up", (201, {}, {"Location": f"{url}/my-account/1"}))
        ca.says("/order-plz", (201, order, {"Location": f"{url}/my-order/1"}))
        ca.says("/my-order/1", (200, order))
        ca.says("/authZ/1", (200, {"status": "pending", "challenges": [challenge]}))
        with closing(
            Issuer(IssuerSettings("faulty", proxy.directory, ca_bundle_pem=files.ca.read_bytes()), ACCOUNT_KEY)
        ) as issuer:
            yield proxy, issuer


def test_who_is_told_to_ask_again_at_once_asks_no_more_often(faulty):
    """In one pass, which ends with the first pause that is not sat out in place."""
    proxy, issuer = faulty

    def asked(plan):
        proxy.plan, proxy.journal = plan, Journal()
        memory = Memory(order=orders.new_order(issuer, ["www.example.com"]))
        assert issuance()._follow(observed(), issuer, KEY, memory) is None
        assert memory.wait_until > 0
        return Counter(one.kind for one in proxy.journal.requests() if one.kind in (Kind.ORDER, Kind.AUTHZ))

    usual = asked(Peace())
    assert set(usual) == {Kind.ORDER, Kind.AUTHZ}
    at_once = [Strike(kind, Fault.AT_ONCE, times=1000) for kind in usual]
    assert asked(Script(at_once)) == usual
    assert proxy.journal.faults() == {Fault.AT_ONCE: usual.total()}
