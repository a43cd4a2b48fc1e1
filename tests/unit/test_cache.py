"""The snapshots: what is taken in, who is told, and who owns a hostname."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOW, app, domain, policy
from certward.kube.cache import Cache
from certward.model.resources import Domain, Key, ServiceRef, TLSPolicy, key_of

WWW, SHOP = Key("Domain", "team-a", "www"), Key("App", "team-a", "shop")
TEAM_A = Key("Namespace", "", "team-a")


def cache_of(*resources):
    cache = Cache()
    for resource in resources:
        cache.put(resource)
    return cache


def version(resource, number, **changes):
    return replace(resource, meta=replace(resource.meta, resource_version=number, **changes))


def ready(of: Domain, status: str) -> Domain:
    return replace(of, status={"state": "CertIssued", "conditions": [{"type": "Ready", "status": status}]})


# What is taken in.


def test_what_is_known_already_is_not_taken_in_again():
    cache = cache_of(version(domain(hostname="new.example.com"), 7))
    for old in (6, 7):
        assert cache.put(version(domain(hostname="old.example.com"), old)) == set()
    known = cache.domain("team-a", "www")
    assert known
    assert known.hostname == "new.example.com"


@pytest.mark.parametrize(
    ("key", "told", "expected"),
    [
        pytest.param(WWW, "7", True, id="this version of it"),
        pytest.param(WWW, "6", False, id="an older one"),
        pytest.param(WWW, "8", False, id="a newer one"),
        pytest.param(WWW, None, False, id="none that is told"),
        pytest.param(SHOP, "7", False, id="of another kind"),
        pytest.param(Key("Domain", "team-b", "www"), "7", False, id="in another namespace"),
    ],
)
def test_a_version_that_is_there_is_known(key, told, expected):
    cache = cache_of(version(domain(), 7))
    assert cache.knows(key, {"resourceVersion": told} if told else {}) is expected
    cache.drop(WWW)
    assert not cache.knows(key, {"resourceVersion": told} if told else {})


def test_a_late_word_of_a_predecessor_is_not_taken_in():
    cache = cache_of(version(domain(), 9, uid="new"))
    assert cache.put(version(domain(), 8, uid="old")) == set()
    known = cache.domain("team-a", "www")
    assert known
    assert known.meta.uid == "new"


def test_a_successor_is_taken_in_and_all_are_told():
    cache = cache_of(version(domain(), 7, uid="old"))
    assert cache.put(version(domain(), 9, uid="new")) == {WWW, SHOP, TEAM_A}


def test_the_deletion_of_a_predecessor_does_not_touch_its_successor():
    cache = cache_of(version(domain(), 9, uid="new"))
    assert cache.drop(WWW, uid="old") == set()
    assert cache.domain("team-a", "www")
    assert cache.drop(WWW, uid="new") == {WWW, SHOP, TEAM_A}
    assert cache.domain("team-a", "www") is None
    assert cache.drop(WWW) == set()


def test_a_full_list_drops_what_it_lacks_and_tells_who_is_concerned():
    taken = domain("www", "team-b", created_at=NOW)
    cache = cache_of(domain(), domain("gone", hostname="gone.example.com"), taken, app())
    listed = [version(domain(), 5), version(taken, 5), version(domain("new", hostname="new.example.com"), 5)]
    told = cache.replace_all(cache.versions("Domain"), listed)
    assert sorted(key.name for key in cache.keys("Domain")) == ["new", "www", "www"]
    assert {Key("Domain", "team-a", "gone"), Key("Domain", "team-a", "new"), SHOP} <= told
    assert cache.app("team-a", "shop")


# Who is told.


def test_a_status_tells_nobody_but_itself():
    cache = cache_of(app(), domain(), domain("other", hostname="other.example.com"))
    assert cache.put(replace(version(domain(), 2), status={"served": {}})) == {WWW}


def test_a_status_that_the_app_sums_up_tells_the_app():
    cache = cache_of(app(), ready(domain(), "False"))
    assert cache.put(ready(version(domain(), 2), "True")) == {WWW, SHOP}
    assert cache.put(ready(version(domain(), 3), "True")) == {WWW}


def test_an_app_tells_its_domains():
    other = domain("other", app="other", hostname="other.example.com")
    cache = cache_of(app(), domain(), other)
    assert cache.put(version(app(), 2, generation=2)) >= {SHOP, WWW}
    assert key_of(other) not in cache.put(version(app(), 3, generation=3))


@pytest.mark.parametrize("changes", [{"annotations": {"a": "b"}}, {"labels": {"a": "b"}}, {"is_deleting": True}])
def test_metadata_that_means_something_tells_the_domains(changes):
    assert cache_of(app(), domain()).put(version(app(), 2, **changes)) >= {SHOP, WWW}


def test_a_domain_tells_those_that_wait_for_its_hostname():
    waiting = domain("www", "team-b", created_at=NOW)
    below = domain("star", "team-c", hostname="*.example.com", created_at=NOW)
    elsewhere = domain("www", "team-d", hostname="www.example.org")
    cache = cache_of(domain(), waiting, below, elsewhere)
    told = cache.drop(WWW)
    assert {key_of(waiting), key_of(below)} <= told
    assert key_of(elsewhere) not in told


def test_a_policy_tells_the_apps_that_it_is_for():
    cache = cache_of(app(), app("other"), domain())
    assert SHOP in cache.put(policy())
    assert SHOP in cache.drop(Key("TLSPolicy", "team-a", "modern"))


# Whose a hostname is.

OLDER, YOUNGER = NOW - timedelta(days=2), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("first", "second", "are_rivals"),
    [
        pytest.param("www.example.com", "www.example.com", True, id="the same name"),
        pytest.param("*.example.com", "www.example.com", True, id="a wildcard and a name directly below"),
        pytest.param("www.example.com", "*.example.com", True, id="a name and the wildcard above it"),
        pytest.param("*.example.com", "a.www.example.com", False, id="a wildcard and a name two levels below"),
        pytest.param("*.example.com", "example.com", False, id="a wildcard and the name itself"),
        pytest.param("*.example.com", "*.www.example.com", False, id="a wildcard and one below"),
        pytest.param("*.example.com", "*.example.com", True, id="the same wildcard"),
        pytest.param("www.example.com", "www.example.org", False, id="other names"),
    ],
)
def test_two_namespaces_exclude_each_other_with(first, second, are_rivals):
    old = domain("a", "team-a", hostname=first, created_at=OLDER)
    young = domain("b", "team-b", hostname=second, created_at=YOUNGER)
    cache = cache_of(young, old)
    assert (cache.owner_of(young) == old) == are_rivals
    assert cache.owner_of(old) == old
    assert cache.domain_for(second) == (young if not are_rivals else old if first == second else None)


def test_a_namespace_may_have_a_wildcard_and_names_below_it():
    star = domain("star", hostname="*.example.com", created_at=OLDER)
    cache = cache_of(star, domain(created_at=YOUNGER))
    assert cache.owner_of(domain(created_at=YOUNGER)) == domain(created_at=YOUNGER)
    assert cache.domain_for("www.example.com") == domain(created_at=YOUNGER)
    assert cache.domain_for("*.example.com") == star


def test_within_a_namespace_the_oldest_has_a_name_too():
    old, young = domain("z", created_at=OLDER), domain("a", created_at=YOUNGER)
    cache = cache_of(young, old)
    assert cache.owner_of(young) == old
    assert cache.owner_of(old) == old


def test_an_owner_that_is_being_deleted_makes_room():
    leaving, heir = domain("a", created_at=OLDER, is_deleting=True), domain("b", created_at=YOUNGER)
    cache = cache_of(leaving, heir)
    assert cache.owner_of(heir) == heir
    assert cache.domain_for("www.example.com") == heir


def test_the_next_one_takes_over():
    heir = domain("www", "team-b", created_at=YOUNGER)
    cache = cache_of(domain(created_at=OLDER), heir)
    cache.drop(WWW)
    assert cache.owner_of(heir) == heir
    assert cache.domain_for("www.example.com") == heir
    assert cache.domain_for("nobody.example.com") is None


def test_secrets_that_read_the_same_are_found():
    one = domain("b-www", "a", hostname="one.example.com")
    other = domain("www", "a-b", hostname="other.example.com")
    cache = cache_of(one, other, domain())
    assert cache.same_secret_id(one) == [other]
    assert cache.same_secret_id(other) == [one]
    assert cache.same_secret_id(domain()) == []


def served_with(of: Domain, secret: str) -> Domain:
    return replace(of, status={"certificate": {"source": "Manual", "secretName": secret}})


def test_whoever_collides_with_a_secret_is_told_when_another_stops_or_begins_to_be_served_with_it():
    mine, theirs = domain("a-shared", "team"), domain("api", "team-a", hostname="api.example.com")
    beside = served_with(domain("web", "team-a", hostname="web.example.com"), "shared-tls")
    cache = cache_of(mine, beside, served_with(theirs, "shared-tls"))
    assert len(cache.same_secret_id(mine)) == 2
    stops = version(served_with(theirs, "api-tls"), 2)
    assert cache.put(stops) == {key_of(theirs), key_of(mine)}, "and not those of its own namespace"
    assert cache.same_secret_id(mine) == [beside]
    assert cache.put(version(served_with(theirs, "shared-tls"), 3)) == {key_of(theirs), key_of(mine)}
    assert cache.put(version(served_with(theirs, "shared-tls"), 4)) == {key_of(theirs)}, "nothing has changed"


def test_apps_whose_services_read_the_same_are_found_and_told():
    one, other = app("one", "a", service=ServiceRef("b-c", 80)), app("other", "a-b", service=ServiceRef("c", 80))
    beside = app("beside", "a", service=ServiceRef("b-c", 80))
    of_other = domain("www", "a-b", app="other")
    cache = cache_of(one, beside, of_other)
    told = {key_of(one), key_of(beside), Key("Builtin", "a", "one"), key_of(of_other)}
    assert cache.put(other) >= told
    assert sorted(map(key_of, cache.with_backend("a-b-c-80"))) == sorted(map(key_of, (one, beside, other)))
    moved = version(replace(other, service=ServiceRef("d", 80)), 2, generation=2)
    assert cache.put(moved) >= told
    assert sorted(map(key_of, cache.with_backend("a-b-c-80"))) == sorted(map(key_of, (one, beside)))
    again = replace(one, status={"backends": ["a-b-c-80"]})
    assert cache.put(version(again, 3)) == {key_of(one)}, "where nobody else has it, it concerns nobody else"


def test_an_app_that_comes_by_a_backend_tells_whom_it_keeps_from_it():
    one, other = app("one", "a", service=ServiceRef("b-c", 80)), app("other", "a-b", service=ServiceRef("c", 80))
    of_one, of_other = domain("www", "a", app="one"), domain("www", "a-b", app="other")
    cache = cache_of(one, other, of_one, of_other)
    both = {key_of(each) for each in (one, other, of_one, of_other)}
    builtins = {Key("Builtin", each.meta.namespace, each.meta.name) for each in (one, other)}
    holding = version(replace(other, status={"backends": ["a-b-c-80"]}), 2)
    assert cache.put(holding) == both | builtins
    assert cache.put(version(holding, 3)) == {key_of(other)}


def test_an_app_in_deletion_has_its_backends_until_it_is_gone():
    cache = cache_of(app("one", "a", service=ServiceRef("b-c", 80), of={"is_deleting": True}))
    assert [found.meta.name for found in cache.with_backend("a-b-c-80")] == ["one"]
    cache.drop(Key("App", "a", "one"))
    assert cache.with_backend("a-b-c-80") == []


def test_all_of_a_kind_and_of_a_namespace():
    here, there = policy("a"), policy("a", "team-b")
    cache = cache_of(here, there, app(), domain())
    assert cache.all(TLSPolicy, "team-a") == [here]
    assert cache.all(TLSPolicy) == [here, there]
    assert cache.all(TLSPolicy, "nowhere") == []
    assert cache.domains_of("team-a", "shop") == [domain()]
    assert (cache.app("team-a", "other"), cache.domain("team-b", "www")) == (None, None)


@pytest.mark.parametrize(
    "wildcard",
    [
        pytest.param(None, id="without a wildcard"),
        pytest.param(NOW - timedelta(days=9), id="below an older wildcard"),
        pytest.param(NOW, id="below a younger wildcard"),
    ],
)
def test_five_thousand_domains_below_one_name_concern_only_few_each(wildcard):
    cache = cache_of(app())
    star = domain("star", "team-x", hostname="*.example.com", created_at=wildcard or NOW)
    if wildcard:
        cache.put(star)
    below = [domain(f"d{number}", f"team-{number % 50}", hostname=f"d{number}.example.com") for number in range(5000)]
    started = time.process_time()
    first, *others = below
    cache.put(first)
    for one in others:
        assert len(cache.put(one)) <= 5
        assert cache.owner_of(one) is (star if wildcard and wildcard < NOW else one)
        assert cache.owner_elsewhere([one.hostname], one.meta.namespace) in ("", "team-x/star")
    assert time.process_time() - started < 2.0
    assert len(cache.put(replace(star, meta=replace(star.meta, resource_version=2, generation=2)))) > 5000
    assert (cache.owner_of(star) is star) == (wildcard is not None and wildcard < NOW)
    started = time.process_time()
    for one in below[:-1]:
        assert len(cache.drop(key_of(one))) <= 5
    assert time.process_time() - started < 2.0


def test_what_came_after_a_list_began_outlives_it():
    cache = Cache()
    before = cache.versions("Domain")
    late = domain("late")
    cache.put(late)
    cache.replace_all(before, [])
    assert cache.domain(late.meta.namespace, "late") == late


def test_what_was_deleted_after_a_list_began_does_not_come_back_with_it():
    cache = Cache()
    gone = domain("gone")
    cache.put(gone)
    before = cache.versions("Domain")
    cache.drop(key_of(gone), gone.meta.uid)
    cache.replace_all(before, [gone])
    assert cache.domain(gone.meta.namespace, "gone") is None


def test_one_that_may_not_have_its_hostname_keeps_nobody_from_it():
    mine = domain("www", "team-a", created_at=NOW)
    cache = Cache(lambda claimant: claimant.meta.namespace != "intruder")
    for claimant in (domain("www", "intruder"), domain("all", "intruder", hostname="*.example.com"), mine):
        cache.put(claimant)
    assert cache.owner_of(mine) == mine
    assert cache.domain_for("www.example.com") == mine
    assert cache.domain_for("*.example.com") is None
    assert cache.owner_elsewhere(["www.example.com"], "team-b") == "team-a/www"


def test_a_name_below_a_wildcard_of_somebody_elses_is_theirs():
    cache = cache_of(domain("all", "team-b", hostname="*.example.com"))
    assert cache.owner_elsewhere(["shop.test", "API.example.com"], "team-a") == "team-b/all"
    assert cache.owner_elsewhere(["shop.test", "a.api.example.com", "example.com"], "team-a") == ""
    assert cache.owner_elsewhere(["api.example.com"], "team-b") == ""
