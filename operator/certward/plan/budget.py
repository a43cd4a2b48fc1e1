"""Who waits for a turn at one account, and whose turn it is. No clock, no threads, no I/O."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from certward.model.resources import Key
from certward.plan import turns
from certward.plan.claims import ACCOUNT, Claims
from certward.plan.grants import Grants
from certward.plan.turns import OrderRequest, Slot, Turns
from certward.plan.windows import Limit

#: A request that is not repeated for so many seconds after its turn has come counts as withdrawn.
GRACE: Final = 120
#: How many requests in line are worth lining up anew at once; of a longer line, so many a second.
_AT_ONCE: Final = 100
_PER_SECOND: Final = 5000
_TIDY_SECONDS: Final = 10


@dataclass(slots=True)
class _Waiting:
    request: OrderRequest
    claims: Claims
    expected: float
    promised: datetime | None
    is_woken: bool = False


class Budget:
    """Of one account. Times are seconds of the epoch. Not for many threads.

    Attributes:
        orders: what was granted; what becomes of an order is told there.
    """

    def __init__(self, orders: Grants) -> None:
        self.orders = orders
        self._turns = Turns()
        self._waiting: dict[Key, _Waiting] = {}
        self._slots: dict[Key, Slot] = {}
        self._is_outdated = True  # the line; so it is too when the orders have changed
        self._changes = 0
        self._lined_up_at = 0.0
        self._last = 0  # when the last one in line can expect its turn
        self._next_look = self._tidied_at = 0.0

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def ask(self, request: OrderRequest, now: float) -> timedelta | None:
        """Ask for a turn. None: place the order now, it is counted. Otherwise ask again after that time."""
        key = request.key
        if self.orders.is_granted(key):
            return None
        self.orders.end(key)  # an order that was given up without a word
        known = self._waiting.get(key)
        promised = known.promised if known and known.promised else request.promised
        request = replace(request, promised=None)
        waiting = _Waiting(request, self.orders.claims(request), now, promised)
        self._waiting[key] = waiting
        self._is_outdated |= known is None or known.request != request
        slot = self._slot(key, now)
        may_go = slot.at <= now and self.orders.may_go(waiting.claims, now)
        # The line reckons with everybody going on time.
        self._is_outdated |= slot.at <= now and (not may_go or now - slot.at >= turns.BRIEF)
        if may_go:
            self._turns.served(turns.urgency(request, now), key.namespace)
            self.orders.grant(key, waiting.claims, now)
            del self._waiting[key], self._slots[key]
            return None
        if slot.limit is not None and slot.at - now >= turns.BRIEF:
            waiting.promised = turns.estimate(slot.at, now, promised)
        elif promised is not None and promised.timestamp() <= now:
            waiting.promised = None
        pause = turns.wait_for(slot, now)
        waiting.expected = now + pause.total_seconds()
        if slot.at > now:
            self._next_look = min(self._next_look, slot.at)
        return pause

    def told(self, key: Key) -> tuple[datetime | None, Limit | None]:
        """When a request that waits can expect its turn, and which limit it waits for; None where the wait is brief."""
        waiting, slot = self._waiting.get(key), self._slots.get(key)
        if waiting is None or waiting.promised is None:
            return None, None
        return waiting.promised, slot.limit if slot else None

    def due(self, now: float) -> list[Key]:
        """Whose turn has come since they last asked; each is named once."""
        can_line_up = self._needs_line(now)
        if not can_line_up and now < self._next_look:
            return []
        self._tidy(now)
        if can_line_up:
            self._line_up(now)
        ready, has_place = [], self.orders.places() > 0
        self._next_look = now + GRACE
        for key, waiting in self._waiting.items():
            slot = self._slots.get(key)
            if slot is None or (slot.limit is None and not has_place):
                continue  # an order that ends brings everybody up to date
            if slot.at > now:
                self._next_look = min(self._next_look, slot.at)
            elif not waiting.is_woken:
                waiting.is_woken = True
                waiting.expected = now
                ready.append(key)
        return ready

    def rate_limited(self, key: Key, until: float, message: str) -> None:
        """The CA refused an order for now, see Grants."""
        waiting = self._waiting.get(key)
        self.orders.rate_limited(key, until, message, waiting.claims if waiting else None)

    def abandon(self, key: Key) -> None:
        """The request is made elsewhere now, or not at all; an order that is open goes on."""
        if self._waiting.pop(key, None) is not None:
            self._slots.pop(key, None)
            self._is_outdated = True

    def withdraw(self, key: Key) -> None:
        """Nobody wants this certificate any more, and no order for it goes on."""
        self.abandon(key)
        self.orders.end(key)

    def shift(self, seconds: float, hours: int) -> None:
        """The clock was set, see Grants."""
        self.orders.shift(seconds, hours)
        for waiting in self._waiting.values():
            waiting.expected += seconds
        self._lined_up_at = self._next_look = 0.0

    def _slot(self, key: Key, now: float) -> Slot:
        if not 0 <= now - self._tidied_at < _TIDY_SECONDS:
            self._tidy(now)
        if self._needs_line(now):
            self._line_up(now)
        slot = self._slots.get(key)
        if slot is None:  # who comes while a long line stands goes to its end until it is lined up anew
            slot = self._slots[key] = Slot(max(self._last, int(now) + turns.PLACE_WAIT), Limit.ORDERS)
        return slot

    def _needs_line(self, now: float) -> bool:
        if not self._is_outdated and self._changes == self.orders.changes:
            return False
        pause = len(self._waiting) / _PER_SECOND
        return len(self._waiting) <= _AT_ONCE or not 0 <= now - self._lined_up_at < pause

    def _line_up(self, now: float) -> None:
        orders, waiting = self.orders, self._waiting
        self._lined_up_at, self._is_outdated, self._changes = now, False, orders.changes
        line = turns.line_up((each.request for each in waiting.values()), self._turns, now)
        held = {key: orders.held_until(each.claims) for key, each in waiting.items()} if orders.held else {}
        checked = {key: each.claims.checked for key, each in waiting.items()}
        self._slots = turns.forecast(
            line,
            checked,
            orders.books,
            held=held,
            all_held=orders.held.get(ACCOUNT, 0),
            places=orders.places(),
            now=now,
        )
        self._last = max((each.at for each in self._slots.values()), default=0)

    def _tidy(self, now: float) -> None:
        self._tidied_at = now
        self.orders.tidy(now)
        for key, waiting in list(self._waiting.items()):
            if waiting.expected + GRACE < now:
                self.abandon(key)
