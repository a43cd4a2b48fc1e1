"""The arithmetic of shards: where a namespace belongs, what a shard may use, which Leases a replica asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.model.resources import Key
from certward.plan.shards import MOST_SHARDS, in_words, lease_name, namespace_of, shard_of, share, wishes

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
SHARDS = st.integers(1, MOST_SHARDS)


@pytest.mark.parametrize(("namespace", "shards", "shard"), [("team-a", 1, 0), ("team-a", 4, 0), ("team-b", 4, 2)])
def test_the_shard_of_a_namespace_is_for_ever(namespace, shards, shard):
    assert shard_of(namespace, shards) == shard


def test_the_key_of_a_namespace_goes_with_what_is_in_it():
    assert namespace_of(Key("Namespace", "", "team-a")) == namespace_of(Key("Domain", "team-a", "www")) == "team-a"


def test_namespaces_are_spread_about_evenly():
    found = [shard_of(f"team-{number}", 8) for number in range(4000)]
    assert all(400 < found.count(shard) < 600 for shard in range(8))


def test_names():
    assert [lease_name(0), lease_name(3)] == ["certward", "certward-3"]
    assert [in_words([]), in_words([2]), in_words([3, 0, 1])] == ["no shard", "shard 2", "shards 0, 1 and 3"]


@given(limit=st.integers(0, 5000), shards=SHARDS)
def test_all_shares_together_are_the_limit(limit, shards):
    shares = [share(limit, shard, shards) for shard in range(shards)]
    assert sum(shares) == limit
    assert max(shares) - min(shares) <= 1


@given(holders=st.lists(NAMES, min_size=1, max_size=MOST_SHARDS), me=NAMES)
def test_nobody_asks_for_more_than_is_fair_and_never_for_its_own(holders, me):
    held = dict(enumerate(holders))
    asked = wishes(me, held, {})
    assert all(held[shard] != me for shard in asked)
    after = {shard: me if shard in asked else holder for shard, holder in held.items()}
    counts = [list(after.values()).count(each) for each in {*after.values(), me}]
    assert list(after.values()).count(me) == holders.count(me) + len(asked)
    if asked:
        assert list(after.values()).count(me) <= max(list(after.values()).count(each) for each in after.values())
    assert max(counts) - list(after.values()).count(me) < 2


@given(holders=st.lists(NAMES, min_size=1, max_size=MOST_SHARDS), alive=st.sets(NAMES, min_size=1), data=st.data())
def test_whoever_looks_when_all_come_to_hold_as_many_and_then_nobody_asks_any_more(holders, alive, data):
    held = {shard: holder if holder in alive else min(alive) for shard, holder in enumerate(holders)}
    for _ in range(10):
        wanted = {}
        for me in data.draw(st.permutations(sorted(alive))):
            wanted |= dict.fromkeys(wishes(me, held, wanted), me)
        held |= wanted
        if not wanted:
            break
    assert not wanted, "they give shards to and fro"
    counts = [list(held.values()).count(each) for each in alive]
    assert max(counts) - min(counts) <= 1


def test_a_shard_that_nobody_holds_is_waited_for():
    assert wishes("b", {0: "a", 1: "a", 2: "a", 3: ""}, {}) == []


def test_shard_0_stays_where_it_is_while_others_can_go():
    assert wishes("b", {0: "a", 1: "a"}, {}) == [1]
    assert wishes("b", dict.fromkeys(range(4), "a"), {}) == [3, 2]
    assert wishes("c", dict.fromkeys(range(4), "a"), {3: "b", 2: "b"}) == [1]
