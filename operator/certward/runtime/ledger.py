"""The ledger: who may place an order at which issuer now, and what each issuer's limits have been used for.

It is kept in one ConfigMap for each issuer and shard, written at most once a minute. What was ordered after the last
write is found again in the Domains' status when a replica begins to work; not found again are orders that failed in
that minute, and renewals, which Let's Encrypt exempts from all limits but that for duplicates.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Final, TypeVar

from certward.config import Config
from certward.errors import OperatorError
from certward.kube.client import Client
from certward.model.resources import Domain, Key
from certward.plan import turns
from certward.plan.grants import Grants
from certward.plan.turns import OrderRequest
from certward.runtime.ledger_account import Account, Usage
from certward.runtime.ledger_keeping import Keeping
from certward.runtime.ledger_shards import Parts
from certward.runtime.metrics import ORDERS_ENDED, ORDERS_PLACED
from certward.runtime.registered import registered_domain

log = logging.getLogger(__name__)

#: How far wall clock and monotonic clock may drift apart, in seconds, before the clock counts as set.
_JUMP: Final = 30.0

_T = TypeVar("_T")


class Ledger:
    """For many threads. Only the replica that works on a shard may ask for its Domains."""

    def __init__(
        self,
        config: Config,
        client: Client,
        namespace: str,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._offset = clock() - monotonic()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._keeping = Keeping(self._lock, clock=clock, monotonic=monotonic, now=self._now)
        self._parts = {issuer.name: Parts(issuer, client, namespace, config.shards) for issuer in config.issuers}

    def ask(self, issuer: str, request: OrderRequest) -> timedelta | None:
        """Ask to place an order.

        Returns:
            None: place it now; it is counted, and has to be followed by placed, cancelled, failed or rate_limited.
            Otherwise after how long it is worth asking again; `due` names it earlier when its turn comes earlier.
        """
        with self._lock:
            now = self._now()
            account = self._account(issuer, request.key)
            for other in self._accounts():
                if other is not account:
                    other.budget.abandon(request.key)
            if account is None:
                return None
            answer = account.budget.ask(request, now)
            account.is_changed |= answer is None
            return answer

    def told(self, issuer: str, request: OrderRequest) -> tuple[datetime | None, str]:
        """What to tell the owner of a request that waits: when its turn is expected, coarsely, and one sentence.

        (None, "") where it does not wait, or so briefly that nothing needs to be said.
        """
        with self._lock:
            account = self._account(issuer, request.key)
            expected, limit = account.budget.told(request.key) if account else (None, None)
        if expected is None:
            return None, ""
        hostname = request.hostnames[0]
        return expected, turns.in_words(limit, hostname, registered_domain(hostname))

    def estimate(self, issuer: str, key: Key) -> datetime | None:
        """When a request that waits can expect its turn; coarse, and seldom another one than before."""
        with self._lock:
            account = self._account(issuer, key)
            return account.budget.told(key)[0] if account else None

    def hold(self, issuer: str, request: OrderRequest) -> tuple[datetime, str] | None:
        """Until when a CA has said that it takes no order like this one, and in which words; None: it takes them."""
        with self._lock:
            now, account = self._now(), self._account(issuer, request.key)
            held = account.budget.orders.hold(account.budget.orders.claims(request), now) if account else None
        if held is None:
            return None
        words = held[1] or f"The CA {issuer} has said that it takes no orders like this one for now."
        return datetime.fromtimestamp(held[0], UTC), words

    def due(self) -> tuple[Key, ...]:
        """Requests whose turn has come since they last asked. Cheap; to be called several times a second."""
        with self._lock:
            now = self._now()
            return tuple(key for account in self._accounts() for key in account.budget.due(now))

    def placed(self, issuer: str, key: Key) -> None:
        """The CA has taken the order."""
        ORDERS_PLACED.labels(issuer).inc()
        self._tell(issuer, key, lambda orders, now: orders.placed(key, now))

    def resumed(self, issuer: str, request: OrderRequest) -> None:
        """An order placed by an earlier process goes on."""
        self._tell(issuer, request.key, lambda orders, now: orders.resumed(request, now))
        with self._lock:
            for account in self._accounts():
                account.budget.abandon(request.key)

    def cancelled(self, issuer: str, key: Key) -> None:
        """The CA has refused the order, or was never asked. Where that is not certain, it is `failed`."""
        ORDERS_ENDED.labels(issuer, "refused").inc()
        self._tell(issuer, key, lambda orders, _: orders.cancelled(key))

    def failed(self, issuer: str, key: Key, *, is_validation: bool) -> None:
        """The order will give no certificate.

        Args:
            issuer: where it was placed.
            key: the Domain.
            is_validation: the CA tried to validate the hostname and could not.
        """
        ORDERS_ENDED.labels(issuer, "invalid" if is_validation else "failed").inc()
        self._tell(issuer, key, lambda orders, now: orders.failed(key, now, is_validation=is_validation))

    def issued(self, issuer: str, key: Key) -> None:
        """The certificate is there; told again while it cannot be kept, it counts once."""
        if self._tell(issuer, key, lambda orders, now: orders.issued(key, now)):
            ORDERS_ENDED.labels(issuer, "issued").inc()

    def rate_limited(self, issuer: str, key: Key, until: datetime, message: str = "") -> None:
        """The CA took no order and said when to come back.

        Args:
            issuer: who said so.
            key: the Domain for which an order was tried.
            until: when to come back.
            message: the CA's words, which may say that it is about one domain or hostname only; otherwise all orders
                of the account are held.
        """
        ORDERS_ENDED.labels(issuer, "rate_limited").inc()
        with self._lock:
            account = self._account(issuer, key)
            if account is None:
                return
            account.budget.rate_limited(key, until.timestamp(), message)
            account.is_changed = True
            self._parts[issuer].tell(account)
        log.warning("issuer %s takes no orders like that for %s until %s", issuer, key, until.isoformat())

    def withdraw(self, key: Key) -> None:
        """The Domain is gone or wants no certificate any more."""
        with self._lock:
            for account in self._accounts():
                account.budget.withdraw(key)

    def usage(self) -> dict[str, Usage]:
        """How each account stands, as far as it is this replica's, for metrics."""
        with self._lock:
            now = self._now()
            uses = {name: [each.usage(now) for each in parts.held()] for name, parts in self._parts.items()}
        return {name: reduce(Usage.plus, used) for name, used in uses.items() if used}

    def load(self, domains: Iterable[Domain] = (), shard: int = 0) -> None:
        """Begin to work on a shard: read what was kept, and find in the Domains what was not.

        Raises:
            Transient: the API server could not be asked.
        """
        domains = tuple(domains)
        with self._writing:
            for parts in self._parts.values():
                found = parts.read(shard, self._clock())
                with self._lock:
                    parts.take_over(shard, found, domains, self._now())

    def leave(self, shard: int) -> None:
        """Work on a shard no more: write what has changed and forget it. Raises nothing."""
        with self._writing:
            for name, parts in self._parts.items():
                if parts.has(shard):
                    self._keeping.keep(name, parts.part(shard), is_last=True)
                    with self._lock:
                        parts.leave(shard)

    def flush(self, *, is_last: bool = False) -> None:
        """Write what has changed, at most once a minute, and at the end in any case. Raises nothing.

        Args:
            is_last: the process stops; what comes later than this is another's.
        """
        with self._writing:
            for name, parts in self._parts.items():
                for account in parts.held():
                    self._keeping.keep(name, account, is_last=is_last)
                self._look(name, parts)

    def _look(self, name: str, parts: Parts) -> None:
        """See what other replicas have used of the limits that are not divided among shards, once a minute."""
        if not parts.is_look_due(self._monotonic()):
            return
        try:
            found = parts.look(self._clock())
        except OperatorError as error:
            log.warning("what other replicas have used at issuer %s cannot be read: %s", name, error.message)
            return
        with self._lock:
            parts.heard(found)

    def _account(self, issuer: str, key: Key) -> Account | None:
        parts = self._parts.get(issuer)
        return parts.of(key.namespace) if parts else None

    def _accounts(self) -> list[Account]:
        return [account for parts in self._parts.values() for account in parts.held()]

    def _tell(self, issuer: str, key: Key, what: Callable[[Grants, float], _T]) -> _T | None:
        with self._lock:
            account = self._account(issuer, key)
            if account is None:
                return None
            account.is_changed = True
            return what(account.budget.orders, self._now())

    def _now(self) -> float:
        """Seconds of the epoch. When the clock was set, everything keeps the age that it had."""
        now = self._clock()
        jump = now - self._monotonic() - self._offset
        if abs(jump) > _JUMP:
            log.warning("the clock was set by %.0f s", jump)
            self._offset += jump
            hours = math.ceil(jump / 3600)
            for parts in self._parts.values():
                parts.shift(jump, hours)
        return now
