"""Why a new certificate is wanted."""

import pytest

from builders import DAY, NOW, broken_secret, foreign_secret, secret
from certward.plan.checks import CertificateInput, SecretState, why_issue


def given(**changes):
    return CertificateInput(
        **(
            {
                "hostname": "www.example.com",
                "secret": secret(),
                "key_type": "ECDSA-P256",
                "is_key_type_asked_for": False,
                "fits_profile": True,
                "issuers": ("main", "spare"),
                "renewal_at": NOW + DAY,
                "now": NOW,
            }
            | changes
        )
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({}, None, id="all is right"),
        pytest.param({"secret": SecretState()}, "Missing", id="there is none"),
        pytest.param({"secret": broken_secret()}, "Unusable", id="it cannot be used"),
        pytest.param({"secret": foreign_secret()}, "Unusable", id="it is somebody else's"),
        pytest.param({"key_type": "RSA-2048"}, None, id="another key type would be the default"),
        pytest.param(
            {"key_type": "RSA-2048", "is_key_type_asked_for": True}, "KeyTypeChanged", id="another key is asked for"
        ),
        pytest.param({"key_type": "RSA-2048", "fits_profile": False}, "KeyTypeChanged", id="the profile needs another"),
        pytest.param({"issuers": ("spare",)}, "IssuerChanged", id="another issuer is asked for"),
        pytest.param({"issuers": ("spare",), "secret": secret(issuer="")}, None, id="its issuer is not known"),
        pytest.param({"renewal_at": NOW}, "RenewalDue", id="the renewal is due"),
    ],
)
def test_a_new_certificate_is_wanted_when(changes, reason):
    wanted = why_issue(given(**changes))
    assert (wanted and wanted.reason) == reason
    assert wanted is None or wanted.message


def test_the_first_reason_is_told():
    wanted = why_issue(given(renewal_at=NOW, issuers=("spare",), key_type="RSA-2048", fits_profile=False))
    assert wanted
    assert wanted.reason == "KeyTypeChanged"


def test_one_that_somebody_made_for_the_hostnames_of_others_is_not_served():
    made = secret(is_trusted=False).covering("team-b/api")
    assert (made.facts, made.problem) == (None, "The certificate also covers the hostname of Domain team-b/api.")
    assert why_issue(given(secret=made)).reason == "Unusable"
    assert secret(is_trusted=False).covering("").facts
    assert secret().covering("team-b/api").facts, "for all its names control has been proven"
    assert broken_secret().covering("team-b/api") == broken_secret()
