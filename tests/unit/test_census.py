"""What the metrics say of what there is, and since when a certificate was wanted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import DAY, NOW, app, domain, facts, observed, policy, proof, secret
from certward.model.resources import format_time
from certward.plan import census
from certward.plan.domain import decide
from certward.plan.latency import wanted_since

SECOND = timedelta(seconds=1)


def status_of(seen, now=NOW):
    return decide(seen, now).status


ISSUED = status_of(observed(secret=secret(), proof=proof()))
HIDDEN = status_of(
    observed(secret=secret(), proof=replace(proof(), problem="Another one is shown."), domain=domain(status=ISSUED))
)
STARTED = status_of(observed())


def test_domains_are_counted_by_what_their_status_says():
    found = census.take(
        [
            domain("a", status=ISSUED),
            domain("b", status=HIDDEN, hostname="b.example.com"),
            domain("c", status=status_of(observed(app=None))),
            domain("d"),
        ],
        [],
        [],
    )
    assert found.domains == {("CertIssued", ""): 2, ("Waiting", "AppNotFound"): 1, ("", ""): 1}
    assert found.conditions["Ready", "True"] == 1
    assert found.conditions["Ready", "False"] == 2
    assert found.mismatches == 1
    assert found.expiries == [
        ("team-a", "a", "www.example.com", facts().not_after.timestamp()),
        ("team-a", "b", "b.example.com", facts().not_after.timestamp()),
    ]


def test_apps_are_counted_by_what_is_in_force_and_its_grade():
    tls = {"profile": "modern", "revision": "2026-11", "grade": "A"}
    apps = [
        app("a", status={"tls": tls}),
        app("b", status={"tls": tls}),
        app("c", status={"tls": {**tls, "grade": ""}}),
    ]
    found = census.take([], [*apps, app("d")], [])
    assert found.apps == {("modern", "2026-11", "A"): 2, ("modern", "2026-11", ""): 1}


def test_policies_are_counted_by_their_conditions():
    conflicted = {"type": "Accepted", "status": "False", "reason": "Conflicted"}
    found = census.take([], [], [policy("a", status={"conditions": [conflicted]}), policy("b")])
    assert found.policies == {("Accepted", "False", "Conflicted"): 1}


def since(seen, known=None, now=NOW):
    return wanted_since(seen, decide(seen, now), known, now)


YOUNG, OLD = domain(created_at=NOW - SECOND), domain(created_at=NOW - DAY)
BEGUN = domain(status=STARTED)


@pytest.mark.parametrize(
    ("seen", "known", "expected"),
    [
        (observed(domain=YOUNG), None, NOW),
        (observed(domain=OLD), None, NOW - DAY),
        (observed(domain=OLD), NOW - 2 * SECOND, NOW - 2 * SECOND),
        (observed(domain=OLD, app=None), NOW - SECOND, None),
        (observed(domain=OLD, app=app(is_automatic=False)), NOW - SECOND, None),
        (observed(domain=OLD, owner="team-b/www"), NOW - SECOND, None),
        (observed(domain=OLD, missing_service="shop"), NOW - SECOND, None),
        (observed(domain=domain(status=status_of(observed(app=None)))), None, NOW),
        (observed(domain=BEGUN), NOW - SECOND, NOW - SECOND),
        (observed(domain=BEGUN, secret=secret()), NOW - SECOND, NOW - SECOND),
        (observed(domain=domain(status=ISSUED), secret=secret(), proof=proof()), NOW - SECOND, None),
    ],
    ids=[
        "just created",
        "created while the operator was down",
        "known",
        "no App",
        "not wanted",
        "somebody else's hostname",
        "no Service",
        "its App has come",
        "under way",
        "not shown yet",
        "there",
    ],
)
def test_since_when_a_certificate_is_wanted(seen, known, expected):
    assert since(seen, known) == expected


def test_after_a_restart_it_is_wanted_since_the_work_on_it_began():
    later = NOW + timedelta(minutes=5)
    assert STARTED["conditions"][6]["lastTransitionTime"] == format_time(NOW)
    assert since(observed(domain=BEGUN), None, later) == NOW
