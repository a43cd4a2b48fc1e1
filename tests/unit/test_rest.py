"""When a Domain is at rest, so that it is only glanced at; shown on the cluster by test_glances.py."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, app, domain, facts, observed, proof, secret
from certward.model.resources import Key
from certward.plan.domain import FAR, decide
from certward.plan.observed import Observed, Plan, label
from certward.plan.rest import rests_for
from certward.runtime.queue import WorkQueue

LEAF = facts()


def settled(**changes: Any) -> tuple[Observed, Plan]:
    """A Domain that is served as declared, with a status that says so already."""
    seen = observed(**{"secret": secret(LEAF), **changes})
    shown = proof(LEAF, profile=label(seen.profile), policy_reason="Enforced", at=NOW)
    seen = replace(seen, proof=changes.get("proof", shown))
    for _ in range(2):  # a status is decided on what the status says
        seen = replace(seen, domain=replace(seen.domain, status=dict(decide(seen, NOW).status)))
    return seen, decide(seen, NOW)


def test_what_is_served_as_declared_is_at_rest_until_something_else_is_due():
    seen, plan = settled()
    rest = rests_for(seen, plan, NOW)
    assert timedelta() < rest <= FAR
    sooner = replace(seen, advice_in=timedelta(minutes=3))
    assert rests_for(sooner, decide(sooner, NOW), NOW) == timedelta(minutes=3), "the CA's advice is due"


def test_it_does_not_outlast_the_time_of_renewal():
    seen, plan = settled()
    shortly_before = seen.secret.facts.not_after - timedelta(days=1)
    assert rests_for(seen, plan, shortly_before) <= timedelta(days=1)


@pytest.mark.parametrize(
    "change",
    [
        {"foreign": ("Ingress team-b/theirs",)},
        {"disturbed": timedelta(seconds=3)},
        {"obstacle": "Somebody else's object is in the way."},
        {"dns_warning": "One of three resolvers does not know the name."},
        {"shares_certificate": True},
        {"owner": "team-b/www"},
        {"app": app(is_automatic=False)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_where_something_is_amiss_or_waited_for_it_is_decided_on(change: dict[str, Any]):
    seen, plan = settled()
    seen = replace(seen, **change)
    assert rests_for(seen, replace(plan, status=seen.domain.status), NOW) == timedelta()


@pytest.mark.parametrize(
    "change",
    [
        {"problem": "The ingress serves another certificate."},
        {"since": NOW},
        {"profile": "2018-06/legacy/1.0"},
        {"policy_reason": "NotServed"},
        {"fingerprint": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_only_what_a_close_look_has_shown_is_at_rest(change: dict[str, Any]):
    seen, plan = settled()
    seen = replace(seen, proof=replace(seen.proof, **change))
    assert rests_for(seen, plan, NOW) == timedelta()


def test_a_status_that_is_still_to_be_written_is_no_rest():
    seen, plan = settled()
    seen = replace(seen, domain=domain(status={}))
    assert rests_for(seen, plan, NOW) == timedelta()


def test_the_queue_tells_news_from_looks_that_are_to_be_taken_again():
    queue, key = WorkQueue(), Key("Domain", "team-a", "www")
    queue.add(key, is_news=False)
    assert queue.take(0) == key
    assert not queue.is_news(key)
    queue.add(key)  # while it is looked at
    queue.done(key)
    assert queue.take(0) == key
    assert queue.is_news(key)
    queue.done(key)
    queue.add(key, is_news=False)
    queue.add(key)
    assert queue.take(0) == key
    assert queue.is_news(key), "whatever came first"
