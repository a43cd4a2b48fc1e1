"""What a move to another revision would change, before anything is moved."""

from dataclasses import replace

import pytest

from builders import DAY, NOW, app, policy
from certward.model import profiles
from certward.model.clients import CLIENTS
from certward.model.impact import clients_of, impact, move, pinned_to
from certward.model.policy import DefaultChange, Rules, effective
from certward.model.resources import Key
from certward.names import ANNOTATION_DEFAULT_REVISION
from certward.plan.upgrade import upgrade

NOW_2018, NOW_2026 = Rules(default="2018-06"), Rules(default="2026-11")


def pinned(name="shop", revision="2018-06", *, namespace="team-a", **changes):
    return app(name, namespace, of={"annotations": {ANNOTATION_DEFAULT_REVISION: revision}}, **changes)


def names(clients):
    return [client.name for client in clients]


def moved(apps, policies=(), before=NOW_2018, after=NOW_2026):
    """(App, profile before, profile after), where something changes."""
    return [
        (one.app.name, f"{one.before.revision} {one.before.name}", f"{one.after.revision} {one.after.name}")
        for one in impact(apps, policies, before, after)
    ]


def test_apps_on_their_pinned_default_move():
    assert moved([pinned("b"), pinned("a", "2017-09"), pinned("c", "2026-11")]) == [
        ("a", "2017-09 default", "2026-11 default"),
        ("b", "2018-06 default", "2026-11 default"),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"profile": "modern", "revision": "2018-06"}, []),
        ({"profile": "modern"}, [("shop", "2018-06 modern", "2026-11 modern")]),
        ({"profile": "modern", "targets": ("blog",)}, [("shop", "2018-06 default", "2026-11 default")]),
        ({"profile": "modern", "revision": "2020-01"}, []),
        ({"profile": "strict"}, []),
    ],
    ids=[
        "a policy that names its revision holds",
        "a policy that names none follows the App",
        "a policy for others does not count",
        "a refused policy keeps what is served",
        "a policy that the revision refuses keeps what is served",
    ],
)
def test_a_policy_goes_before_the_pinned_default(given, expected):
    kept = given.get("profile") if given["profile"] == "strict" else "default"
    shop = pinned(status={"tls": {"profile": kept, "revision": "2018-06"}})
    assert moved([shop], [policy(**given)]) == expected


def test_the_order_is_by_namespace_and_name_and_policies_stay_in_their_namespace():
    apps = [pinned("a", namespace="team-b"), pinned("z"), pinned("b")]
    found = impact(apps, [policy("p", "team-b", revision="2018-06")], NOW_2018, NOW_2026)
    assert [one.app for one in found] == [Key("App", "team-a", "b"), Key("App", "team-a", "z")]
    assert found == impact(apps[::-1], [policy("p", "team-b", revision="2018-06")], NOW_2018, NOW_2026)


def test_who_is_locked_out_by_the_move_from_2018_to_2026():
    (one,) = impact([pinned()], [], NOW_2018, NOW_2026)
    # Chrome on Windows XP knows no ECDSA, which the next renewal brings; IE 11 on Windows 7 has no suite until then.
    assert names(one.lost) == ["Chrome 49 on Windows XP", "IE 11 on Windows 7 and 8.1", "Safari 6 to 8"]
    assert one.gained == ()


def test_an_app_that_insists_on_rsa_keeps_who_needs_it():
    (one,) = impact([pinned(key_type="RSA-2048")], [], NOW_2018, NOW_2026)
    assert names(one.lost) == ["IE 11 on Windows 7 and 8.1", "Safari 6 to 8"]


def test_who_is_locked_out_by_the_move_from_2017():
    (one,) = impact([pinned(revision="2017-09")], [], NOW_2018, NOW_2026)
    assert set(names(one.lost)) == {
        "Android 4.0 to 4.3",
        "Chrome 49 on Windows XP",
        "IE 8 to 10 on Windows 7",
        "IE 11 on Windows 7 and 8.1",
        "Java 7u25",
        "OpenSSL 0.9.8",
        "Safari 6 on OS X 10.8",
        "Safari 6 to 8",
    }


def test_the_way_back_lets_in_who_was_locked_out():
    (forth,) = impact([pinned()], [], NOW_2018, NOW_2026)
    (back,) = impact([pinned(revision="2026-11")], [], NOW_2026, NOW_2018)
    assert back.lost == ()
    assert set(names(back.gained)) <= set(names(forth.lost))
    assert "Safari 6 to 8" in names(back.gained)


def test_a_key_type_that_the_new_profile_does_not_fit_keeps_the_host_as_it_is():
    # KeyTypeNotServed: such settings are never rendered.
    (one,) = impact([pinned(revision="2026-11", key_type="ECDSA-P256")], [], NOW_2026, NOW_2018)
    assert (one.lost, one.gained) == ((), ())


def test_a_raised_floor_counts_as_well():
    (one,) = impact([pinned(revision="2018-06")], [], NOW_2018, replace(NOW_2018, floor="TLSv1.2"))
    assert (one.after.min_version, one.after.name, one.after.revision) == ("TLSv1.2", "default", "2018-06")
    assert names(one.lost) == ["Chrome 49 on Windows XP"]  # without TLS 1.1 the next renewal brings ECDSA


def test_clients_of_are_in_the_order_of_the_table():
    found = clients_of(profiles.profile("2026-11", "modern"), "ECDSA-P256")
    assert list(found) == [client for client in CLIENTS if client in found]
    assert all("TLSv1.3" in client.versions for client in found)
    assert len(found) == sum("TLSv1.3" in client.versions for client in CLIENTS)


def test_pinning_in_thought_changes_nothing_else():
    shop = pinned()
    after = pinned_to(shop, "2026-11")
    assert after.meta.annotations == {ANNOTATION_DEFAULT_REVISION: "2026-11"}
    assert shop.meta.annotations == {ANNOTATION_DEFAULT_REVISION: "2018-06"}
    assert replace(after, meta=shop.meta) == shop


def test_upgrade_names_what_to_write_and_what_it_brings():
    plan = upgrade(pinned(), NOW_2026)
    assert plan.annotation == ("certward.dev/tls-default-revision", "2026-11")
    assert plan.pinned == "2018-06"
    assert plan.is_needed
    assert plan.profile == profiles.profile("2026-11", "default")
    assert "Safari 6 to 8" in names(plan.impact.lost)


def test_an_app_at_today_s_default_needs_no_upgrade():
    plan = upgrade(pinned(revision="2026-11"), NOW_2026)
    assert not plan.is_needed
    assert not plan.impact.is_change
    assert plan.impact.lost == plan.impact.gained == ()


def test_an_upgrade_under_a_policy_that_names_its_revision_is_needed_and_changes_nothing_yet():
    plan = upgrade(pinned(), NOW_2026, [policy(revision="2018-06")])
    assert plan.is_needed
    assert not plan.impact.is_change
    assert plan.profile == profiles.profile("2018-06", "modern")


def test_what_upgrade_foretells_comes_true():
    rules = Rules(default="2026-11", history=(DefaultChange(NOW - 9 * DAY, "2017-09"), DefaultChange(NOW, "2026-11")))
    shop = app()  # without the annotation: pinned by its age
    plan = upgrade(shop, rules, [policy(profile="legacy")])
    assert plan.pinned == "2017-09"
    name, value = plan.annotation
    written = replace(shop, meta=replace(shop.meta, annotations={name: value}))
    assert effective(written, [policy(profile="legacy")], rules).profile == plan.profile
    assert not upgrade(written, rules).is_needed


def test_a_move_that_changes_nothing_says_so():
    one = move(pinned(revision="2026-11"), [], NOW_2026, NOW_2026)
    assert not one.is_change
    assert one.lost == one.gained == ()
