"""A CA whose order comes to no end: a worker does not stay with it."""

import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from builders import observed
from certward.acme import orders
from certward.model import pki
from certward.runtime.issuance import Issuance
from certward.runtime.memory import Memory
from certward.runtime.troubles import Troubles
from scripted_ca import ScriptedCA, order_document

CSR = pki.csr_der(pki.generate_key("ECDSA-P256"), ["www.example.com"])


@pytest.mark.parametrize("then", ["ready", "processing"])
def test_a_pass_ends_and_the_order_is_left_alone_for_a_while(then):
    """The order is ready whenever it is looked at, whatever the answer to the signing request was."""
    nothing: Any = None
    unused = dict.fromkeys(("secrets", "preflights", "ledger", "dns01", "seeds", "ordering"), nothing)
    key: Any = SimpleNamespace(csr=lambda: CSR)
    with closing(ScriptedCA()) as ca, closing(ca.issuer()) as issuer:
        at_once = {"Retry-After": "0"}
        ca.says("/newOrder", (201, order_document(ca, "ready"), {"Location": f"{ca.url}/order"}))
        ca.says("/order", (200, order_document(ca, "ready"), at_once))
        ca.says("/finalize", (200, order_document(ca, then), at_once))
        memory = Memory(order=orders.new_order(issuer, ["www.example.com"]))
        issuance = Issuance(nothing, troubles=Troubles(nothing), **unused)
        began = time.monotonic()
        assert issuance._follow(observed(), issuer, key, memory) is None
    assert len(ca.seen) < 40
    assert memory.wait_until - began > 0.3
