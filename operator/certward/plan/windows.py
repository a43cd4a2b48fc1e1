"""What a CA allows in sliding windows, and what of it has been used: counts in buckets of time, nothing else.

Let's Encrypt's limits are token buckets that refill all the time. Whoever never exceeds `limit` in any window of that
length never exceeds such a bucket of the same size either, so a sliding window is the safe reading of both. A bucket
of time counts as if everything in it had happened at its end, so rounding makes a place free late and never early.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

_HOUR: Final = 3600


class Limit(StrEnum):
    """What is counted, by its name in the ledger's document."""

    ORDERS = "orders"
    CERTIFICATES = "certificates"
    DUPLICATES = "duplicates"
    FAILURES = "failures"


class Subject(NamedTuple):
    """Whose use of a limit: the account's (""), a registered domain's, a set of names', a hostname's."""

    limit: Limit
    name: str = ""


#: Length of the window and width of a bucket of time, both in seconds. Widths divide an hour.
WINDOWS: Final[Mapping[Limit, tuple[int, int]]] = {
    Limit.ORDERS: (3 * _HOUR, 60),
    Limit.CERTIFICATES: (7 * 24 * _HOUR, _HOUR),
    Limit.DUPLICATES: (7 * 24 * _HOUR, _HOUR),
    Limit.FAILURES: (_HOUR, 60),
}


@dataclass(frozen=True, slots=True)
class Openings:
    """When places come free, if each is taken at once and held for a whole window.

    Attributes:
        times: of the first `limit` places, ascending, in seconds of the epoch.
        cycle: after how many seconds a place that was taken comes free again.
    """

    times: tuple[int, ...]
    cycle: int

    def at(self, index: int) -> int:
        """When the place of this number (from 0) comes free."""
        rounds, place = divmod(index, len(self.times))
        return self.times[place] + rounds * self.cycle


class Books:
    """How often each subject has used its limit, and when. Times are seconds of the epoch. Not for many threads.

    Attributes:
        beside: -> books kept by others in which the same limit is used too: they count, but are no part of these.
    """

    def __init__(self, limits: Mapping[Limit, int]) -> None:
        """Take the limits; 0 or absent is none, and then nothing is counted."""
        self._limits = {limit: size for limit, size in limits.items() if size > 0}
        self.beside: Callable[[Limit], Iterable[Books]] = lambda _: ()
        self._counts: dict[Subject, dict[int, int]] = {}

    def limit_of(self, subject: Subject) -> int:
        """How much a subject may use in a window; 0: as much as it likes."""
        return self._limits.get(subject.limit, 0)

    def count(self, subject: Subject, at: float, times: int = 1) -> None:
        """Take note of a use."""
        if subject.limit in self._limits and times > 0:
            self.put(subject, _bucket(subject, at), times)

    def refund(self, subject: Subject, at: float) -> None:
        """Take back one use that was counted at that time, if it is still on the books."""
        buckets = self._counts.get(subject, {})
        bucket = _bucket(subject, at)
        left = buckets.get(bucket, 0) - 1
        if left > 0:
            buckets[bucket] = left
        elif buckets.pop(bucket, None) is not None and not buckets:
            del self._counts[subject]

    def used(self, subject: Subject, now: float) -> int:
        """How much of the limit the window that ends now holds."""
        return sum(times for bucket, times in self._uses(subject) if _expiry(subject, bucket) > now)

    def has_room(self, subject: Subject, now: float) -> bool:
        """Whether one more use is allowed now."""
        size = self.limit_of(subject)
        return not size or self.used(subject, now) < size

    def openings(self, subject: Subject, now: float) -> Openings | None:
        """When places come free for a subject; None where there is no limit."""
        size = self.limit_of(subject)
        if not size:
            return None
        expiries: list[int] = []
        for bucket, times in sorted(self._uses(subject)):
            expiry = _expiry(subject, bucket)
            if expiry > now:
                expiries.extend([expiry] * times)
        free = max(size - len(expiries), 0)
        window, width = WINDOWS[subject.limit]
        return Openings((*([math.floor(now)] * free), *expiries[max(len(expiries) - size, 0) :]), window + width)

    def prune(self, now: float) -> None:
        """Drop what no window holds any more, and call what lies in the future (a clock was wrong) just now."""
        for subject, bucket, times in list(self):
            latest = _bucket(subject, now)
            if _expiry(subject, bucket) <= now or bucket > latest:
                self._drop(subject, bucket)
                if bucket > latest:
                    self.put(subject, latest, times)

    def shifted(self, hours: int) -> "Books":
        """The same books with everything so many hours later, for a clock that has been set."""
        moved = Books(self._limits)
        moved.beside = self.beside
        for subject, bucket, times in self:
            moved.put(subject, bucket + hours * _HOUR // WINDOWS[subject.limit][1], times)
        return moved

    def merged(self, base: "Books", theirs: "Books") -> "Books":
        """What somebody else has written, plus what is here beyond the base that both began with."""
        result = Books(self._limits)
        result.beside = self.beside
        for subject, bucket, times in theirs:
            result.put(subject, bucket, times)
        for subject, bucket, times in self:
            result.put(subject, bucket, times - base.get(subject, bucket))
        for subject, bucket, times in base:
            if not self.get(subject, bucket):
                result.put(subject, bucket, -times)
        return result

    def copy(self) -> "Books":
        """An independent copy."""
        return self.shifted(0)

    def get(self, subject: Subject, bucket: int) -> int:
        """The count of one bucket."""
        return self._counts.get(subject, {}).get(bucket, 0)

    def put(self, subject: Subject, bucket: int, times: int) -> None:
        """Add to one bucket, never below nothing."""
        total = self.get(subject, bucket) + times
        if total > 0:
            self._counts.setdefault(subject, {})[bucket] = total
        elif self.get(subject, bucket):
            self._drop(subject, bucket)

    def __iter__(self) -> Iterator[tuple[Subject, int, int]]:
        """All counts: subject, bucket, how many."""
        for subject, buckets in self._counts.items():
            for bucket, times in buckets.items():
                yield subject, bucket, times

    def _uses(self, subject: Subject) -> Iterator[tuple[int, int]]:
        """Bucket and count of all uses, here and beside."""
        for books in (self, *self.beside(subject.limit)):
            yield from books.buckets(subject)

    def buckets(self, subject: Subject) -> Iterable[tuple[int, int]]:
        """Bucket and count of all uses of a subject here."""
        return self._counts.get(subject, {}).items()

    def _drop(self, subject: Subject, bucket: int) -> None:
        buckets = self._counts[subject]
        del buckets[bucket]
        if not buckets:
            del self._counts[subject]


def _bucket(subject: Subject, at: float) -> int:
    return math.floor(at / WINDOWS[subject.limit][1])


def _expiry(subject: Subject, bucket: int) -> int:
    """From when on a bucket counts no more, in seconds of the epoch."""
    window, width = WINDOWS[subject.limit]
    return (bucket + 1) * width + window
