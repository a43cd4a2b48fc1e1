"""What went through the proxy, and what a client must not have done."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from faulty.faults import Fault, Kind


@dataclass
class Order:
    """An order that the CA has made.

    Attributes:
        path: where it is.
        hostname: whom it is for.
        is_lost: the answer that names it did not arrive, so that nobody can know of it.
        is_ended: the CA ended it, or gave a certificate of no use.
        keys: the SubjectPublicKeyInfo in each request to finalize.
        chain: the certificate as the CA gave it.
        at: when it was asked for, in seconds since the epoch.
    """

    path: str
    hostname: str
    is_lost: bool = False
    is_ended: bool = False
    keys: list[bytes] = field(default_factory=list)
    chain: bytes = b""
    at: float = 0.0


@dataclass
class Request:
    """One request.

    Attributes:
        at: when it was there, in seconds since the epoch.
        kind: what for.
        method: of HTTP.
        path: where to.
        hostname: whom it concerns, where that is known.
        fault: what was done to it.
        answered: when its answer began to leave.
        status: of the answer; 0 without one.
        until: the moment of the answer's Retry-After, None where it named none.
        has_bad_nonce: the CA itself refused its nonce.
    """

    at: float
    kind: Kind
    method: str
    path: str
    hostname: str = ""
    fault: Fault | None = None
    answered: float = 0.0
    status: int = 0
    until: float | None = None
    has_bad_nonce: bool = False


class Journal:
    """All requests and orders. The proxy writes, tests read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._orders: list[Order] = []

    def add(self, one: Request | Order) -> None:
        """Write down."""
        with self._lock:
            if isinstance(one, Order):
                self._orders.append(one)
            else:
                self._requests.append(one)

    def requests(self, hostname: str | None = None, kind: Kind | None = None) -> list[Request]:
        """Return the requests in the order in which they came, those whose nonce the CA itself refused left out."""
        with self._lock:
            found = list(self._requests)
        return [
            one
            for one in found
            if hostname in (None, one.hostname) and kind in (None, one.kind) and not one.has_bad_nonce
        ]

    def orders(self, hostname: str | None = None) -> list[Order]:
        """Return the orders that the CA has made."""
        with self._lock:
            return [one for one in self._orders if hostname in (None, one.hostname)]

    def faults(self) -> Counter[str]:
        """How often each fault was injected."""
        return Counter(str(one.fault) for one in self.requests() if one.fault)

    def too_early(self, in_flight: float) -> list[str]:
        """Name the requests to a URL that came before the moment of its last Retry-After.

        Those of newOrder, newNonce, newAccount and of the directory are the account's, all others an order's. What
        came up to `in_flight` seconds after the answer may have been on its way.
        """
        held: dict[str, Request] = {}
        early = []
        for one in sorted(self.requests(), key=lambda one: one.at):
            before = held.get(one.path)
            if before and before.until and before.answered + in_flight < one.at < before.until:
                early.append(
                    f"{one.kind} of {one.hostname or 'the account'} {before.until - one.at:.2f} s too early, "
                    f"{one.at - before.answered:.2f} s after {before.fault or before.status} for {before.hostname}"
                )
            if one.until and (before is None or one.until > (before.until or 0)):
                held[one.path] = one
        return early

    def keys_of_several_orders(self) -> list[str]:
        """Name the orders whose key was used for another one before."""
        first: dict[bytes, Order] = {}
        return [
            f"{order.path} of {order.hostname} has the key of {first[key].path}"
            for order in self.orders()
            for key in order.keys
            if first.setdefault(key, order) is not order
        ]

    def needless_orders(self) -> dict[str, int]:
        """How many orders too many there are by hostname: one is right, and another for each that is lost or ended."""
        placed = Counter(order.hostname for order in self.orders())
        excused = Counter(order.hostname for order in self.orders() if order.is_lost or order.is_ended)
        return {name: count - 1 - excused[name] for name, count in placed.items() if count - 1 != excused[name]}
