"""What kopf is told, by what it then does with an event: handlers get it, and nothing of it is copied or written."""

import asyncio
import inspect

import kopf
import pytest
from kopf._cogs.structs.ephemera import Memo
from kopf._cogs.structs.references import Resource
from kopf._core.engines.indexing import OperatorIndexers
from kopf._core.reactor.inventory import ResourceMemories
from kopf._core.reactor.processing import process_resource_event

from certward.handlers.lifecycle import settings

DOMAINS = Resource("certward.dev", "v1alpha1", "domains", kind="Domain", namespaced=True)


def body():
    meta = {"name": "www", "namespace": "team-a", "uid": "u", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    return {"apiVersion": "certward.dev/v1alpha1", "kind": "Domain", "metadata": meta, "spec": {"hostname": "x"}}


def tell(event, registry):
    """Have kopf work on an event of a watch. It has no login: a write to the API server would fail."""
    return asyncio.run(
        process_resource_event(
            lifecycle=kopf.lifecycles.all_at_once,
            indexers=OperatorIndexers(),
            registry=registry,
            settings=settings(),
            memories=ResourceMemories(),
            memobase=Memo(),
            resource=DOMAINS,
            raw_event=event,
            event_queue=asyncio.Queue(),
            no_throttling=True,
        )
    )


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED", "DELETED"])
def test_kopf_hands_an_event_on_as_it_came_and_writes_nothing(kind):
    came = []
    registry = kopf.OperatorRegistry()

    async def on_event(**told):
        came.append((told["type"], dict(told["body"])))

    kopf.on.event("certward.dev", "v1alpha1", "domains", registry=registry, id="watch-domains")(on_event)
    patched = tell({"type": kind, "object": body()}, registry)
    assert came == [(kind, body())]
    assert patched is None


def test_kopf_keeps_and_compares_nothing():
    """As kopf calls it for each event, and would call it for handlers of changes."""
    made = settings()
    storage, told, patch = made.persistence.diffbase_storage, kopf.Body(body()), kopf.Patch()
    assert storage.fetch(body=told) is None
    essence = storage.build(body=told, extra_fields={("status", "state")})
    assert essence == {}
    assert made.persistence.progress_storage.clear(essence=essence) == {}
    storage.store(body=told, patch=patch, essence=essence)
    assert not patch


@pytest.mark.parametrize("name", ["build", "fetch", "store"])
def test_what_kopf_may_give_is_taken(name):
    wanted = inspect.signature(getattr(kopf.DiffBaseStorage, name)).parameters
    storage = settings().persistence.diffbase_storage
    inspect.signature(getattr(storage, name)).bind(**{each: None for each in wanted if each != "self"})
