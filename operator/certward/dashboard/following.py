"""Follows the three kinds with the user's rights.

By list and watch, or by looking again and again where a watch is not allowed; all namespaces at once, or one by one
where that is not allowed.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from certward.cli import words
from certward.cli.api import Api, Watch
from certward.cli.errors import CliError, Exit
from certward.dashboard.store import KINDS, Store, Trouble

#: Seconds: how long one watch runs, how often is looked without one, and the pauses after a failure.
_WATCH: Final = 30
_LOOK: Final = 5.0
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
#: Seconds after which is looked whether a right was given that was missing.
_DENIED_PAUSE: Final = 15.0
#: Of more namespaces than this none is watched; they are looked at in turn.
_MOST_WATCHED: Final = 4
_MOST_NAMESPACES: Final = 200


@dataclass(slots=True)
class Following:
    """Threads that keep a store up to date.

    Attributes:
        api: the cluster as the user.
        store: where it is told.
        namespaces: those to look into; empty for all that the user may see.
    """

    api: Api
    store: Store
    namespaces: tuple[str, ...] = ()
    _stop: threading.Event = field(default_factory=threading.Event)
    _watches: dict[tuple[str, str], Watch] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin, in threads that end with the process or by `stop`."""
        for kind in KINDS:
            if self.namespaces:
                self._follow_each(kind, self.namespaces)
            else:
                self._run(self._follow_all, kind)

    def stop(self) -> None:
        """End every thread."""
        self._stop.set()
        for watch in list(self._watches.values()):
            watch.close()
        for thread in list(self._threads):
            thread.join(10)

    def _run(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _follow_all(self, kind: str) -> None:
        """All namespaces at once; where that is forbidden, those that the user may look into."""
        while not self._stop.is_set():
            try:
                self.api.list_at(kind)
            except CliError as error:
                if error.code is not Exit.NO_RIGHTS:
                    self._failed(kind, "", error)
                    self._stop.wait(_PAUSES[1])
                    continue
                found = self._namespaces_of(kind)
                self.store.tell_scope(scope_words(found))
                self.store.trouble(f"{kind}/", None)
                self._follow_each(kind, found)
                return
            self.store.tell_scope("all namespaces")
            self._follow(kind, "")

    def _namespaces_of(self, kind: str) -> tuple[str, ...]:
        """The namespaces in which the user may list a kind; that of the context where none is known."""
        mine = self.api.place.namespace
        try:
            page = self.api.raw("GET", f"/api/v1/namespaces?limit={_MOST_NAMESPACES}") or {}
        except CliError:
            return (mine,)
        names = [str(item["metadata"]["name"]) for item in page.get("items") or ()]
        plural = f"{kind.lower()}s" if kind != "TLSPolicy" else "tlspolicies"
        allowed = []
        for name in names:
            with suppress(CliError):
                if self.api.may("list", plural, name, group="certward.dev"):
                    allowed.append(name)
        return tuple(allowed) or (mine,)

    def _follow_each(self, kind: str, namespaces: Sequence[str]) -> None:
        if len(namespaces) <= _MOST_WATCHED:
            for namespace in namespaces:
                self._run(self._follow, kind, namespace)
        else:
            self._run(self._look, kind, tuple(namespaces))

    def _follow(self, kind: str, namespace: str) -> None:
        """List, then watch from there on, for ever."""
        failures, version = 0, ""
        while not self._stop.is_set():
            try:
                if not version:
                    version = self._list(kind, namespace)
                begun = time.monotonic()
                version = self._watch(kind, namespace, version)
                failures = 0
                self._stop.wait(max(0.0, 1.0 - (time.monotonic() - begun)))  # of streams that end at once
            except CliError as error:
                version = ""
                if error.code is Exit.NO_RIGHTS and self._looked(kind, namespace):
                    self._stop.wait(_LOOK)  # it may be listed and not watched
                    continue
                if error.code is not Exit.NO_RIGHTS:
                    self._failed(kind, namespace, error)
                denied = error.code is Exit.NO_RIGHTS
                self._stop.wait(_DENIED_PAUSE if denied else _PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    def _look(self, kind: str, namespaces: Sequence[str]) -> None:
        """Look at many namespaces in turn, for ever."""
        while not self._stop.is_set():
            for namespace in namespaces:
                self._looked(kind, namespace)
            self._stop.wait(_LOOK)

    def _looked(self, kind: str, namespace: str) -> bool:
        """List once; whether that went well, which is told."""
        try:
            self._list(kind, namespace)
        except CliError as error:
            self._failed(kind, namespace, error)
            return False
        return True

    def _list(self, kind: str, namespace: str) -> str:
        bodies, version = self.api.list_at(kind, namespace)
        self.store.replace(kind, namespace, bodies, datetime.now(UTC))
        self.store.trouble(f"{kind}/{namespace}", None)
        return version

    def _watch(self, kind: str, namespace: str, version: str) -> str:
        """Follow until the stream ends; the version to go on from, empty where a new list is needed."""
        watch = self._watches[kind, namespace] = self.api.watch(kind, namespace, version, seconds=_WATCH)
        if self._stop.is_set():
            watch.close()
        self.store.alive(kind, datetime.now(UTC))
        for event, body in watch:
            if event == "ERROR" or "metadata" not in body:
                return ""
            version = str(body["metadata"].get("resourceVersion") or version)
            if event == "BOOKMARK":
                self.store.alive(kind, datetime.now(UTC))
            else:
                self.store.change(kind, event, {"kind": kind, **body}, datetime.now(UTC))
        return version

    def _failed(self, kind: str, namespace: str, error: CliError) -> None:
        if self._stop.is_set():
            return
        text = error.message.replace(" Leave out -A, or ask your administrator.", " Ask your administrator.")
        self.store.trouble(
            f"{kind}/{namespace}", Trouble(text, datetime.now(UTC), is_denied=error.code is Exit.NO_RIGHTS)
        )


def scope_words(namespaces: Sequence[str]) -> str:
    """Where it is looked, in words."""
    if not namespaces:
        return "all namespaces"
    noun = "namespace" if len(namespaces) == 1 else "namespaces"
    return f"{noun} {words.listed(namespaces, 3)}"
