"""What decide makes of each situation that a Domain can be in."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import (
    DAY,
    DEFAULT,
    MODERN,
    NOW,
    RSA_ONLY,
    app,
    attempts,
    broken_secret,
    domain,
    facts,
    foreign_secret,
    observed,
    proof,
    secret,
    with_order,
)
from certward.errors import ChallengeFailed, RateLimited, Rejected, Transient
from certward.names import ANNOTATION_REFRESH
from certward.plan.domain import BLOCKED_RECHECK, FAR, PROOF_RETRY, PROOF_RETRY_SLOW, decide
from certward.plan.observed import Step, Turn

MANUAL_ONLY = app(is_automatic=False)
DUE = facts(not_before=NOW - 61 * DAY, not_after=NOW + 29 * DAY)
LATER = Turn(timedelta(minutes=30), NOW + timedelta(hours=3), "The CA takes only so many orders.")
RSA = facts(key_type="RSA-2048")


def issued(**changes):
    """A certificate in place, shown by a handshake just now."""
    known = changes.pop("facts", facts())
    return observed(**({"secret": secret(known), "proof": proof(known)} | changes))


def remembering(status, **changes):
    """A Domain with this status, after a pass that did not fail."""
    return observed(domain=domain(status=status), **changes)


STATES = {
    "its App does not exist": (observed(app=None), "Waiting", "AppNotFound"),
    "the platform reserves the name": (
        observed(refusal=("HostnameReserved", "It is the platform's.")),
        "Failed",
        "HostnameReserved",
    ),
    "its namespace may not claim the name": (
        observed(refusal=("HostnameNotAllowed", "Ask.")),
        "Failed",
        "HostnameNotAllowed",
    ),
    "an older Domain has the name": (observed(owner="team-b/www"), "Waiting", "HostnameTaken"),
    "the ingress would mistake its Secret for another": (
        observed(collides_with="team/a-www"),
        "Failed",
        "SecretNameCollides",
    ),
    "a Service of its App is missing": (observed(missing_service="shop"), "Waiting", "ServiceNotFound"),
    "a Service is missing but a certificate is served": (issued(missing_service="shop"), "CertIssued", ""),
    "automatic is off and there is no certificate": (observed(app=MANUAL_ONLY), "Waiting", "AutomaticDisabled"),
    "automatic is off and the last certificate is good": (
        issued(app=MANUAL_ONLY),
        "CertIssued",
        "AutomaticDisabled",
    ),
    "automatic is off and the renewal is due": (
        issued(app=MANUAL_ONLY, facts=DUE),
        "CertIssued",
        "AutomaticDisabled",
    ),
    "somebody else's Secret is in the way": (observed(secret=foreign_secret()), "Failed", "SecretInvalid"),
    "the name is a wildcard": (
        observed(domain=domain(hostname="*.example.com")),
        "Failed",
        "WildcardNeedsDNS01",
    ),
    "the key type asked for cannot be served": (
        observed(app=app(key_type="ECDSA-P256"), profile=RSA_ONLY),
        "Failed",
        "KeyTypeNotServed",
    ),
    "the key type asked for cannot be served any more": (
        issued(app=app(key_type="ECDSA-P256"), profile=RSA_ONLY),
        "CertIssued",
        "KeyTypeNotServed",
    ),
    "its issuer is not configured": (
        observed(app=app(issuer="nowhere"), unknown_issuer="nowhere", issuers=()),
        "Failed",
        "CARejected",
    ),
    "no issuer is configured": (observed(issuers=()), "Failed", "CARejected"),
    "nothing has happened yet": (observed(), "InProgress", ""),
    "preflight has passed": (observed(is_preflighted=True), "DNSVerified", ""),
    "the CA takes no more orders for now": (observed(turn=LATER), "Waiting", "WaitingForBudget"),
    "others go before for a moment": (observed(turn=Turn(timedelta(seconds=5))), "InProgress", ""),
    "a renewal waits for the CA's limits": (issued(facts=DUE, turn=LATER), "CertIssued", "WaitingForBudget"),
    "nothing is wanted, whoever waits": (issued(turn=LATER), "CertIssued", ""),
    "an order is open": (with_order(), "DNSVerified", ""),
    "the certificate is in place": (issued(), "CertIssued", ""),
    "a renewal is due and nothing has failed": (issued(facts=DUE), "CertIssued", ""),
    "an order was refused by validation": (
        observed(failure=ChallengeFailed("ChallengeUnreachable", "No answer.")),
        "Failing",
        "ChallengeUnreachable",
    ),
    "the CA is away": (observed(failure=Transient("CAUnavailable", "Down.")), "Failing", "CAUnavailable"),
    "the CA rejects": (observed(failure=Rejected("CARejected", "Never.")), "Failed", "CARejected"),
    "the CA limits": (
        observed(failure=RateLimited("RateLimited", "Later.", until=NOW + DAY)),
        "Waiting",
        "RateLimited",
    ),
    "a renewal fails": (
        issued(facts=DUE, failure=ChallengeFailed("DNSNotFound", "Gone.")),
        "CertIssued",
        "DNSNotFound",
    ),
    "a failure is remembered": (
        remembering(attempts(2, until=NOW + timedelta(minutes=10), reason="OrderInvalid")),
        "Failing",
        "OrderInvalid",
    ),
    "a limit is remembered": (
        remembering(attempts(1, until=NOW + DAY, reason="RateLimited", state="Waiting")),
        "Waiting",
        "RateLimited",
    ),
    "a rejection is remembered": (
        remembering(attempts(1, until=None, reason="CARejected", state="Failed")),
        "Failed",
        "CARejected",
    ),
}


@pytest.mark.parametrize(("seen", "state", "reason"), STATES.values(), ids=STATES)
def test_state_and_reason_when(seen, state, reason):
    status = decide(seen, NOW).status
    assert (status["state"], status["reason"]) == (state, reason)
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert conditions["Stalled"] == ("True" if state == "Failed" else "False")
    assert bool(status["message"]) == bool(reason)


STEPS = {
    "nothing is there: see that the challenge path works": (observed(), Step.PREFLIGHT),
    "the path works: place an order": (observed(is_preflighted=True), Step.PLACE),
    "an order is open: take it further": (with_order(), Step.ADVANCE),
    "the CA asked to wait: wait": (with_order(wait=timedelta(seconds=3)), Step.NONE),
    "the certificate has come: prove it": (observed(secret=secret()), Step.PROVE),
    "another was shown and this one has come since: prove it": (
        issued(facts=facts(2), proof=proof(facts(1))),
        Step.PROVE,
    ),
    "the profile has changed: prove it": (issued(profile=MODERN), Step.PROVE),
    "all is proven: nothing": (issued(), Step.NONE),
    "the last proof is as old as the interval: prove it again": (
        issued(proof=proof(at=NOW - timedelta(minutes=10))),
        Step.PROVE,
    ),
    "a renewal is due: see that the challenge path works": (issued(facts=DUE), Step.PREFLIGHT),
    "the Secret cannot be used: see that the challenge path works": (
        observed(secret=broken_secret()),
        Step.PREFLIGHT,
    ),
    "an attempt is held back: nothing": (
        remembering(attempts(9, until=NOW + timedelta(minutes=5), reason="CAUnavailable")),
        Step.NONE,
    ),
    "an attempt is held back for longer than any pause, so that the clock was set back: try": (
        remembering(attempts(9, until=NOW + timedelta(hours=1), reason="CAUnavailable")),
        Step.PREFLIGHT,
    ),
    "the second pause after an order that failed: nothing": (
        remembering(attempts(2, until=NOW + timedelta(minutes=10), reason="OrderInvalid")),
        Step.NONE,
    ),
    "a longer one than that: try": (
        remembering(attempts(2, until=NOW + timedelta(minutes=11), reason="OrderInvalid")),
        Step.PREFLIGHT,
    ),
    "a CA said when: nothing, however long it is": (
        remembering(attempts(1, until=NOW + DAY, reason="RateLimited", state="Waiting")),
        Step.NONE,
    ),
    "a CA said so, and longer than any does, so that the clock was set back: try": (
        remembering(attempts(1, until=NOW + 30 * DAY, reason="RateLimited", state="Waiting")),
        Step.PREFLIGHT,
    ),
    "as long as a CA says at most: nothing": (
        remembering(attempts(1, until=NOW + 7 * DAY, reason="RateLimited", state="Waiting")),
        Step.NONE,
    ),
    "a CA said so, and the clock has been set back when the pause is over: try": (
        remembering(attempts(1, until=NOW + DAY, reason="RateLimited", state="Waiting"), is_pause_over=True),
        Step.PREFLIGHT,
    ),
    "a CA said so, and the moment that is remembered was rounded: nothing": (
        remembering(
            attempts(1, until=NOW + timedelta(seconds=1), reason="RateLimited", state="Waiting"), is_pause_over=True
        ),
        Step.NONE,
    ),
    "it was tried then, and the order is open: take it further": (
        with_order(domain=domain(status={"state": "DNSVerified", "reason": "", "attempts": {"failures": 2}})),
        Step.ADVANCE,
    ),
    "another pause is no CA's: nothing": (
        remembering(attempts(2, until=NOW + timedelta(minutes=10), reason="OrderInvalid"), is_pause_over=True),
        Step.NONE,
    ),
    "the last proof is from the future, so that the clock was set back: prove it again": (
        issued(proof=proof(at=NOW + timedelta(hours=1))),
        Step.PROVE,
    ),
    "the time of the next attempt has come: try": (
        remembering(attempts(1, until=NOW, reason="CAUnavailable")),
        Step.PREFLIGHT,
    ),
    "nothing was to be tried any more: nothing": (
        remembering(attempts(1, until=None, reason="CARejected", state="Failed")),
        Step.NONE,
    ),
    "nothing was to be tried, but something was edited: try": (
        remembering(attempts(1, until=None, reason="CARejected", state="Failed"), is_edited=True),
        Step.PREFLIGHT,
    ),
    "an attempt is held back, but something was edited: try": (
        remembering(attempts(3, until=NOW + DAY, reason="OrderInvalid"), is_edited=True),
        Step.PREFLIGHT,
    ),
    "an issue is wanted of an issuer that is not configured: nothing": (
        observed(unknown_issuer="nowhere", issuers=()),
        Step.NONE,
    ),
    "automatic is off and the renewal is due: nothing": (issued(app=MANUAL_ONLY, facts=DUE), Step.NONE),
    "another key type is asked for: issue": (issued(app=app(key_type="RSA-3072")), Step.PREFLIGHT),
    "another key type would be the default: leave it": (issued(facts=RSA, proof=proof(RSA)), Step.NONE),
    "another issuer is asked for: issue": (issued(issuers=("spare",)), Step.PREFLIGHT),
    "it is not known which issuer it is from: leave it": (
        issued(secret=secret(issuer=""), issuers=("spare",)),
        Step.NONE,
    ),
    "a refresh is asked for: issue": (
        issued(domain=domain(annotations={ANNOTATION_REFRESH: "1"})),
        Step.PREFLIGHT,
    ),
    "a refresh was asked for and is done: nothing": (
        issued(domain=domain(annotations={ANNOTATION_REFRESH: "1"}, status={"handled": {"refresh": "1"}})),
        Step.NONE,
    ),
}


@pytest.mark.parametrize(("seen", "step"), STEPS.values(), ids=STEPS)
def test_step(seen, step):
    plan = decide(seen, NOW)
    assert plan.step is step
    assert plan.step is not Step.NONE or plan.again_after > timedelta()


ORDERS = {
    "its issuer is still meant and its key is right: goes on": (with_order(), True),
    "it is a fallback issuer's: goes on": (with_order(order_issuer="spare"), True),
    "its issuer is no longer meant: is abandoned": (with_order(order_issuer="former"), False),
    "its key is of another type than wanted: is abandoned": (with_order(next_key_type="RSA-2048"), False),
    "no key is kept for it yet: goes on": (with_order(next_key_type="", next_spki=""), True),
    "automatic was turned off: is abandoned": (with_order(app=MANUAL_ONLY), False),
    "it is for a renewal: goes on": (with_order(secret=secret(DUE), proof=proof(DUE)), True),
    "nothing is wanted any more: is abandoned": (with_order(secret=secret(), proof=proof()), False),
    "its certificate is stored: is over": (
        with_order(secret=secret(), proof=proof(), next_spki=facts().spki_sha256),
        False,
    ),
    "its certificate is stored but not proven: is over": (
        with_order(secret=secret(), next_spki=facts().spki_sha256),
        False,
    ),
}


@pytest.mark.parametrize(("seen", "goes_on"), ORDERS.values(), ids=ORDERS)
def test_an_order_of_which(seen, goes_on):
    plan = decide(seen, NOW)
    assert ("order" in plan.status) == goes_on
    if goes_on:
        assert plan.step is Step.ADVANCE
        assert not plan.drop_next_key
        assert plan.issuer == seen.order_issuer
        assert plan.status["order"] == {
            "url": seen.order_url,
            "createdAt": seen.order_created_at,
            "issuer": seen.order_issuer,
        }


@pytest.mark.parametrize(
    ("seen", "is_dropped"),
    [
        pytest.param(with_order(order_issuer="former", is_preflighted=False), True, id="before the next preflight"),
        pytest.param(with_order(order_issuer="former"), True, id="before the next order, which gets a key of its own"),
        pytest.param(with_order(app=MANUAL_ONLY), True, id="when automatic was turned off"),
        pytest.param(
            with_order(secret=secret(), next_spki=facts().spki_sha256), False, id="not before its certificate is proven"
        ),
        pytest.param(
            with_order(secret=secret(), proof=proof(), next_spki=facts().spki_sha256),
            True,
            id="once its certificate is proven",
        ),
        pytest.param(
            with_order(secret=secret(DUE), proof=proof(DUE), next_spki=DUE.spki_sha256),
            True,
            id="rather than used for a second certificate",
        ),
    ],
)
def test_the_key_of_an_order_that_is_over_is_dropped(seen, is_dropped):
    assert decide(seen, NOW).drop_next_key == is_dropped


@pytest.mark.parametrize(
    ("failure", "before", "failures", "pause"),
    [
        (ChallengeFailed("OrderInvalid", "No."), {}, 1, timedelta(minutes=1)),
        (
            ChallengeFailed("OrderInvalid", "No."),
            attempts(1, until=NOW, reason="OrderInvalid"),
            2,
            timedelta(minutes=10),
        ),
        (ChallengeFailed("OrderInvalid", "No."), attempts(9, until=NOW, reason="OrderInvalid"), 10, DAY),
        (
            ChallengeFailed("OrderInvalid", "No."),
            attempts(9, until=NOW, reason="CAUnavailable"),
            1,
            timedelta(minutes=1),
        ),
        (Transient("CAUnavailable", "Down."), attempts(3, until=NOW, reason="CAUnavailable"), 4, timedelta(seconds=8)),
        (Rejected("CARejected", "Never."), {}, 1, None),
    ],
    ids=[
        "the first time",
        "again for the same reason",
        "for the tenth time",
        "for another reason than before",
        "of the CA for the fourth time",
        "for good",
    ],
)
def test_a_failure(failure, before, failures, pause):
    plan = decide(remembering(before, failure=failure), NOW)
    assert plan.step is Step.NONE
    wanted = {"failures": failures}
    if pause is not None:
        wanted["nextAttempt"] = (NOW + pause).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert plan.again_after == min(pause, FAR)
    else:
        assert plan.again_after == FAR
    assert plan.status["attempts"] == wanted


def test_a_limit_is_never_tried_earlier_than_the_ca_said():
    until = NOW + timedelta(hours=2, microseconds=400)
    plan = decide(observed(failure=RateLimited("RateLimited", "Later.", until=until)), NOW)
    assert plan.again_after >= until - NOW
    assert plan.status["attempts"]["nextAttempt"] >= until.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_limit_that_is_over_already_still_makes_a_pause():
    plan = decide(observed(failure=RateLimited("RateLimited", "Now.", until=NOW - DAY)), NOW)
    assert plan.step is Step.NONE
    assert plan.again_after > timedelta()


@pytest.mark.parametrize(
    "trouble",
    [
        {"failure": ChallengeFailed("DNSNotFound", "Gone.")},
        {"domain": domain(status=attempts(4, until=NOW + timedelta(hours=9), reason="DNSNotFound"))},
        {"unknown_issuer": "nowhere", "issuers": ()},
    ],
    ids=["that has just failed", "that is held back", "that cannot be had"],
)
def test_an_overdue_renewal_is_not_looked_at_without_pause(trouble):
    plan = decide(issued(facts=DUE, **trouble), NOW)
    assert plan.step is Step.NONE
    assert plan.again_after >= timedelta(seconds=30)


def test_an_overdue_renewal_waits_as_long_as_the_ca_asked():
    plan = decide(with_order(secret=secret(DUE), proof=proof(DUE), wait=timedelta(seconds=3)), NOW)
    assert (plan.step, plan.again_after) == (Step.NONE, timedelta(seconds=3))


def test_a_renewal_in_the_future_is_looked_at_when_it_is_due():
    soon = facts(not_before=NOW - timedelta(minutes=28), not_after=NOW + timedelta(minutes=32))
    plan = decide(issued(facts=soon, proof=proof(soon)), NOW)
    assert plan.again_after == timedelta(minutes=2)


# A refresh.

ASKED = {"annotations": {ANNOTATION_REFRESH: "2"}, "status": {"handled": {"refresh": "1"}}}


def test_a_refresh_is_not_handled_before_its_certificate_is_stored():
    with_the_order = with_order(domain=domain(**ASKED), secret=secret(), proof=proof())
    placing = replace(with_the_order, order_url="", next_key_type="", next_spki="")
    assert decide(placing, NOW).step is Step.PLACE
    assert decide(placing, NOW).status["handled"] == {"refresh": "1"}
    assert decide(with_the_order, NOW).step is Step.ADVANCE
    assert decide(with_the_order, NOW).status["handled"] == {"refresh": "1"}


def test_a_refresh_goes_on_when_the_ca_takes_its_time():
    waiting = with_order(domain=domain(**ASKED), secret=secret(), proof=proof(), wait=timedelta(seconds=3))
    plan = decide(waiting, NOW)
    assert "order" in plan.status
    later = replace(waiting, domain=replace(waiting.domain, status=plan.status), wait=timedelta())
    assert decide(later, NOW).step is Step.ADVANCE


def test_a_refresh_is_handled_once_its_certificate_is_stored():
    new = facts(2)
    stored = with_order(domain=domain(**ASKED), secret=secret(new), proof=proof(new), next_spki=new.spki_sha256)
    plan = decide(stored, NOW)
    assert plan.step is Step.NONE
    assert plan.status["handled"] == {"refresh": "2"}


def test_a_refresh_that_fails_says_so_and_is_tried_again():
    failed = issued(domain=domain(**ASKED), failure=ChallengeFailed("DNSNotFound", "Gone."))
    plan = decide(failed, NOW)
    assert (plan.status["state"], plan.status["reason"]) == ("CertIssued", "DNSNotFound")
    assert plan.status["attempts"]["failures"] == 1
    assert plan.again_after == timedelta(minutes=1)


# What the ingress is told.


@pytest.mark.parametrize(
    ("seen", "challenge", "serves", "redirects"),
    [
        pytest.param(observed(), True, False, False, id="no certificate yet"),
        pytest.param(observed(app=MANUAL_ONLY), False, False, False, id="automatic is off"),
        pytest.param(observed(issuers=()), False, False, False, id="no certificate can be had"),
        pytest.param(observed(secret=foreign_secret()), False, False, False, id="the Secret is somebody else's"),
        pytest.param(observed(secret=broken_secret()), True, False, False, id="the certificate cannot be used"),
        pytest.param(observed(secret=secret()), True, True, False, id="the certificate is not proven yet"),
        pytest.param(issued(), True, True, True, id="the certificate is proven"),
        pytest.param(issued(app=app(https_redirect=False)), True, True, False, id="no redirect is wanted"),
        pytest.param(issued(app=MANUAL_ONLY), False, True, True, id="automatic was turned off"),
        pytest.param(
            issued(
                secret=secret(facts(2)),
                proof=proof(facts(1)),
                domain=domain(status={"certificate": {"fingerprintSHA256": "01"}}),
            ),
            True,
            True,
            True,
            id="a renewed certificate is not proven yet",
        ),
        pytest.param(
            issued(proof=proof(problem="Nobody answers.", fingerprint="")),
            True,
            True,
            False,
            id="no handshake has ever shown it",
        ),
        pytest.param(
            issued(facts=DUE, failure=Rejected("CARejected", "Never.")), True, True, True, id="the renewal fails"
        ),
    ],
)
def test_routes(seen, challenge, serves, redirects):
    routes = decide(seen, NOW).routes
    assert routes
    assert (routes.challenge, bool(routes.secret_name), routes.redirect) == (challenge, serves, redirects)
    assert routes.secret_name in ("", "www-tls")


@pytest.mark.parametrize(
    "seen",
    [
        observed(app=None),
        observed(owner="team-b/www"),
        observed(refusal=("HostnameNotAllowed", "Ask.")),
        observed(collides_with="team/a-www"),
        observed(missing_service="shop"),
    ],
    ids=["no App", "taken", "not allowed", "colliding", "no Service"],
)
def test_a_domain_without_its_hostname_has_no_routes(seen):
    plan = decide(seen, NOW)
    assert plan.routes is None
    assert plan.step is Step.NONE
    assert plan.again_after == (BLOCKED_RECHECK if seen.missing_service else FAR)


def test_tls_settings_stay_while_the_key_does_not_fit_the_profile():
    plan = decide(issued(profile=RSA_ONLY), NOW)
    assert plan.routes
    assert plan.routes.secret_name == "www-tls"  # noqa: S105 - a name
    assert plan.routes.profile is None
    assert plan.key_type == "RSA-2048"


def test_tls_settings_change_once_the_key_fits_the_profile():
    plan = decide(issued(profile=RSA_ONLY, facts=RSA, proof=proof(RSA)), NOW)
    assert plan.routes
    assert plan.routes.profile == RSA_ONLY
    assert plan.step is Step.PROVE


def test_a_profile_change_alone_asks_the_ca_for_nothing():
    plan = decide(issued(profile=MODERN), NOW)
    assert plan.routes
    assert plan.routes.profile == MODERN
    after = decide(issued(profile=MODERN, proof=proof(profile=f"{MODERN.revision}/{MODERN.name}/TLSv1.3")), NOW)
    assert after.step is Step.NONE


# How soon a handshake is tried again.


@pytest.mark.parametrize(
    ("shown", "pause"),
    [
        (proof(), timedelta(minutes=10)),
        (proof(policy_reason="NotServed", since=NOW - timedelta(seconds=5)), PROOF_RETRY),
        (proof(policy_reason="NotServed", since=NOW - timedelta(seconds=31)), PROOF_RETRY_SLOW),
        (proof(problem="Another.", fingerprint="ff", since=NOW - timedelta(seconds=5)), PROOF_RETRY),
        (proof(problem="Another.", fingerprint="ff", since=NOW - timedelta(seconds=31)), PROOF_RETRY_SLOW),
    ],
    ids=["shown", "another policy so far", "another policy for long", "not shown yet", "not shown for long"],
)
def test_a_handshake_is_made_again_after(shown, pause):
    plan = decide(issued(proof=shown), NOW)
    assert (plan.step, plan.again_after) == (Step.NONE, pause)


def test_after_a_restart_what_the_status_says_was_served_counts_as_proven():
    known = decide(issued(), NOW).status
    restarted = observed(domain=domain(status=known), secret=secret(), proof=None)
    plan = decide(restarted, NOW)
    assert plan.status == known
    assert plan.routes
    assert plan.routes.redirect


def test_the_key_type_asked_for_is_ordered():
    assert decide(observed(app=app(key_type="RSA-4096")), NOW).key_type == "RSA-4096"
    assert decide(observed(profile=DEFAULT), NOW).key_type == "ECDSA-P256"
    assert decide(observed(profile=RSA_ONLY), NOW).key_type == "RSA-2048"


SHOWN = {"certificate": {"source": "Automatic", "secretName": "www-tls"}}


def test_the_routes_of_a_certificate_that_has_expired_stay_until_the_next_one_comes():
    plan = decide(observed(domain=domain(status=SHOWN), secret=broken_secret()), NOW)
    assert plan.step is Step.PREFLIGHT
    assert plan.routes is not None
    assert (plan.routes.secret_name, plan.routes.redirect) == ("www-tls", True)


@pytest.mark.parametrize("held", [broken_secret(), secret()], ids=["expired", "not shown there yet"])
def test_a_host_on_its_way_to_another_class_keeps_its_routes_until_the_new_ones_show_its_certificate(held):
    status = {**SHOWN, "ingressClassName": "traefik"}
    plan = decide(observed(domain=domain(status=status), secret=held, ingress_class="contour"), NOW)
    assert not plan.leaves_class
    assert plan.status["ingressClassName"] == "traefik"


@pytest.mark.parametrize(
    ("status", "held"),
    [(SHOWN, broken_secret("The Secret holds no certificate.")), (SHOWN, foreign_secret()), ({}, broken_secret())],
    ids=["spoilt", "somebody else's", "never shown"],
)
def test_nothing_is_routed_with_what_never_could_be_served(status, held):
    plan = decide(observed(domain=domain(status=status), secret=held), NOW)
    assert plan.routes is not None
    assert (plan.routes.secret_name, plan.routes.redirect) == ("", False)


def test_where_nothing_is_going_to_be_renewed_an_expired_certificate_is_served_no_longer():
    plan = decide(observed(app=app(is_automatic=False), domain=domain(status=SHOWN), secret=broken_secret()), NOW)
    assert plan.routes is None or plan.routes.secret_name == ""
