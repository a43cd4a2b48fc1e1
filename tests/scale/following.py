"""Waiting within a limit, with progress for whoever looks on, and with what is missing when the time is over."""

import time
from collections.abc import Callable, Mapping

from cluster import progress
from cluster.errors import ClusterError

#: When progress is told first, and how often from then on.
_TELL_AFTER, _TELL_EVERY = 2.0, 5.0


class TooLate(ClusterError):
    """Something did not happen within its limit."""


def until(done: Callable[[], bool], what: str, limit: float, *, every: float = 0.02) -> float:
    """Wait until something is so, and return the time.monotonic() at which it was seen.

    Args:
        done: whether it is so.
        what: in words.
        limit: seconds to wait at most.
        every: seconds between two looks.

    Raises:
        TooLate: it was not.
    """
    counts = {what: lambda: int(done())}
    return everything(counts, 1, what, limit, every=every)


def everything(
    counts: Mapping[str, Callable[[], int]],
    total: int,
    what: str,
    limit: float,
    *,
    trouble: Callable[[], str] = str,
    every: float = 0.02,
) -> float:
    """Wait until each of several counts has come to the total, and return the time.monotonic() at which it was seen.

    Args:
        counts: what is counted, in words, and how.
        total: what each has to come to.
        what: the whole, in words.
        limit: seconds to wait at most.
        trouble: says what is missing, for the error.
        every: seconds between two looks.

    Raises:
        TooLate: with the counts, and with what is missing.
    """
    started = time.monotonic()
    tell_at = started + _TELL_AFTER
    while True:
        now = {name: count() for name, count in counts.items()}
        at = time.monotonic()
        if all(count >= total for count in now.values()):
            return at
        words = ", ".join(f"{name}: {count} of {total}" for name, count in now.items())
        if at - started > limit:
            raise TooLate(f"{what}: not within {limit:g} s ({words}). {trouble()}".rstrip())
        if at >= tell_at:
            progress.say(f"{what}: {words}, {at - started:.0f} s" if total > 1 else f"{what}: {at - started:.0f} s")
            tell_at = at + _TELL_EVERY
        time.sleep(every)
