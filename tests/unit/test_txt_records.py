"""TXT records as a CA reads them: where they stand, and whether a lasting one lets an account have certificates."""

from datetime import UTC, datetime

import pytest

from certward.probe.resolver import Broken, Found, NotFound, Unanswered
from certward.probe.txt import is_persistent, place_of

NAME = "_validation-persist.example.com"
URI = "https://ca.example/acct/1"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER, BEFORE = int(NOW.timestamp()) + 60, int(NOW.timestamp()) - 60


class Told:
    """A resolver that has one answer."""

    def __init__(self, found):
        self.found = found

    def txt(self, _name):
        return self.found


def allows(*texts, is_wildcard=False):
    found = Told(Found(texts))
    return is_persistent(found, NAME, ("CA.example", "ca2.example"), URI, is_wildcard=is_wildcard, now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        f"ca.example; accounturi={URI}",
        f"ca2.example;accounturi={URI};policy=wildcard",
        f"ca.example; AccountURI={URI}; persistUntil={LATER}",
        f"ca.example; accounturi={URI}; policy=other; more=1",
    ],
)
def test_records_that_allow(text):
    assert allows(text)
    assert allows("v=spf1 -all", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ca.example",
        f"other.example; accounturi={URI}",
        f"ca.example; accounturi={URI}2",
        f"ca.example; accounturi={URI};",
        f"ca.example; accounturi={URI}; accounturi={URI}",
        f"ca.example; accounturi={URI}; persistUntil={BEFORE}",
        f"ca.example; accounturi={URI}; persistUntil=soon",
        f"; accounturi={URI}",
    ],
)
def test_records_that_do_not(text):
    assert allows(text) is False


def test_a_wildcard_wants_to_be_named():
    assert not allows(f"ca.example; accounturi={URI}", is_wildcard=True)
    assert allows(f"ca.example; accounturi={URI}; policy=Wildcard", is_wildcard=True)


@pytest.mark.parametrize(("found", "expected"), [(NotFound(), False), (Broken(), False), (Unanswered(), None)])
def test_what_is_not_there_and_what_is_not_known(found, expected):
    assert is_persistent(Told(found), NAME, ("ca.example",), URI, is_wildcard=False, now=NOW) is expected


@pytest.mark.parametrize(
    ("found", "place"),
    [
        (Found(("x",)), "_acme-challenge.a"),
        (NotFound(), "_acme-challenge.a"),
        (NotFound(("b.example", "c.example")), "c.example"),
        (Found((), ("b.example",)), "b.example"),
        (Unanswered(), None),
        (Broken(), None),
    ],
)
def test_where_a_record_stands(found, place):
    assert place_of(Told(found), "_acme-challenge.a") == place
