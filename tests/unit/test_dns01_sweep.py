"""Taking records of DNS-01 out: a mistake is told and tried again in no hurry. tests/integration has name servers."""

from pathlib import Path

import pytest

from certward.config import parse
from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from certward.probe.resolver import Resolver
from certward.runtime import metrics
from certward.runtime.dns01 import Dns01
from certward.runtime.dns_journal import NAME
from certward.runtime.flights import Flights
from shelf import NAMESPACE, Shelf

CONFIG = parse(
    """
challenge:
  dns01: {rfc2136: {server: ns.example.net, zone: acme.example.net, tsigSecretRef: {name: tsig, key: key}}}
""",
    Path(),
)
RECORD = (
    """[{"name": "www.example.com.acme.example.net", "value": "x", "domain": "team-a/www", "order": "u", "at": "t"}]"""
)


@pytest.fixture
def shelf():
    shelf = Shelf()
    meta = {"name": NAME, "namespace": NAMESPACE, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}
    shelf.create({"metadata": meta, "data": {"records.json": RECORD}})
    return shelf


def test_a_mistake_is_counted_and_what_it_was_at_rests(shelf):
    looks = []

    def is_needed(entry):
        looks.append(entry)
        if len(looks) == 2:  # in the flight
            raise RuntimeError("a mistake")
        return False

    flights = Flights("test", 1, lambda _: None)
    dns01 = Dns01(CONFIG, shelf, namespace=NAMESPACE, resolver=Resolver([]), flights=flights, is_needed=is_needed)
    bugs = metrics.BUGS._value.get()
    dns01.load()
    dns01.sweep()
    while (next_one := flights.start("shop", bool)) is None:  # there is one place only
        continue
    next_one.result(10)
    assert metrics.BUGS._value.get() == bugs + 1
    dns01.sweep()
    assert len(looks) == 2, "not at once again"
