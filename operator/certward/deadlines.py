"""Moments that somebody else has named, kept so that they come neither sooner nor later when the clock is set."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

#: So far the clock may have drifted from what it was before the deadline counts as another moment by it.
_DRIFT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, by a clock that nobody sets.

    Attributes:
        until: the same as aware UTC datetime, by the clock as it was when it was named.
        at: monotonic time.
    """

    until: datetime
    at: float

    @classmethod
    def of(cls, until: datetime, most: timedelta) -> Self:
        """A moment that has just been named, by the clock as it is now; it lies no further ahead than `most`."""
        now = datetime.now(UTC)
        wait = min(until - now, most)
        return cls(now + wait, time.monotonic() + wait / timedelta(seconds=1))

    def is_over(self) -> bool:
        """Whether it has come."""
        return time.monotonic() >= self.at

    def by_the_clock(self) -> datetime:
        """When it comes, by the clock as it is now; the same each time, unless that has been set."""
        comes = datetime.now(UTC) + timedelta(seconds=self.at - time.monotonic())
        return self.until if abs(comes - self.until) < _DRIFT else comes
