"""The order of service: who may place an order next, and when the others can expect to.

Three classes, each served only when the ones before want nothing: what is expiring, then what waits for a certificate
or a renewal in good time, then what has failed before. Within a class namespaces take turns; within a namespace the
least time left, or else the longest wait, comes first.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple

from certward.model.resources import Key
from certward.plan.windows import Books, Limit, Openings, Subject

#: With less than this part of its life left, a certificate is expiring. Renewals begin at a third or a half.
EXPIRING_FRACTION: Final = 0.2
#: How soon a place among the open orders is expected to come free, in seconds; the CA does not say.
PLACE_WAIT: Final = 5
#: A wait shorter than this, in seconds, is not worth telling.
BRIEF: Final = 60

#: How coarse an estimate is for a wait up to so long, both in seconds.
_STEPS: Final = ((3600, 600), (6 * 3600, 3600), (48 * 3600, 6 * 3600), (math.inf, 24 * 3600))


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Who asks to place an order, and what decides about the turn.

    Attributes:
        key: of the Domain.
        hostnames: the names of the certificate.
        since: since when it is wanted: the Domain's creation, or when the renewal was due.
        not_before: of the certificate at hand, None without one.
        not_after: of the certificate at hand, None without one.
        renews: the certificate at hand is for exactly these names and from this CA.
        replaces: the order carries ARI's `replaces` (RFC 9773, 5).
        failures: how often it has failed in a row; 0 when something was edited since.
        promised: the estimate that the status shows, so that it stays if it is still good.
    """

    key: Key
    hostnames: tuple[str, ...]
    since: datetime
    not_before: datetime | None = None
    not_after: datetime | None = None
    renews: bool = False
    replaces: bool = False
    failures: int = 0
    promised: datetime | None = None


class Urgency(IntEnum):
    """The classes, the first one first."""

    EXPIRING = 0
    WAITING = 1
    RETRYING = 2


class Slot(NamedTuple):
    """When a request is expected to have its turn, in seconds of the epoch, and which limit it waits for.

    Without a limit it waits for one of the open orders to be done.
    """

    at: int
    limit: Limit | None = None


@dataclass(slots=True)
class Turns:
    """Whose turn was when: of each class and namespace with a request, the number of the grant since which it waits."""

    grants: int = 0
    since: dict[tuple[Urgency, str], int] = field(default_factory=dict)

    def wait(self, present: AbstractSet[tuple[Urgency, str]]) -> None:
        """Take note of who waits now; who comes anew stands behind those who wait already."""
        self.since = {each: self.since.get(each, self.grants) for each in present}

    def served(self, urgency: Urgency, namespace: str) -> None:
        """Take note that a request was granted."""
        self.grants += 1
        self.since[urgency, namespace] = self.grants


def time_left(request: OrderRequest, now: float) -> float:
    """The part of the certificate's life that is left, zero or less when it has expired; 1 without a certificate."""
    if request.not_before is None or request.not_after is None:
        return 1.0
    lifetime = (request.not_after - request.not_before).total_seconds()
    return (request.not_after.timestamp() - now) / lifetime if lifetime > 0 else 0.0


def urgency(request: OrderRequest, now: float) -> Urgency:
    """The class of a request at a time."""
    if time_left(request, now) < EXPIRING_FRACTION:
        return Urgency.EXPIRING
    return Urgency.RETRYING if request.failures else Urgency.WAITING


def line_up(requests: Iterable[OrderRequest], turns: Turns, now: float) -> list[OrderRequest]:
    """All requests in the order in which they are to be served from now on.

    Of k namespaces in a class each has one of any k turns in a row, from the moment at which it joins.
    """
    groups: dict[tuple[Urgency, str], list[tuple[float, float, Key, OrderRequest]]] = {}
    for request in requests:
        rank = urgency(request, now)
        left = time_left(request, now) if rank is Urgency.EXPIRING else 0.0
        entry = (left, request.since.timestamp(), request.key, request)
        groups.setdefault((rank, request.key.namespace), []).append(entry)
    turns.wait(groups.keys())
    heap = []
    for (rank, namespace), group in groups.items():
        group.sort(key=lambda entry: entry[:3], reverse=True)
        heap.append((rank, turns.since[rank, namespace], group[-1][:2], namespace))
    heapq.heapify(heap)
    line = []
    grants = turns.grants
    while heap:
        rank, _, _, namespace = heapq.heappop(heap)
        group = groups[rank, namespace]
        line.append(group.pop()[3])
        grants += 1
        if group:
            heapq.heappush(heap, (rank, grants, group[-1][:2], namespace))
    return line


def forecast(
    line: Sequence[OrderRequest],
    checked: Mapping[Key, tuple[Subject, ...]],
    books: Books,
    *,
    held: Mapping[Key, int],
    all_held: int,
    places: int,
    now: float,
) -> dict[Key, Slot]:
    """When each request can expect its turn, if nothing else comes up; who may go now has a time that is not after now.

    Args:
        line: the requests in the order of service.
        checked: which limits each has to keep.
        books: what has been used.
        held: of those that the CA told to wait by themselves, until when (seconds of the epoch).
        all_held: until when the CA takes no orders at all; 0 when it does.
        places: how many orders more may be open at a time.
        now: seconds of the epoch.
    """
    known: dict[Subject, Openings | None] = {}
    taken: dict[Subject, int] = {}
    slots: dict[Key, Slot] = {}
    for request in line:
        slot = Slot(math.floor(now))
        if held.get(request.key, 0) > now:
            slot = Slot(held[request.key], Limit.ORDERS)
        # The account's limit comes last: what its own limits keep back takes no turn of the account's from others.
        for subject in sorted(checked[request.key], key=lambda each: each.limit is Limit.ORDERS):
            if subject not in known:
                known[subject] = books.openings(subject, now)
            opening = known[subject]
            if opening is None:
                continue
            index = taken.get(subject, 0)
            if subject.limit is not Limit.ORDERS or slot.at <= now:
                taken[subject] = index + 1
            slot = max(slot, Slot(opening.at(index), subject.limit), key=lambda each: each.at)
        if all_held > slot.at:
            slot = Slot(all_held, Limit.ORDERS)
        if slot.at <= now:
            places -= 1
            if places < 0:
                slot = Slot(math.floor(now) + PLACE_WAIT)
        slots[request.key] = slot
    return slots


def estimate(at: float, now: float, promised: datetime | None) -> datetime:
    """A time that can be told for a turn: coarse and after it; or the one promised before while that is about right."""
    step = next(step for reach, step in _STEPS if at - now <= reach)
    if promised is not None and promised.timestamp() > now and -step / 2 <= promised.timestamp() - at <= 2 * step:
        return promised
    told = math.floor(max(at, now) / step + 1) * step
    return datetime.fromtimestamp(told, UTC)


def in_words(limit: Limit | None, hostname: str, registered: str) -> str:
    """One sentence for the Domain's owner, without times and numbers."""
    match limit:
        case Limit.CERTIFICATES:
            return (
                f"The CA issues only so many certificates for {registered} in a week; the one for {hostname} is "
                "ordered when its turn has come."
            )
        case Limit.DUPLICATES:
            return (
                f"The CA issues only so many certificates for {hostname} in a week; the next one is ordered when it "
                "allows it again."
            )
        case Limit.FAILURES:
            return (
                f"The CA could not validate {hostname} too often in a short time; the next order is placed when it "
                "allows it again."
            )
        case _:
            return (
                "The CA takes only so many orders in a time, for all hostnames of this cluster together; this one is "
                "placed when its turn has come."
            )


def wait_for(slot: Slot, now: float) -> timedelta:
    """How long it is worth waiting before asking again: until the turn, but look again within the hour."""
    return timedelta(seconds=min(max(slot.at - now, 1.0), 3600.0))
