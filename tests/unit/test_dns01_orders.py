"""What a CA wants in the DNS, and orders whose challenges are answered there."""

import pytest

from certward.acme.dns01 import issuer_domains, txt_value
from certward.acme.order import Authorization, Order, challenge_of, token_of
from certward.acme.problems import parse_problem, to_challenge_error

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"  # noqa: S105 - RFC 8555's
OFFERED = {
    "challenges": [
        {"type": "http-01", "url": "h", "status": "pending", "token": TOKEN},
        {"type": "dns-01", "url": "d", "status": "pending", "token": TOKEN},
    ]
}


def test_the_value_is_the_digest_of_the_key_authorization():
    # RFC 8555, 8.4: base64url without padding of SHA-256 over token, a dot and the thumbprint.
    assert txt_value("token", "thumbprint") == "61rBZ_4knHblO0MNoxFsXZ_eTFUHum0B6IVRbhvUn5I"
    assert len(txt_value(TOKEN, "x" * 43)) == 43
    assert "=" not in txt_value(TOKEN, "x" * 43)


@pytest.mark.parametrize(
    ("directory", "names"),
    [
        ({"meta": {"caaIdentities": ["ca.example", 7]}}, ("ca.example",)),
        ({"meta": {"caaIdentities": "ca.example"}}, ()),
        ({"meta": []}, ()),
        ({}, ()),
    ],
)
def test_the_names_of_a_ca_in_the_dns(directory, names):
    assert issuer_domains(directory) == names


def test_the_challenge_that_is_asked_for_is_taken():
    assert challenge_of(OFFERED, "dns-01")["url"] == "d"
    assert challenge_of(OFFERED, "http-01")["url"] == "h"
    assert challenge_of(OFFERED, "dns-persist-01") is None
    # An earlier process has told the CA to look already: whatever that was by, it has to be waited for.
    begun = {"challenges": [OFFERED["challenges"][0] | {"status": "processing"}, OFFERED["challenges"][1]]}
    assert challenge_of(begun, "dns-01")["url"] == "h"


@pytest.mark.parametrize("token", ["", None, 7, "a b", "ä", "x" * 600, '"'])
def test_a_token_that_is_none(token):
    assert token_of({"token": token}) == ""


def test_one_record_after_the_other_is_asked_for():
    first = Authorization("1", "a.example", "c1", False, "t1")
    second = Authorization("2", "b.example", "c2", False, "t2")
    order = Order("o", "pending", ("a.example", "b.example"), pending=(first, second), challenge="dns-01")
    assert order.to_publish == (("a.example", "t1"),)
    order = order.having(first, Authorization("1", "a.example", "c1", answered=True))
    assert order.to_publish == (("b.example", "t2"),)
    assert order.having(second, Authorization("2", "b.example", "c2", answered=True)).to_publish == ()


def test_another_challenge_leaves_what_the_ca_looks_at_already():
    answered, fresh = Authorization("1", "a", "c1", answered=True), Authorization("2", "b", "c2")
    order = Order("o", "pending", ("a", "b"), pending=(answered, fresh)).by("dns-01")
    assert order.challenge == "dns-01"
    assert order.pending == (answered, Authorization("2"))
    assert order.by("dns-01") is order


@pytest.mark.parametrize("code", ["unauthorized", "incorrectResponse", "connection", "malformed"])
def test_a_record_that_the_ca_has_not_seen_is_said_to_be_one(code):
    problem = parse_problem({"type": f"urn:ietf:params:acme:error:{code}"})
    error = to_challenge_error(problem, issuer_name="ca", hostname="a.example", is_by_dns=True)
    assert error.reason == "DNSNotFound"
    assert "the TXT record" in error.message
    assert "TXT" not in to_challenge_error(problem, issuer_name="ca", hostname="a.example").message
