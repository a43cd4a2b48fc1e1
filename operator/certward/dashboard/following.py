"""Follows the three kinds with the user's rights.

By list and watch, or by looking again and again where a watch is not allowed; all namespaces at once, or one by one
where that is not allowed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, ParamSpec

from certward.cli import words
from certward.cli.api import Api
from certward.cli.errors import CliError, Exit
from certward.dashboard.store import KINDS, Cause, Store, Trouble
from certward.kube import kinds
from certward.names import GROUP

P = ParamSpec("P")

#: Seconds: how long one watch runs, how often is looked without one, and the pauses after a failure.
WATCH: Final = 30
LOOK: Final = 5.0
PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
#: Seconds after which is looked whether a right was given that was missing.
DENIED_PAUSE: Final = 15.0
#: Of more namespaces than this none is watched; they are looked at in turn, at this pace for each kind.
MOST_WATCHED: Final = 4
LOOKS_PER_SECOND: Final = 4.0
MOST_NAMESPACES: Final = 200


@dataclass(slots=True)
class Following:
    """Threads that keep a store up to date.

    Attributes:
        api: the cluster as the user.
        store: where it is told.
        namespaces: those to look into; empty for all that the user may see.
        stop: set to end them; they end with the process as well.
    """

    api: Api
    store: Store
    namespaces: tuple[str, ...] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    _seen_at: dict[str, datetime] = field(default_factory=dict)

    def start(self) -> None:
        """Begin."""
        for kind in KINDS:
            if self.namespaces:
                self.store.tell_scope(kind, scope_words(self.namespaces))
                self._follow_each(kind, self.namespaces)
            else:
                self.run(kind, self._follow_all, kind)

    def run(self, what: str, target: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run something beside the pages. That it has ended by a mistake is told there.

        Args:
            what: that it follows, in words.
            target: the function; it ends when `stop` is set.
            args: for it.
            kwargs: for it.
        """

        def running() -> None:
            try:
                target(*args, **kwargs)
            except Exception as error:
                text = f"{what} is no longer followed, by a mistake ({type(error).__name__}). Start the dashboard anew."
                self.store.trouble(what, Trouble(text, Cause.BROKEN))
                raise

        threading.Thread(target=running, daemon=True).start()

    def _follow_all(self, kind: str) -> None:
        """All namespaces at once; where that is forbidden, those that the user may look into."""
        failures = 0
        while not self.stop.is_set():
            try:
                version = self._list(kind, "")
            except CliError as error:
                if found := self._instead_of_all(kind, error):
                    self.store.trouble(_key(kind, ""), None)
                    self.store.tell_scope(kind, scope_words(found))
                    self._follow_each(kind, found)
                    return
                self._failed(kind, "", error)
                self.stop.wait(_pause(failures))
                failures += 1
            else:
                self.store.tell_scope(kind, scope_words(()))
                self._follow(kind, "", version)

    def _instead_of_all(self, kind: str, error: CliError) -> tuple[str, ...]:
        """The namespaces in which the user may list a kind that they may not list in all; none where that is unknown.

        By the API server's own word: credentials that it does not accept just now are refused in the same way.
        """
        plural = kinds.KINDS[kind][1]
        try:
            if error.code is not Exit.NO_RIGHTS or self.api.may("list", plural, group=GROUP):
                return ()
            names = self._namespaces() or (self.api.place.namespace,)
            allowed = [name for name in names if self.api.may("list", plural, name, group=GROUP)]
        except CliError:
            return ()
        return tuple(allowed) or (self.api.place.namespace,)

    def _namespaces(self) -> tuple[str, ...]:
        """The namespaces that there are; none where the user may not list them."""
        try:
            page = self.api.raw("GET", f"/api/v1/namespaces?limit={MOST_NAMESPACES}") or {}
        except CliError as error:
            if error.code is not Exit.NO_RIGHTS:
                raise
            return ()
        if (page.get("metadata") or {}).get("continue"):
            text = f"There are more than {MOST_NAMESPACES} namespaces, and only the first are looked into. "
            self.store.trouble("namespaces", Trouble(f"{text}Name those that you mean by -n.", Cause.DENIED))
        return tuple(str(item["metadata"]["name"]) for item in page.get("items") or ())

    def _follow_each(self, kind: str, namespaces: Sequence[str]) -> None:
        if len(namespaces) <= MOST_WATCHED:
            for namespace in namespaces:
                self.run(f"{kind} in {namespace}", self._follow, kind, namespace)
        else:
            self.run(kind, self._look, kind, tuple(namespaces))

    def _follow(self, kind: str, namespace: str, version: str = "") -> None:
        """List, unless that was done, then watch from there on, for ever."""
        failures = 0
        while not self.stop.is_set():
            try:
                version = version or self._list(kind, namespace)
                begun = time.monotonic()
                version = self._watch(kind, namespace, version)
                failures = 0
                self.stop.wait(max(0.0, 1.0 - (time.monotonic() - begun)))  # of streams that end at once
            except CliError as error:
                version = ""
                is_denied = error.code is Exit.NO_RIGHTS
                if is_denied and self._looked(kind, namespace):
                    self.stop.wait(LOOK)  # it may be listed and not watched
                    continue
                if not is_denied:
                    self._failed(kind, namespace, error)
                self.stop.wait(DENIED_PAUSE if is_denied else _pause(failures))
                failures += 1

    def _look(self, kind: str, namespaces: Sequence[str]) -> None:
        """Look at many namespaces in turn, for ever."""
        while not self.stop.is_set():
            begun = time.monotonic()
            for number, namespace in enumerate(namespaces, 1):
                self._looked(kind, namespace)
                if self.stop.wait(max(0.0, number / LOOKS_PER_SECOND - (time.monotonic() - begun))):
                    return
            self.stop.wait(max(0.0, LOOK - (time.monotonic() - begun)))

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
        self.store.replace(kind, namespace, bodies)
        self._alive(kind, namespace)
        self.store.trouble(_key(kind, namespace), None)
        return version

    def _watch(self, kind: str, namespace: str, version: str) -> str:
        """Follow until the stream ends; the version to go on from, empty where a new list is needed."""
        stream = self.api.watch(kind, namespace, version, seconds=WATCH)
        self._alive(kind, namespace)
        for event, body in stream:
            if event == "ERROR" or "metadata" not in body:
                return ""
            self._alive(kind, namespace)
            version = str(body["metadata"].get("resourceVersion") or version)
            if event != "BOOKMARK":
                self.store.change(kind, event, {"kind": kind, **body})
        return version

    def _alive(self, kind: str, namespace: str) -> None:
        self._seen_at[_key(kind, namespace)] = datetime.now(UTC)

    def _failed(self, kind: str, namespace: str, error: CliError) -> None:
        key = _key(kind, namespace)
        text = error.message.replace(" Leave out -A, or ask your administrator.", " Ask your administrator.")
        cause = Cause.DENIED if error.code is Exit.NO_RIGHTS else Cause.AWAY
        self.store.trouble(key, Trouble(text, cause, self._seen_at.get(key)))


def scope_words(namespaces: Sequence[str]) -> str:
    """Where it is looked, in words; in all namespaces where none is named."""
    if not namespaces:
        return "all namespaces"
    noun = "namespace" if len(namespaces) == 1 else "namespaces"
    return f"{noun} {words.listed(namespaces, 3)}"


def _key(kind: str, namespace: str) -> str:
    return f"{kind}/{namespace}"


def _pause(failures: int) -> float:
    return PAUSES[min(failures, len(PAUSES) - 1)]
