"""Making the cluster hold what was rendered: written only where it differs, never over somebody else's object."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from certward.errors import Blocked, Conflict, Rejected
from certward.kube.client import Client, Object
from certward.kube.known import ABSENT, KnownObjects, Ref, Whose
from certward.names import ANNOTATION_RENDERED, LABEL_MANAGED_BY, MANAGED_BY


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
    """Applies manifests that differ from what is there. For many threads.

    Args:
        client: the API server.
        listed_every: how often `look_over` is going to be called, in seconds.
        is_free: whether it is known that nobody else has an object of this kind, namespace and name.
    """

    def __init__(self, client: Client, *, listed_every: float, is_free: Callable[[str, str, str], bool]) -> None:
        self._client = client
        self._is_free = is_free
        self._known = KnownObjects(listed_every)

    def present(self, manifests: Iterable[Mapping[str, Any]], *, is_doubted: bool = False) -> bool:
        """Make each of these be as rendered.

        Args:
            manifests: in the order in which they have to come.
            is_doubted: something is amiss, so that what the last LIST showed is not enough.

        Returns:
            Whether anything was written.

        Raises:
            Blocked: an object of that name is not Certward's; it is left alone.
            Transient, Rejected: the API server could not or would not.
        """
        wrote = False
        for manifest in manifests:
            ref, wanted = ref_of(manifest), marked(manifest)
            mark = str(wanted["metadata"]["annotations"][ANNOTATION_RENDERED])
            if self._known.is_right(ref, mark, is_doubted=is_doubted):
                continue
            live = self._known.listed(ref)
            if live is None and (written := self._written_unread(ref, mark, wanted)):
                self._known.remember(ref, mark, written)
                wrote = True
                continue
            live = live or self._client.get(*ref)
            if live is not None and not is_managed(live):
                raise Blocked(
                    "ObjectInTheWay",
                    f"{ref[0]} {ref[2]} in namespace {ref[1]} is not Certward's and is left untouched; rename or "
                    "delete it.",
                )
            kind = {name: wanted[name] for name in ("apiVersion", "kind")}  # left out of the items of a LIST
            if live is None or not holds({**live, **kind}, wanted):
                live = self._client.apply(wanted)
                wrote = True
            if live is not None and not live["metadata"].get("deletionTimestamp"):
                self._known.remember(ref, mark, live)
        return wrote

    def _written_unread(self, ref: Ref, mark: str, wanted: Mapping[str, Any]) -> Object | None:
        """Apply without a look at what is there where this cannot touch what is somebody else's.

        Returns:
            The object; None where it has to be looked at.
        """
        uid = self._known.uid_of_another(ref, mark)
        if not uid and not (self._known.is_new(ref) and self._is_free(*ref)):
            return None
        told = {**wanted, "metadata": {**wanted["metadata"], "uid": uid}} if uid else wanted
        try:
            written = self._client.apply(told, has_priority=bool(uid))
        except (Conflict, Rejected):
            # A uid is in conflict where nothing of the name is left, and invalid where another has taken its place.
            # What is refused for a reason of its own is refused again once it has been looked at.
            return None
        return written if written and not written["metadata"].get("deletionTimestamp") else None

    def absent(self, refs: Iterable[tuple[str, str, str]]) -> bool:
        """Make each of these not be there, unless it is not Certward's.

        Returns:
            Whether anything was deleted.
        """
        wrote = False
        for ref in refs:
            if self._known.is_right(ref, ABSENT):
                continue
            live = None if self._known.is_unlisted(ref) else self._client.get(*ref)
            if live is not None and is_managed(live):
                self._client.delete(*ref, uid=live["metadata"]["uid"])
                wrote = True
            self._known.remember(ref, ABSENT, None)
        return wrote

    def listed(self, refs: Iterable[Ref]) -> tuple[Ref, ...]:
        """Those of these that the first LIST of this process has shown, once; nothing is asked for."""
        return tuple(ref for ref in refs if self._known.listed(ref))

    def forget_absent(self, refs: Iterable[tuple[str, str, str]]) -> None:
        """Whoever these could have been made for is gone: that they are not there need not be known any more."""
        self._known.forget_absent(refs)

    def doubt(self, namespace: str) -> None:
        """A namespace may be another one of that name than before: its shared objects are read again."""
        self._known.doubt(namespace)

    def look_over(self, kind: str, *, is_new: bool = False) -> set[Whose]:
        """List all objects of a kind that the operator has made.

        Args:
            kind: the kind.
            is_new: keep what is listed until it has been compared.

        Returns:
            Whose are not as they were seen to be right.

        Raises:
            Transient, Rejected: the API server could not or would not.
        """
        labels = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
        bodies = self._client.list(kind, labels=labels, may_be_absent=True, is_metadata_only=not is_new)
        return self._known.list_shows(kind, bodies, keep=is_new)


def marked(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as it is applied: with a digest of itself.

    By it is seen what the manifest no longer has and the live object still does: a field that is left over within an
    item of a list looks like a default of the API server.
    """
    told = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    meta = manifest["metadata"]
    mark = {ANNOTATION_RENDERED: hashlib.sha256(told).hexdigest()[:16]}
    return {**manifest, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), **mark}}}


def ref_of(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, namespace and name of a manifest."""
    meta = manifest["metadata"]
    return (manifest["kind"], meta.get("namespace", ""), meta["name"])
