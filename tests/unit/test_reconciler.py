"""What a pass has written concerns others also where the pass fails afterwards."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from builders import app, body, domain
from certward.errors import Transient
from certward.kube.cache import Cache
from certward.model.resources import Domain, Key
from certward.names import ANNOTATION_DEFAULT_REVISION
from certward.runtime.apps import Apps
from certward.runtime.domains import Domains
from certward.runtime.memory import Memories, Memory
from certward.runtime.queue import WorkQueue
from certward.runtime.reconciler import Reconciler

WWW, SHOP, API = Key("Domain", "team-a", "www"), Key("App", "team-a", "shop"), Key("Domain", "team-a", "api")
FAILURE = Transient("APIServerUnavailable", "It is starting.")


class Room:
    """Works on keys: names what it touches, and fails or not."""

    def __init__(self, touches: set[Key], failure: Exception | None) -> None:
        self._touches, self._failure = touches, failure

    def reconcile(self, _key: Key, touched: set[Key], *, is_news: bool = True) -> None:
        assert is_news
        touched |= self._touches
        if self._failure:
            raise self._failure


def worked_on(key: Key, room: Room) -> tuple[WorkQueue, list[Key]]:
    """The queue after one pass, and what is to be looked at because of it."""
    queue, told = WorkQueue(), []
    intake = SimpleNamespace(enqueue=told.extend, sums_up=lambda _: None, unseen=SimpleNamespace(saw=lambda _: None))
    others: dict[str, Any] = dict.fromkeys(("namespaces", "policies", "holding"))
    reconciler = Reconciler(queue, domains=room, apps=room, builtins=room, intake=intake, workers=0, **others)
    queue.add(key)
    assert queue.take(1.0) == key
    reconciler._reconcile(key)
    queue.done(key)
    return queue, told


@pytest.mark.parametrize("failure", [None, FAILURE, RuntimeError("a mistake")], ids=["done", "failed", "a mistake"])
@pytest.mark.parametrize("kind", ["Domain", "App", "Builtin"])
def test_what_was_touched_is_looked_at_whatever_becomes_of_the_pass(kind, failure):
    _, told = worked_on(Key(kind, "team-a", "www"), Room({SHOP, API}, failure))
    assert set(told) == {SHOP, API}


def test_a_key_that_has_failed_comes_again_after_its_pause_and_not_at_once():
    queue, told = worked_on(WWW, Room({WWW, SHOP}, FAILURE))
    assert told == [SHOP]
    assert queue.take(0.1) is None
    assert queue.take(5.0) == WWW


class Failing(Domains):
    """Its second step cannot be done, after the first one was written down."""

    def _pass(self, domain: Domain, memory: Memory, touched: set[Key]) -> None:
        assert memory.named
        if SHOP in touched:
            raise FAILURE
        touched.add(Key("App", domain.meta.namespace, domain.app))


def test_a_domain_whose_later_step_fails_tells_what_its_status_concerns():
    cache, touched = Cache(), set()
    cache.put(domain())
    rooms = ("gatherer", "secrets", "manuals", "routes", "status", "revocations", "prover", "glances")
    given: dict[str, Any] = dict.fromkeys(rooms)
    given |= {"issuance": SimpleNamespace(begin=lambda: None), "memories": Memories(datetime.now(UTC))}
    with pytest.raises(Transient):
        Failing(cache, **given).reconcile(WWW, touched)
    assert touched == {SHOP}


class Policies:
    """Knows the revision, and nothing that comes after."""

    def revision_of(self, _app: object) -> str:
        return "2026-11"

    def effective(self, _app: object) -> None:
        raise FAILURE


class Client:
    """Pins the App."""

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        spec = {"service": {"name": "shop", "port": 80}}
        marks = manifest["metadata"]["annotations"]
        return body("App", spec, name="shop", uid="uid-team-a-shop", annotations=marks, generation=1)


def test_an_app_that_was_pinned_tells_its_domains_also_where_its_status_cannot_be_written():
    cache, touched = Cache(), set()
    for resource in (app(), domain()):
        cache.put(resource)
    given: dict[str, Any] = dict.fromkeys(["classes", "services", "memories", "builtins", "events"])
    apps = Apps(None, Client(), cache, policies=Policies(), **given)
    with pytest.raises(Transient):
        apps.reconcile(SHOP, touched)
    pinned = cache.app("team-a", "shop")
    assert pinned
    assert pinned.meta.annotations[ANNOTATION_DEFAULT_REVISION] == "2026-11"
    assert WWW in touched
