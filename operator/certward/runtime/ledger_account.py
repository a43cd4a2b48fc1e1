"""One account of the ledger: its budget in memory, and how that gets into its ConfigMap and out again."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from certward.config import IssuerConfig
from certward.kube.client import Client
from certward.model.resources import Domain
from certward.plan.budget import Budget
from certward.plan.claims import ACCOUNT, exemptions_of
from certward.plan.grants import OPEN_ORDERS, Grants
from certward.plan.ledger_document import Earlier, Snapshot
from certward.plan.ledger_shards import part
from certward.plan.shards import share
from certward.plan.traces import traces
from certward.plan.windows import WINDOWS, Books, Limit
from certward.runtime.ledger_store import LedgerStore
from certward.runtime.registered import registered_domain

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """How an account stands.

    Attributes:
        orders_limit: how many orders may be placed in a window; None: as many as one likes.
        orders_left: how many orders may be placed now; None: as many as one likes.
        open: orders that have a place.
        waiting: requests that wait for their turn.
        held_until: until when the CA wants no orders; None when it takes them.
    """

    orders_limit: int | None
    orders_left: int | None
    open: int
    waiting: int
    held_until: datetime | None

    def plus(self, other: "Usage") -> "Usage":
        """Two shards of the account together."""
        helds = [each for each in (self.held_until, other.held_until) if each]
        return Usage(
            orders_limit=_sum(self.orders_limit, other.orders_limit),
            orders_left=_sum(self.orders_left, other.orders_left),
            open=self.open + other.open,
            waiting=self.waiting + other.waiting,
            held_until=max(helds, default=None),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(slots=True)
class Account:
    """Its holder sees to it that one thread at a time is in here, and that a store is not used under that lock."""

    budget: Budget
    store: LedgerStore
    base: Books
    shards: int = 1
    earlier: Earlier | None = None
    earlier_part: Books = field(default_factory=lambda: Books({}))
    is_changed: bool = False
    written_at: float = -math.inf

    @classmethod
    def of(cls, issuer: IssuerConfig, client: Client, namespace: str, shard: int = 0, shards: int = 1) -> Self:
        """One shard's part of the account at an issuer, with nothing used yet."""
        limits = {
            Limit.ORDERS: share(issuer.limits.orders_per_3h, shard, shards),
            Limit.CERTIFICATES: issuer.limits.certificates_per_registered_domain_per_7d,
            Limit.DUPLICATES: issuer.limits.duplicates_per_7d,
            Limit.FAILURES: issuer.limits.failures_per_hostname_per_1h,
        }
        directory = str(issuer.directory)
        return cls(
            budget=Budget(
                Grants(limits, registered_domain, exemptions_of(directory), share(OPEN_ORDERS, shard, shards))
            ),
            store=LedgerStore(client, namespace, issuer.name, directory, limits, shard),
            base=Books(limits),
            shards=shards,
        )

    @property
    def is_used(self) -> bool:
        """Whether there is anything to be kept."""
        orders = self.budget.orders
        return self.store.exists or any(orders.books) or bool(orders.held) or self.earlier is not None

    def take_over(self, snapshot: Snapshot | None, domains: Iterable[Domain], now: float) -> None:
        """Begin with what was kept, and with the orders that the Domains tell of and it may not."""
        orders = self.budget.orders
        self.base = snapshot.books if snapshot is not None else Books(self.store.limits)
        orders.recall(self.base.copy(), snapshot.held if snapshot is not None else {}, now)
        written = snapshot.at if snapshot is not None else None
        self.earlier = snapshot.earlier if snapshot is not None else None
        self.earlier_part = part(self.earlier, self.shards, self.store.limits)
        self.is_changed |= self.earlier is not None
        found = 0
        for trace in traces(domains, written, datetime.fromtimestamp(now, UTC)):
            if trace.issuer in ("", self.store.issuer):
                orders.recover(trace.request, trace.at.timestamp())
                found += 1
        if found and any(orders.books):
            self.is_changed = True
            log.info("issuer %s: counted %d orders that are perhaps not in the ledger", self.store.issuer, found)

    def merge(self, theirs: Snapshot, now: float) -> None:
        """Somebody else has written: keep what both counted."""
        orders = self.budget.orders
        held = {each: max(orders.held.get(each, 0), until) for each, until in theirs.held.items()}
        orders.recall(orders.books.merged(self.base, theirs.books), {**orders.held, **held}, now)
        self.base = theirs.books.copy()

    def snapshot(self, now: float) -> Snapshot:
        """What is to be kept."""
        self.is_changed = False
        return self.peek(now)

    def peek(self, now: float) -> Snapshot:
        """The same, while nothing is kept yet."""
        orders = self.budget.orders
        orders.books.prune(now)
        at = datetime.fromtimestamp(now, UTC)
        return Snapshot(orders.books.copy(), dict(orders.held), at, self.shards, self.earlier)

    def shift(self, seconds: float, hours: int) -> None:
        """The clock was set, see Grants."""
        self.budget.shift(seconds, hours)
        self.base = self.base.shifted(hours)
        self.earlier_part = self.earlier_part.shifted(hours)
        if self.earlier:
            width = WINDOWS[Limit.ORDERS][1]
            moved = {bucket + hours * 3600 // width: times for bucket, times in self.earlier.orders.items()}
            self.earlier = self.earlier._replace(orders=moved)

    def usage(self, now: float) -> Usage:
        """How it stands."""
        orders = self.budget.orders
        size, held = orders.books.limit_of(ACCOUNT), orders.held.get(ACCOUNT, 0)
        return Usage(
            orders_limit=size or None,
            orders_left=max(size - orders.books.used(ACCOUNT, now), 0) if size else None,
            open=orders.open,
            waiting=self.budget.waiting,
            held_until=datetime.fromtimestamp(held, UTC) if held > now else None,
        )
