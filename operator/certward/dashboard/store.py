"""What is known of the cluster: kept up to date by those who follow it, read by the pages. For many threads."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certward.dashboard.rows import AppRow, DomainRow, PolicyRow, Row, row_of
from certward.errors import InvalidSpec
from certward.model.resources import App, Body, Domain, TLSPolicy

KINDS: Final[Mapping[str, type[App | Domain | TLSPolicy]]] = {"App": App, "Domain": Domain, "TLSPolicy": TLSPolicy}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something is not known, or no longer.

    Attributes:
        text: a sentence for the user.
        since: when it began.
        is_denied: the user has no right to it; the cluster answers.
    """

    text: str
    since: datetime
    is_denied: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What an issuer's limits have been used for.

    Attributes:
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
        missing: the kinds that were never read so far.
        budgets: of the issuers; a sentence where they cannot be seen, None while they were not looked at.
        seen_at: when the cluster has last said something of each kind; None where one was never read.
    """

    version: int
    domains: tuple[DomainRow, ...] = ()
    apps: tuple[AppRow, ...] = ()
    policies: tuple[PolicyRow, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    missing: tuple[str, ...] = ()
    scope: str = ""
    budgets: tuple[Budget, ...] | str | None = None
    seen_at: datetime | None = None


class Store:
    """The objects by kind, namespace and name."""

    def __init__(self, scope: str = "") -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, dict[str, Row]]] = {kind: {} for kind in KINDS}
        self._troubles: dict[str, Trouble] = {}
        self._seen: dict[str, datetime] = {}
        self._budgets: tuple[Budget, ...] | str | None = None
        self._scope = scope
        self._version = 1
        self._made: Snapshot | None = None

    def replace(self, kind: str, namespace: str, bodies: Iterable[Body], now: datetime) -> None:
        """Take a full list: of one namespace, or (empty) of all."""
        fresh: dict[str, dict[str, Row]] = {}
        for body in bodies:
            if row := _row(kind, body):
                fresh.setdefault(row.namespace, {})[row.name] = row
        with self._lock:
            old = self._rows[kind]
            new = fresh if not namespace else {**old, namespace: fresh.get(namespace, {})}
            is_first = kind not in self._seen
            self._seen[kind] = now
            if new != old or is_first:
                self._rows[kind] = new
                self._changed()

    def change(self, kind: str, event: str, body: Body, now: datetime) -> None:
        """Take one change of a watch."""
        meta = body["metadata"]
        row = None if event == "DELETED" else _row(kind, body)
        with self._lock:
            self._seen[kind] = now
            rows = self._rows[kind].setdefault(meta.get("namespace", ""), {})
            if rows.get(meta["name"]) == row:
                return
            if row is None:
                rows.pop(meta["name"], None)
            else:
                rows[meta["name"]] = row
            self._changed()

    def alive(self, kind: str, now: datetime) -> None:
        """The cluster has shown that nothing has changed."""
        with self._lock:
            self._seen[kind] = now

    def trouble(self, key: str, found: Trouble | None) -> None:
        """Tell what is wrong with one thing that is followed; None: nothing any more."""
        with self._lock:
            known = self._troubles.get(key)
            if found is None:
                if self._troubles.pop(key, None):
                    self._changed()
            elif known is None or known.text != found.text:
                self._troubles[key] = found
                self._changed()

    def tell_budgets(self, found: tuple[Budget, ...] | str) -> None:
        """What the issuers' limits were used for."""
        with self._lock:
            if found != self._budgets:
                self._budgets = found
                self._changed()

    def tell_scope(self, scope: str) -> None:
        """Where it is looked, in words."""
        with self._lock:
            if scope != self._scope:
                self._scope = scope
                self._changed()

    def snapshot(self) -> Snapshot:
        """All that is known now; the same object while nothing has changed."""
        with self._lock:
            if self._made is None:
                self._made = Snapshot(
                    version=self._version,
                    domains=tuple(sorted(self._all("Domain"), key=lambda row: (row.hostname, row.namespace))),  # type: ignore[arg-type]
                    apps=tuple(sorted(self._all("App"), key=lambda row: (row.namespace, row.name))),  # type: ignore[arg-type]
                    policies=tuple(sorted(self._all("TLSPolicy"), key=lambda row: (row.namespace, row.name))),  # type: ignore[arg-type]
                    troubles=_told_once(self._troubles.values()),
                    missing=tuple(kind for kind in KINDS if kind not in self._seen),
                    scope=self._scope,
                    budgets=self._budgets,
                    seen_at=min(self._seen.values()) if self._seen else None,
                )
            return self._made

    @property
    def seen_at(self) -> datetime | None:
        """When the cluster has last said something of every kind that it ever said something of."""
        with self._lock:
            return min(self._seen.values()) if self._seen else None

    def _all(self, kind: str) -> list[Row]:
        return [row for rows in self._rows[kind].values() for row in rows.values()]

    def _changed(self) -> None:
        self._version += 1
        self._made = None


def _told_once(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Each sentence once: three kinds that are followed run into the same closed door."""
    first: dict[str, Trouble] = {}
    for trouble in sorted(troubles, key=lambda one: one.since):
        first.setdefault(trouble.text, trouble)
    return tuple(first.values())


def _row(kind: str, body: Body) -> Row | None:
    try:
        return row_of(KINDS[kind].from_body(body))
    except (InvalidSpec, KeyError, TypeError, AttributeError, ValueError):
        return None  # of another schema than this program's
