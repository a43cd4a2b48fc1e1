"""Whose a hostname is when several claim it; tests/property/test_cache.py holds it against a model."""

from datetime import timedelta

import pytest

from builders import NOW, domain
from certward.model.ownership import Claims
from certward.model.resources import key_of

STAR, WWW, API = "*.example.com", "www.example.com", "api.example.com"


def claim(age, namespace, hostname, name="", **of):
    """A Domain; the higher its age, the older it is."""
    return domain(name or f"d{age}", namespace, hostname=hostname, created_at=NOW - timedelta(hours=age), **of)


def settled(*domains):
    claims = Claims()
    for each in domains:
        claims.put(each)
    return claims


def test_what_is_refused_for_a_wildcard_does_not_keep_its_owner_from_the_name():
    wildcard, refused, own = claim(9, "team-a", STAR), claim(8, "evil", WWW), claim(1, "team-a", WWW)
    claims = settled(own, refused, wildcard)
    assert claims.owner_of(refused) == wildcard
    assert claims.owner_of(own) == own
    assert claims.holder(WWW) == own
    assert claims.holder(STAR) == wildcard


def test_what_is_refused_for_a_name_does_not_keep_others_from_names_below():
    www, refused, api = claim(9, "team-a", WWW), claim(8, "evil", STAR), claim(7, "team-b", API)
    claims = settled(www, refused, api)
    assert claims.owner_of(refused) == www
    assert claims.owner_of(api) == api
    assert claims.holder(STAR) is None


def test_a_wildcard_that_is_refused_lets_the_next_one_have_it():
    www, refused, next_one = claim(9, "team-a", WWW), claim(8, "evil", STAR), claim(7, "team-a", STAR)
    claims = settled(www, refused, next_one)
    assert claims.holder(STAR) == next_one
    assert claims.owner_of(refused) == www
    assert claims.owner_of(next_one) == next_one


@pytest.mark.parametrize("of", [{"is_deleting": True}, {"namespace": "not-allowed"}], ids=["goes", "may not"])
def test_who_goes_or_may_not_have_it_counts_for_nothing_and_is_told_who_has_it(of):
    out = claim(9, **{"namespace": "team-a", "hostname": STAR} | of)
    www, below = claim(8, "team-b", WWW), claim(7, "team-c", API)
    claims = Claims(lambda one: one.meta.namespace != "not-allowed")
    for each in (out, www, below):
        claims.put(each)
    assert claims.holder(STAR) is None
    assert (claims.owner_of(www), claims.owner_of(below), claims.owner_of(out)) == (www, below, out)
    late = claim(1, "not-allowed", WWW)
    claims.put(late)
    assert claims.owner_of(late) == www


def test_all_below_are_told_when_the_wildcard_becomes_anothers():
    www, wildcard = claim(9, "team-a", WWW), claim(8, "team-b", STAR)
    later = [claim(age, "team-c", f"{age}.example.com") for age in (1, 2, 3)]
    claims = settled(www, wildcard)
    assert all(claims.put(each) == set() for each in later), "each concerns those only that conflict with it"
    assert claims.drop(www) == {key_of(each) for each in (wildcard, *later)}
    assert [claims.owner_of(each) for each in later] == [wildcard] * 3
    assert claims.drop(later[0]) == set()
    back = claim(9, "team-a", WWW)
    assert claims.put(back) == {key_of(each) for each in (back, wildcard, *later[1:])}
    assert claims.owner_of(later[1]) == later[1]


def test_what_has_gone_leaves_nothing_behind():
    made = [claim(9, "team-a", STAR), claim(8, "team-b", WWW), claim(7, "team-a", API), claim(6, "team-b", STAR)]
    claims = settled(*made)
    for each in made:
        claims.drop(each)
    assert (claims._by_hostname, claims._below, claims._contests) == ({}, {}, {})
