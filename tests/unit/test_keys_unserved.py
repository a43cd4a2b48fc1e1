"""What is said where the only certificate is one that the profile cannot serve: what is the matter, and no promise."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import DAY, DEFAULT, NOW, RSA_ONLY, app, domain, facts, observed, proof
from certward.model import profiles
from certward.plan.domain import decide
from certward.plan.manual import Manual, ManualSecret
from certward.plan.observed import Observed, Step, label, labelled

OLD = profiles.profile("2017-09", "default")
LEGACY = profiles.profile("2018-06", "legacy")
NOT_SHOWN = proof(fingerprint="", problem="The ingress serves a certificate of its own.", policy_reason="", profile="")


def bought(key_type: str) -> Manual:
    leaf = facts(7, key_type=key_type, not_after=NOW + 300 * DAY)
    return Manual(ManualSecret("bought", exists=True, facts=leaf, is_trusted=True))


def unserved(key_type: str, profile: profiles.Profile, **changes: object) -> Observed:
    """Automatic certificates are off, and a handshake long since has shown that nothing was rendered."""
    given = {
        "app": app(is_automatic=False, manual_secrets=("bought",)),
        "manual": (bought(key_type),),
        "profile": profile,
        "proof": replace(NOT_SHOWN, expected=facts(7).fingerprint_sha256, since=NOW - timedelta(hours=1)),
    } | changes
    return observed(**given)


KEYS = pytest.mark.parametrize(
    ("key_type", "profile"),
    [("Ed25519", DEFAULT), ("ECDSA-P256", RSA_ONLY), ("ECDSA-P256", LEGACY), ("ECDSA-P384", OLD)],
    ids=["Ed25519", "2018-06 default", "2018-06 legacy", "2017-09 default"],
)


@KEYS
def test_a_manual_certificate_with_such_a_key_is_told_and_not_waited_for(key_type, profile):
    plan = decide(unserved(key_type, profile), NOW)
    status, fitting = plan.status, profiles.default_key_type(profile)
    assert (status["state"], status["reason"]) == ("CertIssued", "KeyTypeNotServed")
    assert status["message"] == (
        f"TLS profile {profile.name} of revision {profile.revision} cannot serve the key of type {key_type} in "
        f"Secret bought at every protocol version; put one with a key of type {fitting} into it, choose another "
        "profile, or set spec.certificates.automatic: true on App shop. Until then the ingress keeps what it has for "
        "the host."
    )
    told = {one["type"]: (one["status"], one["reason"], one["message"]) for one in status["conditions"]}
    for kind in ("Ready", "Served", "PolicyEnforced"):
        assert told[kind] == ("False", "KeyTypeNotServed", status["message"])
    assert told["Reconciling"][:2] == ("False", "Settled")
    assert told["Stalled"][0] == "False"
    assert plan.routes
    assert plan.routes.profile is None


@KEYS
def test_it_is_looked_at_as_seldom_as_what_is_in_order(key_type, profile):
    plan = decide(unserved(key_type, profile), NOW)
    assert (plan.step, plan.again_after) == (Step.NONE, timedelta(minutes=10))
    just_now = replace(unserved(key_type, profile).proof, since=NOW)
    plan = decide(unserved(key_type, profile, proof=just_now), NOW)
    assert (plan.step, plan.again_after) == (Step.NONE, timedelta(minutes=10)), "nothing was rendered"


def test_one_that_follows_another_in_the_same_secret_is_looked_for_a_while_as_it_may_be_taken_up():
    known = {"certificate": {"source": "Manual", "secretName": "bought"}}
    seen = unserved("ECDSA-P256", RSA_ONLY, domain=domain(status=known))
    assert decide(seen, NOW).again_after == timedelta(minutes=10)
    fresh = replace(seen, proof=replace(seen.proof, since=NOW))
    assert decide(fresh, NOW).again_after < timedelta(seconds=1)


def test_a_status_that_says_so_is_not_written_again():
    seen = unserved("Ed25519", DEFAULT)
    written = decide(seen, NOW).status
    again = replace(seen, domain=replace(seen.domain, status=written))
    assert decide(again, NOW + DAY).status == written


def test_once_it_has_another_key_or_the_profile_is_another_it_is_waited_for_as_ever():
    for seen in (unserved("RSA-2048", RSA_ONLY), unserved("ECDSA-P256", DEFAULT)):
        status = decide(seen, NOW).status
        assert (status["state"], status["reason"]) == ("CertIssued", "")
        assert {one["type"]: one["status"] for one in status["conditions"]}["Reconciling"] == "True"


def test_where_the_host_keeps_the_settings_with_which_it_was_served_it_is_ready():
    leaf = bought("ECDSA-P256").secret.facts
    assert leaf
    status = decide(unserved("ECDSA-P256", RSA_ONLY, proof=proof(leaf)), NOW).status
    assert (status["state"], status["reason"]) == ("CertIssued", "KeyTypeNotServed")
    told = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert told["Ready"] == ("True", "Served")
    assert told["PolicyEnforced"] == ("False", "NotServed")
    assert told["Reconciling"] == ("False", "Settled")


def served(tls_profile: str = "2026-11/default/TLSv1.2", **changes: object) -> Observed:
    """It was served with today's default, and now its App asks for a profile that its key does not go with."""
    leaf = bought("ECDSA-P256").secret.facts
    known = {"certificate": {"source": "Manual", "secretName": "bought", "tlsProfile": tls_profile}}
    given = {"domain": domain(status=known), "proof": proof(leaf), "last": DEFAULT} | changes
    return unserved("ECDSA-P256", RSA_ONLY, **given)


def test_the_rest_of_the_routes_follows_while_the_host_keeps_its_settings():
    plan = decide(served(), NOW)
    assert plan.routes
    assert (plan.routes.secret_name, plan.routes.profile) == ("bought", DEFAULT)
    assert plan.status["certificate"]["tlsProfile"] == "2026-11/default/TLSv1.2"
    again = replace(served(), domain=domain(status=plan.status))
    assert decide(again, NOW).status == plan.status


def test_another_certificate_of_such_a_key_is_served_with_them():
    other = Manual(ManualSecret("newer", exists=True, facts=facts(8, key_type="ECDSA-P256"), is_trusted=True))
    plan = decide(served(app=app(is_automatic=False, manual_secrets=("newer",)), manual=(other,)), NOW)
    assert plan.routes
    assert (plan.routes.secret_name, plan.routes.profile) == ("newer", DEFAULT)


def test_settings_that_do_not_go_with_the_key_either_are_not_rendered():
    plan = decide(served(last=LEGACY), NOW)
    assert plan.routes
    assert (plan.routes.secret_name, plan.routes.profile) == ("bought", None)


@pytest.mark.parametrize(("before", "profile"), [("traefik", DEFAULT), ("other", None)])
def test_an_expired_one_follows_its_app_where_it_is_and_is_brought_nowhere_else(before, profile):
    status = dict(served().domain.status) | {"ingressClassName": before}
    expired = Manual(ManualSecret("bought", exists=True, problem="It has expired."))
    seen = served(domain=domain(status=status), manual=(expired,), ingress_class="traefik", proof=None)
    plan = decide(seen, NOW)
    assert plan.routes
    assert (plan.routes.secret_name, plan.routes.profile) == ("bought", profile)


def test_where_its_settings_are_not_known_nothing_is_touched():
    plan = decide(served(tls_profile="", last=None), NOW)
    assert plan.routes
    assert (plan.routes.secret_name, plan.routes.profile) == ("bought", None)


@pytest.mark.parametrize("one", profiles.TABLE.values(), ids=label)
@pytest.mark.parametrize("floor", ["", "TLSv1.2"])
def test_a_label_tells_the_whole_profile(one: profiles.Profile, floor: str):
    cut = profiles.cut_to_floor(one, floor)
    assert cut
    assert labelled(label(cut)) == cut


@pytest.mark.parametrize("text", ["", "x", "2026-11/default", "2026-11/none/TLSv1.2", "2026-11/modern/TLSv1.0"])
def test_what_is_no_label_tells_of_none(text: str):
    assert labelled(text) is None


def test_with_automatic_on_it_is_not_called_served_and_the_automatic_one_is_waited_for():
    seen = unserved("ECDSA-P256", RSA_ONLY, app=app(manual_secrets=("bought",)))
    plan = decide(seen, NOW)
    assert (plan.status["state"], plan.status["reason"]) == ("CertIssued", "")
    assert plan.status["message"] == (
        "TLS profile default of revision 2018-06 cannot serve the key of type ECDSA-P256 in Secret bought at every "
        "protocol version, so the automatic one is waited for."
    )
    assert {one["type"]: one["status"] for one in plan.status["conditions"]}["Reconciling"] == "True"
    assert plan.step is Step.PREFLIGHT
