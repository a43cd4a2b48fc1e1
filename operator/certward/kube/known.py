"""What is known of the objects that the operator has made, so that not each pass has to read each of them.

An object that was seen to be right is right until a LIST of its kind shows another version of it. The lists are made
every so often, by label, page by page. One that is made when a replica begins to work is kept, packed, until each
object has been compared: so a new leader compares ten thousand hosts without reading their objects one by one.
"""

import math
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from certward.errors import OperatorError
from certward.names import LABEL_APP, LABEL_DOMAIN

Ref = tuple[str, str, str]
#: In the place of an object as it was listed: there is one of that name, and it has to be read.
_NAMED = ("", b"")
#: The mark of what is known not to be there.
ABSENT = ""
#: Without lists, what was seen to be right is believed for a burst of passes, in seconds; less where the object has no
#: owner, whose uid would tell it from a namesake's made anew.
_BELIEVED, _BELIEVED_UNOWNED = 20.0, 3.0
#: What a LIST was kept for is believed for so long, in seconds.
_LIST_BELIEVED = 300.0
#: What is known not to be there is forgotten when nobody has asked for so long, in seconds: its Domain may be gone.
_UNASKED = 3600.0
_KEPT_META = ("name", "namespace", "labels", "annotations", "ownerReferences", "resourceVersion", "uid")


class Whose(NamedTuple):
    """Who is to be looked at for an object: a Domain, an App, or (both empty) what a namespace shares."""

    namespace: str
    domain: str
    app: str


class _Entry(NamedTuple):
    mark: str
    version: str
    uid: str
    at: float
    is_owned: bool


class KnownObjects:
    """For many threads.

    Args:
        every: how often each kind is listed, in seconds.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._lock = threading.Lock()
        self._of: dict[str, dict[Ref, tuple[_Entry, Whose | None]]] = {}
        self._unowned: dict[str, set[Ref]] = {}
        self._packed: dict[Ref, tuple[str, bytes]] = {}
        self._kept: dict[str, float] = {}
        self._listed: dict[str, float] = {}

    def is_right(self, ref: Ref, mark: str, *, is_doubted: bool = False) -> bool:
        """Whether an object is known to be as `mark` says, so that it need not be read.

        Args:
            ref: of the object.
            mark: what it should be.
            is_doubted: believe only what was seen a moment ago.
        """
        now = time.monotonic()
        with self._lock:
            entry, _ = self._of.get(ref[0], {}).get(ref, (None, None))
            if entry is None or entry.mark != mark:
                return False
            if mark == ABSENT and now - entry.at > _UNASKED / 4:
                self._of[ref[0]][ref] = (entry._replace(at=now), None)
            believed = _BELIEVED if entry.is_owned or mark == ABSENT else _BELIEVED_UNOWNED
            listed_at = -math.inf if is_doubted else self._listed.get(ref[0], -math.inf)
            return now - entry.at < believed or now - listed_at < 2.5 * self._every

    def uid_of_another(self, ref: Ref, mark: str) -> str:
        """The uid of an object that was there a moment ago and not as `mark` says; empty where there was none."""
        with self._lock:
            entry, _ = self._of.get(ref[0], {}).get(ref, (None, None))
            is_another = entry is not None and entry.mark != mark and time.monotonic() - entry.at < _BELIEVED
            return entry.uid if entry and is_another else ""

    def is_new(self, ref: Ref) -> bool:
        """Whether no LIST has shown, and nobody has made, an object of this name."""
        with self._lock:
            entry, _ = self._of.get(ref[0], {}).get(ref, (None, None))
            is_known = entry is not None and entry.mark != ABSENT
            return ref[0] in self._listed and not is_known and ref not in self._packed

    def listed(self, ref: Ref) -> Mapping[str, Any] | None:
        """An object as the first LIST showed it; once."""
        with self._lock:
            _, packed = self._packed.get(ref, _NAMED)
            if packed:
                self._packed[ref] = _NAMED
            at = self._kept.get(ref[0], -math.inf)
        if not packed or time.monotonic() - at > _LIST_BELIEVED:
            return None
        body: Mapping[str, Any] = orjson.loads(zlib.decompress(packed))
        return body

    def is_unlisted(self, ref: Ref) -> bool:
        """Whether the LIST that is kept shows that nothing of the operator's has this name."""
        with self._lock:
            at = self._kept.get(ref[0])
            is_named = ref in self._packed or ref in self._of.get(ref[0], {})
            return at is not None and time.monotonic() - at < _LIST_BELIEVED and not is_named

    def remember(self, ref: Ref, mark: str, live: Mapping[str, Any] | None) -> None:
        """An object has been seen, or written, to be as `mark` says."""
        meta = (live or {}).get("metadata") or {}
        version, uid = (str(meta.get(name, "")) for name in ("resourceVersion", "uid"))
        entry = _Entry(mark, version, uid, time.monotonic(), bool(meta.get("ownerReferences")))
        with self._lock:
            self._packed.pop(ref, None)
            self._of.setdefault(ref[0], {})[ref] = (entry, _whose(ref[1], meta) if live else None)
            if live and not entry.is_owned:
                self._unowned.setdefault(ref[1], set()).add(ref)
            else:
                self._is_not_unowned(ref)

    def forget_absent(self, refs: Iterable[Ref]) -> None:
        """Nobody is going to ask for these any more; what is known to be there is known until a LIST lacks it."""
        with self._lock:
            for ref in refs:
                entry, _ = self._of.get(ref[0], {}).get(ref, (None, None))
                if entry is not None and entry.mark == ABSENT:
                    del self._of[ref[0]][ref]

    def doubt(self, namespace: str) -> None:
        """A namespace may have been made anew: what has no owner there is read again."""
        seen_before = time.monotonic() - _BELIEVED_UNOWNED
        with self._lock:
            for ref in self._unowned.pop(namespace, ()):
                entry, _ = self._of.get(ref[0], {}).get(ref, (None, None))
                if entry is not None and entry.at < seen_before:
                    self._drop(ref)
                elif entry is not None:
                    self._unowned.setdefault(namespace, set()).add(ref)

    def list_shows(self, kind: str, bodies: Iterable[Mapping[str, Any]], *, keep: bool = False) -> set[Whose]:
        """Take in a full LIST of the operator's objects of a kind.

        Args:
            kind: the kind.
            bodies: all of them, or their metadata where they are not to be kept; what breaks off before the end says
                nothing of what it has not shown.
            keep: pack what is not known yet, to be compared without being read.

        Returns:
            Whose objects are others than those that were seen to be right.

        Raises:
            OperatorError: as `bodies` does, where nothing was found before.
        """
        began = time.monotonic()
        there: set[Ref] = set()
        changed: set[Whose] = set()
        try:
            for body in bodies:
                there.add(self._list_shows(kind, body, began, changed, keep=keep))
        except OperatorError:
            if not changed:
                raise
            return changed  # the next LIST finds the rest
        with self._lock:
            entries = self._of.get(kind, {})
            if keep:
                self._kept[kind] = began
            elif began - self._kept.get(kind, began) > _LIST_BELIEVED:
                del self._kept[kind]
                self._packed = {ref: packed for ref, packed in self._packed.items() if ref[0] != kind}
            unlisted = [ref for ref in entries if ref not in there]
            for ref in unlisted:
                entry, whose = entries[ref]
                if entry.at < (began - _UNASKED if entry.mark == ABSENT else began):
                    del entries[ref]
                    self._is_not_unowned(ref)
                    changed |= {whose} if whose else set()
            self._listed[kind] = began
        return changed

    def _list_shows(self, kind: str, body: Mapping[str, Any], began: float, changed: set[Whose], *, keep: bool) -> Ref:
        meta = body["metadata"]
        ref, version = (kind, meta.get("namespace", ""), meta["name"]), meta["resourceVersion"]
        with self._lock:
            entry, whose = self._of.get(kind, {}).get(ref, (None, None))
            packed, _ = self._packed.get(ref, _NAMED)
            if entry is None and keep:
                self._packed[ref] = (version, _pack(body))
            elif entry is None and packed not in ("", version):
                self._packed[ref] = _NAMED
            elif entry is None and kind in self._kept:
                self._packed.setdefault(ref, _NAMED)
            elif entry and entry.at < began and entry.version != version:
                self._drop(ref)
                changed.add(whose or _whose(ref[1], meta))
        return ref

    def _is_not_unowned(self, ref: Ref) -> None:
        of_namespace = self._unowned.get(ref[1], set())
        of_namespace.discard(ref)
        if not of_namespace:
            self._unowned.pop(ref[1], None)

    def _drop(self, ref: Ref) -> None:
        """Forget what an object is like, and not that there is one of that name."""
        del self._of[ref[0]][ref]
        self._packed[ref] = _NAMED


def _whose(namespace: str, meta: Mapping[str, Any]) -> Whose:
    labels = meta.get("labels") or {}
    return Whose(namespace, labels.get(LABEL_DOMAIN, ""), labels.get(LABEL_APP, ""))


def _pack(body: Mapping[str, Any]) -> bytes:
    """An object without what nobody compares: about a third of a kilobyte."""
    kept = {name: value for name, value in body.items() if name != "status"}
    wanted = (*_KEPT_META, "deletionTimestamp")
    kept["metadata"] = {name: body["metadata"][name] for name in wanted if name in body["metadata"]}
    return zlib.compress(orjson.dumps(kept), 1)
