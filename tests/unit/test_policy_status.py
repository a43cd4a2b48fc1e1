"""What a TLSPolicy's status says: Accepted, Enforced and the counts."""

from dataclasses import replace

import pytest

from builders import DAY, NOW, app, meta
from builders import policy as plain_policy
from certward.model.policy import Rules
from certward.names import ANNOTATION_DEFAULT_REVISION
from certward.plan.policy import status

RULES = Rules(default="2026-11")


def policy(name="modern", *, age=1, **changes):
    """A TLSPolicy that is so many days old; for every App in its namespace unless said otherwise."""
    return replace(plain_policy(name, **changes), meta=meta(name, created_at=NOW - age * DAY, generation=4))


def pinned(name="shop", revision="2026-11", *, labels=None, shows=None):
    """An App whose handshakes show the (policy, profile, revision) given."""
    tls = dict(zip(("policy", "profile", "revision"), shows or (), strict=False))
    conditions = [{"type": "PolicyEnforced", "status": "True"}] if shows else []
    return app(
        name,
        of={"annotations": {ANNOTATION_DEFAULT_REVISION: revision}, "labels": labels or {}},
        status={"tls": tls, "conditions": conditions},
    )


def told(one, others, apps, rules=RULES):
    """Accepted and Enforced as (status, reason), and the counts targeted, in force, enforced."""
    built = status(one, [one, *others], apps, rules, now=NOW)
    accepted, enforced, *_ = built["conditions"]
    assert (accepted["type"], enforced["type"]) == ("Accepted", "Enforced")
    return (
        (accepted["status"], accepted["reason"]),
        (enforced["status"], enforced["reason"]),
        tuple(built["apps"].values()),
    )


def message(one, others, apps, rules=RULES, *, of=0):
    return status(one, [one, *others], apps, rules, now=NOW)["conditions"][of]["message"]


SHOWN = ("modern", "modern", "2026-11")
ACCEPTED = ("True", "Accepted")


@pytest.mark.parametrize(
    ("one", "others", "apps", "expected"),
    [
        (policy(), [], [pinned(shows=SHOWN)], (ACCEPTED, ("True", "Enforced"), (1, 1, 1))),
        (policy(), [], [pinned()], (ACCEPTED, ("False", "NotShown"), (1, 1, 0))),
        (
            policy(),
            [],
            [pinned(shows=("", "default", "2026-11"))],
            (ACCEPTED, ("False", "NotShown"), (1, 1, 0)),
        ),
        (
            policy(),
            [],
            [pinned(shows=SHOWN), pinned("blog", shows=SHOWN), pinned("wiki")],
            (ACCEPTED, ("False", "NotShown"), (3, 3, 2)),
        ),
        (policy(), [], [], (ACCEPTED, ("Unknown", "NoApps"), (0, 0, 0))),
        (
            policy(selector={"matchLabels": {"tier": "none"}}),
            [],
            [pinned()],
            (ACCEPTED, ("Unknown", "NoApps"), (0, 0, 0)),
        ),
        (
            policy(targets=("gone", "shop")),
            [],
            [pinned(shows=SHOWN)],
            (ACCEPTED, ("True", "Enforced"), (1, 1, 1)),
        ),
        (
            policy(targets=("gone",)),
            [],
            [pinned()],
            (("False", "TargetNotFound"), ("False", "TargetNotFound"), (0, 0, 0)),
        ),
        (
            policy(),
            [policy("older", age=2)],
            [pinned()],
            (("False", "Conflicted"), ("False", "Conflicted"), (1, 0, 0)),
        ),
        (
            policy("z"),
            [policy("a")],
            [pinned()],
            (("False", "Conflicted"), ("False", "Conflicted"), (1, 0, 0)),
        ),
        (
            policy(targets=("blog", "shop")),
            [policy("older", age=2, targets=("blog",))],
            [pinned(shows=SHOWN), pinned("blog")],
            (ACCEPTED, ("False", "PartiallyOverridden"), (2, 1, 1)),
        ),
        (
            policy(),
            [policy("closer", targets=("shop",))],
            [pinned()],
            (ACCEPTED, ("False", "Overridden"), (1, 0, 0)),
        ),
        (
            policy(),
            [policy("closer", targets=("shop",))],
            [pinned(), pinned("blog", shows=SHOWN)],
            (ACCEPTED, ("False", "PartiallyOverridden"), (2, 1, 1)),
        ),
        (
            policy(),
            [policy("closer", targets=("shop",)), policy("older", age=2)],
            [pinned(), pinned("blog")],
            (("False", "Conflicted"), ("False", "Conflicted"), (2, 0, 0)),
        ),
    ],
    ids=[
        "shown by every App",
        "not shown yet",
        "the App still shows what it had",
        "shown by two of three",
        "no App in the namespace",
        "a selector that matches nothing",
        "one target of two is missing",
        "no target is there",
        "an older one for the same Apps",
        "of one age, by name",
        "an older one for one of its Apps",
        "a closer one for its only App",
        "a closer one for one of its Apps",
        "a closer one for one, an older one for the rest",
    ],
)
def test_accepted_enforced_and_counts(one, others, apps, expected):
    assert told(one, others, apps) == expected
    assert told(one, others[::-1], apps[::-1]) == expected


@pytest.mark.parametrize(
    ("profile", "revision", "reason"),
    [
        ("strict", "2026-11", "ProfileRetired"),
        ("strict", None, "ProfileRetired"),
        ("modern", "2017-09", "ProfileUnknown"),
        ("modern", "2020-01", "RevisionUnknown"),
    ],
)
def test_a_refusal_is_told_with_and_without_apps(profile, revision, reason):
    one = policy(profile=profile, revision=revision)
    assert told(one, [], [pinned()]) == (("False", reason), ("False", reason), (1, 0, 0))
    assert told(one, [], []) == (("False", reason), ("False", reason), (0, 0, 0))


@pytest.mark.parametrize("revision", ["2017-09", "2018-06"])
def test_strict_is_accepted_with_a_warning_in_its_revisions(revision):
    one = policy(profile="strict", revision=revision)
    assert told(one, [], [pinned()])[0] == ACCEPTED
    assert message(one, [], [pinned()]) == "Profile strict is deprecated and gone in revision 2026-11."


def test_strict_without_a_revision_is_in_force_where_it_exists_and_refused_where_it_is_gone():
    one = policy("s", profile="strict")
    old, new = pinned("old", "2018-06", shows=("s", "strict", "2018-06")), pinned("new", "2026-11")
    assert told(one, [], [old]) == (ACCEPTED, ("True", "Enforced"), (1, 1, 1))
    assert told(one, [], [old, new]) == (("False", "ProfileRetired"), ("False", "ProfileRetired"), (2, 1, 1))


def test_an_app_that_another_policy_has_does_not_make_this_one_refused():
    one, closer = policy("s", profile="strict"), policy("closer", targets=("new",))
    apps = [pinned("old", "2018-06", shows=("s", "strict", "2018-06")), pinned("new", "2026-11")]
    assert told(one, [closer], apps) == (ACCEPTED, ("False", "PartiallyOverridden"), (2, 1, 1))


@pytest.mark.parametrize(
    ("floor", "enforced", "counts"),
    [("TLSv1.2", ("True", "Enforced"), (1, 1, 1)), ("TLSv1.3", ("False", "BelowFloor"), (1, 0, 0))],
    ids=["cuts it", "is above it"],
)
def test_a_floor_raised_above_a_policy_is_told(floor, enforced, counts):
    one, rules = policy("l", profile="legacy", revision="2018-06"), Rules(default="2026-11", floor=floor)
    shop = pinned(shows=("l", "legacy", "2018-06"))
    assert told(one, [], [shop], rules) == (("False", "BelowFloor"), enforced, counts)
    assert told(one, [], [], rules)[0] == ("False", "BelowFloor")


@pytest.mark.parametrize(
    ("one", "others", "apps", "of", "says"),
    [
        (policy(), [policy("older", age=2)], [pinned()], 0, "TLSPolicy older "),
        (policy(targets=("gone",)), [], [], 0, "no App gone in namespace team-a"),
        (policy(targets=("gone", "shop")), [], [pinned()], 0, "no App gone yet"),
        (
            policy(),
            [policy("closer", targets=("blog", "shop"))],
            [pinned(), pinned("blog"), pinned("wiki")],
            1,
            "for App blog, shop.",
        ),
        (policy(), [], [pinned("wiki"), pinned("blog")], 1, "for App blog, wiki."),
        (policy(revision="2020-01"), [], [pinned()], 0, "write one of 2017-09, 2018-06, 2026-11"),
    ],
    ids=["who is in force", "what is missing", "what is missing yet", "who is overridden", "who is pending", "advice"],
)
def test_messages_name_what_they_are_about(one, others, apps, of, says):
    assert says in message(one, others, apps, of=of)


def test_once_the_older_policy_is_gone_the_other_one_is_accepted():
    one = policy()
    assert told(one, [policy("older", age=2)], [pinned()])[0] == ("False", "Conflicted")
    assert told(one, [], [pinned()])[0] == ACCEPTED


def test_a_status_that_says_the_same_again_is_the_same():
    one, apps = policy(), [pinned(shows=SHOWN)]
    first = status(one, [one], apps, RULES, now=NOW)
    again = status(replace(one, status=first), [one], apps, RULES, now=NOW + DAY)
    assert again == first
    assert first["observedGeneration"] == first["conditions"][0]["observedGeneration"] == 4


def test_the_policy_is_judged_as_given_whatever_copy_of_it_is_among_the_others():
    one, stale = policy(revision="2018-06"), policy(revision="2020-01")
    for others in ([], [stale], [one]):
        built = status(one, others, [pinned()], RULES, now=NOW)
        assert built["conditions"][0]["status"] == "True"
        assert built["apps"]["inForce"] == 1


@pytest.mark.parametrize(
    ("one", "others", "apps", "reconciling", "stalled"),
    [
        (policy(), [], [pinned(shows=SHOWN)], "False", "False"),
        (policy(), [], [pinned()], "True", "False"),
        (policy(), [], [], "False", "False"),
        (policy(targets=("gone",)), [], [], "True", "False"),
        (policy(revision="2020-01"), [], [pinned()], "False", "True"),
        (policy(), [policy("older", age=2)], [pinned()], "False", "True"),
        (policy(), [policy("closer", targets=("shop",))], [pinned()], "False", "False"),
    ],
    ids=["in force", "not shown yet", "no Apps", "no target yet", "refused", "an older one", "a closer one"],
)
def test_what_kstatus_is_told(one, others, apps, reconciling, stalled):
    built = status(one, [one, *others], apps, RULES, now=NOW)
    found = {c["type"]: c["status"] for c in built["conditions"]}
    assert (found["Reconciling"], found["Stalled"]) == (reconciling, stalled)
