"""What is made of the Secret of a Domain; the key in it goes nowhere."""

import base64
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from builders import domain
from certward.errors import Rejected
from certward.names import (
    ANNOTATION_REFRESH,
    ANNOTATION_REVOKE,
    API_VERSION,
    LABEL_DOMAIN,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)
from certward.render.manifests import (
    ANNOTATION_IN_A_ROW,
    ANNOTATION_ISSUED_AT,
    certificate_secret,
    next_key_secret,
)
from certward.runtime import secrets as module
from certward.runtime.secrets import Secrets
from secret_shelf import KEY, NOW, OTHER_KEY, Shelf, certificate

BELIEVED = 15.0


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def clock(monkeypatch):
    """Seconds of monotonic time, which stand still."""
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


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


def test_another_version_of_a_secret_is_read_anew(shelf, clock):
    put(shelf)
    secrets = Secrets(shelf)
    before = secrets.state(domain(), NOW, b"").facts
    put(shelf)
    clock[0] += BELIEVED
    after = secrets.state(domain(), NOW, b"").facts
    assert before
    assert after
    assert before.fingerprint_sha256 != after.fingerprint_sha256


def test_what_was_found_in_order_is_believed_for_a_burst_of_passes(shelf, clock):
    put(shelf)
    secrets = Secrets(shelf)
    first = secrets.state(domain(), NOW, b"")
    clock[0] += BELIEVED - 0.1
    assert secrets.state(domain(), NOW, b"") == first
    assert shelf.looks == 1
    clock[0] += 0.1
    assert secrets.state(domain(), NOW, b"") == first
    assert shelf.looks == 2


def test_that_there_is_none_is_believed_too_until_there_is_one(shelf, clock):
    secrets = Secrets(shelf)
    assert not secrets.state(domain(), NOW, b"").exists
    assert not secrets.state(domain(), NOW, b"").exists
    assert shelf.looks == 1
    secrets.store_certificate(domain(), chain_pem=certificate(), key_pem=KEY, issuer="main")
    assert secrets.state(domain(), NOW, b"").facts
    shelf.delete("Secret", "team-a", "www-tls")
    clock[0] += BELIEVED
    assert not secrets.state(domain(), NOW, b"").exists


def test_what_one_domain_was_found_to_have_says_nothing_of_another(shelf, clock):
    put(shelf)
    secrets = Secrets(shelf)
    assert secrets.state(domain(), NOW, b"").exists
    assert not secrets.state(domain("api", hostname="api.example.com"), NOW, b"").exists
    clock[0] += BELIEVED - 0.1
    assert secrets.state(domain(), NOW, b"").exists


@pytest.mark.parametrize(
    "changes",
    [
        {"key": OTHER_KEY},
        {"chain": certificate("other.example.com")},
        {"metadata": {"labels": {}}},
    ],
    ids=["another key", "another name", "somebody else's"],
)
def test_what_is_amiss_is_looked_at_each_time(shelf, changes):
    put(shelf, **changes)
    secrets = Secrets(shelf)
    assert secrets.state(domain(), NOW, b"").problem
    put(shelf)
    assert secrets.state(domain(), NOW, b"").facts, "it was mended"


@pytest.mark.parametrize(
    "asked",
    [
        {"annotations": {ANNOTATION_REFRESH: "now"}},
        {"annotations": {ANNOTATION_REVOKE: "superseded"}},
        {"generation": 2},
        {"uid": "made-anew"},
    ],
    ids=["refresh", "revoke", "edited", "made anew"],
)
@pytest.mark.usefixtures("clock")
def test_who_asks_for_something_is_not_told_what_was_found_before(shelf, asked):
    put(shelf)
    secrets = Secrets(shelf)
    secrets.state(domain(), NOW, b"")
    shelf.delete("Secret", "team-a", "www-tls")
    assert secrets.state(domain(), NOW, b"").exists
    assert not secrets.state(domain(**asked), NOW, b"").exists


@pytest.mark.usefixtures("clock")
def test_labels_and_other_annotations_are_no_reason_to_look(shelf):
    put(shelf)
    secrets = Secrets(shelf)
    secrets.state(domain(), NOW, b"")
    secrets.state(domain(annotations={"team": "a"}, labels={"team": "a"}, resource_version=9), NOW, b"")
    assert shelf.looks == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda secrets, of: secrets.store_certificate(of, chain_pem=certificate(), key_pem=KEY, issuer="spare"),
        lambda secrets, of: secrets.mark_revoked(of, fingerprint=secrets.known(of).facts.fingerprint_sha256, asked="x"),
        lambda secrets, of: secrets.adopt(of),
    ],
    ids=["a certificate", "a revocation", "an owner"],
)
@pytest.mark.usefixtures("clock")
def test_what_was_written_here_is_seen_at_once(shelf, write):
    put(shelf, metadata={"ownerReferences": []})
    secrets = Secrets(shelf)
    before = secrets.state(domain(), NOW, b"")
    write(secrets, domain())
    after = secrets.state(domain(), NOW, b"")
    assert after != before
    assert after.resource_version == shelf.there["www-tls"]["metadata"]["resourceVersion"]


@pytest.mark.usefixtures("clock")
def test_what_is_in_the_way_of_a_certificate_is_seen_at_once(shelf):
    secrets = Secrets(shelf)
    assert not secrets.state(domain(), NOW, b"").exists
    put(shelf, metadata={"labels": {}})
    with pytest.raises(Rejected):
        secrets.store_certificate(domain(), chain_pem=certificate(), key_pem=KEY, issuer="main")
    found = secrets.state(domain(), NOW, b"")
    assert (found.exists, found.is_managed) == (True, False)


@pytest.mark.usefixtures("clock")
def test_what_is_forgotten_is_looked_at(shelf):
    put(shelf)
    secrets = Secrets(shelf)
    secrets.state(domain(), NOW, b"")
    secrets.forget("team-a", "www")
    assert secrets.known(domain()) is None
    shelf.delete("Secret", "team-a", "www-tls")
    assert not secrets.state(domain(), NOW, b"").exists


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


@pytest.mark.parametrize("in_a_row", [0, 3])
def test_beside_a_certificate_stands_since_when_it_is_there_and_how_many_came_early(shelf, in_a_row):
    secrets, before = Secrets(shelf), datetime.now(UTC).replace(microsecond=0)
    secrets.store_certificate(domain(), chain_pem=certificate(), key_pem=KEY, issuer="main", in_a_row=in_a_row)
    found = state(shelf)
    assert found.issued_at
    assert before <= found.issued_at <= datetime.now(UTC)
    assert found.in_a_row == in_a_row
    shelf.there["www-tls"]["metadata"]["ownerReferences"] = []
    secrets.adopt(domain())
    again = state(shelf)
    assert again.is_owned
    assert (again.issued_at, again.in_a_row) == (found.issued_at, in_a_row), "it is about the certificate"


@pytest.mark.parametrize("noted", ["", "soon", "-1", "\u0663", "1e9", "9" * 5000, "0001-01-01T00:00:00+14:00"])
def test_what_somebody_else_has_noted_beside_a_certificate_counts_for_nothing(shelf, noted):
    marks = {ANNOTATION_ISSUED_AT: noted, ANNOTATION_IN_A_ROW: noted}
    shelf.put(certificate_secret(domain(), chain_pem=certificate(), key_pem=KEY, issuer="main", marks=marks))
    found = state(shelf)
    assert found.facts
    assert (found.issued_at, found.in_a_row) == (None, 0)


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


def former(**changes):
    return {
        "apiVersion": API_VERSION,
        "kind": "Domain",
        "name": "www",
        "uid": "of-another",
        "controller": True,
    } | changes


def test_a_secret_of_a_domain_of_the_same_name_that_is_no_more_goes_over_to_the_new_one(shelf):
    put(shelf, metadata={"ownerReferences": [former()]})
    before = state(shelf)
    assert (before.is_managed, before.is_owned) == (True, False)
    Secrets(shelf).adopt(domain())
    assert state(shelf).is_owned
    assert [owner["uid"] for owner in shelf.there["www-tls"]["metadata"]["ownerReferences"]] == [domain().meta.uid]


def test_what_was_found_for_a_domain_is_not_taken_for_true_of_another_of_its_name(shelf):
    put(shelf)
    secrets, one = Secrets(shelf), domain()
    assert secrets.state(one, NOW, b"").is_owned
    other = domain(uid="of-another")
    assert secrets.known(other) is None
    assert not secrets.is_as_known(other)
    assert not secrets.state(other, NOW, b"").is_owned


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"ownerReferences": [former(kind="Certificate")]}},
        {"metadata": {"ownerReferences": [former(apiVersion="other.example/v1")]}},
        {"metadata": {"ownerReferences": [former(name="other")]}},
        {"metadata": {"ownerReferences": []}, "type": "Opaque"},
    ],
    ids=["of another kind", "of another group", "of another name", "of another type"],
)
def test_a_secret_that_cannot_be_made_to_go_with_its_domain_is_left_as_it_is(shelf, changes):
    put(shelf, **changes)
    assert state(shelf).is_owned
