"""The table of profiles, and the rule that it never changes."""

import hashlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.errors import InvalidSpec
from certward.model.profiles import (
    PROFILE_NAMES,
    REVISIONS,
    TABLE,
    cut_to_floor,
    default_key_type,
    expected,
    first_revision_with,
    fits,
    key_types_usable,
    profile,
    versions,
)
from certward.model.suites import GROUPS, SUITES, VERSIONS

ALL = st.sampled_from(sorted(TABLE.values(), key=lambda p: (p.revision, p.name)))


@pytest.mark.parametrize(
    ("revision", "digest"),
    [
        ("2017-09", "7163ab0da27799f7e1df71d60bb6b1517d31d386bc05218d4c7c77ec3d48cca8"),
        ("2018-06", "eef76d78c547ca31dce1df87d53d21ac20399f26dbe8c153722417b0258cc8f8"),
        ("2026-11", "2896bc02dbd3bf3868cf95dd3cb3b3bdd1cdb8dd1675c8904809d13c6d196b13"),
    ],
)
def test_a_released_revision_never_changes(revision, digest):
    # Apps are pinned to revisions and must be served the same TLS for ever. If this fails, do not write down
    # the new hash: put the old table back and add a revision. A new revision adds a line here.
    table = [asdict(TABLE[revision, name]) for name in PROFILE_NAMES if (revision, name) in TABLE]
    assert hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest() == digest


@pytest.mark.parametrize(
    ("revision", "name", "offered", "suites", "suites13", "key_type"),
    [
        ("2017-09", "default", ("TLSv1.0", "TLSv1.1", "TLSv1.2"), 11, 0, "RSA-2048"),
        ("2017-09", "strict", ("TLSv1.1", "TLSv1.2"), 10, 0, "RSA-2048"),
        ("2018-06", "modern", ("TLSv1.2",), 8, 0, "ECDSA-P256"),
        ("2018-06", "default", ("TLSv1.1", "TLSv1.2"), 13, 0, "RSA-2048"),
        ("2018-06", "legacy", ("TLSv1.0", "TLSv1.1", "TLSv1.2"), 11, 0, "RSA-2048"),
        ("2018-06", "strict", ("TLSv1.1", "TLSv1.2"), 10, 0, "RSA-2048"),
        ("2026-11", "modern", ("TLSv1.3",), 0, 3, "ECDSA-P256"),
        ("2026-11", "default", ("TLSv1.2", "TLSv1.3"), 6, 3, "ECDSA-P256"),
        ("2026-11", "legacy", ("TLSv1.2", "TLSv1.3"), 10, 3, "ECDSA-P256"),
    ],
)
def test_the_table(revision, name, offered, suites, suites13, key_type):
    entry = profile(revision, name)
    assert versions(entry) == offered
    assert (len(entry.suites), len(entry.suites13)) == (suites, suites13)
    assert default_key_type(entry) == key_type
    assert entry.deprecated == (name == "strict")


def test_the_table_is_complete():
    assert len(TABLE) == 9
    assert {revision for revision, _ in TABLE} == set(REVISIONS)
    assert {name for _, name in TABLE} == set(PROFILE_NAMES)
    assert list(REVISIONS) == sorted(REVISIONS)


def test_the_default_of_2017_09_is_the_legacy_of_2018_06():
    old, new = profile("2017-09", "default"), profile("2018-06", "legacy")
    assert (old.suites, old.groups, versions(old)) == (new.suites, new.groups, versions(new))


@pytest.mark.parametrize(
    ("revision", "name", "reason", "says"),
    [
        (
            "2026-11",
            "strict",
            "ProfileRetired",
            "retired after revision 2018-06; write one of modern, default, legacy",
        ),
        ("2017-09", "modern", "ProfileUnknown", "write one of default, strict, or name revision 2018-06"),
        ("2017-09", "legacy", "ProfileUnknown", "or name revision 2018-06"),
        ("2026-11", "paranoid", "ProfileUnknown", "write one of modern, default, legacy"),
        ("2019-01", "modern", "RevisionUnknown", "write one of 2017-09, 2018-06, 2026-11"),
    ],
)
def test_what_is_not_in_the_table_is_refused_with_what_to_write(revision, name, reason, says):
    with pytest.raises(InvalidSpec) as caught:
        profile(revision, name)
    assert caught.value.reason == reason
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("name", "since", "revision"),
    [
        ("default", "2017-09", "2017-09"),
        ("modern", "2017-09", "2018-06"),
        ("legacy", "2017-09", "2018-06"),
        ("modern", "2018-06", "2018-06"),
        ("strict", "2018-06", "2018-06"),
        ("modern", "2026-11", "2026-11"),
    ],
)
def test_first_revision_with(name, since, revision):
    assert first_revision_with(name, since) == revision


@pytest.mark.parametrize(
    ("name", "since", "reason"),
    [
        ("strict", "2026-11", "ProfileRetired"),
        ("paranoid", "2017-09", "ProfileUnknown"),
        ("modern", "1999-01", "RevisionUnknown"),
    ],
)
def test_first_revision_with_refuses(name, since, reason):
    with pytest.raises(InvalidSpec) as caught:
        first_revision_with(name, since)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("revision", "name", "algorithms"),
    [
        ("2017-09", "default", {"RSA"}),
        ("2018-06", "default", {"RSA"}),
        ("2018-06", "legacy", {"RSA"}),
        ("2018-06", "strict", {"RSA"}),
        ("2018-06", "modern", {"RSA", "ECDSA"}),
        ("2026-11", "modern", {"RSA", "ECDSA"}),
        ("2026-11", "legacy", {"RSA", "ECDSA"}),
    ],
)
def test_key_types_usable(revision, name, algorithms):
    assert key_types_usable(profile(revision, name)) == algorithms


@pytest.mark.parametrize(
    ("key_type", "result"),
    [
        ("ECDSA-P256", False),
        ("ECDSA-P384", False),
        ("RSA-2048", True),
        ("RSA-4096", True),
        ("Ed25519", False),
    ],
)
def test_fits_asks_for_a_suite_at_every_version(key_type, result):
    assert fits(profile("2018-06", "default"), key_type) is result


def test_expected_is_what_a_handshake_can_negotiate():
    default = profile("2018-06", "default")
    assert expected(default, "RSA-2048")["TLSv1.1"] == (
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    )
    assert expected(default, "ECDSA-P256") == {
        "TLSv1.1": (),
        "TLSv1.2": (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        ),
    }
    assert expected(profile("2026-11", "modern"), "RSA-2048") == {
        "TLSv1.3": ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
    }


@pytest.mark.parametrize(
    ("revision", "name", "floor", "left"),
    [
        ("2018-06", "legacy", "", ("TLSv1.0", "TLSv1.1", "TLSv1.2")),
        ("2018-06", "legacy", "TLSv1.1", ("TLSv1.1", "TLSv1.2")),
        ("2018-06", "legacy", "TLSv1.2", ("TLSv1.2",)),
        ("2018-06", "legacy", "TLSv1.3", None),
        ("2026-11", "default", "TLSv1.3", ("TLSv1.3",)),
        ("2026-11", "default", "TLSv1.0", ("TLSv1.2", "TLSv1.3")),
    ],
)
def test_cut_to_floor(revision, name, floor, left):
    cut = cut_to_floor(profile(revision, name), floor)
    assert (versions(cut) if cut else None) == left


def test_a_cut_leaves_no_suite_that_nothing_can_use_and_frees_the_key_type():
    assert cut_to_floor(profile("2026-11", "legacy"), "TLSv1.3").suites == ()
    assert default_key_type(cut_to_floor(profile("2018-06", "default"), "TLSv1.2")) == "ECDSA-P256"


def test_an_unknown_floor_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        cut_to_floor(profile("2026-11", "default"), "TLSv1.4")


@given(ALL)
def test_every_default_key_type_fits(entry):
    assert fits(entry, default_key_type(entry))
    assert all(expected(entry, default_key_type(entry)).values())


@given(ALL)
def test_every_entry_is_consistent(entry):
    assert all(not SUITES[name].tls13 for name in entry.suites)
    assert all(SUITES[name].tls13 for name in entry.suites13)
    assert set(entry.groups) <= set(GROUPS)
    assert bool(entry.suites13) == (entry.max_version == "TLSv1.3")
    assert len(set(entry.suites)) == len(entry.suites)
    usable_somewhere = {n for names in expected(entry, "RSA-2048").values() for n in names}
    usable_somewhere |= {n for names in expected(entry, "ECDSA-P256").values() for n in names}
    assert usable_somewhere == set(entry.suites + entry.suites13)


@given(ALL, st.sampled_from(VERSIONS))
def test_a_cut_never_offers_more_and_cutting_twice_changes_nothing(entry, floor):
    cut = cut_to_floor(entry, floor)
    if cut is None:
        assert VERSIONS.index(entry.max_version) < VERSIONS.index(floor)
    else:
        assert set(versions(cut)) <= set(versions(entry))
        assert set(cut.suites) <= set(entry.suites)
        assert cut_to_floor(cut, floor) == cut
        assert fits(cut, default_key_type(cut))
