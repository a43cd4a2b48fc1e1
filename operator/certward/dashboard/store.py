"""What is known of the cluster: kept up to date by those who follow it, read by the pages. For many threads."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from certward.cli import words
from certward.dashboard.rows import AppRow, DomainRow, PolicyRow, Row, row_of
from certward.errors import InvalidSpec
from certward.model.resources import App, Body, Domain, TLSPolicy

R = TypeVar("R", DomainRow, AppRow, PolicyRow)

KINDS: Final[Mapping[str, type[App | Domain | TLSPolicy]]] = {"App": App, "Domain": Domain, "TLSPolicy": TLSPolicy}
_NOUNS: Final = {"App": "apps", "Domain": "domains", "TLSPolicy": "policies"}


class Cause(StrEnum):
    """What kind of trouble there is, in words."""

    AWAY = "The cluster does not answer."
    DENIED = "You may not see everything."
    BROKEN = "Not everything is kept up to date."


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something is not known, or no longer.

    Attributes:
        text: a sentence for the user.
        cause: its kind.
        seen_at: when it was last known; None where it never was.
    """

    text: str
    cause: Cause = Cause.AWAY
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What an issuer's limits have been used for.

    Attributes:
        issuer: its name.
        directory: its URL.
        uses: what is counted, how much of it was used, and how much there is.
        held_until: the CA wants to hear nothing until then; None where it does not say so.
    """

    issuer: str
    directory: str
    uses: tuple[tuple[str, int, int], ...]
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known at one moment.

    Attributes:
        version: another one for each snapshot that differs.
        domains: by hostname.
        apps: by namespace and name.
        policies: by namespace and name.
        troubles: what is wrong, each once.
        missing: the kinds that were never read so far.
        scope: where it is looked, in words.
        budgets: of the issuers; a sentence where they cannot be seen, None while they were not looked at.
    """

    version: int
    domains: tuple[DomainRow, ...] = ()
    apps: tuple[AppRow, ...] = ()
    policies: tuple[PolicyRow, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    missing: tuple[str, ...] = ()
    scope: str = ""
    budgets: tuple[Budget, ...] | str | None = None


class Store:
    """The objects by kind, namespace and name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, dict[str, Row]]] = {kind: {} for kind in KINDS}
        self._troubles: dict[str, Trouble] = {}
        self._scopes: dict[str, str] = {}
        self._read: set[str] = set()
        self._budgets: tuple[Budget, ...] | str | None = None
        self._version = 1
        self._made: Snapshot | None = None

    def replace(self, kind: str, namespace: str, bodies: Iterable[Body]) -> None:
        """Take a full list: of one namespace, or (empty) of all."""
        fresh: dict[str, dict[str, Row]] = {}
        for body in bodies:
            if row := _row(kind, body):
                fresh.setdefault(row.namespace, {})[row.name] = row
        with self._lock:
            old = self._rows[kind]
            new = fresh if not namespace else {**old, namespace: fresh.get(namespace, {})}
            if new != old or kind not in self._read:
                self._read.add(kind)
                self._rows[kind] = new
                self._changed()

    def change(self, kind: str, event: str, body: Body) -> None:
        """Take one change of a watch."""
        meta = body["metadata"]
        row = None if event == "DELETED" else _row(kind, body)
        with self._lock:
            rows = self._rows[kind].setdefault(meta.get("namespace", ""), {})
            if rows.get(meta["name"]) == row:
                return
            if row is None:
                rows.pop(meta["name"], None)
            else:
                rows[meta["name"]] = row
            self._changed()

    def trouble(self, key: str, found: Trouble | None) -> None:
        """Tell what is wrong with one thing that is followed; None: nothing any more."""
        with self._lock:
            if found == self._troubles.get(key):
                return
            if found is None:
                del self._troubles[key]
            else:
                self._troubles[key] = found
            self._changed()

    def tell_budgets(self, found: tuple[Budget, ...] | str) -> None:
        """What the issuers' limits were used for."""
        with self._lock:
            if found != self._budgets:
                self._budgets = found
                self._changed()

    def tell_scope(self, kind: str, scope: str) -> None:
        """Where it is looked for a kind, in words."""
        with self._lock:
            if scope != self._scopes.get(kind):
                self._scopes[kind] = scope
                self._changed()

    def snapshot(self) -> Snapshot:
        """All that is known now; the same object while nothing has changed."""
        with self._lock:
            if self._made is None:
                self._made = Snapshot(
                    version=self._version,
                    domains=tuple(sorted(self._all(DomainRow), key=lambda row: (row.hostname, row.namespace))),
                    apps=tuple(sorted(self._all(AppRow), key=lambda row: (row.namespace, row.name))),
                    policies=tuple(sorted(self._all(PolicyRow), key=lambda row: (row.namespace, row.name))),
                    troubles=_told_once(self._troubles.values()),
                    missing=tuple(kind for kind in KINDS if kind not in self._read),
                    scope=_scope_of(self._scopes),
                    budgets=self._budgets,
                )
            return self._made

    def _all(self, kind: type[R]) -> list[R]:
        spaces = (rows for of_kind in self._rows.values() for rows in of_kind.values())
        return [row for rows in spaces for row in rows.values() if isinstance(row, kind)]

    def _changed(self) -> None:
        self._version += 1
        self._made = None


def _told_once(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Each sentence once, with the oldest time: three kinds that are followed run into the same closed door."""
    first: dict[str, Trouble] = {}
    for trouble in troubles:
        known = first.setdefault(trouble.text, trouble)
        if trouble.seen_at and (known.seen_at is None or trouble.seen_at < known.seen_at):
            first[trouble.text] = trouble
    return tuple(first.values())


def _scope_of(scopes: Mapping[str, str]) -> str:
    """Where it is looked; by kind only where that is not the same for all."""
    by_scope: dict[str, list[str]] = {}
    for kind in sorted(scopes):
        by_scope.setdefault(scopes[kind], []).append(_NOUNS[kind])
    if len(by_scope) == 1:
        return next(iter(by_scope))
    return "; ".join(f"{words.listed(nouns)}: {scope}" for scope, nouns in by_scope.items())


def _row(kind: str, body: Body) -> Row | None:
    try:
        return row_of(KINDS[kind].from_body(body))
    except (InvalidSpec, KeyError, TypeError, AttributeError, ValueError):
        return None  # of another schema than this program's
