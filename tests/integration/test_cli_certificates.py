"""`kubectl certward` for hostnames and certificates, on the cluster: what it says, and what is so afterwards."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from cluster.handle import Cluster
from e2e.bought import Seller
from integration import observer
from integration.plugin import Plugin

APP = {**observer.app(), "spec": {"service": {"name": "shop", "port": 8080}}}


@pytest.fixture
def plugin(cluster: Cluster) -> Plugin:
    """In a namespace of its own with an App `shop`, automatic certificates off."""
    namespace = cluster.namespace("cli")
    cluster.backend(namespace, "shop")
    observer.apply(cluster, namespace, APP)
    return Plugin(cluster, namespace)


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    return Seller(tmp_path_factory.mktemp("seller"))


class Bought:
    """Files as they come from somebody who sells certificates."""

    def __init__(self, folder: Path, seller: Seller, hostnames: list[str], days: float = 300) -> None:
        chain, key, self.leaf = seller.sell(hostnames, days=days)
        self.certificate, self.key = folder / "shop.crt", folder / "shop.key"
        self.certificate.write_bytes(chain)
        self.key.write_bytes(key)

    @property
    def files(self) -> tuple[str, str]:
        return str(self.certificate), str(self.key)


def hosts(plugin: Plugin, *names: str) -> list[str]:
    return [f"{name}.{plugin.namespace}.example.com" for name in names]


def test_from_nothing_to_a_certificate_and_back(cluster: Cluster, plugin: Plugin) -> None:
    [a, b] = hosts(plugin, "a", "b")

    added = plugin("domains", "add", a.upper(), b)
    assert f"Adding {a} to shop... done" in added.err
    assert ["Domain", "App", "Record Type", "DNS Target", "Status"] in added.rows
    assert {domain["spec"]["hostname"] for domain in observer.domains(cluster, plugin.namespace).values()} == {a, b}
    assert f"{a} is there already" in plugin("domains", "add", a).err  # a line can be repeated

    [before] = plugin.json("certs", "auto")
    assert (before["app"], before["automatic"], before["nextRenewal"]) == ("shop", False, None)
    assert {one["reason"] for one in before["domains"]} == {"AutomaticDisabled"}
    assert plugin.json("certs") == []

    enabled = plugin("certs", "auto", "enable", "--wait", "-a", "shop")
    assert "Turning on automatic certificates for shop... done" in enabled.err
    assert f"{a}: Cert issued" in enabled.err
    assert enabled.rows[-5:-3] == [["Domain", "Status", "Last Updated"], [a, "Cert issued", "less than a minute"]]
    assert "Next renewal: " in enabled.out
    assert all(map(observer.is_settled, observer.domains(cluster, plugin.namespace).values()))

    rows = plugin.json("certs")
    assert [(row["name"], row["type"], row["hostnames"]) for row in rows] == [
        (f"{a.replace('.', '-')}-tls", "Automatic", [a]),
        (f"{b.replace('.', '-')}-tls", "Automatic", [b]),
    ]
    assert plugin("certs").rows[0] == ["Name", "Hostnames", "Expires", "Trusted", "Type"]

    assert "There is nobody to answer here" in plugin("domains", "remove", a, code=2).err
    assert plugin.json("domains", "remove", a, "--yes") == [
        {"name": a.replace(".", "-"), "hostname": a, "removed": True}
    ]
    assert [one["hostname"] for one in plugin.json("domains")] == [b]
    assert f"there are: {b}." in plugin("domains", "remove", a, "--yes", code=3).err


def test_a_refresh_replaces_only_what_it_is_told_to(cluster: Cluster, plugin: Plugin) -> None:
    [a, b] = hosts(plugin, "a", "b")
    plugin("domains", "add", a, b)
    plugin("certs", "auto", "enable", "--wait")
    before = {one["hostname"]: one["certificate"]["serialNumber"] for one in plugin.json("domains")}

    assert "nothing to try again" in plugin("certs", "auto", "refresh").err
    [told] = plugin.json("certs", "auto", "refresh", a, "--wait")
    assert told["hostname"] == a
    after = {one["hostname"]: one["certificate"]["serialNumber"] for one in plugin.json("domains")}
    assert after[a] != before[a]
    assert after[b] == before[b]
    assert format(observer.served_leaf(cluster, a).serial_number, "x").rjust(16, "0") == after[a].rjust(16, "0")


def test_waiting_ends_where_nothing_more_is_tried(plugin: Plugin) -> None:
    [a] = hosts(plugin, "a")
    plugin("domains", "add", a, f"*.{a}")
    ended = plugin("certs", "auto", "enable", "--wait", code=1)

    assert f"*.{a}: Failed (WildcardNeedsDNS01)" in ended.err
    assert f"Error: *.{a} failed; nothing more is tried until that is mended." in ended.err
    assert f"{a}: Cert issued" in ended.err  # the others are waited for
    assert f"kubectl certward explain '*.{a}'" in ended.out
    assert "certs auto refresh" in ended.out
    failed = [row for row in ended.rows if row[:2] == [f"*.{a}", "Failed"]]
    assert failed[0][2] == "WildcardNeedsDNS01"


def test_waiting_ends_at_its_time_limit(cluster: Cluster, plugin: Plugin) -> None:
    [a] = hosts(plugin, "a")
    older = cluster.namespace("older")
    observer.apply(cluster, older, {**observer.domain("a", older), "spec": {"hostname": a, "appRef": {"name": "x"}}})
    # Ages are told in whole seconds; of two that are equally old the names decide, and this one's come later.
    made = datetime.fromisoformat(observer.get(cluster, older, "a")["metadata"]["creationTimestamp"])
    cluster.wait_for(lambda: datetime.now(UTC) >= made + timedelta(seconds=1), 5, "the next second")
    plugin("domains", "add", a)
    ended = plugin("certs", "auto", "enable", "--wait", "--timeout", "3", code=1)

    assert f"{a}: Waiting (HostnameTaken)" in ended.err
    assert f"belongs to the older Domain {older}/a" in ended.err
    assert f"not done within 3 seconds: {a}." in ended.err


def test_turning_it_off_says_what_that_means_and_asks(cluster: Cluster, plugin: Plugin) -> None:
    [a] = hosts(plugin, "a")
    plugin("domains", "add", a)
    plugin("certs", "auto", "enable", "--wait")

    refused = plugin("certs", "auto", "disable", code=2)
    assert f"{a}: its automatic certificate until " in refused.err
    assert "--yes" in refused.err
    code, shown = plugin.on_terminal("certs", "auto", "disable", typed="n\n")
    assert code == 1
    assert "Nothing was changed." in shown
    assert plugin.json("certs", "auto")[0]["automatic"] is True

    code, shown = plugin.on_terminal("certs", "auto", "disable", typed="y\n")
    assert code == 0
    assert "Turning off automatic certificates for shop... done" in shown
    app = observer.get(cluster, plugin.namespace, "shop", "apps")
    assert app["spec"]["certificates"]["automatic"] is False
    assert [one["manager"] for one in app["metadata"]["managedFields"]].count("kubectl-certward") == 1
    assert observer.served_leaf(cluster, a)  # still
    cluster.wait_for(
        lambda: f"{a} is served with its last automatic certificate until" in plugin("certs", "auto").out, 20, "told"
    )


def test_a_dry_run_prints_what_belongs_into_git(cluster: Cluster, plugin: Plugin) -> None:
    [a] = hosts(plugin, "a")
    domain = yaml.safe_load(plugin("domains", "add", a, "--dry-run").out)
    change = plugin("certs", "auto", "enable", "--dry-run")

    assert domain["spec"] == {"hostname": a, "appRef": {"name": "shop"}}
    assert yaml.safe_load(change.out)["spec"] == {"certificates": {"automatic": True}}
    assert plugin.json("certs", "auto", "enable", "--dry-run")["kind"] == "App"
    assert observer.domains(cluster, plugin.namespace) == {}
    assert observer.get(cluster, plugin.namespace, "shop", "apps")["spec"]["certificates"]["automatic"] is False
    patch = ["patch", "apps.certward.dev", "shop", "--type=merge", "--patch-file=/dev/stdin"]
    cluster.kubectl("-n", plugin.namespace, *patch, input=change.out)
    assert observer.get(cluster, plugin.namespace, "shop", "apps")["spec"]["certificates"]["automatic"] is True


def test_who_works_with_git_is_warned(cluster: Cluster, plugin: Plugin) -> None:
    mark = "kustomize.toolkit.fluxcd.io/name=apps"
    cluster.kubectl("-n", plugin.namespace, "label", "apps.certward.dev", "shop", mark)

    assert "App shop is managed by Flux" in plugin("certs", "auto", "enable").err


def test_a_bought_certificate_comes_is_renewed_and_goes(
    cluster: Cluster, plugin: Plugin, seller: Seller, tmp_path: Path
) -> None:
    [a, b, c] = hosts(plugin, "a", "b", "c")
    plugin("domains", "add", a, b)
    bought = Bought(tmp_path, seller, [a, b])

    added = plugin("certs", "add", *bought.files, "--name", "bought")
    assert f"Checked: for {a} and {b}, issued by CN=Seller CA" in added.err
    cluster.wait_for(lambda: plugin.json("certs")[0]["serves"] == [a, b], 20, "both are served with it")
    assert observer.served_leaf(cluster, a) == bought.leaf
    [row] = plugin.json("certs")
    assert (row["name"], row["type"], row["trusted"], row["hostnames"]) == ("bought", "Manual", False, [a, b])
    assert "has certificate bought already" in plugin("certs", "add", *bought.files, "--name", "bought", code=1).err

    fewer = Bought(tmp_path, seller, [a])
    assert (
        f"does not cover {b}, which is served with bought now"
        in plugin("certs", "update", "bought", *fewer.files, code=2).err
    )
    newer = Bought(tmp_path, seller, [a, b, c])
    plugin("certs", "update", "bought", *newer.files)
    cluster.wait_for(lambda: observer.served_leaf(cluster, b) == newer.leaf, 20, "the newer one is served")

    refused = plugin("certs", "remove", "bought", "--yes", code=1)
    assert f"bought is needed: {a} and {b} would be without a certificate" in refused.err
    plugin("certs", "add", *Bought(tmp_path, seller, [a, b], days=200).files, "--name", "second")
    plugin("certs", "remove", "bought", "--yes")
    assert [row["name"] for row in plugin.json("certs")] == ["second"]
    assert "bought" not in observer.secret_names(cluster, plugin.namespace)
    assert observer.served_leaf(cluster, a) != newer.leaf
    assert "There are: second." in plugin("certs", "remove", "bought", code=3).err


def test_what_the_user_has_made_stays_the_users(
    cluster: Cluster, plugin: Plugin, seller: Seller, tmp_path: Path
) -> None:
    [a] = hosts(plugin, "a")
    plugin("domains", "add", a)
    bought = Bought(tmp_path, seller, [a])
    tls = ["create", "secret", "tls", "mine", f"--cert={bought.certificate}", f"--key={bought.key}"]
    cluster.kubectl("-n", plugin.namespace, *tls)

    assert (
        "To use it: kubectl certward certs add --secret mine"
        in plugin("certs", "add", *bought.files, "--name", "mine", code=1).err
    )
    plugin("certs", "add", "--secret", "mine")
    cluster.wait_for(lambda: plugin.json("certs")[0]["serves"] == [a], 20, "it is served")
    plugin("domains", "remove", a, "--yes")
    cluster.wait_for(lambda: plugin.json("domains") == [], 20, "the domain is gone")
    removed = plugin("certs", "remove", "mine", "--yes")

    assert "Secret mine stays, since it was not made by this command." in removed.err
    assert "mine" in observer.secret_names(cluster, plugin.namespace)
    assert "manual" not in observer.get(cluster, plugin.namespace, "shop", "apps")["spec"]["certificates"]


def test_what_the_operator_refuses_is_told_in_the_list(
    cluster: Cluster, plugin: Plugin, seller: Seller, tmp_path: Path
) -> None:
    [a] = hosts(plugin, "a")
    plugin("domains", "add", a)
    older = cluster.namespace("older")
    observer.apply(cluster, older, observer.domain("theirs", older, of="theirs"))
    plugin("certs", "add", *Bought(tmp_path, seller, [a, observer.hostname("theirs", older)]).files, "--name", "wide")

    cluster.wait_for(lambda: plugin.json("certs")[0]["problem"], 20, "the operator's word")
    assert f"also covers the hostname of Domain {older}/theirs" in plugin("certs").out


def test_a_migration_can_be_stopped_and_run_again(
    cluster: Cluster, plugin: Plugin, seller: Seller, tmp_path: Path
) -> None:
    [a, b] = hosts(plugin, "a", "b")
    plugin("domains", "add", a, b)
    bought = Bought(tmp_path, seller, [a, b])
    plugin("certs", "add", *bought.files, "--name", "bought")
    cluster.wait_for(lambda: plugin.json("certs")[0]["serves"] == [a, b], 20, "both are served with it")

    assert "--yes" in plugin("certs", "migrate", code=2).err  # nobody to ask: stopped before anything is changed
    assert plugin.json("certs", "auto")[0]["automatic"] is False
    moved = plugin("certs", "migrate", "--yes", "--keep-manual")
    assert [row[:2] for row in moved.rows[1:]] == [[host, f"Seller CA, expires {_day(bought)}"] for host in (a, b)]
    assert all("Pebble" in row[2] for row in moved.rows[1:])
    assert "bought stays. Later: kubectl certward certs remove bought" in moved.err
    assert observer.served_leaf(cluster, a) != bought.leaf

    again = plugin.json("certs", "migrate", "--yes", "--remove-manual")
    assert [one["migrated"] for one in again["domains"]] == [True, True]
    assert again["removed"] == ["bought"]
    assert {row["type"] for row in plugin.json("certs")} == {"Automatic"}
    assert "bought" not in observer.secret_names(cluster, plugin.namespace)
    assert plugin.json("certs", "migrate")["removed"] == []  # nothing is left to do


def test_a_terminal_shows_it_live_and_in_colour(plugin: Plugin) -> None:
    [a] = hosts(plugin, "a")
    plugin("domains", "add", a)
    code, shown = plugin.on_terminal("certs", "auto", "enable", "--wait")

    assert code == 0
    assert "\x1b[32mCert issued" in shown
    assert "Waiting until every certificate is issued and served..." in shown
    assert shown.rstrip().rsplit("\n", 1)[-1].startswith("Next renewal:")


def _day(bought: Bought) -> str:
    return f"{bought.leaf.not_valid_after_utc:%Y-%m-%d}"
