"""Grades of the profiles, and each rule of the guide by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.model.grade import LETTERS, Grade, grade, worst
from certward.model.profiles import TABLE, default_key_type, expected, profile

HALF_A_YEAR = 180 * 24 * 3600
AES128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
AES128_SHA = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
TDES = "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
TLS13 = "TLS_AES_128_GCM_SHA256"


def of_profile(entry, key_type="", hsts=0):
    offered = expected(entry, key_type or default_key_type(entry))
    return grade(list(offered), offered, key_type=key_type or default_key_type(entry), hsts_max_age=hsts)


@pytest.mark.parametrize(
    ("revision", "name", "plain", "capped_by", "with_hsts"),
    [
        ("2017-09", "default", "B", "TLS 1.0 and 1.1 are offered", "B"),
        ("2017-09", "strict", "B", "TLS 1.1 is offered", "B"),
        ("2018-06", "modern", "A-", "TLS 1.3 is not offered", "A-"),
        ("2018-06", "default", "B", "TLS 1.1 is offered", "B"),
        ("2018-06", "legacy", "B", "TLS 1.0 and 1.1 are offered", "B"),
        ("2018-06", "strict", "B", "TLS 1.1 is offered", "B"),
        ("2026-11", "modern", "A", "", "A"),
        ("2026-11", "default", "A", "", "A+"),
        ("2026-11", "legacy", "A", "", "A+"),
    ],
)
@pytest.mark.parametrize("rsa", ["", "RSA-2048"])
def test_profiles(revision, name, plain, capped_by, with_hsts, rsa):
    entry = profile(revision, name)
    assert of_profile(entry, rsa) == Grade(plain, capped_by)
    assert of_profile(entry, rsa, hsts=HALF_A_YEAR).letter == with_hsts


def test_every_profile_of_the_newest_revision_gets_a_or_better():
    for (revision, _), entry in TABLE.items():
        if revision == "2026-11":
            assert of_profile(entry).letter in {"A", "A+"}


@pytest.mark.parametrize(
    ("offered", "key_type", "hsts", "result"),
    [
        pytest.param({"TLSv1.2": [AES128], "TLSv1.3": [TLS13]}, "RSA-2048", 0, Grade("A", ""), id="plain A"),
        pytest.param(
            {"TLSv1.2": [AES128], "TLSv1.3": [TLS13]},
            "RSA-2048",
            HALF_A_YEAR - 1,
            Grade("A", ""),
            id="HSTS too short for A+",
        ),
        pytest.param({"TLSv1.2": [AES128], "TLSv1.3": [TLS13]}, "RSA-2048", HALF_A_YEAR, Grade("A+", ""), id="A+"),
        pytest.param(
            {"TLSv1.3": [TLS13]},
            "ECDSA-P256",
            HALF_A_YEAR,
            Grade("A", "TLS 1.3 alone is offered"),
            id="TLS 1.3 alone never gets A+",
        ),
        pytest.param({"TLSv1.1": [AES128_SHA]}, "RSA-2048", 0, Grade("C", "TLS 1.2 is not offered"), id="no TLS 1.2"),
        pytest.param(
            {"TLSv1.0": [AES128_SHA], "TLSv1.2": [AES128]},
            "RSA-2048",
            0,
            Grade("B", "TLS 1.0 is offered"),
            id="TLS 1.0 without 1.1",
        ),
        pytest.param(
            {"TLSv1.2": [AES128, TDES]},
            "RSA-2048",
            0,
            Grade("A-", "TLS 1.3 is not offered"),
            id="3DES last is not negotiated",
        ),
        pytest.param(
            {"TLSv1.2": [TDES, AES128]},
            "RSA-2048",
            0,
            Grade("C", "3DES is negotiated with TLS 1.1 or later"),
            id="3DES preferred",
        ),
        pytest.param(
            {"TLSv1.1": [TDES], "TLSv1.2": [AES128]},
            "RSA-2048",
            0,
            Grade("C", "3DES is negotiated with TLS 1.1 or later"),
            id="nothing but 3DES at TLS 1.1",
        ),
        pytest.param(
            {"TLSv1.0": [TDES], "TLSv1.2": [AES128]},
            "RSA-2048",
            0,
            Grade("B", "TLS 1.0 is offered"),
            id="3DES at TLS 1.0 is not that rule",
        ),
        pytest.param(
            {"TLSv1.2": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]},
            "RSA-2048",
            0,
            Grade("B", "No suite with forward secrecy is offered"),
            id="no forward secrecy",
        ),
        pytest.param(
            {"TLSv1.2": [AES128_SHA]},
            "RSA-2048",
            0,
            Grade("B", "No suite with authenticated encryption (AEAD) is offered"),
            id="no AEAD",
        ),
        pytest.param(
            {"TLSv1.2": [AES128], "TLSv1.3": [TLS13]},
            "RSA-1024",
            0,
            Grade("B", "The certificate's RSA key has 1024 bits only"),
            id="weak key",
        ),
        pytest.param(
            {"TLSv1.2": [AES128], "TLSv1.3": [TLS13]},
            "RSA-512",
            0,
            Grade("F", "The certificate's RSA key has 512 bits only"),
            id="broken key",
        ),
        pytest.param({}, "RSA-2048", 0, Grade("", "No protocol version is offered"), id="nothing"),
        pytest.param({"TLSv1.2": []}, "RSA-2048", 0, Grade("", "No protocol version is offered"), id="no suite"),
    ],
)
def test_rules(offered, key_type, hsts, result):
    assert grade(list(offered), offered, key_type=key_type, hsts_max_age=hsts) == result


def test_suites_of_a_version_that_is_not_offered_do_not_count():
    suites = {"TLSv1.0": [TDES], "TLSv1.2": [AES128], "TLSv1.3": [TLS13]}
    assert grade({"TLSv1.2", "TLSv1.3"}, suites, key_type="ECDSA-P256").letter == "A"


def test_worst():
    a, a_minus, b = Grade("A", ""), Grade("A-", "TLS 1.3 is not offered"), Grade("B", "TLS 1.1 is offered")
    assert worst([a, b, a_minus]) == b
    assert worst([a, a_minus]) == a_minus
    assert worst([Grade("", "No protocol version is offered"), a]) == a
    assert worst([]) == Grade("", "")


@given(st.lists(st.builds(Grade, st.sampled_from(LETTERS), st.sampled_from(["", "x", "y"]))), st.data())
def test_worst_does_not_depend_on_the_order(grades, data):
    assert worst(grades) == worst(data.draw(st.permutations(grades)))


@given(
    st.dictionaries(
        st.sampled_from(["TLSv1.0", "TLSv1.1", "TLSv1.2"]),
        st.permutations([AES128_SHA, TDES, "TLS_RSA_WITH_AES_256_CBC_SHA"]),
        min_size=1,
    )
)
def test_offering_less_of_the_old_never_makes_it_worse(offered):
    newest = max(offered)
    before = grade(list(offered), offered, key_type="RSA-2048")
    after = grade([newest], offered, key_type="RSA-2048")
    assert LETTERS.index(after.letter) <= LETTERS.index(before.letter)
