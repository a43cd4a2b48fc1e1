"""Which TLS an App is served with, for any set of Apps and policies: a function of the objects and nothing else."""

from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, NOW, app, meta, policy
from certward.model.clients import CLIENTS
from certward.model.impact import impact
from certward.model.policy import DefaultChange, Rules, claiming, effective, pinned_revision, rank
from certward.model.profiles import PROFILE_NAMES, REVISIONS, cut_to_floor, profile
from certward.model.suites import VERSIONS
from certward.names import ANNOTATION_DEFAULT_REVISION
from certward.plan.policy import status
from certward.plan.upgrade import upgrade

NAMES = ("blog", "shop", "wiki")
ANY_REVISION = (*REVISIONS, "2020-01")
AGES = range(5)
SELECTABLE = [{"tier": "public"}, {"tier": ""}, {"eu": ""}, {"tier": "public", "eu": ""}]
TARGETS = [("shop",), ("blog", "shop"), NAMES, ("wiki", "gone"), ("gone",)]
WHERE = [{}, *({"targets": them} for them in TARGETS), *({"selector": {"matchLabels": them}} for them in SELECTABLE)]
STATUSES = [
    {},
    *(
        {
            "tls": {"policy": policy, "profile": name, "revision": revision},
            "conditions": [{"type": "PolicyEnforced", "status": "True"}],
        }
        for policy, name, revision in product(["", "a"], PROFILE_NAMES, ANY_REVISION)
    ),
]
# One draw for an object instead of one for each field: a fifth of the time.
APP_FIELDS = list(product(AGES, [{}, *SELECTABLE], [None, "", *ANY_REVISION], STATUSES))
POLICY_FIELDS = list(product(AGES, WHERE, PROFILE_NAMES, [None, *ANY_REVISION], [None, {"maxAge": 60}]))


def an_app(name):
    def build(fields, key_type):
        age, labels, revision, status = fields
        annotations = {} if revision is None else {ANNOTATION_DEFAULT_REVISION: revision}
        of = {"created_at": NOW - age * DAY, "labels": labels, "annotations": annotations}
        return app(name, of=of, status=status, key_type=key_type)

    return st.builds(build, st.sampled_from(APP_FIELDS), st.sampled_from([None, "ECDSA-P256", "RSA-2048"]))


def a_policy(name):
    def build(fields):
        age, where, profile_name, revision, hsts = fields
        made = policy(name, profile=profile_name, revision=revision, hsts=hsts, **where)
        return replace(made, meta=meta(name, created_at=NOW - age * DAY))

    return st.sampled_from(POLICY_FIELDS).map(build)


def some(make, names):
    """Objects of one kind, some of these names."""
    every = st.tuples(*(st.none() | make(name) for name in names))
    return every.map(lambda drawn: tuple(one for one in drawn if one is not None))


APPS = some(an_app, NAMES)
POLICIES = some(a_policy, "abcd")
CHANGES = [DefaultChange(NOW - age * DAY, revision) for age, revision in product(AGES, ANY_REVISION)]
HISTORIES = st.lists(st.sampled_from(CHANGES), max_size=3).map(lambda changes: tuple(sorted(changes)))
RULES = st.builds(Rules, st.sampled_from(REVISIONS), HISTORIES, st.sampled_from(["", *VERSIONS])).filter(
    # The configuration refuses a floor that leaves nothing of the default.
    lambda rules: cut_to_floor(profile(rules.default, "default"), rules.floor)
)
REFUSALS = {"ProfileRetired", "ProfileUnknown", "RevisionUnknown", "BelowFloor"}


def lowest(of):
    return VERSIONS.index(of.min_version)


@given(apps=APPS, policies=POLICIES, rules=RULES, data=st.data())
def test_the_order_in_which_things_come_means_nothing(apps, policies, rules, data):
    other = data.draw(st.permutations(policies))
    shuffled = data.draw(st.permutations(apps))
    for one in apps:
        first, again = effective(one, policies, rules), effective(one, other, rules)
        assert replace(first, refusal=None) == replace(again, refusal=None)
        assert str(first.refusal) == str(again.refusal)
    for one in policies:
        assert status(one, policies, apps, rules, now=NOW) == status(one, other, shuffled, rules, now=NOW)


@given(one=an_app("shop"), policies=POLICIES, rules=RULES, more=POLICIES)
def test_policies_that_do_not_point_at_an_app_change_nothing_for_it(one, policies, rules, more):
    elsewhere = [replace(other, meta=meta(other.meta.name, "team-b", created_at=NOW - 99 * DAY)) for other in more]
    beside = [other for other in policies if rank(other, one) is not None]
    expected = effective(one, beside, rules)
    found = effective(one, [*elsewhere, *policies], rules)
    assert replace(found, refusal=None) == replace(expected, refusal=None)
    assert str(found.refusal) == str(expected.refusal)


@given(one=an_app("shop"), policies=POLICIES, rules=RULES)
def test_a_policy_that_does_not_have_the_say_changes_nothing(one, policies, rules):
    winner = claiming(one, policies)
    alone = [winner] if winner else []
    assert effective(one, policies, rules).profile == effective(one, alone, rules).profile
    assert effective(one, policies, rules).policy == effective(one, alone, rules).policy


@given(one=an_app("shop"), policies=POLICIES, rules=RULES)
def test_an_app_always_gets_a_profile_and_never_one_beneath_the_floor(one, policies, rules):
    found = effective(one, policies, rules)
    assert (found.profile.revision, found.profile.name) != ("", "")
    if rules.floor:
        assert lowest(found.profile) >= VERSIONS.index(rules.floor)
    whole = profile(found.profile.revision, found.profile.name)
    assert found.profile == cut_to_floor(whole, rules.floor)


@given(one=an_app("shop"), policies=POLICIES, rules=RULES)
def test_what_is_in_force_is_what_the_policy_declares(one, policies, rules):
    found, winner = effective(one, policies, rules), claiming(one, policies)
    if found.policy:
        assert winner is not None
        assert found.policy == winner.meta.name
        assert found.profile.name == winner.profile
        assert winner.revision in {None, found.profile.revision}
        assert found.profile.revision >= pinned_revision(one, default=rules.default, history=rules.history) or (
            winner.revision is not None
        )
    else:
        assert winner is None or found.refusal is not None
    assert found.refusal is None or found.refusal.reason in REFUSALS


@given(one=an_app("shop"), policies=POLICIES, rules=RULES)
def test_what_was_decided_and_written_down_is_decided_again(one, policies, rules):
    found = effective(one, policies, rules)
    pinned = pinned_revision(one, default=rules.default, history=rules.history)
    annotations = one.meta.annotations.get(ANNOTATION_DEFAULT_REVISION) or pinned
    written = replace(
        one,
        meta=replace(one.meta, annotations={ANNOTATION_DEFAULT_REVISION: annotations}),
        status={"tls": {"profile": found.profile.name, "revision": found.profile.revision, "policy": found.policy}},
    )
    if annotations in REVISIONS:
        again = effective(written, policies, rules)
        assert (again.profile, again.policy, again.hsts) == (found.profile, found.policy, found.hsts)


@given(one=an_app("shop"), rules=RULES)
def test_pinning_is_final(one, rules):
    pinned = pinned_revision(one, default=rules.default, history=rules.history)
    assert pinned in REVISIONS
    written = replace(one, meta=replace(one.meta, annotations={ANNOTATION_DEFAULT_REVISION: pinned}))
    for default in REVISIONS:
        assert pinned_revision(written, default=default, history=()) == pinned


@given(apps=APPS, policies=POLICIES, rules=RULES)
def test_at_most_one_policy_is_in_force_for_an_app(apps, policies, rules):
    told = [status(one, policies, apps, rules, now=NOW)["apps"] for one in policies]
    in_force = [effective(one, policies, rules).policy for one in apps]
    assert sum(counts["inForce"] for counts in told) == sum(map(bool, in_force)) <= len(apps)
    assert all(counts["enforced"] <= counts["inForce"] <= counts["targeted"] for counts in told)
    assert [counts["inForce"] for counts in told] == [in_force.count(one.meta.name) for one in policies]


@given(apps=APPS, policies=POLICIES, rules=RULES)
def test_what_a_policy_s_status_says_is_what_its_apps_get(apps, policies, rules):
    for one in policies:
        accepted, enforced, reconciling, stalled = status(one, policies, apps, rules, now=NOW)["conditions"]
        assert not reconciling["status"] == stalled["status"] == "True"
        targeted = [it for it in apps if rank(one, it) is not None]
        claimed = [it for it in targeted if claiming(it, policies) is one]
        refusals = {refusal.reason for it in claimed if (refusal := effective(it, policies, rules).refusal) is not None}
        in_force = [it for it in targeted if effective(it, policies, rules).policy == one.meta.name]
        if accepted["status"] == "True":
            assert not refusals
            assert in_force == claimed
        elif accepted["reason"] == "Conflicted":
            assert not claimed
            assert not in_force
            assert any(rank(claiming(it, policies), it) == rank(one, it) for it in targeted)
        elif accepted["reason"] == "TargetNotFound":
            assert not targeted
        else:
            assert accepted["reason"] in REFUSALS
            assert not claimed or accepted["reason"] in refusals
        if enforced["status"] == "True":
            assert in_force == targeted != []
        if enforced["reason"] == "PartiallyOverridden":
            assert 0 < len(claimed) < len(targeted)
        if enforced["reason"] == "Overridden":
            assert accepted["status"] == "True"
            assert not claimed


@given(apps=APPS, policies=POLICIES, rules=RULES)
def test_taking_away_the_policy_in_force_lets_the_next_one_in(apps, policies, rules):
    for one in apps:
        left = list(policies)
        closeness = []
        while winner := claiming(one, left):
            closeness.append(rank(winner, one))
            left.remove(winner)
            assert effective(one, left, rules).policy != winner.meta.name
        assert closeness == sorted(closeness)
        assert len(closeness) == sum(rank(it, one) is not None for it in policies)


@given(apps=APPS, policies=POLICIES, rules=RULES, revision=st.sampled_from(REVISIONS))
def test_an_impact_is_what_comes_true(apps, policies, rules, revision):
    after = replace(rules, default=revision)
    if cut_to_floor(profile(revision, "default"), rules.floor) is None:
        return  # such a configuration is refused at start
    told = {one.app.name: one for one in impact(apps, policies, rules, after)}
    for one in apps:
        plan = upgrade(one, after, policies)
        name, value = plan.annotation
        written = replace(one, meta=replace(one.meta, annotations={name: value}))
        now, then = effective(one, policies, rules).profile, effective(written, policies, after).profile
        assert plan.profile == then
        assert (one.meta.name in told) == (now != then)
        if one.meta.name in told:
            found = told[one.meta.name]
            assert (found.before, found.after) == (now, then)
            assert not set(found.lost) & set(found.gained)
            assert [it for it in CLIENTS if it in found.lost] == list(found.lost)


@given(one=an_app("shop"), names=st.permutations("abc"))
def test_policies_of_one_age_and_rank_are_told_apart_by_name(one, names):
    winner = claiming(one, [policy(name) for name in names])
    assert winner is not None
    assert winner.meta.name == "a"
