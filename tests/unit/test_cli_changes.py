"""What commands write where several people or Apps share something, against an API server of a few lines.

The whole command line is run, in this process. Somebody has to be quicker than the user by one request, and a failure
has to come half way, which a real API server cannot be brought to; what does not need that is tried on the cluster.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from certward.cli import main
from certward.cli.errors import Exit
from dashboard import worlds
from dashboard.api_server import ApiServer, Body, api_server
from e2e.bought import Seller, tls_secret

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEAM = "team-a"


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its result; fails where stdout is not one JSON document."""
        return json.loads(self.out)


class Desk:
    """Somebody who types commands."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._kubeconfig = server.kubeconfig(folder)

    def __call__(self, *line: str) -> Told:
        """Type a command, with nobody there to answer a question."""
        told = CliRunner().invoke(main.app, [*line, "--kubeconfig", str(self._kubeconfig)], catch_exceptions=False)
        return Told(told.exit_code, told.stdout, told.stderr)

    def quicker(self, verb: str, plural: str, act: Callable[[], None]) -> None:
        """Have somebody act just before the first request of a kind."""

        def before(*asked: str) -> None:
            if asked == (verb, plural):
                self.server.before = lambda *_: None
                act()

        self.server.before = before


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Two Apps without a hostname."""
    with api_server(worlds.app("shop", TEAM, NOW), worlds.app("blog", TEAM, NOW)) as running:
        yield running


@pytest.fixture
def desk(server: ApiServer, tmp_path: Path) -> Desk:
    return Desk(server, tmp_path)


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    return Seller(tmp_path_factory.mktemp("seller"))


def policy(**spec: Any) -> Body:
    """A TLSPolicy of the App shop alone."""
    body = worlds.policy("shop", TEAM, NOW, "default")
    body["spec"] |= spec
    return body


def with_bought(name: str, *secrets: str) -> Body:
    """An App with manual certificates."""
    body = worlds.app(name, TEAM, NOW, automatic=False)
    body["spec"]["certificates"]["manual"] = [{"secretName": secret} for secret in secrets]
    return body


def files(folder: Path, chain: bytes, key: bytes) -> tuple[str, str]:
    (folder / "crt").write_bytes(chain)
    (folder / "key").write_bytes(key)
    return str(folder / "crt"), str(folder / "key")


class Shared:
    """A Secret that both Apps use for their hostnames."""

    def __init__(self, desk: Desk, seller: Seller) -> None:
        self.desk, self.seller = desk, seller
        hostnames = {"blog": "blog.example.com", "shop": "shop.example.com"}
        served = {"source": "Manual", "secretName": "bought"}
        desk.server.put(
            *(with_bought(app, "bought") for app in hostnames),
            *(worlds.domain(hostname, app, TEAM, NOW, certificate=served) for app, hostname in hostnames.items()),
            tls_secret("bought", TEAM, *seller.sell([*hostnames.values()])[:2]),
        )

    def update(self, hostnames: Sequence[str], *options: str) -> Told:
        chain, key, _ = self.seller.sell(hostnames)
        told = self.desk("certs", "update", "bought", *files(self.desk.folder, chain, key), *options)
        kept = base64.b64decode(self.desk.server.get("Secret", TEAM, "bought")["data"]["tls.crt"])
        assert (kept == chain) is (told.code == Exit.DONE)
        return told

    def apps(self, what: str) -> list[str]:
        """The Apps in whose body something stands."""
        bodies = {app: self.desk.server.get("App", TEAM, app) for app in ("blog", "shop")}
        return [app for app, body in bodies.items() if what in json.dumps(body)]


@pytest.fixture
def shared(desk: Desk, seller: Seller) -> Shared:
    return Shared(desk, seller)


@pytest.mark.parametrize("options", [(), ("-a", "shop"), ("-a", "blog")])
@pytest.mark.parametrize("left_out", ["blog.example.com", "shop.example.com"])
def test_a_certificate_is_not_renewed_by_one_that_leaves_out_a_hostname_of_any_app(
    shared: Shared, left_out: str, options: tuple[str, ...]
) -> None:
    rest = {"blog.example.com", "shop.example.com"} - {left_out}
    told = shared.update([*rest], *options)

    assert told.code == Exit.USAGE
    assert f"It does not cover {left_out}, which is served with bought now." in told.err
    assert shared.update([*rest], *options, "--yes").code == Exit.DONE


@pytest.mark.parametrize("options", [(), ("-a", "shop")])
def test_every_app_of_a_renewed_certificate_is_looked_at(shared: Shared, options: tuple[str, ...]) -> None:
    told = shared.update(["*.example.com"], *options, "-o", "json")

    assert "Updating certificate bought of blog and shop... done" in told.err
    assert shared.apps("manual-changed") == ["blog", "shop"]
    assert (told.data["app"], told.data["apps"]) == ("shop" if options else "blog", ["blog", "shop"])
    assert told.data["serves"] == ["blog.example.com", "shop.example.com"]


def test_a_certificate_is_taken_out_of_the_app_that_is_named(desk: Desk, shared: Shared) -> None:
    assert desk("certs", "add", *files(desk.folder, *shared.seller.sell(["*.example.com"])[:2]), "-a", "blog").code == 0
    refused = desk("certs", "remove", "bought", "--yes")

    assert refused.code == Exit.USAGE
    assert "Which App? Name one by -a. These use bought: blog, shop." in refused.err
    assert shared.apps('"secretName": "bought"') == ["blog", "shop"]

    told = desk("certs", "remove", "bought", "--yes", "-a", "blog")
    assert (told.code, shared.apps('"secretName": "bought"')) == (Exit.DONE, ["shop"])
    assert "There are: wildcard.example.com-manual." in desk("certs", "remove", "bought", "--yes", "-a", "blog").err
    assert "There is no App news in namespace team-a" in desk("certs", "remove", "bought", "--yes", "-a", "news").err


def test_a_profile_is_set_beside_what_else_a_policy_says(server: ApiServer, desk: Desk) -> None:
    server.put(policy(revision="2018-06", hsts={"maxAge": 300}))
    shown = desk("tls", "set", "modern", "-a", "shop", "--dry-run", "-o", "json")
    assert shown.data["spec"] == {"profile": "modern"}

    assert desk("tls", "set", "modern", "-a", "shop", "--revision", "2026-11", "--yes").code == Exit.DONE
    spec = server.get("TLSPolicy", TEAM, "shop")["spec"]
    assert (spec["profile"], spec["revision"], spec["hsts"]) == ("modern", "2026-11", {"maxAge": 300})


@pytest.mark.parametrize("is_late", [False, True], ids=["before the last look", "after it"])
@pytest.mark.parametrize("line", ["set modern", "unset"])
def test_a_policy_that_somebody_changes_meanwhile_is_left_as_it_is(
    server: ApiServer, desk: Desk, line: str, is_late: bool
) -> None:
    server.put(policy())
    last = "delete" if line == "unset" else "patch"
    both = [{"kind": "App", "name": name} for name in ("shop", "blog")]
    theirs = policy(targetRefs=both, hsts={"maxAge": 300})
    desk.quicker(last if is_late else "get", "tlspolicies", lambda: server.put(theirs))
    told = desk("tls", *line.split(), "-a", "shop", "--yes")

    assert told.code == Exit.FAILED
    assert "TLSPolicy shop was changed" in told.err
    assert "then try again" in told.err
    assert server.get("TLSPolicy", TEAM, "shop")["spec"] == theirs["spec"]


@pytest.mark.parametrize("line", ["set modern", "unset"])
def test_a_status_that_is_written_meanwhile_stops_nobody(server: ApiServer, desk: Desk, line: str) -> None:
    server.put(policy())
    desk.quicker("get", "tlspolicies", lambda: server.change("TLSPolicy", TEAM, "shop", status={"apps": {}}))

    assert desk("tls", *line.split(), "-a", "shop", "--yes").code == Exit.DONE
    kept = server.objects.get(("tlspolicies", TEAM, "shop"))
    assert (kept and kept["spec"]["profile"]) == (None if line == "unset" else "modern")


def test_a_policy_that_is_gone_meanwhile_is_not_made_again(server: ApiServer, desk: Desk) -> None:
    server.put(policy())
    desk.quicker("get", "tlspolicies", lambda: server.drop("TLSPolicy", TEAM, "shop"))

    assert "was changed or deleted by somebody else" in desk("tls", "set", "modern", "-a", "shop", "--yes").err
    assert ("tlspolicies", TEAM, "shop") not in server.objects


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_hostname_that_comes_while_an_app_is_moved_is_moved_with_it(server: ApiServer, desk: Desk, form: str) -> None:
    server.put(with_bought("shop"), worlds.domain("www.example.com", "shop", TEAM, NOW))
    late = worlds.domain("late.example.com", "shop", TEAM, NOW)
    desk.quicker("patch", "apps", lambda: server.put(late))
    told = desk("certs", "migrate", "-a", "shop", "--yes", "-o", form)

    assert told.code == Exit.DONE
    if form == "table":
        assert "late.example.com" in told.out
    else:
        moved = {one["hostname"]: (one["before"], one["migrated"]) for one in told.data["domains"]}
        assert moved == dict.fromkeys(("late.example.com", "www.example.com"), ({"issuer": ""}, True))


def test_what_would_be_added_is_one_document(desk: Desk) -> None:
    add = ("domains", "add", "-a", "shop", "--dry-run", "-o")
    one, several = desk(*add, "json", "a.example.com"), desk(*add, "json", "a.example.com", "b.example.com")

    assert (one.data["kind"], one.data["spec"]["hostname"]) == ("Domain", "a.example.com")
    assert (several.data["apiVersion"], several.data["kind"]) == ("v1", "List")
    assert [item["spec"]["hostname"] for item in several.data["items"]] == ["a.example.com", "b.example.com"]
    stream = desk(*add, "yaml", "a.example.com", "b.example.com").out
    assert list(yaml.safe_load_all(stream)) == several.data["items"]


def test_what_would_be_removed_is_told_to_programs(server: ApiServer, desk: Desk) -> None:
    server.put(worlds.domain("a.example.com", "shop", TEAM, NOW))
    remove = ("domains", "remove", "a.example.com", "--yes")
    told = {"name": "a-example-com", "hostname": "a.example.com"}

    assert desk(*remove, "--dry-run").out == "kubectl delete domain a-example-com -n team-a\n"
    assert desk(*remove, "--dry-run", "-o", "json").data == [{**told, "removed": False}]
    assert desk(*remove, "-o", "json").data == [{**told, "removed": True}]


def hostnames(server: ApiServer) -> dict[str, str]:
    """The hostnames of all Domains by their names."""
    found = [body for (plural, *_), body in server.objects.items() if plural == "domains"]
    return {body["metadata"]["name"]: body["spec"]["hostname"] for body in found}


def test_adding_that_failed_half_way_can_be_repeated(server: ApiServer, desk: Desk) -> None:
    add = ("domains", "add", "a.example.com", "b.example.com", "-a", "shop")
    server.put(worlds.domain("late.example.com", "blog", TEAM, NOW))
    other = worlds.domain("late.example.com", "blog", TEAM, NOW)
    other["metadata"]["name"] = "b-example-com"

    def somebody() -> None:
        desk.quicker("create", "domains", lambda: server.put(other))

    desk.quicker("create", "domains", somebody)
    assert desk(*add).code == Exit.FAILED
    assert "a.example.com" in hostnames(server).values()
    again = desk(*add)

    assert again.code == Exit.DONE
    assert "a.example.com is there already: Domain a-example-com of App shop; passed over." in again.err
    assert "Adding b.example.com to shop... done" in again.err
    assert "Adding a.example.com" not in again.err


@pytest.mark.parametrize(
    ("hostname", "options", "told"),
    [
        ("theirs.example.com", (), "of App blog."),
        ("ours.example.com", ("--name", "other"), "Domain ours-example-com of App shop."),
        ("goes.example.com", (), "which is being deleted. Add it again once that is gone."),
        ("new.example.com", ("--name", "ours-example-com"), "is there already, for ours.example.com. Choose another"),
    ],
)
def test_what_cannot_be_added_is_refused_before_anything_is(
    server: ApiServer, desk: Desk, hostname: str, options: tuple[str, ...], told: str
) -> None:
    goes = worlds.domain("goes.example.com", "shop", TEAM, NOW)
    goes["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    ours, theirs = (worlds.domain(f"{of}.example.com", of, TEAM, NOW) for of in ("ours", "theirs"))
    ours["spec"]["appRef"]["name"], theirs["spec"]["appRef"]["name"] = "shop", "blog"
    server.put(goes, ours, theirs)
    names = [hostname] if options else ["first.example.com", hostname]
    refused = desk("domains", "add", *names, *options, "-a", "shop")

    assert refused.code == Exit.FAILED
    assert told in refused.err
    assert len(hostnames(server)) == 3


def test_hostnames_that_come_to_the_same_name_are_both_added(server: ApiServer, desk: Desk) -> None:
    server.put(worlds.domain("wildcard.example.com", "shop", TEAM, NOW))
    told = desk("domains", "add", "a-b.example.com", "a.b.example.com", "*.example.com", "-a", "shop")

    assert told.code == Exit.DONE
    found = {hostname: name for name, hostname in hostnames(server).items()}
    assert found["a-b.example.com"] == "a-b-example-com"
    assert found["a.b.example.com"].startswith("a-b-example-com-")
    assert found["*.example.com"].startswith("wildcard-example-com-")


def test_of_several_domains_with_a_hostname_none_is_removed_unnamed(server: ApiServer, desk: Desk) -> None:
    second = worlds.domain("www.example.com", "blog", TEAM, NOW)
    second["metadata"] |= {"name": "second", "uid": "second"}
    server.put(worlds.domain("www.example.com", "shop", TEAM, NOW), second)
    remove = ("domains", "remove", "--yes", "-o", "json")
    refused = desk(*remove, "www.example.com")

    assert refused.code == Exit.USAGE
    assert "give the name of one: second (of App blog), www-example-com (of App shop)." in refused.err
    assert set(hostnames(server)) == {"second", "www-example-com"}

    removed = desk(*remove, "second", "second").data
    assert [one["name"] for one in removed] == ["second"]
    assert desk(*remove, "www.example.com", "www-example-com").data[0]["name"] == "www-example-com"
    assert hostnames(server) == {}
