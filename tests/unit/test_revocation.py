"""Whether a certificate is to be revoked, what is said of it, and what comes first."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import DAY, NOW, app, broken_secret, domain, facts, foreign_secret, observed, proof, secret
from certward.names import ANNOTATION_REFRESH, ANNOTATION_REVOKE
from certward.plan import revocation
from certward.plan.domain import decide
from certward.plan.observed import Step, Unrevoked

OFF = app(is_automatic=False)
DUE = facts(not_before=NOW - 61 * DAY, not_after=NOW + 29 * DAY)
OVERDUE = facts(not_before=NOW - 85 * DAY, not_after=NOW + 5 * DAY)
AWAY = Unrevoked("The CA main cannot be reached; it is tried again.", timedelta(seconds=8))


def asking(value="superseded", *, handled="", **changes):
    """A Domain with a certificate that is served, which asks for a revocation."""
    known = changes.pop("facts", facts())
    status = {"handled": {"revoke": handled}} if handled else {}
    given = {
        "domain": domain(annotations={ANNOTATION_REVOKE: value}, status=status),
        "secret": secret(known, **changes.pop("of", {})),
        "proof": proof(known),
    }
    return observed(**(given | changes))


def condition(plan, name):
    return next(each for each in plan.status["conditions"] if each["type"] == name)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("unspecified", 0),
        ("keyCompromise", 1),
        ("affiliationChanged", 3),
        ("superseded", 4),
        ("cessationOfOperation", 5),
        ("1", 1),
        ("keyCompromise of July", 1),
        ("keycompromise", None),
        ("cACompromise", None),
        ("2", None),
        ("7", None),
        ("-1", None),
        ("", None),
    ],
)
def test_the_reasons_of_a_subscriber(value, code):
    assert revocation.code_of(value) == code


DUE_OR_NOT = {
    "it was asked for": (asking(), True),
    "automatic is off": (asking(app=OFF), True),
    "its App is gone": (asking(app=None), True),
    "the hostname is somebody else's now": (asking(owner="team-b/www"), True),
    "another value was handled": (asking(handled="keyCompromise"), True),
    "this value was handled": (asking(handled="superseded"), False),
    "it was done and the status does not know yet": (asking(of={"revoke": "superseded"}), False),
    "nothing was asked": (asking(""), False),
    "no reason was given": (asking("please"), False),
    "there is no certificate": (asking(secret=broken_secret()), False),
    "the Secret is not Certward's": (asking(secret=foreign_secret()), False),
}


@pytest.mark.parametrize(("seen", "is_due"), DUE_OR_NOT.values(), ids=DUE_OR_NOT)
def test_a_revocation_is_the_next_step_when(seen, is_due):
    plan = decide(seen, NOW)
    assert (plan.step is Step.REVOKE) == is_due
    if is_due:
        assert plan.issuer == "main"


@pytest.mark.parametrize("given", [OFF, None, app()], ids=["automatic off", "no App", "automatic on"])
def test_what_was_done_is_handled(given):
    plan = decide(asking(app=given, of={"revoke": "superseded", "is_revoked": True}), NOW)
    assert plan.status["handled"] == {"revoke": "superseded"}
    assert plan.step is not Step.REVOKE


def test_a_revoked_certificate_is_replaced_and_served_until_then():
    plan = decide(asking(of={"revoke": "superseded", "is_revoked": True}), NOW)
    assert plan.step is Step.PREFLIGHT
    assert plan.routes.secret_name == domain().secret_name
    assert "until the new one is there" in plan.status["message"]
    assert condition(plan, "Ready")["status"] == "True"


def test_with_automatic_off_it_stays_and_the_status_says_so():
    plan = decide(asking(app=OFF, of={"revoke": "superseded", "is_revoked": True}), NOW)
    assert plan.step is Step.NONE
    assert (plan.status["state"], plan.status["reason"]) == ("CertIssued", "AutomaticDisabled")
    assert "has been revoked" in plan.status["message"]
    assert condition(plan, "Ready")["status"] == "True"


def test_a_ca_that_is_away_is_said_and_nothing_takes_the_place_of_the_certificate():
    asked = {ANNOTATION_REVOKE: "keyCompromise", ANNOTATION_REFRESH: "now"}
    plan = decide(asking(domain=domain(annotations=asked), unrevoked=AWAY), NOW)
    assert (plan.step, plan.again_after) == (Step.NONE, AWAY.wait)
    assert plan.status["message"].endswith(AWAY.words)
    assert condition(plan, "CertificateIssued")["message"].endswith(AWAY.words)
    assert condition(plan, "Ready")["status"] == "True"

    again = decide(asking(unrevoked=replace(AWAY, wait=timedelta(0))), NOW)
    assert again.step is Step.REVOKE


@pytest.mark.parametrize(("known", "step"), [(DUE, Step.NONE), (OVERDUE, Step.PREFLIGHT)], ids=["due", "overdue"])
def test_being_served_goes_first_in_the_end(known, step):
    assert decide(asking(facts=known, unrevoked=AWAY), NOW).step is step


def test_a_refusal_is_said_and_not_tried_again_by_itself():
    refused = Unrevoked("It is from issuer gone, which is not configured any more.", None)
    plan = decide(asking(unrevoked=refused, app=OFF), NOW)
    assert plan.step is Step.NONE
    assert plan.again_after > timedelta(minutes=1)
    assert refused.words in plan.status["message"]
    assert "handled" not in plan.status


@pytest.mark.parametrize("handled", ["", "superseded"])
def test_what_is_no_reason_is_told_in_words(handled):
    plan = decide(asking("compromised", handled=handled), NOW)
    assert "keyCompromise" in plan.status["message"]
    assert plan.status.get("handled", {}).get("revoke", "") == handled


def test_without_a_certificate_nothing_is_revoked_now_or_later():
    before = decide(asking(secret=broken_secret(), app=OFF), NOW)
    assert "no automatic certificate" in before.status["message"]
    after = decide(asking(of={"revoke": "superseded"}), NOW)
    assert after.step is not Step.REVOKE
    assert after.status["message"] == ""


def test_a_certificate_that_was_replaced_before_it_could_be_revoked_is_told_of():
    plan = decide(asking(of={"revoke": "superseded", "not_revoked": "superseded"}), NOW)
    assert "before this one" in plan.status["message"]
    assert plan.step is Step.NONE


def test_the_sentence_of_a_failure_stays_alone():
    failing = {"attempts": {"failures": 1, "nextAttempt": "2026-11-23T12:05:00Z"}, "reason": "CAUnavailable"}
    failing |= {"state": "CertIssued", "message": "Down."}
    seen = asking(facts=DUE, unrevoked=AWAY)
    seen = replace(seen, domain=replace(seen.domain, status=failing))
    assert decide(seen, NOW).status["message"] == "Down."


def test_a_refresh_that_is_behind_the_certificate_is_not_done_again():
    back = observed(
        domain=domain(annotations={ANNOTATION_REFRESH: "first"}), secret=secret(refresh="first"), proof=proof()
    )
    plan = decide(back, NOW)
    assert plan.step is Step.NONE
    assert plan.status["handled"] == {"refresh": "first"}
