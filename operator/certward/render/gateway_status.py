"""What the controllers of the Gateway API say in the status of routes, listeners and policies."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from certward.render.manifests import Manifest

#: The conditions that say that something is wrong, and the status with which they do. Programmed is not among them: it
#: is False as long as the Gateway has no address, too, which is not the host's matter.
_WRONG = {"Accepted": "False", "ResolvedRefs": "False", "Conflicted": "True"}


def complaint(objects: Sequence[Manifest], controllers: Sequence[str], engine: str) -> str:
    """What is wrong with these objects as they are now, as one sentence; empty when nothing is said to be.

    Args:
        objects: ListenerSets, routes and policies, as they are in the cluster.
        controllers: whose words count where several may have a say (GatewayClass `spec.controllerName`).
        engine: name of the controller, for the sentence.
    """
    for manifest in objects:
        meta = manifest["metadata"]
        for condition in _conditions(manifest.get("status") or {}, controllers):
            is_about_now = condition.get("observedGeneration", 0) >= meta.get("generation", 0)
            if is_about_now and _WRONG.get(condition.get("type", "")) == condition.get("status"):
                words = condition.get("message") or condition.get("reason") or "not accepted"
                return f"{engine} does not take {manifest['kind']} {meta['name']}: {words.rstrip('.')}."
    return ""


def _conditions(status: Mapping[str, Any], controllers: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Those of the object, of its listeners, and of the parents of a route and the targets of a policy."""
    yield from status.get("conditions") or ()
    for listener in status.get("listeners") or ():
        yield from listener.get("conditions") or ()
    for key in ("parents", "ancestors"):
        for entry in status.get(key) or ():
            if entry.get("controllerName") in controllers:
                yield from entry.get("conditions") or ()
