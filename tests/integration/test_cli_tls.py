"""`kubectl certward tls` on the cluster: what is served, what a change would do, and the change."""

import pytest

from cluster.handle import Cluster
from integration import observer
from integration.plugin import Plugin

OLDER = {"certward.dev/tls-default-revision": "2018-06"}


@pytest.fixture(scope="module")
def plugin(cluster: Cluster) -> Plugin:
    """In a namespace with two Apps: `shop`, and `old` whose default is from 2018."""
    namespace = cluster.namespace("tls")
    cluster.backend(namespace, "shop")
    old = observer.app("old")
    old["metadata"]["annotations"] = OLDER
    domains = [observer.domain("shop", namespace), observer.domain("old", namespace, of="old")]
    observer.apply(cluster, namespace, observer.app(), old, *domains)
    observer.until_settled(cluster, namespace, ["shop", "old"])
    plugin = Plugin(cluster, namespace)
    cluster.wait_for(lambda: all(one["grade"] for one in plugin.json("tls")), 60, "both are graded")
    return plugin


def only(plugin: Plugin, app: str) -> dict[str, str]:
    [told] = plugin.json("tls", "-a", app)
    return told


def test_what_is_served(plugin: Plugin) -> None:
    old, shop = plugin.json("tls")
    told = plugin("tls")

    assert (old["app"], old["profile"], old["revision"], old["pinned"]) == ("old", "default", "2018-06", "2018-06")
    assert (shop["profile"], shop["revision"], shop["grade"]) == ("default", "2026-11", "A")
    assert {(one["minVersion"], one["maxVersion"]) for one in old["served"]} == {("TLSv1.1", "TLSv1.2")}
    assert told.rows[0] == ["App", "Profile", "Revision", "Declared", "Served", "Grade", "Enforced"]
    assert told.rows[1] == ["old", "default", "2018-06", "TLS 1.1 to 1.2", "TLS 1.1 to 1.2", "B", "yes"]
    assert "old: the grade is B: " in told.out


def test_which_clients_connect(plugin: Plugin) -> None:
    old = {one["client"]: one["version"] for one in plugin.json("tls", "clients", "-a", "old")["clients"]}
    wished = plugin.json("tls", "clients", "-a", "old", "--profile", "modern", "--revision", "2026-11")
    modern = {one["client"]: one["connects"] for one in wished["clients"]}

    assert old["Java 8u161"] == "TLSv1.2"
    assert modern["Java 8u161"] is False
    assert modern["Firefox 137"] is True
    assert ["Java 8u161", "yes", "TLS 1.2"] in plugin("tls", "clients", "-a", "old").rows
    assert (
        "There is no revision '1999-01'" in plugin("tls", "clients", "-a", "old", "--revision", "1999-01", code=2).err
    )


def test_what_a_move_would_change(plugin: Plugin) -> None:
    [told] = plugin.json("tls", "impact")
    shown = plugin("tls", "impact", "--revision", "2026-11")

    assert (told["app"], told["before"]["revision"], told["after"]["revision"]) == ("old", "2018-06", "2026-11")
    assert told["lost"]
    assert f"old would no longer be reached by: {', '.join(told['lost'])}." in shown.out
    assert "changes nothing for shop" in plugin("tls", "impact", "-a", "shop").err
    assert {one["app"] for one in plugin.json("tls", "impact", "--revision", "2018-06")} == {"shop"}
    assert "There is no revision 1999-01" in plugin("tls", "impact", "--revision", "1999-01", code=2).err


def test_a_policy_is_set_shown_by_handshakes_and_taken_away(cluster: Cluster, plugin: Plugin) -> None:
    refused = plugin("tls", "set", "modern", "-a", "shop", code=2)
    assert "would no longer be reached by" in refused.out
    assert "profile: modern" in plugin("tls", "set", "modern", "-a", "shop", "--dry-run").out
    assert "Profile 'strict' was retired" in plugin("tls", "set", "strict", "-a", "shop", "--yes", code=2).err

    done = plugin("tls", "set", "modern", "-a", "shop", "--yes", "--wait")
    assert "Setting profile modern for shop (TLSPolicy shop)... done" in done.err
    assert "Done. Grade: " in done.err
    told = only(plugin, "shop")
    assert (told["profile"], told["policy"]) == ("modern", "shop")
    cluster.wait_for(
        lambda: (
            {(one["minVersion"], one["maxVersion"]) for one in only(plugin, "shop")["served"]}
            == {("TLSv1.3", "TLSv1.3")}
        ),
        30,
        "handshakes show TLS 1.3 only",
    )

    plugin("tls", "set", "default", "-a", "shop", "--wait")  # nobody is locked out, so nothing is asked
    policies = observer.get(cluster, plugin.namespace, "shop", "tlspolicies")
    assert policies["spec"] == {"profile": "default", "targetRefs": [{"kind": "App", "name": "shop"}]}
    unset = plugin.json("tls", "unset", "-a", "shop")
    assert (unset["policy"], unset["removed"], unset["changes"]) == ("shop", True, False)
    assert "There is no TLSPolicy for shop alone" in plugin("tls", "unset", "-a", "shop", code=3).err


def test_a_policy_for_several_apps_is_not_touched(cluster: Cluster, plugin: Plugin) -> None:
    refs = [{"kind": "App", "name": name} for name in ("shop", "old")]
    policy = {"apiVersion": observer.API_VERSION, "kind": "TLSPolicy", "metadata": {"name": "both"}}
    observer.apply(cluster, plugin.namespace, {**policy, "spec": {"targetRefs": refs, "profile": "default"}})
    refused = plugin("tls", "set", "modern", "-a", "shop", "--yes", code=1)
    cluster.kubectl("-n", plugin.namespace, "delete", "tlspolicy", "both")

    assert "TLSPolicy both names shop together with old" in refused.err


def test_an_app_is_moved_to_todays_default(cluster: Cluster, plugin: Plugin) -> None:
    namespace = plugin.namespace
    planned = plugin.json("tls", "upgrade", "-a", "old", "--dry-run")
    assert planned["needed"] is True
    assert planned["annotation"] == {"certward.dev/tls-default-revision": "2026-11"}
    assert observer.get(cluster, namespace, "old", "apps")["metadata"]["annotations"] == OLDER

    assert "--yes" in plugin("tls", "upgrade", "-a", "old", code=2).err
    plugin("tls", "upgrade", "-a", "old", "--yes", "--wait")
    told = only(plugin, "old")
    assert (told["profile"], told["revision"], told["pinned"]) == ("default", "2026-11", "2026-11")
    assert "is at today's default, revision 2026-11, already" in plugin("tls", "upgrade", "-a", "old").err
