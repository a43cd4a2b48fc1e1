"""The status of a Domain: what it says, what it keeps, what it drops."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import DAY, NOW, app, attempts, domain, facts, observed, proof, secret, with_order
from certward.errors import ChallengeFailed, Rejected
from certward.model.resources import format_time
from certward.plan.domain import decide
from certward.plan.status import record_type, remembers_served

ISSUED = observed(secret=secret(), proof=proof())
LATER = NOW + timedelta(minutes=5)


def status_of(seen, now=NOW):
    return decide(seen, now).status


def condition(status, kind):
    (found,) = (c for c in status["conditions"] if c["type"] == kind)
    return found["status"], found["reason"]


def with_status(seen, status):
    return replace(seen, domain=replace(seen.domain, status=status))


def test_a_served_certificate_is_described():
    status = status_of(ISSUED)
    assert status["certificate"] == {
        "source": "Automatic",
        "secretName": "www-tls",
        "issuer": "CN=Test CA",
        "serialNumber": "01",
        "fingerprintSHA256": facts().fingerprint_sha256,
        "keyType": "ECDSA-P256",
        "tlsProfile": "2026-11/default/TLSv1.2",
        "trusted": True,
        "notBefore": "2026-11-22T12:00:00Z",
        "notAfter": "2027-02-20T12:00:00Z",
        "renewalTime": "2027-01-21T12:00:00Z",
    }
    assert status["served"] == {
        "observedAt": format_time(NOW),
        "fingerprintSHA256": facts().fingerprint_sha256,
        "minVersion": "TLSv1.2",
        "maxVersion": "TLSv1.3",
    }
    assert condition(status, "Ready") == ("True", "Served")
    assert condition(status, "Served") == ("True", "Served")
    assert condition(status, "CertificateIssued") == ("True", "Issued")
    assert condition(status, "DNSVerified") == ("True", "Validated")
    assert condition(status, "PolicyEnforced") == ("True", "Enforced")
    assert condition(status, "Reconciling") == ("False", "Settled")
    assert condition(status, "Stalled") == ("False", "NotStalled")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"is_pointed_here": True}, ("True", "PointsHere")),
        ({"is_pointed_here": False, "dns_warning": "It also has an AAAA record."}, ("Unknown", "Doubtful")),
    ],
)
def test_what_a_look_at_the_dns_has_shown_stands_when_the_operator_was_restarted(found, expected):
    before = status_of(replace(ISSUED, **found))
    assert condition(before, "DNSVerified") == expected
    after = status_of(with_status(ISSUED, before))
    assert after == before, "what this process has not looked at is no news"
    looked = status_of(with_status(replace(ISSUED, is_pointed_here=False), before))
    assert condition(looked, "DNSVerified") == ("True", "Validated"), "what it has looked at is"


def test_without_automatic_there_is_no_time_of_renewal():
    status = status_of(replace(ISSUED, app=app(is_automatic=False)))
    assert "renewalTime" not in status["certificate"]
    assert condition(status, "Ready") == ("True", "Served")


def test_the_certificate_shown_before_stays_until_the_new_one_is_proven():
    before = status_of(ISSUED)
    renewed = replace(ISSUED, secret=secret(facts(2)), domain=domain(status=before))
    assert status_of(renewed)["certificate"] == before["certificate"]
    proven = status_of(replace(renewed, proof=proof(facts(2))))
    assert proven["certificate"]["serialNumber"] == "02"


@pytest.mark.parametrize(
    "changes", [{"app": None, "secret": secret(facts=None)}, {"owner": "team-b/www"}], ids=["no App", "taken"]
)
def test_a_certificate_that_nobody_serves_any_more_is_not_told(changes):
    status = status_of(replace(with_status(ISSUED, status_of(ISSUED)), **changes))
    assert "certificate" not in status
    assert condition(status, "Ready")[0] == "False"


def test_times_move_only_with_what_they_are_about():
    before = status_of(ISSUED)
    again = status_of(replace(with_status(ISSUED, before), proof=proof(at=LATER)), LATER)
    assert again == before
    failing = status_of(replace(with_status(ISSUED, before), app=app(is_automatic=False)), LATER)
    assert failing["lastUpdated"] == format_time(LATER)
    assert failing["served"] == before["served"]
    assert [c["lastTransitionTime"] for c in failing["conditions"]] == [format_time(NOW)] * len(before["conditions"])


def test_another_certificate_that_is_shown_is_told_with_the_time():
    strange = proof(fingerprint="ff" * 32, problem="The ingress serves another certificate.", versions=(), at=LATER)
    status = status_of(replace(with_status(ISSUED, status_of(ISSUED)), proof=strange), LATER)
    assert status["served"]["fingerprintSHA256"] == "ff" * 32
    assert status["served"]["observedAt"] == format_time(LATER)
    assert condition(status, "Ready") == ("False", "NotServed")
    assert condition(status, "PolicyEnforced")[0] == "Unknown"


def test_when_no_handshake_succeeds_nothing_is_told_of_what_is_served():
    silent = proof(fingerprint="", problem="Nobody answers.", versions=())
    assert "served" not in status_of(replace(with_status(ISSUED, status_of(ISSUED)), proof=silent))


def test_a_failing_renewal_never_turns_ready_off():
    due = facts(not_before=NOW - 61 * DAY, not_after=NOW + 29 * DAY)
    failing = observed(secret=secret(due), proof=proof(due), failure=Rejected("CARejected", "Never."))
    status = status_of(failing)
    assert (status["state"], status["reason"], status["message"]) == ("CertIssued", "CARejected", "Never.")
    assert condition(status, "Ready") == ("True", "Served")
    assert condition(status, "Stalled")[0] == "False"


@pytest.mark.parametrize(
    ("seen", "reconciling", "stalled"),
    [
        pytest.param(observed(), "True", "False", id="at work"),
        pytest.param(with_order(), "True", "False", id="an order is open"),
        pytest.param(observed(app=app(is_automatic=False)), "False", "False", id="automatic is off"),
        pytest.param(
            observed(failure=ChallengeFailed("DNSNotFound", "Gone.")), "True", "False", id="to be tried again"
        ),
        pytest.param(observed(failure=Rejected("CARejected", "Never.")), "False", "True", id="given up"),
        pytest.param(observed(owner="team-b/www"), "False", "False", id="waiting for its owner"),
        pytest.param(observed(secret=secret()), "True", "False", id="issued and not shown yet"),
    ],
)
def test_conditions_of_kstatus(seen, reconciling, stalled):
    status = status_of(seen)
    assert condition(status, "Reconciling")[0] == reconciling
    assert condition(status, "Stalled")[0] == stalled
    assert condition(status, "Ready")[0] == "False"


def test_attempts_are_forgotten_after_success():
    seen = replace(ISSUED, domain=domain(status=attempts(3, until=NOW - DAY, reason="CAUnavailable")))
    assert status_of(seen)["attempts"] == {"failures": 0}


def test_generations_are_told():
    seen = replace(ISSUED, domain=domain(generation=4))
    status = status_of(seen)
    assert status["observedGeneration"] == 4
    assert {c["observedGeneration"] for c in status["conditions"]} == {4}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("Enforced", "True"), ("EnforcedNarrower", "True"), ("NotServed", "False"), ("NotEnforceable", "False")],
)
def test_the_policy_as_the_handshakes_found_it(reason, expected):
    shown = proof(policy_reason=reason, policy_problem="So it was found.")
    status = status_of(replace(ISSUED, proof=shown))
    assert condition(status, "PolicyEnforced") == (expected, reason)
    assert condition(status, "Ready") == ("True", "Served")


def test_after_a_restart_the_policy_is_as_it_was():
    narrower = proof(policy_reason="EnforcedNarrower", policy_problem="The engine lacks a suite.")
    before = status_of(replace(ISSUED, proof=narrower))
    assert status_of(replace(with_status(ISSUED, before), proof=None)) == before


@pytest.mark.parametrize(
    ("target", "kind"), [("edge.example.net", "CNAME"), ("203.0.113.7", "A"), ("2001:db8::7", "AAAA")]
)
def test_what_a_hostname_should_point_at(target, kind):
    assert record_type(target) == kind
    assert status_of(observed(dns_targets=(target,)))["dns"]["recordType"] == kind


def test_what_is_remembered_of_a_handshake():
    known = domain(status=status_of(ISSUED))
    assert remembers_served(known, facts().fingerprint_sha256)
    assert not remembers_served(known, facts(2).fingerprint_sha256)
    assert not remembers_served(domain(), "")
