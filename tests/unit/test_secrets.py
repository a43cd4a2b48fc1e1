"""What is made of the Secret of a Domain; the key in it goes nowhere."""

import base64
from datetime import timedelta

import pytest

from builders import domain
from certward.errors import Rejected
from certward.names import ANNOTATION_REFRESH, ANNOTATION_REVOKE, LABEL_DOMAIN, LABEL_MANAGED_BY, MANAGED_BY
from certward.render.manifests import certificate_secret, next_key_secret
from certward.runtime.secrets import Secrets
from secret_shelf import KEY, NOW, OTHER_KEY, Shelf, certificate


@pytest.fixture
def shelf():
    return Shelf()


def put(shelf, chain=None, key=KEY, **changes):
    given = certificate() if chain is None else chain
    shelf.put(certificate_secret(domain(), chain_pem=given, key_pem=key, issuer="main"), **changes)


def state(shelf, now=NOW):
    return Secrets(shelf).state(domain(), now, b"")


def test_no_secret(shelf):
    assert not state(shelf).exists


def test_a_certificate_that_can_be_served(shelf):
    put(shelf)
    found = state(shelf)
    assert (found.exists, found.is_managed, found.issuer, found.problem) == (True, True, "main", "")
    assert found.facts
    assert found.facts.hostnames == ("www.example.com",)
    assert not found.is_trusted
    assert found.resource_version == "1"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"chain": b""}, id="no certificate"),
        pytest.param({"chain": b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"}, id="no good PEM"),
        pytest.param({"key": b""}, id="no key"),
        pytest.param({"key": b"rubbish"}, id="no good key"),
        pytest.param({"key": OTHER_KEY}, id="another certificate's key"),
        pytest.param({"chain": certificate("other.example.com")}, id="another name"),
        pytest.param({"chain": certificate(starts=NOW - timedelta(days=9), ends=NOW)}, id="expired"),
        pytest.param({"data": None}, id="no data"),
        pytest.param({"data": {"tls.crt": "A", "tls.key": "%"}}, id="no good base64"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence_without_the_key(shelf, changes):
    put(shelf, **changes)
    found = state(shelf)
    assert found.exists
    assert found.is_managed
    assert found.facts is None
    assert found.problem.endswith(".")
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    "labels",
    [
        None,
        {"app.kubernetes.io/managed-by": "Helm", "certward.dev/domain": "www"},
        {"app.kubernetes.io/managed-by": "certward", "certward.dev/domain": "other"},
    ],
    ids=["no labels", "another manager's", "another Domain's"],
)
def test_a_secret_of_somebody_else_is_not_looked_into(shelf, labels):
    put(shelf, metadata={"labels": labels})
    found = state(shelf)
    assert (found.exists, found.is_managed, found.facts) == (True, False, None)


def test_a_secret_restored_without_annotations_is_taken_over(shelf):
    put(shelf, metadata={"annotations": None})
    found = state(shelf)
    assert found.facts
    assert found.issuer == ""


def test_a_certificate_of_a_ca_whose_clock_is_ahead_can_be_served(shelf):
    put(shelf, certificate(starts=NOW + timedelta(minutes=5)))
    assert state(shelf).facts


def test_a_certificate_expires_without_being_read_again(shelf):
    put(shelf)
    secrets = Secrets(shelf)
    assert secrets.state(domain(), NOW, b"").facts
    expired = secrets.state(domain(), NOW + timedelta(days=9), b"")
    assert expired.facts is None
    assert "expired" in expired.problem


def test_another_version_of_a_secret_is_read_anew(shelf):
    put(shelf)
    secrets = Secrets(shelf)
    before = secrets.state(domain(), NOW, b"").facts
    put(shelf)
    after = secrets.state(domain(), NOW, b"").facts
    assert before
    assert after
    assert before.fingerprint_sha256 != after.fingerprint_sha256


def test_the_key_of_an_order_and_its_certificate_are_recognised(shelf):
    secrets = Secrets(shelf)
    assert secrets.next_key_facts(domain()) == ("", "")
    secrets.store_next_key(domain(), KEY)
    assert secrets.next_key(domain()) == KEY
    put(shelf)
    found = secrets.state(domain(), NOW, b"").facts
    assert found
    assert secrets.next_key_facts(domain()) == ("ECDSA-P256", found.spki_sha256)
    secrets.drop_next_key(domain())
    assert secrets.next_key(domain()) is None


def test_secrets_of_others_are_neither_overwritten_nor_deleted(shelf):
    secrets = Secrets(shelf)
    theirs = [
        shelf.put({"metadata": {"name": name, "labels": labels}, "type": "Opaque", "data": {"mine": "YQ=="}})
        for name, labels in (("www-tls-next", {}), ("www-tls", {LABEL_MANAGED_BY: MANAGED_BY, LABEL_DOMAIN: "api"}))
    ]
    with pytest.raises(Rejected, match="Secret www-tls-next that is not Certward's is in the way"):
        secrets.store_next_key(domain(), KEY)
    with pytest.raises(Rejected, match="Secret www-tls that is not Certward's is in the way"):
        secrets.store_certificate(domain(), chain_pem=certificate(), key_pem=KEY, issuer="main")
    secrets.drop_next_key(domain())
    assert list(shelf.there.values()) == theirs


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"labels": {}}},
        {"data": {}},
        {"data": {"tls.key": base64.b64encode(b"rubbish").decode()}},
    ],
    ids=["somebody else's", "empty", "rubbish"],
)
def test_a_key_that_is_of_no_use_counts_as_none(shelf, changes):
    shelf.put(next_key_secret(domain(), key_pem=KEY), **changes)
    assert Secrets(shelf).next_key_facts(domain()) == ("", "")


def test_a_new_certificate_has_what_was_asked_before_it_behind_it(shelf):
    asked = {ANNOTATION_REFRESH: "one", ANNOTATION_REVOKE: "superseded"}
    secrets = Secrets(shelf)
    secrets.store_certificate(
        domain(annotations=asked), chain_pem=certificate(), key_pem=KEY, issuer="main", not_revoked="superseded"
    )
    found = state(shelf)
    assert (found.refresh, found.revoke, found.not_revoked) == ("one", "superseded", "superseded")
    assert not found.is_revoked


def test_a_revocation_stands_beside_the_certificate_that_it_is_about(shelf):
    put(shelf)
    fingerprint = state(shelf).facts.fingerprint_sha256
    Secrets(shelf).mark_revoked(domain(), fingerprint=fingerprint, asked="superseded")
    found = state(shelf)
    assert (found.is_revoked, found.revoke, found.issuer) == (True, "superseded", "main")
    assert found.facts.fingerprint_sha256 == fingerprint

    put(shelf, certificate(), metadata={"annotations": shelf.there["www-tls"]["metadata"]["annotations"]})
    assert not state(shelf).is_revoked  # the mark has stayed, on another certificate


def test_a_secret_that_came_back_without_an_owner_gets_it_again(shelf):
    put(shelf, metadata={"ownerReferences": []})
    before = state(shelf)
    assert (before.is_managed, before.is_owned) == (True, False)
    data = shelf.there["www-tls"]["data"]

    Secrets(shelf).adopt(domain())
    after = state(shelf)
    assert after.is_owned
    assert (after.issuer, after.facts, shelf.there["www-tls"]["data"]) == ("main", before.facts, data)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"ownerReferences": [{"uid": "of-another", "controller": True}]}},
        {"metadata": {"ownerReferences": []}, "type": "Opaque"},
    ],
    ids=["with another owner", "of another type"],
)
def test_a_secret_that_cannot_be_made_to_go_with_its_domain_is_left_as_it_is(shelf, changes):
    put(shelf, **changes)
    assert state(shelf).is_owned
