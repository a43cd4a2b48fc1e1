"""What a CA may do wrong, by a server that does it: rate limits, rejected nonces, nonsense instead of ACME."""

import json
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from josepy.json_util import decode_b64jose

from certward.acme import certificates, client, orders
from certward.acme.account import AccountKey
from certward.acme.client import DIRECTORY_RENEWAL, ExternalAccount, Issuer, IssuerSettings
from certward.acme.directory import _date
from certward.acme.order import FIRST_POLL, LAST_POLL
from certward.acme.transport import MAXIMUM_RETRY_AFTER, NONCE_ATTEMPTS, retry_after_seconds
from certward.errors import (
    ChallengeFailed,
    ConfigError,
    IssuerUnusable,
    OperatorError,
    RateLimited,
    Rejected,
    Transient,
)
from certward.model import pki
from scripted_ca import ACCOUNT_KEY, PROBLEM, ScriptedCA, order_document

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def ca():
    with closing(ScriptedCA()) as server:
        yield server


@pytest.fixture
def issuer(ca):
    with closing(ca.issuer()) as ready:
        yield ready


def problem(code, status=400, *, detail="", **headers):
    return (status, {"type": PROBLEM + code, "detail": detail}, headers)


def authorization(ca, status="pending", challenge="pending", **more):
    http01 = {"type": "http-01", "url": f"{ca.url}/challenge", "status": challenge, "token": "x"} | more
    return {
        "status": status,
        "identifier": {"type": "dns", "value": "www.example.com"},
        "challenges": [{"type": "new-99"}, None, http01],
    }


def placed(ca, issuer, status="pending", **more):
    ca.says("/newOrder", (201, order_document(ca, status, **more), {"Location": f"{ca.url}/order"}))
    return orders.new_order(issuer, ["www.example.com"])


def refused(issuer):
    with pytest.raises(OperatorError) as caught:
        orders.new_order(issuer, ["www.example.com"])
    return caught.value


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("-5", 0.0),
        ("9" * 300, MAXIMUM_RETRY_AFTER),
        ("9" * 400, MAXIMUM_RETRY_AFTER),
        ("-" + "9" * 400, 0.0),
        ("9" * 5000, None),
        ("Mon, 23 Nov 99999999999999999999 13:00:00 GMT", None),
        ("Mon, 23 Nov 2026 13:00:00 +99999999999999999999", None),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120.0),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0.0),
        ("Mon, 23 Nov 2026 13:00:00 -0000", 3600.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize("date", ["Mon, 23 Nov 99999999999999999999 13:00:00 GMT", "soon"])
def test_a_date_that_nobody_can_read_is_left_aside(ca, issuer, date):
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    ca.says("/newOrder", problem("rateLimited", 429, **{"Retry-After": until, "Date": date}))
    assert timedelta(minutes=59) < refused(issuer).until - datetime.now(UTC) <= timedelta(hours=1)
    assert _date(date) is None


@pytest.mark.parametrize(("status", "code"), [(429, "rateLimited"), (503, "rateLimited"), (503, "serverInternal")])
def test_a_limit_says_until_when(ca, issuer, status, code):
    for value in ("3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)):
        ca.says("/newOrder", problem(code, status, **{"Retry-After": value}))
        before = datetime.now(UTC)
        error = refused(issuer)
        assert isinstance(error, RateLimited)
        assert abs(error.until - before - timedelta(hours=1)) < timedelta(seconds=10)


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10), None], ids=str)
def test_a_date_counts_by_the_clock_of_the_ca(ca, issuer, ahead):
    now = datetime.now(UTC)
    theirs = now + (ahead or timedelta())
    date = format_datetime(theirs, usegmt=True) if ahead else "nonsense"
    until = format_datetime(theirs + timedelta(hours=1), usegmt=True)
    ca.says("/newOrder", problem("rateLimited", 429, **{"Retry-After": until, "Date": date}))
    assert abs(refused(issuer).until - now - timedelta(hours=1)) < timedelta(seconds=10)


def test_rejected_nonces_are_replaced_by_those_of_the_errors(ca, issuer):
    bad = problem("badNonce")
    order = (201, order_document(ca, "ready"), {"Location": f"{ca.url}/order"})
    ca.says("/newOrder", *[bad] * (NONCE_ATTEMPTS - 1), order)

    assert orders.new_order(issuer, ["www.example.com"]).status == "ready"
    assert ("HEAD", "/newNonce") not in ca.seen  # each reply brings the next one

    ca.says("/newOrder", bad)
    assert (type(refused(issuer)), refused(issuer).reason) == (Transient, "CAUnavailable")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param((200, b"<html>maintenance</html>"), id="a page"),
        pytest.param((502, b"<html>bad gateway</html>"), id="a gateway's error"),
        pytest.param((403, b"blocked"), id="a firewall's error"),
        pytest.param((200, []), id="an array"),
        pytest.param((200, b"[" * 100_000), id="nested without end"),
        pytest.param((200, {"status": "pending"}), id="an order without finalize"),
        pytest.param((200, {"status": "new", "finalize": "x"}), id="an unknown status"),
        pytest.param((200, {"status": "valid", "finalize": "x"}), id="valid without a certificate"),
        pytest.param((200, b" " * 2_000_000), id="more than an answer can hold"),
        pytest.param((302, b"", {"Location": "/newOrder"}), id="a redirect"),
        pytest.param((302, b"", {"Location": "https://["}), id="a redirect to what is no URL"),
        pytest.param((500, {"type": 5}), id="a strange problem"),
    ],
)
def test_nonsense_is_taken_for_an_outage(ca, issuer, reply):
    status, body, *headers = reply
    ca.says("/newOrder", (status, body, {"Location": f"{ca.url}/order"} | (headers[0] if headers else {})))
    error = refused(issuer)
    assert (type(error), error.reason) == (Transient, "CAUnavailable")
    assert "127.0.0.1" not in error.message


def test_a_ca_without_nonces_and_one_with_broken_ones(ca, issuer):
    for nonce in (None, "a"):
        for path in ("/newNonce", "/directory", "/newAccount"):
            status, body, headers = ca.replies[path][0]
            ca.says(path, (status, body, headers | {"Replay-Nonce": nonce}))
        error = refused(issuer)
        assert (type(error), error.reason) == (Transient, "CAUnavailable")


def test_redirects_of_the_directory_end(ca, issuer):
    ca.says("/directory", (302, b"", {"Location": "/directory"}))
    assert "circles" in refused(issuer).message


def test_what_leads_elsewhere_holds_no_more_than_any_answer(ca, issuer):
    ca.says("/old", (302, b" " * 2_000_000, {"Location": "/directory"}), (302, b"moved", {"Location": "/directory"}))
    with pytest.raises(Transient, match="more than an answer of ACME can hold"):
        issuer.get(f"{ca.url}/old")
    assert issuer.tally.counts() == {"none": 1}
    assert ca.seen == [("GET", "/old")]
    assert "newOrder" in issuer.get(f"{ca.url}/old").json()


def test_the_directory_is_fetched_once_and_again_after_trouble(ca, issuer):
    placed(ca, issuer)
    placed(ca, issuer)
    assert ca.seen.count(("GET", "/directory")) == 1

    ca.says("/newOrder", (200, b" " * 2_000_000))
    refused(issuer)
    placed(ca, issuer)
    assert ca.seen.count(("GET", "/directory")) == 2


def offer(ca, *profiles):
    """Have the CA's directory name these profiles from now on."""
    status, document, headers = ca.replies["/directory"][0]
    ca.says("/directory", (status, document | {"meta": {"profiles": dict.fromkeys(profiles, "one of them")}}, headers))


def fetched(ca):
    """How often the directory has been."""
    return ca.seen.count(("GET", "/directory"))


def ask_for(issuer, profile):
    """Why an order with a profile is refused; empty when it is placed."""
    try:
        orders.new_order(issuer, ["www.example.com"], profile=profile)
    except Rejected as refusal:
        return refusal.message
    return ""


def test_a_profile_that_the_ca_offers_later_needs_no_restart(ca, issuer, monkeypatch):
    now = SimpleNamespace(value=0.0)
    monkeypatch.setattr(client, "time", SimpleNamespace(monotonic=lambda: now.value))
    ca.says("/newOrder", (201, order_document(ca, "ready"), {"Location": f"{ca.url}/order"}))
    offer(ca, "classic")
    assert ask_for(issuer, "classic") == ""
    offer(ca, "classic", "short")
    assert ask_for(issuer, "short") == ""
    assert fetched(ca) == 2

    refused = "The CA scripted does not offer the ACME profile new; it offers: classic, short."
    assert [ask_for(issuer, "new") for _ in range(3)] == [refused] * 3
    assert fetched(ca) == 2, "it was fetched anew just before"
    offer(ca, "new")
    now.value += DIRECTORY_RENEWAL
    assert ask_for(issuer, "new") == ""
    assert fetched(ca) == 3


def test_a_profile_that_the_ca_offers_no_more_is_refused_by_its_directory_as_it_is_now(ca, issuer):
    offer(ca, "classic", "short")
    issuer.directory()
    offer(ca, "classic")
    ca.says("/newOrder", problem("invalidProfile"))
    assert "it offers: classic." in ask_for(issuer, "short")
    assert "it offers: classic." in ask_for(issuer, "short")
    assert ca.seen.count(("POST", "/newOrder")) == 1
    assert fetched(ca) == 2


def test_a_profile_that_is_offered_and_refused_all_the_same_is_refused_in_the_words_of_the_ca(ca, issuer):
    offer(ca, "classic")
    ca.says("/newOrder", problem("invalidProfile", detail="not for this account"))
    for _ in range(2):
        assert "not for this account" in ask_for(issuer, "classic")
    assert fetched(ca) == 2


def test_a_profile_is_not_refused_while_the_directory_cannot_be_fetched(ca, issuer):
    offer(ca, "classic")
    issuer.directory()
    ca.says("/directory", (503, b""), ca.replies["/directory"][0])
    with pytest.raises(Transient):
        ask_for(issuer, "short")
    assert "it offers: classic" in ask_for(issuer, "short")


def test_answers_are_counted_by_their_status(ca, issuer):
    placed(ca, issuer)
    before = issuer.tally.counts()
    assert set(before) <= {"200", "201"}

    ca.says("/newOrder", (503, {}, {}))
    refused(issuer)
    ca.says("/newOrder", (200, b" " * 2_000_000))
    refused(issuer)
    after = issuer.tally.counts()
    assert after["503"] == 1
    assert after["none"] == 1
    assert sum(after.values()) == len(ca.seen)


def test_many_threads_register_once(ca, issuer):
    threads = [threading.Thread(target=issuer.ensure_account) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.account_url == f"{ca.url}/account/1"
    assert ca.seen.count(("POST", "/newAccount")) == 1


def test_a_lost_account_is_registered_again_once(ca, issuer):
    ca.says("/newOrder", problem("accountDoesNotExist"))
    assert refused(issuer).reason == "CAUnavailable"
    assert ca.seen.count(("POST", "/newAccount")) == 2
    assert ca.seen.count(("POST", "/newOrder")) == 2


def registrations(ca, *replies):
    """Have newAccount answer so; returns what it is asked."""
    asked, left = [], list(replies)

    def answer(body):
        asked.append(json.loads(decode_b64jose(json.loads(body)["payload"])))
        return left.pop(0)

    ca.says("/newAccount", answer)
    return asked


def test_an_account_is_looked_for_without_a_binding_and_with_it_only_where_that_is_asked_for(ca):
    found = (200, {}, {"Location": f"{ca.url}/account/1"})
    with closing(ca.issuer(external_account=ExternalAccount("kid", "a2V5"))) as issuer:
        asked = registrations(ca, found)
        assert issuer.find_account() == f"{ca.url}/account/1"
        assert asked == [{"onlyReturnExisting": True}]
        asked = registrations(ca, problem("externalAccountRequired"), found)
        assert issuer.find_account() == f"{ca.url}/account/1"
        assert [sorted(each) for each in asked] == [
            ["onlyReturnExisting"],
            ["externalAccountBinding", "onlyReturnExisting"],
        ]
        registrations(ca, problem("externalAccountRequired"), problem("accountDoesNotExist"))
        assert issuer.find_account() == ""


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem("externalAccountRequired"), IssuerUnusable),
        (problem("unauthorized", 403), IssuerUnusable),
        (problem("malformed"), Rejected),
        ((200, {}), Transient),
        ((404, b"nothing"), Transient),
    ],
    ids=["a binding is wanted and there is none", "unauthorized", "malformed", "found, and not where", "no ACME"],
)
def test_only_a_ca_that_says_so_has_no_such_account(ca, issuer, reply, kind):
    registrations(ca, reply, problem("accountDoesNotExist"))
    with pytest.raises(kind):
        issuer.find_account()
    assert issuer.find_account() == ""


def test_whose_key_it_is_is_shown_by_the_account_only(ca, issuer):
    url = f"{ca.url}/account/1"
    ca.says("/account/1", (200, {"status": "valid"}), problem("unauthorized", 403), (500, b""), (200, b"<html>"))
    assert [issuer.is_key_of(url) for _ in range(4)] == [True, False, False, False]


def test_the_wait_is_the_ca_s_or_a_little_longer_each_time(ca, issuer):
    order = placed(ca, issuer, "processing")
    ca.says("/order", (200, order_document(ca, "processing"), {"Retry-After": "7"}))
    assert orders.advance(issuer, order, b"").retry_after == 7

    ca.says("/order", (200, order_document(ca, "processing")))
    waits = []
    for _ in range(12):
        waits.append(order.retry_after)
        order = orders.advance(issuer, order, b"")
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_POLL, LAST_POLL)


@pytest.mark.parametrize("says", ["0", "-7", "Mon, 23 Nov 2026 12:00:00 GMT"])
def test_a_wait_of_nothing_is_no_reason_to_ask_without_a_pause(ca, issuer, says):
    at_once = {"Retry-After": says, "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}
    ca.says("/order", (200, order_document(ca, "processing"), at_once))
    order, waits = placed(ca, issuer, "processing"), []
    for _ in range(12):
        order = orders.advance(issuer, order, b"")
        waits.append(order.retry_after)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2 * FIRST_POLL, LAST_POLL)


def test_an_order_that_stays_ready_gets_its_signing_request_less_and_less_often(ca, issuer):
    csr = pki.csr_der(pki.generate_key("ECDSA-P256"), ["www.example.com"])
    ready = (200, order_document(ca, "ready"), {"Retry-After": "0"})
    ca.says("/finalize", ready)
    ca.says("/order", ready)
    order, waits = placed(ca, issuer, "ready"), []
    for _ in range(10):
        order = orders.advance(issuer, orders.advance(issuer, order, csr), csr)
        assert order.status == "ready"
        waits.append(orders.advance(issuer, order, csr).retry_after)
    assert ca.seen.count(("POST", "/finalize")) == 20
    assert waits == sorted(waits)
    assert waits[-1] == LAST_POLL


def test_an_order_that_stays_pending_is_looked_at_through_its_authorization(ca, issuer):
    order = placed(ca, issuer)
    ca.says("/authorization", (200, authorization(ca)))
    ca.says("/challenge", (200, {}))
    order = orders.advance(issuer, orders.advance(issuer, order, b""), b"")
    ca.says("/order", (200, order_document(ca, "pending")))
    error = {"type": f"{PROBLEM}dns", "detail": "NXDOMAIN"}
    ca.says("/authorization", (200, authorization(ca, "invalid", "invalid", error=error)))

    while order.polls < 3:
        order = orders.advance(issuer, order, b"")
    with pytest.raises(ChallengeFailed) as caught:
        orders.advance(issuer, order, b"")
    assert caught.value.reason == "DNSNotFound"


def test_an_order_that_is_not_ready_yet_is_finalized_later(ca, issuer):
    key_pem = pki.generate_key("ECDSA-P256")
    csr = pki.csr_der(key_pem, ["www.example.com"])
    order = placed(ca, issuer, "ready")
    ca.says("/finalize", problem("orderNotReady", 403), (200, order_document(ca, "processing")))
    ca.says("/order", (200, order_document(ca, "ready")))
    statuses = []
    for _ in range(3):
        order = orders.advance(issuer, order, lambda: csr)
        statuses.append((order.status, order.retry_after > 0))
    assert statuses == [("pending", True), ("ready", False), ("processing", True)]


@pytest.mark.parametrize(
    ("code", "status", "kind", "reason"),
    [
        ("caa", "valid", ChallengeFailed, "CAAForbids"),
        ("badCSR", "valid", Rejected, "CARejected"),
        ("serverInternal", "valid", ChallengeFailed, "OrderInvalid"),
        ("unauthorized", "valid", ChallengeFailed, "ChallengeUnreachable"),
        (None, "valid", ChallengeFailed, "OrderInvalid"),
        (None, "invalid", ChallengeFailed, "ChallengeUnreachable"),
        (None, "expired", Transient, "OrderInvalid"),
    ],
)
def test_why_an_order_is_invalid(ca, issuer, code, status, kind, reason):
    ca.says("/authorization", (200, authorization(ca, status, status)))
    error = {"type": PROBLEM + code} if code else None
    order = placed(ca, issuer, "invalid", error=error)
    with pytest.raises(OperatorError) as caught:
        orders.advance(issuer, order, b"")
    assert (type(caught.value), caught.value.reason) == (kind, reason)


@pytest.mark.parametrize("code", ["alreadyReplaced", "malformed", "unauthorized"])
def test_a_renewal_that_the_ca_does_not_see_as_one_is_an_order_like_any(ca, issuer, code):
    order = (201, order_document(ca, "ready"), {"Location": f"{ca.url}/order"})
    ca.says("/newOrder", problem(code, 409), order)
    assert orders.new_order(issuer, ["www.example.com"], replaces="a.b").status == "ready"


def test_settings_that_are_of_no_use(ca):
    with pytest.raises(ConfigError, match="caBundle of issuer scripted"):
        ca.issuer(ca_bundle_pem=b"not a certificate")
    with pytest.raises(ConfigError, match="account key"):
        Issuer(IssuerSettings("scripted", ca.url), b"not a key")
    with pytest.raises(Rejected, match="base64url"):
        ca.issuer(external_account=ExternalAccount("kid", "*")).ensure_account()


def test_no_key_is_shown(issuer):
    assert "PRIVATE" not in repr(issuer) + repr(AccountKey(ACCOUNT_KEY))
    assert len(issuer.thumbprint) == 43


@pytest.mark.parametrize(
    "window",
    [None, {}, {"start": 5, "end": 6}, {"start": "soon", "end": "later"}, {"start": "2026-11-23T12:00:00"}],
    ids=repr,
)
def test_renewal_windows_that_are_none(ca, issuer, window):
    ca.says("/renewalInfo/a.b", (200, {"suggestedWindow": window}))
    with pytest.raises(Transient):
        certificates.renewal_info(issuer, "a.b")


def test_a_renewal_window(ca, issuer):
    window = {"start": "2026-11-23T12:00:00.123456789Z", "end": "2026-11-24T12:00:00+01:00"}
    ca.says("/renewalInfo/a.b", (200, {"suggestedWindow": window}, {"Retry-After": "21600"}))
    info = certificates.renewal_info(issuer, "a.b")
    assert info.start.replace(microsecond=0) == NOW
    assert info.end == NOW + timedelta(hours=23)
    assert info.ask_again_after == timedelta(hours=6)

    ca.says("/renewalInfo/a.b", problem("rateLimited", 429, **{"Retry-After": "5"}))
    with pytest.raises(RateLimited):
        certificates.renewal_info(issuer, "a.b")
