"""The status of an App: what it makes of its Domains and of its TLS."""

from dataclasses import replace

import pytest

from builders import DAY, DEFAULT, MODERN, NOW, app, domain
from certward.model.grade import Grade
from certward.model.policy import Effective
from certward.plan.app import Resolved, status

RESOLVED = Resolved(
    effective=Effective(DEFAULT, policy="modern"),
    grades=[Grade("A+", ""), Grade("B", "TLS 1.1 is offered")],
    issuer="main",
    acme_profile="classic",
    ingress_class="traefik",
)


def of_state(name, state, reason="", *, is_ready=False, policy="Unknown"):
    conditions = [
        {"type": "Ready", "status": str(is_ready), "reason": "A", "message": ""},
        {"type": "PolicyEnforced", "status": policy, "reason": f"Is{policy}", "message": "As found."},
    ]
    return domain(name, status={"state": state, "reason": reason, "conditions": conditions})


SERVED = of_state("a", "CertIssued", is_ready=True, policy="True")
FAILING, FAILED = of_state("b", "Failing", "DNSNotFound"), of_state("c", "Failed", "CARejected")
WORKING, QUIET = of_state("d", "InProgress"), of_state("e", "Waiting", "AutomaticDisabled")
NEW = domain("f")
TAKEN = of_state("g", "Waiting", "HostnameTaken")


def test_the_backends_that_are_its_own_are_told_where_there_are_any():
    resolved = replace(RESOLVED, backends=("team-a-shop-8080",))
    assert status(app(), [], resolved, now=NOW)["backends"] == ["team-a-shop-8080"]
    assert "backends" not in status(app(), [], RESOLVED, now=NOW)


def conditions_of(*domains, resolved=RESOLVED):
    built = status(app(), domains, resolved, now=NOW)
    return {c["type"]: (c["status"], c["reason"]) for c in built["conditions"]}


@pytest.mark.parametrize(
    ("domains", "ready", "reconciling", "stalled"),
    [
        pytest.param([], ("True", "NoDomains"), "False", "False", id="no Domains"),
        pytest.param([SERVED], ("True", "Served"), "False", "False", id="all served"),
        pytest.param([SERVED, QUIET], ("True", "Served"), "False", "False", id="one for which nobody asked"),
        pytest.param([SERVED, WORKING], ("False", "DomainsPending"), "True", "False", id="one at work"),
        pytest.param([SERVED, NEW], ("False", "DomainsPending"), "True", "False", id="one not looked at yet"),
        pytest.param([SERVED, FAILING], ("False", "DomainsFailing"), "True", "False", id="one tried again"),
        pytest.param([SERVED, FAILED], ("False", "DomainsFailing"), "False", "True", id="one given up"),
        pytest.param([WORKING, FAILED], ("False", "DomainsFailing"), "True", "False", id="one at work, one given up"),
        pytest.param([SERVED, TAKEN], ("False", "DomainsWaiting"), "False", "False", id="one waits for somebody"),
        pytest.param([WORKING, TAKEN], ("False", "DomainsPending"), "True", "False", id="one waits, one at work"),
    ],
)
def test_conditions(domains, ready, reconciling, stalled):
    found = conditions_of(*domains)
    assert found["Ready"] == ready
    assert (found["Reconciling"][0], found["Stalled"][0]) == (reconciling, stalled)


def test_what_is_wrong_with_the_app_comes_first():
    resolved = replace(RESOLVED, problem=("ServiceNotFound", "There is no Service shop."))
    assert conditions_of(FAILING, resolved=resolved)["Ready"] == ("False", "ServiceNotFound")


@pytest.mark.parametrize(
    ("reason", "stalled"), [("ServiceNotFound", False), ("GatewayNotFound", False), ("IngressClassUnknown", True)]
)
def test_a_problem_that_does_not_pass_by_itself_is_stalled(reason, stalled):
    found = conditions_of(SERVED, resolved=replace(RESOLVED, problem=(reason, "Mend it.")))
    assert (found["Reconciling"][0], found["Stalled"][0]) == (str(not stalled), str(stalled))


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ([QUIET], "Unknown"),
        ([SERVED, QUIET], "True"),
        ([SERVED, of_state("z", "CertIssued", is_ready=True, policy="False")], "False"),
    ],
    ids=["nothing is served", "all that is served", "one is not"],
)
def test_the_policy_is_enforced(domains, expected):
    assert conditions_of(*domains)["PolicyEnforced"][0] == expected


def test_domains_are_counted_and_what_was_left_unset_is_shown():
    built = status(app(), [SERVED, FAILING, FAILED, WORKING], RESOLVED, now=NOW)
    assert built["domains"] == {"total": 4, "issued": 1, "failing": 2}
    assert built["certificates"] == {"issuer": "main", "profile": "classic", "keyType": "ECDSA-P256"}
    assert built["ingressClassName"] == "traefik"
    assert "certificates" not in status(app(is_automatic=False), [], RESOLVED, now=NOW)


def test_the_grade_is_the_worst_of_the_hosts():
    tls = status(app(), [SERVED], RESOLVED, now=NOW)["tls"]
    assert (tls["grade"], tls["gradeCappedBy"]) == ("B", "TLS 1.1 is offered")
    assert (tls["profile"], tls["revision"], tls["policy"]) == ("default", "2026-11", "modern")
    assert (tls["minVersion"], tls["maxVersion"]) == ("TLSv1.2", "TLSv1.3")


def test_the_grade_stays_while_hosts_are_scanned_again_for_the_same_profile():
    known = app(status=status(app(), [SERVED], RESOLVED, now=NOW))
    unscanned = replace(RESOLVED, grades=None)
    assert status(known, [SERVED], unscanned, now=NOW)["tls"]["grade"] == "B"
    changed = replace(unscanned, effective=Effective(MODERN))
    assert status(known, [SERVED], changed, now=NOW)["tls"]["grade"] == ""


@pytest.mark.parametrize("domains", [[], [SERVED, QUIET], [FAILING, FAILED, WORKING]], ids=["none", "quiet", "busy"])
def test_a_status_that_was_written_is_written_the_same_again(domains):
    written = status(app(), domains, RESOLVED, now=NOW)
    assert status(app(status=written), domains, RESOLVED, now=NOW + DAY) == written
    assert status(app(status=written), domains[::-1], RESOLVED, now=NOW + DAY) == written
