"""Which TLS an App is served with: the policy in force, the pinned default, the floor."""

from dataclasses import replace
from itertools import permutations

import pytest

from builders import DAY, NOW, app, meta
from builders import policy as plain_policy
from certward.model.policy import HSTS, DefaultChange, Rules, claiming, effective, pinned_revision, rank
from certward.names import ANNOTATION_DEFAULT_REVISION

RULES = Rules(default="2026-11")


def pinned(revision="2026-11", *, labels=None, **changes):
    """The App `shop`, pinned to a revision."""
    return app(of={"annotations": {ANNOTATION_DEFAULT_REVISION: revision}, "labels": labels or {}}, **changes)


def policy(name="modern", *, age=1, namespace="team-a", is_deleting=False, **changes):
    """A TLSPolicy that is so many days old; for every App in its namespace unless said otherwise."""
    aged = meta(name, namespace, created_at=NOW - age * DAY, is_deleting=is_deleting)
    return replace(plain_policy(name, namespace, **changes), meta=aged)


def served(shop, policies=(), rules=RULES):
    """Revision, profile and the policy in force."""
    found = effective(shop, policies, rules)
    return found.profile.revision, found.profile.name, found.policy


def reason(shop, policies, rules=RULES):
    """Why the policy that claims the App is refused."""
    refusal = effective(shop, policies, rules).refusal
    return refusal.reason if refusal else None


def test_without_a_policy_an_app_has_the_default_that_it_is_pinned_to():
    assert served(pinned("2017-09")) == ("2017-09", "default", "")
    assert served(pinned("2018-06")) == ("2018-06", "default", "")
    assert served(pinned("2026-11")) == ("2026-11", "default", "")


BY_NAME = {"targets": ("shop",)}
BY_LABEL = {"selector": {"matchLabels": {"tier": "public"}}}


@pytest.mark.parametrize(
    ("given", "winner"),
    [
        ([("a", 9, {}), ("b", 5, BY_LABEL), ("c", 1, BY_NAME)], "c"),
        ([("a", 9, {}), ("b", 5, BY_LABEL)], "b"),
        ([("a", 9, {})], "a"),
        ([("a", 1, BY_NAME), ("b", 9, BY_NAME)], "b"),
        ([("a", 1, BY_LABEL), ("b", 9, BY_LABEL)], "b"),
        ([("a", 1, {}), ("b", 9, {})], "b"),
        ([("b", 9, BY_NAME), ("a", 9, BY_NAME)], "a"),
        ([("b", 9, {}), ("a", 9, {}), ("c", 10, {})], "c"),
    ],
    ids=[
        "a name goes before labels and the namespace, however young",
        "labels go before the namespace",
        "the namespace alone",
        "of two by name the older one",
        "of two by labels the older one",
        "of two for the namespace the older one",
        "of two of one age the first by name",
        "age before name",
    ],
)
def test_which_policy_is_in_force(given, winner):
    policies = [policy(name, age=age, **where) for name, age, where in given]
    for order in permutations(policies):
        assert served(pinned(labels={"tier": "public"}), order) == ("2026-11", "modern", winner)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"targets": ("shop", "blog")}, 0),
        ({"targets": ("blog",)}, None),
        ({"selector": {"matchLabels": {"tier": "public"}}}, 1),
        ({"selector": {"matchLabels": {"tier": "public", "eu": ""}}}, 1),
        ({"selector": {"matchLabels": {"tier": "internal"}}}, None),
        ({"selector": {"matchLabels": {"tier": "public", "team": "x"}}}, None),
        ({}, 2),
        ({"namespace": "team-b"}, None),
        ({"namespace": "team-b", "targets": ("shop",)}, None),
        ({"is_deleting": True}, None),
    ],
    ids=[
        "among the targets",
        "not among the targets",
        "has the label",
        "has all labels, one of them empty",
        "has another value",
        "lacks one label",
        "in the namespace",
        "in another namespace",
        "of that name in another namespace",
        "being deleted",
    ],
)
def test_how_closely_a_policy_points_at_an_app(where, expected):
    assert rank(policy(**where), pinned(labels={"tier": "public", "eu": ""})) == expected


def test_when_the_older_policy_is_gone_the_other_one_takes_effect_by_itself():
    older, younger = policy("modern", age=2), policy("legacy", age=1, profile="legacy")
    assert served(pinned(), [older, younger]) == ("2026-11", "modern", "modern")
    assert served(pinned(), [younger]) == ("2026-11", "legacy", "legacy")
    assert served(pinned()) == ("2026-11", "default", "")


@pytest.mark.parametrize(
    ("profile", "revision", "app_pinned_to", "expected"),
    [
        ("modern", None, "2026-11", "2026-11"),
        ("modern", None, "2018-06", "2018-06"),
        ("modern", None, "2017-09", "2018-06"),
        ("legacy", None, "2017-09", "2018-06"),
        ("default", None, "2017-09", "2017-09"),
        ("strict", None, "2017-09", "2017-09"),
        ("modern", "2018-06", "2026-11", "2018-06"),
        ("strict", "2018-06", "2026-11", "2018-06"),
        ("default", "2026-11", "2017-09", "2026-11"),
    ],
)
def test_a_policy_means_its_own_revision_or_the_app_s_or_the_oldest_later_one(
    profile, revision, app_pinned_to, expected
):
    named = policy("p", profile=profile, revision=revision)
    assert served(pinned(app_pinned_to), [named]) == (expected, profile, "p")


@pytest.mark.parametrize(
    ("profile", "revision", "why"),
    [
        ("strict", "2026-11", "ProfileRetired"),
        ("strict", None, "ProfileRetired"),
        ("modern", "2017-09", "ProfileUnknown"),
        ("legacy", "2017-09", "ProfileUnknown"),
        ("modern", "2020-01", "RevisionUnknown"),
    ],
)
def test_a_refused_policy_leaves_the_app_with_what_its_status_says(profile, revision, why):
    refused = policy(profile=profile, revision=revision)
    before = pinned(status={"tls": {"profile": "modern", "revision": "2018-06", "policy": "gone"}})
    assert served(before, [refused]) == ("2018-06", "modern", "")
    assert reason(before, [refused]) == why


@pytest.mark.parametrize(
    "status",
    [{}, {"tls": None}, {"tls": {"profile": "modern"}}, {"tls": {"profile": "modern", "revision": "2017-09"}}],
    ids=["none", "null", "half", "not in the table"],
)
def test_a_refused_policy_leaves_a_new_app_with_its_default(status):
    assert served(pinned("2018-06", status=status), [policy(revision="2020-01")]) == ("2018-06", "default", "")


def test_a_refused_policy_keeps_its_claim():
    # A slip in one policy must not let another one through that nobody meant to be in force.
    refused, others = policy("a", age=2, revision="2020-01"), [policy("b", profile="legacy"), policy("c")]
    assert claiming(pinned(), [*others, refused]) == refused
    assert served(pinned(), [*others, refused]) == ("2026-11", "default", "")


def test_a_policy_that_points_more_closely_goes_before_a_refused_one():
    refused, closer = policy("a", age=2, revision="2020-01"), policy("b", targets=("shop",))
    assert served(pinned(), [refused, closer]) == ("2026-11", "modern", "b")


@pytest.mark.parametrize(
    ("revision", "profile", "floor", "lowest", "is_served_as", "why"),
    [
        ("2026-11", "default", "TLSv1.2", "TLSv1.2", ("2026-11", "default", "p"), None),
        ("2018-06", "legacy", "TLSv1.2", "TLSv1.2", ("2018-06", "legacy", "p"), "BelowFloor"),
        ("2018-06", "default", "TLSv1.1", "TLSv1.1", ("2018-06", "default", "p"), None),
        ("2018-06", "legacy", "TLSv1.1", "TLSv1.1", ("2018-06", "legacy", "p"), "BelowFloor"),
        ("2026-11", "legacy", "TLSv1.3", "TLSv1.3", ("2026-11", "legacy", "p"), "BelowFloor"),
        ("2018-06", "modern", "TLSv1.3", "TLSv1.3", ("2026-11", "default", ""), "BelowFloor"),
        ("2018-06", "legacy", "TLSv1.0", "TLSv1.0", ("2018-06", "legacy", "p"), None),
    ],
    ids=[
        "touches nothing",
        "cuts",
        "is where the profile begins",
        "cuts one version",
        "leaves TLS 1.3",
        "above everything: today's default",
        "is as low as can be",
    ],
)
def test_the_floor_outranks_every_policy(revision, profile, floor, lowest, is_served_as, why):
    rules, asked = Rules(default="2026-11", floor=floor), policy("p", profile=profile, revision=revision)
    assert served(pinned(), [asked], rules) == is_served_as
    assert effective(pinned(), [asked], rules).profile.min_version == lowest
    assert reason(pinned(), [asked], rules) == why


def test_the_floor_takes_suites_along_that_only_older_versions_use():
    rules = Rules(default="2026-11", floor="TLSv1.3")
    assert effective(pinned(), [], rules).profile.suites == ()


def test_the_floor_holds_for_pinned_defaults_and_for_what_is_kept():
    rules = Rules(default="2026-11", floor="TLSv1.2")
    kept = pinned("2026-11", status={"tls": {"profile": "legacy", "revision": "2018-06"}})
    assert effective(pinned("2017-09"), [], rules).profile.min_version == "TLSv1.2"
    assert effective(kept, [policy(revision="2020-01")], rules).profile.min_version == "TLSv1.2"
    above = Rules(default="2026-11", floor="TLSv1.3")
    assert served(pinned("2017-09"), [], above) == ("2026-11", "default", "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({}, None),
        ({"maxAge": 0}, HSTS(0, include_subdomains=False, preload=False)),
        (
            {"maxAge": 63072000, "includeSubDomains": True, "preload": True},
            HSTS(63072000, include_subdomains=True, preload=True),
        ),
    ],
    ids=["not asked for", "empty", "zero makes browsers forget", "all of it"],
)
def test_hsts_comes_from_the_policy_in_force(given, expected):
    assert effective(pinned(), [policy(hsts=given)], RULES).hsts == expected


def test_hsts_of_an_overridden_policy_is_not_sent():
    assert effective(pinned(), [policy(hsts={"maxAge": 9}), policy("b", targets=("shop",))], RULES).hsts is None


HISTORY = (DefaultChange(NOW - 30 * DAY, "2017-09"), DefaultChange(NOW - 10 * DAY, "2018-06"))
CHANGED = (*HISTORY, DefaultChange(NOW - DAY, "2026-11"))


@pytest.mark.parametrize(
    ("age", "annotation", "status", "history", "expected"),
    [
        (0, "2017-09", None, CHANGED, "2017-09"),
        (0, "2017-09", "2026-11", CHANGED, "2017-09"),
        (0, None, None, (), "2026-11"),
        (0, None, None, CHANGED, "2026-11"),
        (1, None, None, CHANGED, "2026-11"),
        (2, None, None, CHANGED, "2018-06"),
        (10, None, None, CHANGED, "2018-06"),
        (11, None, None, CHANGED, "2017-09"),
        (99, None, None, CHANGED, "2017-09"),
        (99, None, "2017-09", CHANGED, "2026-11"),
        (99, "", "2017-09", CHANGED, "2026-11"),
        (99, "latest", "2018-06", CHANGED, "2018-06"),
        (99, "latest", None, CHANGED, "2017-09"),
        (0, "latest", None, CHANGED, "2026-11"),
        (20, None, None, (DefaultChange(NOW - 30 * DAY, "2031-01"), *CHANGED[1:]), "2018-06"),
        (20, None, None, (DefaultChange(NOW - 30 * DAY, "2031-01"), DefaultChange(NOW, "2032-01")), "2026-11"),
    ],
    ids=[
        "the annotation says it",
        "the annotation goes before the status",
        "no history: today's default",
        "created after the last change",
        "created at the last change",
        "created before it, while the operator was down",
        "created at an earlier change",
        "created before two changes",
        "older than the history: the first default known",
        "annotation removed: it asks to move",
        "annotation emptied: it asks to move",
        "a slip in the annotation moves nothing",
        "a slip in the annotation of an App without status: by its age",
        "a slip in the annotation of a new App",
        "a revision in the history that nobody knows is passed over",
        "nothing in the history is known: today's default",
    ],
)
def test_the_revision_that_an_app_is_pinned_to(age, annotation, status, history, expected):
    shop = app(
        of={
            "created_at": NOW - age * DAY,
            "annotations": {} if annotation is None else {ANNOTATION_DEFAULT_REVISION: annotation},
        },
        status={"tls": {"profile": "default", "revision": status}} if status else {},
    )
    assert pinned_revision(shop, default="2026-11", history=history) == expected


def test_another_default_touches_no_app_that_exists():
    shop = pinned("2018-06")
    before = effective(shop, [policy()], Rules(default="2018-06", history=HISTORY))
    assert effective(shop, [policy()], Rules(default="2026-11", history=CHANGED)) == before
