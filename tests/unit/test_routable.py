"""Which Apps a controller must not route, because it would take their Services for another namespace's."""

import itertools
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOW, app, path_route
from certward.errors import Blocked
from certward.kube.cache import Cache
from certward.model.resources import ServiceRef, backend_ids
from certward.render.registry import DIALECTS
from certward.runtime import routable

JOINING = ("traefik", "ingress-nginx")
OLDER = {"created_at": NOW - timedelta(days=9)}
VICTIM = app("shop", "team-a", of=OLDER)  # its Service is shop, at port 8080


def refusal(dialect, one, *others):
    """In which words an App is refused beside others; empty when it is not."""
    cache = Cache()
    for each in (one, *others):
        cache.put(each)
    try:
        routable.check(DIALECTS[dialect], one, cache, challenge_port=8089)
    except Blocked as blocked:
        return f"{blocked.reason}: {blocked.message}"
    return ""


def reaching(name, port=8080, namespace="team", **of):
    return app("mine", namespace, service=ServiceRef(name, port), of=of)


@pytest.mark.parametrize("dialect", JOINING)
@pytest.mark.parametrize(
    "intruder",
    [
        reaching("a-shop"),
        reaching("a", "shop-8080"),
        reaching("a--shop"),
        app("mine", "team", paths=(path_route("/x", "a-shop"),)),
    ],
    ids=["name", "port", "hyphens", "path"],
)
def test_a_service_that_reads_like_that_of_an_older_app_is_not_routed(dialect, intruder):
    assert re.match("ServiceNameCollides: .* team-a/shop, which came first;", refusal(dialect, intruder, VICTIM))
    assert refusal(dialect, VICTIM, intruder) == "", "the older one stays"


def kept_of(dialect, one, *others):
    """What the status of an App says is its own beside others."""
    cache = Cache()
    for each in (one, *others):
        cache.put(each)
    return routable.backends(DIALECTS[dialect], one, cache, challenge_port=8089)


def holding(one, *backends):
    """An App whose status says that backends are its own; without any, those that it names."""
    return replace(one, status={"backends": list(backends or backend_ids(one))})


ATTACKER = {"created_at": NOW - timedelta(days=99)}


@pytest.mark.parametrize("dialect", JOINING)
@pytest.mark.parametrize("before", [(), ("team-else-80",), ("team-a-shop-8081", "team-a-shop")])
def test_an_older_app_takes_no_backend_from_the_one_that_is_routed_by_it(dialect, before):
    edited = replace(reaching("a-shop", **ATTACKER), status={"backends": list(before)})
    routed = holding(VICTIM)
    assert re.match("ServiceNameCollides: .* team-a/shop, which came first;", refusal(dialect, edited, routed))
    assert refusal(dialect, routed, edited) == ""
    assert kept_of(dialect, edited, routed) == (), "it does not come by it by being refused"
    assert kept_of(dialect, routed, edited) == ("team-a-shop-8080",)


@pytest.mark.parametrize("dialect", JOINING)
def test_an_app_goes_on_while_it_has_more_paths_and_another_service(dialect):
    """What it held is no matter of its generation, or of what else it names."""
    edited = reaching("a-shop", **ATTACKER)
    longer = holding(replace(VICTIM, paths=(path_route("/x", "api"),)), "team-a-shop-8080", "team-a-old-80")
    assert refusal(dialect, longer, edited) == ""
    assert kept_of(dialect, longer, edited) == ("team-a-api-8080", "team-a-shop-8080")


@pytest.mark.parametrize("dialect", JOINING)
def test_a_second_app_of_the_namespace_is_routed_as_the_first_one_is(dialect):
    edited, second = reaching("a-shop", **ATTACKER), app("second", "team-a")
    assert refusal(dialect, second, edited, holding(VICTIM)) == ""
    assert refusal(dialect, edited, second, holding(VICTIM)) != ""
    assert refusal(dialect, second, edited) != "", "age decides where nobody is routed"


@pytest.mark.parametrize("held", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("ages", list(itertools.permutations([1, 2, 3])))
def test_of_three_namespaces_one_is_routed_whatever_their_statuses_say(ages, held):
    services = {"t": "a-b-shop", "t-a": "b-shop", "t-a-b": "shop"}
    apps = [
        app(name, namespace, service=ServiceRef(service, 80), of={"created_at": NOW - timedelta(days=age)})
        for (namespace, service), age, name in zip(services.items(), ages, ("x", "y", "z"), strict=True)
    ]
    apps = [holding(one) if is_held else one for one, is_held in zip(apps, held, strict=True)]
    routed = [one for one in apps if refusal("traefik", one, *(other for other in apps if other is not one)) == ""]
    first = [one for one, is_held in zip(apps, held, strict=True) if is_held] or apps
    assert routed == [min(first, key=lambda one: one.meta.age_order)]


@pytest.mark.parametrize("dialect", JOINING)
def test_what_an_app_had_stays_its_own_while_it_is_refused_for_something_else(dialect):
    greedy = replace(reaching("a-shop", **ATTACKER), paths=(path_route("/x", "own"),))
    had = holding(greedy, "team-own-8080", "team-gone-80")
    assert refusal(dialect, had, holding(VICTIM)) != ""
    assert kept_of(dialect, had, holding(VICTIM)) == ("team-own-8080",)


def test_on_other_controllers_an_app_has_no_backend_of_its_own():
    assert {dialect: kept_of(dialect, holding(VICTIM)) for dialect in sorted(DIALECTS)} == {
        dialect: ("team-a-shop-8080",) if dialect in JOINING else () for dialect in sorted(DIALECTS)
    }


@pytest.mark.parametrize("dialect", JOINING)
def test_what_does_not_read_the_same_is_routed(dialect):
    for other in (reaching("a-shop", 8081), reaching("a-shop", "http"), reaching("shop"), reaching("b-shop")):
        assert refusal(dialect, other, VICTIM) == ""
    beside = app("other", "team-a")
    assert refusal(dialect, beside, VICTIM) == "", "one namespace may have several Apps for a Service"


@pytest.mark.parametrize("dialect", sorted(DIALECTS.keys() - set(JOINING)))
def test_other_controllers_tell_them_apart(dialect):
    assert refusal(dialect, reaching("a-shop"), VICTIM) == ""


@pytest.mark.parametrize("dialect", JOINING)
@pytest.mark.parametrize(
    "intruder",
    [
        reaching("a-certward-challenge", 8089, **OLDER),
        reaching("challenge", 8089, namespace="team-a-certward"),
        reaching("a-certward", "challenge-8089"),
    ],
    ids=["shorter", "longer", "port"],
)
def test_nobody_has_a_service_that_reads_like_the_one_of_another_namespaces_challenges(dialect, intruder):
    assert "namespace team-a are validated" in refusal(dialect, intruder)


@pytest.mark.parametrize("dialect", JOINING)
def test_the_challenge_service_of_ones_own_namespace_and_other_ports_are_nobody_elses(dialect):
    for own in (reaching("certward-challenge", 8089), reaching("a-certward-challenge", 8090)):
        assert refusal(dialect, own) == ""
