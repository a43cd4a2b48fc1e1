"""Problem documents of CAs and the errors that they become."""

from datetime import UTC, datetime, timedelta

import pytest

from certward.acme.detail import DETAIL_LENGTH, shown_detail
from certward.acme.problems import TABLE, Problem, parse_problem, to_challenge_error, to_error
from certward.errors import ChallengeFailed, IssuerUnusable, RateLimited, Rejected, Transient
from certward.names import CHALLENGE_PATH

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
A_TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"  # noqa: S105 - the example of RFC 8555

#: The reasons that a Domain's status may show for an error of the CA.
REASONS = {
    Rejected: {"CARejected"},
    IssuerUnusable: {"CARejected"},
    ChallengeFailed: {"DNSNotFound", "CAAForbids", "ChallengeUnreachable"},
    Transient: {"CAUnavailable", "OrderInvalid"},
    RateLimited: {"RateLimited"},
}


def error_of(code, detail="", status=400, retry_after=None, hostname="www.example.com", **more):
    problem = Problem(code, detail, status, **more)
    return to_error(problem, retry_after=retry_after, now=NOW, issuer_name="le", hostname=hostname)


@pytest.mark.parametrize("code", TABLE)
def test_every_known_type_has_a_reason_of_its_class_and_a_sentence(code):
    for error in (
        error_of(code),
        error_of(code, hostname=""),
        to_challenge_error(Problem(code), issuer_name="le", hostname="www.example.com"),
    ):
        assert error.reason in REASONS[type(error)]
        assert error.message[0].isupper()
        assert error.message.endswith(".")
        assert "{" not in error.message


@pytest.mark.parametrize(
    ("code", "status", "retry_after", "kind", "reason"),
    [
        pytest.param("rateLimited", 429, 90, RateLimited, "RateLimited", id="limit"),
        pytest.param("", 429, 90, RateLimited, "RateLimited", id="429 without a document"),
        pytest.param("serverInternal", 503, 90, RateLimited, "RateLimited", id="busy, and says for how long"),
        pytest.param("serverInternal", 503, None, Transient, "CAUnavailable", id="busy"),
        pytest.param("", 502, None, Transient, "CAUnavailable", id="bad gateway"),
        pytest.param("", 500, 90, Transient, "CAUnavailable", id="server error"),
        pytest.param("", 403, None, Transient, "CAUnavailable", id="refused by something in front"),
        pytest.param("somethingNew", 400, None, Rejected, "CARejected", id="unknown type"),
        pytest.param("unauthorized", 403, None, IssuerUnusable, "CARejected", id="account refused"),
        pytest.param("caa", 403, None, ChallengeFailed, "CAAForbids", id="CAA looked at again in finalize"),
    ],
)
def test_refused_requests(code, status, retry_after, kind, reason):
    error = error_of(code, status=status, retry_after=retry_after)

    assert (type(error), error.reason) == (kind, reason)
    if isinstance(error, RateLimited):
        assert error.until == NOW + timedelta(seconds=retry_after)


def test_a_limit_without_retry_after_waits_an_hour():
    assert error_of("rateLimited", status=429).until == NOW + timedelta(hours=1)


def test_a_paused_hostname_is_no_rate_limit_of_the_account():
    detail = (
        "Your account is temporarily prevented from requesting certificates for www.example.com and possibly"
        " others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.eyJ4Ijox"
    )
    error = error_of("rateLimited", detail, status=429, retry_after=60)

    assert (type(error), error.reason) == (Rejected, "CARejected")
    assert "paused" in error.message
    assert "eyJ" not in error.message


def test_of_a_compound_problem_the_hostname_s_own_part_counts():
    document = {
        "type": "urn:ietf:params:acme:error:compound",
        "detail": "Errors during validation",
        "subproblems": [
            {
                "type": "urn:ietf:params:acme:error:caa",
                "detail": "first",
                "identifier": {"type": "dns", "value": "a.example.com"},
            },
            {
                "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                "detail": "second",
                "identifier": {"type": "dns", "value": "b.example.com"},
            },
        ],
    }
    problem = parse_problem(document, 403)

    def told(hostname):
        return to_error(problem, retry_after=None, now=NOW, issuer_name="le", hostname=hostname)

    assert told("a.example.com").reason == "CAAForbids"
    assert told("b.example.com").message.endswith("It says: second")
    assert told("c.example.com").reason == "CAAForbids"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("connection", "ChallengeUnreachable"),
        ("unauthorized", "ChallengeUnreachable"),
        ("incorrectResponse", "ChallengeUnreachable"),
        ("tls", "ChallengeUnreachable"),
        ("serverInternal", "ChallengeUnreachable"),
        ("rateLimited", "ChallengeUnreachable"),
        ("", "ChallengeUnreachable"),
        ("dns", "DNSNotFound"),
        ("dnssec", "DNSNotFound"),
        ("caa", "CAAForbids"),
    ],
)
def test_failed_validations(code, reason):
    error = to_challenge_error(Problem(code), issuer_name="le", hostname="www.example.com")

    assert (type(error), error.reason) == (ChallengeFailed, reason)
    assert "www.example.com" in error.message


@pytest.mark.parametrize(
    "document",
    [None, [], "text", {}, {"type": 7, "detail": {}}, {"subproblems": [None, {"subproblems": [{}]}]}],
    ids=repr,
)
def test_nonsense_documents_are_problems_without_a_code(document):
    assert parse_problem(document, 500).code == ""


def test_subproblems_are_followed_to_a_depth_only():
    document = {"type": "urn:ietf:params:acme:error:compound"}
    for _ in range(5000):
        document = {"type": "urn:ietf:params:acme:error:compound", "subproblems": [document]}
    assert parse_problem(document).subproblems[0].subproblems[0].subproblems == ()


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        pytest.param(
            f"203.0.113.7: Invalid response from http://www.example.com{CHALLENGE_PATH}{A_TOKEN}: 404",
            "203.0.113.7: Invalid response from http://www.example.com: 404",
            id="URL",
        ),
        pytest.param(
            f'The key authorization file contents "{A_TOKEN}.{A_TOKEN}" do not match',
            "The key authorization file contents do not match",
            id="tokens",
        ),
        pytest.param(
            "too many certificates (5) already issued for this set of identifiers in the last 168h0m0s, retry"
            " after 2026-11-23 22:18:05 UTC: see https://letsencrypt.org/docs/rate-limits/#new",
            "too many certificates (5) already issued for this set of identifiers in the last 168h0m0s:"
            " see https://letsencrypt.org",
            id="moment",
        ),
        pytest.param("No order for ID 31337313373", "No order for ID", id="number"),
        pytest.param("request 6f1c2b34-0000-4000-8000-00c04fd430c8 failed", "request failed", id="UUID"),
        pytest.param("serial 04e8f1aa22bb33cc44dd55ee failed", "serial failed", id="serial number"),
        pytest.param(
            'Get "http://a.example.com": read tcp 10.0.0.1:53422->203.0.113.1:80: connection reset',
            'Get "http://a.example.com": read tcp 203.0.113.1:80: connection reset',
            id="source port",
        ),
        pytest.param("a\r\n  b\x00 c", "a b c", id="control characters"),
        pytest.param(
            "no record for a-very-long-label-with-1-digit.example.com",
            "no record for a-very-long-label-with-1-digit.example.com",
            id="a hostname stays",
        ),
    ],
)
def test_the_words_of_the_ca_are_shown_without_what_changes(detail, shown):
    assert shown_detail(detail) == shown


def test_long_words_are_cut():
    shown = shown_detail("word " * 1000)
    assert len(shown) == DETAIL_LENGTH
    assert shown.endswith("…")
