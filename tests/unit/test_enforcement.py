"""What is said of a profile when a scan has shown what a host accepts."""

from dataclasses import replace

import pytest

from certward.model import profiles
from certward.model.suites import GROUPS, SUITES, VERSIONS
from certward.plan.enforcement import Accepted, Capabilities, judge

EVERY_SUITE = frozenset(name for name, suite in SUITES.items() if not suite.tls13)
ABLE = Capabilities(
    engine="Engine",
    versions=frozenset(VERSIONS),
    suites=EVERY_SUITE,
    groups=frozenset(GROUPS),
    orders_suites=True,
    sets_tls13_suites=True,
    foreign_route="is ignored",
)
SHUFFLING = replace(ABLE, orders_suites=False)
#: Cannot be told of TLS 1.0 and 1.1, of 3DES, or of the hybrid group.
LIMITED = replace(
    ABLE,
    versions=frozenset({"TLSv1.2", "TLSv1.3"}),
    suites=EVERY_SUITE - {"TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
    groups=frozenset(GROUPS) - {"X25519MLKEM768"},
)
DEFAULT, MODERN = profiles.profile("2026-11", "default"), profiles.profile("2026-11", "modern")
LEGACY_2018, MODERN_2018 = profiles.profile("2018-06", "legacy"), profiles.profile("2018-06", "modern")
ECDSA, RSA = "ECDSA-P256", "RSA-2048"
TRIPLE_DES = "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
GCM_256 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
CHACHA_13 = "TLS_CHACHA20_POLY1305_SHA256"


def exactly(profile, key_type=ECDSA):
    """A host that accepts what the profile says."""
    offered = profiles.expected(profile, key_type)
    return Accepted(tuple(offered), offered, frozenset(profile.groups))


def but(accepted, *, versions=None, add=None, drop=(), groups=None):
    """The same host with other versions or groups, further suites (version -> suite) or fewer."""
    wanted = versions or accepted.versions
    suites = {
        version: tuple(s for s in accepted.suites.get(version, ()) if s not in drop) + ((add or {}).get(version, ()))
        for version in wanted
    }
    return Accepted(wanted, suites, accepted.groups if groups is None else frozenset(groups))


EVERY_PROFILE = [
    pytest.param(profile, key_type, id=f"{profile.name} of {profile.revision}, {key_type}")
    for profile in profiles.TABLE.values()
    for key_type in (ECDSA, RSA)
    if profiles.fits(profile, key_type)
]


@pytest.mark.parametrize(("profile", "key_type"), EVERY_PROFILE)
def test_a_host_that_accepts_exactly_its_profile_enforces_it(profile, key_type):
    verdict = judge(exactly(profile, key_type), profile, key_type, ABLE)
    assert (verdict.is_kept, verdict.reason) == (True, "Enforced")
    name = f"profile {profile.name} of revision {profile.revision}"
    assert verdict.message == f"Handshakes accept what {name} says and nothing else."


@pytest.mark.parametrize(
    ("accepted", "profile", "key_type", "engine", "clause"),
    [
        (
            but(exactly(DEFAULT), drop=[GCM_256]),
            DEFAULT,
            ECDSA,
            ABLE,
            f"Engine does not offer {GCM_256}",
        ),
        (
            but(exactly(LEGACY_2018, RSA), drop=[TRIPLE_DES]),
            LEGACY_2018,
            RSA,
            LIMITED,
            f"Engine does not offer {TRIPLE_DES}",
        ),
        (
            exactly(MODERN_2018),
            MODERN_2018,
            ECDSA,
            SHUFFLING,
            "Engine chooses among the suites in an order of its own",
        ),
        (
            but(exactly(DEFAULT), drop=[CHACHA_13]),
            DEFAULT,
            ECDSA,
            ABLE,
            "the TLS 1.3 suites are Engine's own",
        ),
        (
            but(exactly(DEFAULT), groups=["X25519", "P-256", "P-384"]),
            DEFAULT,
            ECDSA,
            ABLE,
            "Engine does not offer X25519MLKEM768",
        ),
        (
            but(exactly(LEGACY_2018, RSA), drop=[TRIPLE_DES], groups=["P-256"]),
            LEGACY_2018,
            RSA,
            SHUFFLING,
            f"Engine does not offer {TRIPLE_DES}, X25519; Engine chooses among the suites in an order of its own",
        ),
    ],
    ids=[
        "a suite is missing",
        "a suite that the engine lacks is missing",
        "the order of the suites",
        "a TLS 1.3 suite is missing",
        "a group is missing",
        "several at once",
    ],
)
def test_what_a_host_leaves_out_is_said_and_keeps_the_profile(accepted, profile, key_type, engine, clause):
    verdict = judge(accepted, profile, key_type, engine)
    assert (verdict.is_kept, verdict.reason) == (True, "EnforcedNarrower")
    assert verdict.message == f"Nothing outside profile {profile.name} of revision {profile.revision}; {clause}."


@pytest.mark.parametrize(
    ("accepted", "engine", "is_lasting"),
    [
        (exactly(LEGACY_2018, RSA), ABLE, True),
        (exactly(LEGACY_2018, RSA), SHUFFLING, True),
        (but(exactly(LEGACY_2018, RSA), drop=[TRIPLE_DES]), LIMITED, True),
        (but(exactly(LEGACY_2018, RSA), drop=[TRIPLE_DES]), ABLE, False),
        (but(exactly(LEGACY_2018, RSA), groups=["P-256"]), ABLE, False),
        (but(exactly(LEGACY_2018, RSA), groups=["P-521", *LEGACY_2018.groups]), ABLE, False),
        (but(exactly(LEGACY_2018, RSA), groups=["X25519MLKEM768", *LEGACY_2018.groups]), LIMITED, True),
        (but(exactly(LEGACY_2018, RSA), versions=("TLSv1.1", "TLSv1.2")), ABLE, False),
        (but(exactly(LEGACY_2018, RSA), versions=("TLSv1.1", "TLSv1.2")), LIMITED, True),
    ],
    ids=[
        "exact",
        "only the order",
        "lacks a suite that the engine lacks",
        "lacks a suite that the engine has",
        "lacks a group that the engine has",
        "a further group that the engine knows",
        "a further group that the engine cannot be told of",
        "lacks a version that the engine has",
        "lacks a version that the engine cannot be told of",
    ],
)
def test_what_the_engine_can_do_is_worth_another_look(accepted, engine, is_lasting):
    assert judge(accepted, LEGACY_2018, RSA, engine).is_lasting == is_lasting


@pytest.mark.parametrize("profile", [DEFAULT, MODERN], ids=["default", "modern"])
def test_the_newest_revision_leaves_the_order_to_the_client(profile):
    assert judge(exactly(profile), profile, ECDSA, SHUFFLING).reason == "Enforced"


@pytest.mark.parametrize(
    ("accepted", "profile", "key_type", "says"),
    [
        (
            but(exactly(MODERN), versions=("TLSv1.2", "TLSv1.3"), add={"TLSv1.2": (GCM_256,)}),
            MODERN,
            ECDSA,
            "accepts TLSv1.2, which profile modern of revision 2026-11 does not allow",
        ),
        (
            but(exactly(MODERN_2018), versions=("TLSv1.2", "TLSv1.3"), add={"TLSv1.3": (CHACHA_13,)}),
            MODERN_2018,
            ECDSA,
            "accepts TLSv1.3, which profile modern of revision 2018-06 does not allow",
        ),
        (
            but(exactly(DEFAULT), versions=("TLSv1.3",)),
            DEFAULT,
            ECDSA,
            "refuses TLSv1.2, which profile default of revision 2026-11 promises",
        ),
        (
            Accepted((), {}, frozenset()),
            DEFAULT,
            ECDSA,
            "refuses TLSv1.2, TLSv1.3, which profile default of revision 2026-11 promises",
        ),
        (
            but(exactly(DEFAULT), add={"TLSv1.2": ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",)}),
            DEFAULT,
            ECDSA,
            "accepts TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, which profile default of revision 2026-11 does not have",
        ),
        (
            but(exactly(DEFAULT), groups=["P-521", *DEFAULT.groups]),
            DEFAULT,
            ECDSA,
            "accepts group P-521, which profile default of revision 2026-11 does not have",
        ),
    ],
    ids=["older version", "newer version", "a version refused", "nothing accepted", "further suite", "further group"],
)
def test_what_the_engine_could_do_and_does_not_is_not_served(accepted, profile, key_type, says):
    verdict = judge(accepted, profile, key_type, ABLE)
    assert (verdict.is_kept, verdict.reason) == (False, "NotServed")
    assert verdict.message == f"Engine {says}."


@pytest.mark.parametrize(
    ("accepted", "profile", "key_type", "says"),
    [
        (
            but(exactly(LEGACY_2018, RSA), versions=("TLSv1.2",)),
            LEGACY_2018,
            RSA,
            "refuses TLSv1.0, TLSv1.1, ",
        ),
        (
            but(exactly(DEFAULT, RSA), versions=("TLSv1.1", "TLSv1.2", "TLSv1.3"), add={"TLSv1.1": (TRIPLE_DES,)}),
            DEFAULT,
            RSA,
            "accepts TLSv1.1, ",
        ),
        (
            but(exactly(MODERN_2018, RSA), add={"TLSv1.2": (TRIPLE_DES,)}),
            MODERN_2018,
            RSA,
            f"accepts {TRIPLE_DES}, ",
        ),
        (
            but(exactly(MODERN_2018), groups=["X25519MLKEM768", *MODERN_2018.groups]),
            MODERN_2018,
            ECDSA,
            "accepts group X25519MLKEM768, ",
        ),
    ],
    ids=["versions refused", "version accepted", "suite accepted", "group accepted"],
)
def test_what_the_engine_cannot_be_told_is_not_enforceable(accepted, profile, key_type, says):
    verdict = judge(accepted, profile, key_type, LIMITED)
    assert (verdict.is_kept, verdict.reason) == (False, "NotEnforceable")
    assert verdict.message.startswith(f"Engine {says}")


def test_a_suite_of_the_other_key_type_is_outside_too():
    # Two certificates behind one name: clients would meet one that nobody has asked for.
    other = but(exactly(MODERN_2018), add={"TLSv1.2": ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",)})
    assert judge(other, MODERN_2018, ECDSA, ABLE).reason == "NotServed"


def test_a_suite_that_a_version_cannot_have_is_outside_although_another_version_has_it():
    at_11 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    odd = but(exactly(LEGACY_2018, RSA), add={"TLSv1.1": (at_11,)})
    assert judge(odd, LEGACY_2018, RSA, ABLE).message.startswith(f"Engine accepts {at_11}, ")


def test_versions_are_told_before_suites_and_suites_before_groups():
    wrong = but(exactly(DEFAULT), add={"TLSv1.2": (TRIPLE_DES,)}, groups=["P-521"])
    assert f"accepts {TRIPLE_DES}" in judge(wrong, DEFAULT, ECDSA, ABLE).message
    assert "refuses TLSv1.3" in judge(but(wrong, versions=("TLSv1.2",)), DEFAULT, ECDSA, ABLE).message


def test_a_profile_cut_to_the_floor_is_held_against_what_is_left():
    cut = profiles.cut_to_floor(LEGACY_2018, "TLSv1.2")
    assert cut is not None
    assert judge(exactly(cut, RSA), cut, RSA, ABLE).reason == "Enforced"
    assert judge(exactly(LEGACY_2018, RSA), cut, RSA, ABLE).message.startswith("Engine accepts TLSv1.0, TLSv1.1, ")
