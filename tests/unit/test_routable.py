"""Which Apps a controller must not route, because it would take their Services for another namespace's."""

import re
from datetime import timedelta

import pytest

from builders import NOW, app, path_route
from certward.errors import Blocked
from certward.kube.cache import Cache
from certward.model.resources import ServiceRef
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
    assert re.match("ServiceNameCollides: .* team-a/shop;", refusal(dialect, intruder, VICTIM))
    assert refusal(dialect, VICTIM, intruder) == "", "the older one stays"


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
