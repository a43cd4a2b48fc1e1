"""How the dashboard keeps up with a cluster that refuses, comes late, or is not there for a while.

The API server is one of a few lines (tests/dashboard/api_server.py), of which everything can be had at will.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certward.cli.api import Api
from certward.dashboard import following
from certward.dashboard.following import Following
from certward.dashboard.store import Cause, Snapshot, Store, Trouble
from cluster.waiting import wait_for
from dashboard import worlds
from dashboard.api_server import ApiServer, api_server

READ = ("list", "watch")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    now = worlds.now()
    with api_server(
        worlds.app("shop", "team-a", now),
        worlds.domain("www.example.com", "shop", "team-a", now),
        worlds.domain("blog.example.com", "blog", "team-b", now),
        *(namespace(name) for name in ("team-a", "team-b", "team-c")),
    ) as running:
        yield running


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def followed(server: ApiServer, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Following]:
    """Ready to start, with short pauses."""
    for name in ("LOOK", "DENIED_PAUSE"):
        monkeypatch.setattr(following, name, 0.1)
    monkeypatch.setattr(following, "PAUSES", (0.1,))
    made = Following(Api(str(server.kubeconfig(tmp_path)), None), store)
    yield made
    made.stop.set()


def namespace(name: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": name}}


def until(store: Store, hostnames: set[str]) -> Snapshot:
    def found() -> Snapshot | None:
        seen = store.snapshot()
        return seen if {row.hostname for row in seen.domains} == hostnames and not seen.missing else None

    return wait_for(found, 20, f"{hostnames} are known")


def until_told(store: Store, text: str) -> Trouble:
    return wait_for(
        lambda: next((one for one in store.snapshot().troubles if text in one.text), None), 20, f"{text} is told"
    )


BOTH = {"www.example.com", "blog.example.com"}


def test_changes_are_followed(server: ApiServer, store: Store, followed: Following) -> None:
    followed.start()
    assert until(store, BOTH).scope == "all namespaces"
    server.put(worlds.domain("new.example.com", "shop", "team-a", worlds.now()))
    until(store, {*BOTH, "new.example.com"})
    server.drop("Domain", "team-a", "new-example-com")
    until(store, BOTH)
    assert store.snapshot().troubles == ()


def test_where_not_all_may_be_listed_it_looks_where_it_may(
    server: ApiServer, store: Store, followed: Following
) -> None:
    server.may = lambda verb, plural, namespace, _: plural == "namespaces" or (verb in READ and namespace == "team-b")
    followed.start()
    assert until(store, {"blog.example.com"}).scope == "namespace team-b"
    assert store.snapshot().troubles == ()


def test_each_kind_tells_where_it_is_looked_for(server: ApiServer, store: Store, followed: Following) -> None:
    server.may = lambda _, plural, namespace, __: plural != "tlspolicies" or namespace == "team-a"
    followed.start()
    wait_for(lambda: "policies" in until(store, BOTH).scope, 20, "the scopes are told")
    assert store.snapshot().scope == "apps and domains: all namespaces; policies: namespace team-a"


def test_credentials_that_are_refused_for_a_while_do_not_narrow_what_is_seen(
    server: ApiServer, store: Store, followed: Following
) -> None:
    server.is_known = False
    followed.start()
    until_told(store, "does not accept your credentials")
    server.is_known = True
    assert until(store, BOTH).scope == "all namespaces"
    wait_for(lambda: not store.snapshot().troubles, 20, "nothing is told any more")


def test_an_api_server_that_goes_away_while_rights_are_looked_up_is_asked_again(
    server: ApiServer, store: Store, followed: Following
) -> None:
    server.may = lambda verb, plural, namespace, _: plural == "namespaces" or (verb in READ and namespace == "team-b")
    asked = 0

    def before(_: str, plural: str) -> None:
        nonlocal asked
        asked += plural == "selfsubjectaccessreviews"
        server.refusal = (503, "etcd is away") if 3 <= asked < 30 else None
        asked += server.refusal is not None

    server.before = before
    followed.start()
    assert until(store, {"blog.example.com"}).scope == "namespace team-b"


def test_what_was_seen_before_a_right_went_is_shown_as_of_then(
    server: ApiServer, store: Store, followed: Following
) -> None:
    followed.start()
    until(store, BOTH)
    begun = worlds.now()
    server.may = lambda *_: False
    server.refuse(503, "it restarts")
    until_told(store, "503")
    server.refusal = None
    told = until_told(store, "no right to list domains.certward.dev")
    assert told.cause is Cause.DENIED
    assert told.seen_at is not None
    assert told.seen_at - begun < timedelta(seconds=2)
    assert len(store.snapshot().domains) == 2


def test_trouble_that_changes_its_words_is_still_as_of_the_last_look(
    server: ApiServer, store: Store, followed: Following
) -> None:
    followed.start()
    until(store, BOTH)
    server.refuse(503, "first")
    first = until_domains_are_troubled(store, "first").seen_at
    server.refusal = (503, "second")
    assert until_domains_are_troubled(store, "second").seen_at == first


def until_domains_are_troubled(store: Store, text: str) -> Trouble:
    """One kind of three, each of which was seen last at a time of its own."""

    def found() -> Trouble | None:
        trouble = store._troubles.get("Domain/")
        return trouble if trouble and text in trouble.text else None

    return wait_for(found, 20, f"{text} is told of Domains")


def test_what_was_never_seen_is_not_as_of_any_time(server: ApiServer, store: Store, followed: Following) -> None:
    server.refusal = (503, "it starts")
    followed.start()
    assert until_told(store, "it starts").seen_at is None
    server.refusal = None
    until(store, BOTH)


def test_a_mistake_in_following_is_told(store: Store, followed: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the page would go on showing what is no longer so."""

    def wrong(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(store, "replace", wrong)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    followed.start()
    told = until_told(store, "is no longer followed")
    assert "RuntimeError" in told.text
    assert told.cause is Cause.BROKEN


def test_many_namespaces_are_looked_at_at_a_pace(
    server: ApiServer, store: Store, followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOKS_PER_SECOND", 20)
    many = [f"ns-{number:03}" for number in range(40)]
    server.put(*(namespace(name) for name in many))
    server.may = lambda _, plural, namespace, __: plural == "namespaces" or namespace in many
    followed.start()
    wait_for(lambda: store.snapshot().missing == (), 20, "they were looked at")
    before, started = len(server.asked), time.monotonic()
    wait_for(lambda: time.monotonic() - started > 1, 5)
    assert len(server.asked) - before < 3 * 20 * (time.monotonic() - started) * 1.5


def test_namespaces_beyond_what_is_looked_at_are_not_left_out_silently(
    server: ApiServer, store: Store, followed: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_NAMESPACES", 2)
    server.may = lambda _, plural, namespace, __: plural == "namespaces" or bool(namespace)
    followed.start()
    assert until_told(store, "more than 2 namespaces").cause is Cause.DENIED
    until(store, BOTH)
