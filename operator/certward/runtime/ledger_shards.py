"""The account at one issuer, in as many parts as there are shards; those that this replica works on are its own."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from certward.config import IssuerConfig
from certward.kube.client import Client
from certward.model.resources import Domain
from certward.plan import ledger_shards
from certward.plan.ledger_document import Snapshot
from certward.plan.shards import MOST_SHARDS, shard_of
from certward.plan.windows import Books, Limit
from certward.runtime.ledger_account import Account

#: Seconds between two looks at what the shards of other replicas have used.
_LOOK_SECONDS: Final = 60.0


class Parts:
    """Its holder sees to it that one thread at a time is in here, and that nothing is read under that lock.

    Args:
        issuer: whose account it is.
        client: of the API server.
        namespace: the operator's own.
        shards: how many there are.
    """

    def __init__(self, issuer: IssuerConfig, client: Client, namespace: str, shards: int) -> None:
        self.shards = shards
        self._new = partial(Account.of, issuer, client, namespace, shards=shards)
        self._all: dict[int, Account] = {}
        # Also of shards that there are no more: what was used there is used still.
        self._stores = {shard: self._new(shard=shard).store for shard in range(MOST_SHARDS)}
        self._held = {0} if shards == 1 else set[int]()
        self._others: dict[int, Books] = {}
        self._looked_at = 0.0
        for shard in range(shards):
            self._empty(shard)

    def held(self) -> list[Account]:
        """The parts that are this replica's."""
        return [self._all[shard] for shard in sorted(self._held)]

    def has(self, shard: int) -> bool:
        """Whether a shard's part is this replica's."""
        return shard in self._held

    def part(self, shard: int) -> Account:
        """The part of a shard."""
        return self._all[shard]

    def of(self, namespace: str) -> Account:
        """The part that a namespace belongs to."""
        return self._all[shard_of(namespace, self.shards)]

    def read(self, shard: int, now: float) -> dict[int, Snapshot]:
        """Read what is kept of a shard and, as of any number of shards, of all that are not this replica's own.

        Raises:
            Transient: the API server could not be asked.
        """
        return self._read((each for each in range(MOST_SHARDS) if each == shard or each not in self._held), now)

    def take_over(self, shard: int, found: dict[int, Snapshot], domains: Iterable[Domain], now: float) -> None:
        """Begin with a shard.

        Args:
            shard: it.
            found: what `read` has returned.
            domains: all of them.
            now: seconds of the epoch.
        """
        documents = dict(found)
        for mine in self._held - {shard}:
            documents[mine] = self._all[mine].peek(now)
        account = self._all[shard]
        snapshot = ledger_shards.own(documents, shard, self.shards, account.store.limits)
        self._others |= {each: snapshot.books for each, snapshot in found.items()}
        self._held.add(shard)
        account.take_over(
            snapshot, [each for each in domains if shard_of(each.meta.namespace, self.shards) == shard], now
        )

    def leave(self, shard: int) -> None:
        """Have nothing to do with a shard any more."""
        if self.shards == 1 or shard not in self._held:
            return
        self._held.discard(shard)
        self._others[shard] = self._all[shard].budget.orders.books
        self._empty(shard)

    def is_look_due(self, now: float) -> bool:
        """Whether it is time to see what others have used; says so once."""
        if len(self._held) == self.shards or not self._held or now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        return True

    def look(self, now: float) -> dict[int, Snapshot]:
        """Read what is kept of the shards of other replicas.

        Raises:
            OperatorError: the API server could not or would not.
        """
        return self._read((shard for shard in range(self.shards) if shard not in self._held), now)

    def heard(self, found: dict[int, Snapshot]) -> None:
        """Take note of what `look` has returned."""
        self._others |= {each: snapshot.books for each, snapshot in found.items()}
        for account in self.held():
            for snapshot in found.values():
                account.budget.orders.heard(snapshot.held)

    def tell(self, account: Account) -> None:
        """Have the other parts that are this replica's wait too for what one of them was told to wait for."""
        for other in self.held():
            if other is not account:
                other.budget.orders.heard(account.budget.orders.held)

    def shift(self, seconds: float, hours: int) -> None:
        """The clock was set: everything keeps the age that it had."""
        self._others = {shard: books.shifted(hours) for shard, books in self._others.items()}
        for account in self._all.values():
            account.shift(seconds, hours)

    def _read(self, shards: Iterable[int], now: float) -> dict[int, Snapshot]:
        found = {shard: self._stores[shard].read(now) for shard in shards}
        return {shard: snapshot for shard, snapshot in found.items() if snapshot is not None}

    def _empty(self, shard: int) -> None:
        account = self._all[shard] = self._new(shard=shard)
        self._stores[shard] = account.store
        account.budget.orders.books.beside = partial(self._beside, shard)

    def _beside(self, shard: int, limit: Limit) -> Iterable[Books]:
        """The books in which a limit is used too, beside those of a shard."""
        if limit is Limit.ORDERS:
            yield self._all[shard].earlier_part
            return
        for other in self._others.keys() | self._held:
            if other != shard:
                yield self._all[other].budget.orders.books if other in self._held else self._others[other]
