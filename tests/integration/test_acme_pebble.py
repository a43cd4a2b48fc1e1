"""The ACME room against a real CA: Pebble, rejecting 5 % of good nonces, reusing half of the authorizations."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from certward.acme import certificates, orders
from certward.acme.client import ExternalAccount
from certward.errors import ChallengeFailed, OperatorError, Rejected, Transient
from certward.model import pki
from integration.pebble_world import BLOCKED, World, directory_certificate, free_ports

ACCOUNT_KEY = pki.generate_key("ECDSA-P256")
_numbers = count(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with closing(World(tmp_path_factory.mktemp("pebble"))) as running:
        yield running


@pytest.fixture
def own_world(tmp_path):
    """A Pebble for one test that wants it restarted, or counts its requests."""
    with closing(World(tmp_path, environment={"PEBBLE_WFE_NONCEREJECT": "0"})) as running:
        yield running


@pytest.fixture(scope="module")
def exact_world(tmp_path_factory):
    """A Pebble that rejects no nonce, so that a request is a request."""
    environment = {"PEBBLE_WFE_NONCEREJECT": "0"}
    with closing(World(tmp_path_factory.mktemp("exact-pebble"), environment=environment)) as running:
        yield running


@pytest.fixture
def issuer(world):
    with closing(world.issuer(ACCOUNT_KEY)) as ready:
        yield ready


def new_hostname():
    return f"h{next(_numbers)}.example.com"


def finish(issuer, order, csr, *, steps=1000, twice=False):
    """Advance an order by some steps, waiting as it says; `twice` repeats each as if its reply were lost."""
    for _ in range(steps):
        if order.certificate_pem:
            break
        time.sleep(order.retry_after)
        if twice:
            orders.advance(issuer, order, csr)
        order = orders.advance(issuer, order, csr)
    return order


def issue(world, issuer, *hostnames, key_type="ECDSA-P256", **options):
    """A certificate and its key for the hostnames, checked as the operator checks it."""
    world.answer(issuer, *hostnames)
    key_pem = pki.generate_key(key_type)
    order = finish(issuer, orders.new_order(issuer, hostnames, **options), pki.csr_der(key_pem, hostnames))
    return pki.check_pair(order.certificate_pem, key_pem, hostnames, datetime.now(UTC)), order


def test_an_account_is_created_and_found_again_by_its_key(world):
    key_pem = pki.generate_key("RSA-2048")
    url = world.issuer(key_pem, email="ops@example.com").ensure_account()

    assert url.startswith("https://127.0.0.1:")
    again = world.issuer(key_pem)
    assert (again.ensure_account(), again.ensure_account(), again.account_url) == (url, url, url)
    assert world.issuer(pki.generate_key("ECDSA-P384")).ensure_account() != url


@pytest.mark.parametrize("key_type", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
def test_a_certificate_is_issued(world, issuer, key_type):
    hostname = new_hostname()
    facts, order = issue(world, issuer, hostname, key_type=key_type)

    chain = pki.load_chain(order.certificate_pem)
    assert (facts.key_type, facts.hostnames, len(chain)) == (key_type, (hostname,), 2)
    assert pki.is_trusted(chain, world.roots_pem(), datetime.now(UTC))
    assert order.status == "valid"
    assert orders.advance(issuer, order, b"") is order


def test_a_certificate_for_two_hostnames(world, issuer):
    hostnames = (new_hostname(), new_hostname())
    facts, _ = issue(world, issuer, *hostnames)
    assert sorted(facts.hostnames) == sorted(hostnames)


def test_a_profile_is_asked_for_by_name(world, issuer):
    facts, _ = issue(world, issuer, new_hostname(), profile="shortlived")
    assert facts.not_after - facts.not_before < timedelta(days=7)

    assert issuer.supports_profiles()
    with pytest.raises(Rejected, match="it offers: default, shortlived") as caught:
        orders.new_order(issuer, [new_hostname()], profile="tlsserver")
    assert caught.value.reason == "CARejected"


def test_a_renewal_names_what_it_replaces_and_goes_on_where_the_ca_objects(world, issuer):
    hostname = new_hostname()
    _, first = issue(world, issuer, hostname, profile="default")
    replaces = pki.ari_certificate_id(pki.load_chain(first.certificate_pem)[0])

    issue(world, issuer, hostname, replaces=replaces)
    issue(world, issuer, hostname, replaces=replaces)  # has been replaced already
    issue(world, issuer, hostname, replaces="AAAA.AAAA")  # is unknown


def test_fifty_certificates_from_eight_threads(world, issuer):
    with ThreadPoolExecutor(8) as threads:
        issuances = [threads.submit(issue, world, issuer, new_hostname()) for _ in range(50)]
        issued = [issuance.result()[0] for issuance in issuances]
    assert len({facts.serial_number for facts in issued}) == 50


def test_an_issuance_takes_seven_requests_and_no_nonce_of_its_own(own_world):
    with closing(own_world.issuer(ACCOUNT_KEY)) as issuer:
        issue(own_world, issuer, new_hostname())

    seen = Counter(own_world.requests())
    polls = seen.pop(("POST", "/my-order/"))
    assert seen == {
        ("GET", "/dir"): 2,  # the first was the look whether Pebble is up
        ("HEAD", "/nonce-plz"): 1,
        ("POST", "/sign-me-up"): 1,
        ("POST", "/order-plz"): 1,
        ("POST", "/authZ/"): 1,
        ("POST", "/chalZ/"): 1,
        ("POST", "/finalize-order/"): 1,
        ("POST", "/certZ/"): 1,
    }
    assert 2 <= polls <= 6  # 2 unless the machine is busy


@pytest.mark.parametrize("steps", range(7))
def test_a_crash_between_any_two_steps_costs_no_second_order(exact_world, steps):
    hostname, key_pem = new_hostname(), pki.generate_key("ECDSA-P256")
    csr = pki.csr_der(key_pem, [hostname])
    before = exact_world.requests().count(("POST", "/order-plz"))
    with closing(exact_world.issuer(ACCOUNT_KEY)) as first:
        exact_world.answer(first, hostname)
        order = finish(first, orders.new_order(first, [hostname]), csr, steps=steps)
        account_url = first.account_url

    with closing(exact_world.issuer(ACCOUNT_KEY, account_url)) as second:
        order = finish(second, orders.resume(second, order.url), csr)

    assert pki.check_pair(order.certificate_pem, key_pem, [hostname], datetime.now(UTC))
    assert order.hostnames == (hostname,)
    assert exact_world.requests().count(("POST", "/order-plz")) - before == 1


def test_each_step_may_be_repeated_as_if_its_reply_were_lost(world, issuer):
    hostname, key_pem = new_hostname(), pki.generate_key("ECDSA-P256")
    world.answer(issuer, hostname)
    csr = pki.csr_der(key_pem, [hostname])
    order = finish(issuer, orders.new_order(issuer, [hostname]), csr, twice=True)
    assert pki.check_pair(order.certificate_pem, key_pem, [hostname], datetime.now(UTC))


def test_a_ca_that_lost_everything_gets_the_account_again_and_a_new_order(own_world):
    with closing(own_world.issuer(ACCOUNT_KEY)) as issuer:
        hostname = new_hostname()
        own_world.answer(issuer, hostname)
        order = orders.new_order(issuer, [hostname])
        own_world.stop()
        with pytest.raises(Transient) as unreachable:
            orders.advance(issuer, order, b"")
        own_world.start()

        with pytest.raises(Transient) as gone:
            orders.resume(issuer, order.url)
        with pytest.raises(Transient) as gone_too:
            orders.advance(issuer, order, b"")
        issue(own_world, issuer, hostname)

    assert unreachable.value.reason == "CAUnavailable"
    assert gone.value.reason == gone_too.value.reason == "OrderInvalid"


@pytest.mark.parametrize("resumed", [False, True], ids=["at once", "after a restart"])
def test_a_wrong_answer_is_a_failed_challenge(issuer, resumed):
    hostname = new_hostname()  # nothing is answered for it
    order = finish(issuer, orders.new_order(issuer, [hostname]), b"", steps=2)
    if resumed:
        order = orders.resume(issuer, order.url)
    with pytest.raises(ChallengeFailed) as caught:
        finish(issuer, order, b"")

    assert caught.value.reason == "ChallengeUnreachable"
    assert hostname in caught.value.message
    assert "404" in caught.value.message
    assert "acme-challenge" not in caught.value.message


def test_of_two_hostnames_the_failing_one_is_named(world, issuer):
    good, bad = new_hostname(), new_hostname()
    world.answer(issuer, good)
    with pytest.raises(ChallengeFailed, match=bad):
        finish(issuer, orders.new_order(issuer, [good, bad]), b"")


def test_a_hostname_that_the_ca_does_not_want(issuer):
    with pytest.raises(Rejected, match=BLOCKED) as caught:
        orders.new_order(issuer, [BLOCKED])
    assert caught.value.reason == "CARejected"


def test_a_wildcard_has_no_http01(issuer):
    order = orders.new_order(issuer, [f"*.{new_hostname()}"])
    with pytest.raises(Rejected) as caught:
        orders.advance(issuer, order, b"")
    assert caught.value.reason == "WildcardNeedsDNS01"


def test_a_request_for_other_names_than_ordered_is_refused(world, issuer):
    hostname = new_hostname()
    world.answer(issuer, hostname)
    csr = pki.csr_der(pki.generate_key("ECDSA-P256"), [new_hostname()])
    with pytest.raises(OperatorError) as caught:
        finish(issuer, orders.new_order(issuer, [hostname]), csr)
    assert caught.value.reason in ("CARejected", "OrderInvalid")


def test_an_order_elsewhere_is_not_asked_for(issuer):
    (port,) = free_ports(1)
    with pytest.raises(Transient) as caught:
        orders.resume(issuer, f"https://127.0.0.1:{port}/my-order/1")
    assert caught.value.reason == "OrderInvalid"


def test_when_to_renew_is_asked(world, issuer):
    _, order = issue(world, issuer, new_hostname(), profile="default")
    leaf = pki.load_chain(order.certificate_pem)[0]
    info = certificates.renewal_info(issuer, pki.ari_certificate_id(leaf))

    assert leaf.not_valid_before_utc < info.start < info.end < leaf.not_valid_after_utc
    assert info.ask_again_after > timedelta(0)
    assert certificates.renewal_info(issuer, "AAAA.AAAA") is None


def test_a_certificate_is_revoked_and_stays_so(world, issuer):
    facts, order = issue(world, issuer, new_hostname())
    certificates.revoke(issuer, order.certificate_pem, 4)
    certificates.revoke(issuer, order.certificate_pem, 4)
    assert b"Revoked" in world.managed(f"cert-status-by-serial/{facts.serial_number.lstrip('0')}")

    with pytest.raises(OperatorError):
        certificates.revoke(world.issuer(pki.generate_key("ECDSA-P256")), order.certificate_pem, 99)


def test_authorizations_that_are_given_up_are_not_reused(world, issuer):
    hostname = new_hostname()
    issue(world, issuer, hostname)
    world.thumbprints.clear()
    while (order := orders.new_order(issuer, [hostname])).status != "ready":
        pass  # Pebble reuses half of the authorizations
    certificates.deactivate_authorizations(issuer, order)
    certificates.deactivate_authorizations(issuer, order)

    with pytest.raises(OperatorError):
        finish(issuer, order, pki.csr_der(pki.generate_key("ECDSA-P256"), [hostname]))
    for _ in range(10):
        assert orders.new_order(issuer, [hostname]).status == "pending"


def trouble(world, **settings):
    with closing(world.issuer(ACCOUNT_KEY, **settings)) as issuer, pytest.raises(Transient) as caught:
        issuer.ensure_account()
    assert caught.value.reason == "CAUnavailable"
    return caught.value.message


def test_a_wrong_ca_bundle_is_named(world):
    assert "caBundle of issuer pebble" in trouble(world, ca_bundle_pem=directory_certificate()[0])
    assert "caBundle of issuer pebble" in trouble(world, ca_bundle_pem=b"")


def test_what_is_no_directory_is_named(world):
    for path in ("/nonce-plz", "/nothing-here"):
        assert "not an ACME directory" in trouble(world, directory=world.directory.replace("/dir", path))


def test_a_ca_that_is_not_there(world):
    (port,) = free_ports(1)
    assert "cannot be reached" in trouble(world, directory=f"https://127.0.0.1:{port}/dir")


def test_proxies_are_not_asked_for_loopback(world, monkeypatch):
    (port,) = free_ports(1)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    with closing(world.issuer(ACCOUNT_KEY)) as issuer:
        assert issuer.ensure_account()


def test_an_external_account(tmp_path):
    hmac_key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    settings = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": hmac_key}}
    with closing(World(tmp_path, settings=settings)) as world:
        bound = world.issuer(ACCOUNT_KEY, external_account=ExternalAccount("kid-1", hmac_key))
        assert bound.ensure_account()
        assert hmac_key not in repr(ExternalAccount("kid-1", hmac_key))
        for external in (None, ExternalAccount("kid-1", "*" * 64), ExternalAccount("kid-2", hmac_key)):
            with pytest.raises(Rejected) as caught:
                world.issuer(pki.generate_key("ECDSA-P256"), external_account=external).ensure_account()
            assert hmac_key not in str(caught.value)


def test_a_ca_tells_by_whose_key_an_account_is(world):
    new_pem = pki.generate_key("ECDSA-P256")
    old, new = world.issuer(pki.generate_key("ECDSA-P256")), world.issuer(new_pem)
    url = old.ensure_account()
    assert (old.find_account(), new.find_account()) == (url, "")
    assert (old.is_key_of(url), new.is_key_of(url)) == (True, False)
    old.change_key(new_pem)
    assert (old.find_account(), new.find_account()) == ("", url)
    assert (old.is_key_of(url), new.is_key_of(url)) == (False, True)
