"""Making the cluster hold what was rendered: written only where it differs, never over somebody else's object."""

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from certward.errors import Blocked
from certward.kube.client import Client
from certward.names import ANNOTATION_RENDERED, LABEL_MANAGED_BY, MANAGED_BY

#: How long an object that was seen to be right is taken to be so within a burst of passes over the same key. One with
#: an owner is named with the owner's uid, so that it is never taken for that of a namesake made anew.
_TRUST_SECONDS, _TRUST_OWNED_SECONDS = 3.0, 20.0
#: So many are remembered before those that are not believed any more are forgotten.
_MOST = 65536
_ABSENT = ""


def is_managed(live: Mapping[str, Any]) -> bool:
    """Whether an object carries Certward's label."""
    return (live["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) == MANAGED_BY


def holds(live: object, wanted: object) -> bool:
    """Whether everything in `wanted` is so in `live`; what the API server or others added does not count."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(holds(live.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(holds(one, other) for one, other in zip(live, wanted, strict=True))
        )
    return live == wanted


class Ensurer:
    """Applies manifests that differ from what is there. For many threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str], tuple[str, float]] = {}

    def present(self, manifests: Iterable[Mapping[str, Any]]) -> bool:
        """Make each of these be as rendered.

        Returns:
            Whether anything was written.

        Raises:
            Blocked: an object of that name is not Certward's; it is left alone.
            Transient, Rejected: the API server could not or would not.
        """
        wrote = False
        for manifest in manifests:
            ref, wanted = ref_of(manifest), marked(manifest)
            mark = _mark(wanted)
            trusted = _TRUST_OWNED_SECONDS if manifest["metadata"].get("ownerReferences") else _TRUST_SECONDS
            if self._is_fresh(ref, mark, trusted):
                continue
            live = self._client.get(*ref)
            if live is not None and not is_managed(live):
                raise Blocked(
                    "ObjectInTheWay",
                    f"{ref[0]} {ref[2]} in namespace {ref[1]} is not Certward's and is left untouched; rename or "
                    "delete it.",
                )
            if live is None or not holds(live, wanted):
                self._client.apply(wanted)
                wrote = True
            self._remember(ref, mark)
        return wrote

    def absent(self, refs: Iterable[tuple[str, str, str]]) -> bool:
        """Make each of these not be there, unless it is not Certward's.

        Returns:
            Whether anything was deleted.
        """
        wrote = False
        for ref in refs:
            if self._is_fresh(ref, _ABSENT, _TRUST_OWNED_SECONDS):
                continue
            live = self._client.get(*ref)
            if live is not None and is_managed(live):
                self._client.delete(*ref, uid=live["metadata"]["uid"])
                wrote = True
            self._remember(ref, _ABSENT)
        return wrote

    def forget(self, kind: str, namespace: str, name: str) -> None:
        """Look at an object anew next time."""
        with self._lock:
            self._seen.pop((kind, namespace, name), None)

    def _is_fresh(self, ref: tuple[str, str, str], mark: str, trusted: float) -> bool:
        with self._lock:
            seen = self._seen.get(ref)
        return seen is not None and seen[0] == mark and time.monotonic() - seen[1] < trusted

    def _remember(self, ref: tuple[str, str, str], mark: str) -> None:
        now = time.monotonic()
        with self._lock:
            if len(self._seen) > _MOST:
                self._seen = {r: s for r, s in self._seen.items() if now - s[1] < _TRUST_OWNED_SECONDS}
            self._seen[ref] = (mark, now)


def marked(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as it is applied: with a digest of itself.

    By it is seen what the manifest no longer has and the live object still does: a field that is left over within an
    item of a list looks like a default of the API server.
    """
    told = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    meta = manifest["metadata"]
    mark = {ANNOTATION_RENDERED: hashlib.sha256(told.encode()).hexdigest()[:16]}
    return {**manifest, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), **mark}}}


def _mark(wanted: Mapping[str, Any]) -> str:
    return str(wanted["metadata"]["annotations"][ANNOTATION_RENDERED])


def ref_of(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, namespace and name of a manifest."""
    meta = manifest["metadata"]
    return (manifest["kind"], meta.get("namespace", ""), meta["name"])
