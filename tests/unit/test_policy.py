"""Which TLS an App is served with."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, DEFAULT, NOW, app, policy
from certward.model import profiles
from certward.model.policy import DefaultChange, Rules, claiming, effective, pinned_revision
from certward.names import ANNOTATION_DEFAULT_REVISION

#: 2018-06 was the default from four days ago on, 2026-11 from two days ago on.
HISTORY = (DefaultChange(NOW - 4 * DAY, "2018-06"), DefaultChange(NOW - 2 * DAY, "2026-11"))
RULES = Rules(default="2026-11", history=HISTORY)


def pinned(revision):
    return {ANNOTATION_DEFAULT_REVISION: revision}


def served(revision):
    return {"tls": {"profile": "default", "revision": revision}}


@pytest.mark.parametrize(
    ("of", "history", "revision"),
    [
        pytest.param(app(), (), "2026-11", id="a new App without any history"),
        pytest.param(app(), HISTORY, "2026-11", id="made after the last change"),
        pytest.param(app(of={"created_at": NOW - 2 * DAY}), HISTORY, "2026-11", id="made at the last change"),
        pytest.param(app(of={"created_at": NOW - 3 * DAY}), HISTORY, "2018-06", id="made before the last change"),
        pytest.param(app(of={"created_at": NOW - 9 * DAY}), HISTORY, "2018-06", id="made before all that is known"),
        pytest.param(
            app(of={"annotations": pinned("2017-09")}), HISTORY, "2017-09", id="pinned, whatever the default is"
        ),
        pytest.param(
            app(of={"annotations": pinned("2017-09")}, status=served("2018-06")),
            HISTORY,
            "2017-09",
            id="pinned to another one than is served",
        ),
        pytest.param(
            app(of={"created_at": NOW - 9 * DAY}, status=served("2017-09")),
            HISTORY,
            "2026-11",
            id="the annotation was taken away: asks to move",
        ),
        pytest.param(
            app(of={"annotations": pinned("2031-01")}, status=served("2018-06")),
            HISTORY,
            "2018-06",
            id="pinned to what there is not: keeps what is served",
        ),
        pytest.param(
            app(of={"annotations": pinned("latest"), "created_at": NOW - 3 * DAY}),
            HISTORY,
            "2018-06",
            id="pinned to what there is not and never served",
        ),
        pytest.param(
            app(of={"annotations": pinned(""), "created_at": NOW - 3 * DAY}, status=served("2018-06")),
            HISTORY,
            "2026-11",
            id="an empty annotation is one that was taken away",
        ),
    ],
)
def test_the_revision_that_an_app_is_pinned_to(of, history, revision):
    assert pinned_revision(of, default="2026-11", history=history) == revision


def test_a_changed_default_never_moves_a_pinned_app():
    of = app(of={"annotations": pinned("2018-06")})
    for default in profiles.REVISIONS:
        rules = Rules(default=default, history=(*HISTORY, DefaultChange(NOW, default)))
        assert effective(of, (), rules).profile == profiles.profile("2018-06", "default")


def test_without_a_policy_the_default_is_served():
    assert effective(app(), (), RULES).profile == DEFAULT


TARGETED = policy("named", targets=("shop",), profile="legacy")
SELECTED = policy("selected", selector={"matchLabels": {"tier": "public"}}, profile="modern")
EVERYWHERE = policy("everywhere", profile="default")
PUBLIC = app(of={"labels": {"tier": "public"}})


@pytest.mark.parametrize(
    ("policies", "name"),
    [
        pytest.param([EVERYWHERE, SELECTED, TARGETED], "named", id="by name before by labels and by namespace"),
        pytest.param([EVERYWHERE, SELECTED], "selected", id="by labels before by namespace"),
        pytest.param([EVERYWHERE], "everywhere", id="by namespace"),
        pytest.param([replace(TARGETED, targets=("other",)), EVERYWHERE], "everywhere", id="not for another App"),
        pytest.param([policy("elsewhere", "team-b")], "", id="not from another namespace"),
    ],
)
def test_the_policy_that_points_most_closely_is_in_force(policies, name):
    assert effective(PUBLIC, policies, RULES).policy == name


def test_of_two_that_point_alike_the_older_is_in_force_until_it_is_gone():
    old = replace(policy("z"), meta=replace(policy("z").meta, created_at=NOW - 5 * DAY))
    young = policy("a", profile="legacy")
    assert claiming(app(), [young, old]) == old
    assert claiming(app(), [young]) == young


def test_a_refused_policy_keeps_what_is_served():
    retired = policy("strict", profile="strict", revision="2026-11")
    of = app(status={"tls": {"profile": "legacy", "revision": "2018-06"}})
    found = effective(of, [retired], RULES)
    assert found.refusal
    assert found.refusal.reason == "ProfileRetired"
    assert found.profile == profiles.profile("2018-06", "legacy")


@settings(deadline=None)
@given(
    st.permutations([TARGETED, SELECTED, EVERYWHERE, policy("again", profile="legacy"), policy("b", "team-b")]),
    st.integers(0, 5),
)
def test_the_order_in_which_policies_are_found_does_not_matter(policies, count):
    chosen = policies[:count]
    assert effective(PUBLIC, chosen, RULES) == effective(PUBLIC, chosen[::-1], RULES)
