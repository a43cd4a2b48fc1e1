"""When to try again and when to renew. All arithmetic, no clock."""

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from certward.errors import ChallengeFailed, OperatorError, RateLimited, Rejected

#: After a failed validation (Let's Encrypt integration guide, "Retrying failures"); the last one repeats.
CHALLENGE_DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(minutes=100),
    timedelta(days=1),
)
TRANSIENT_FIRST = timedelta(seconds=1)
#: After a look at the hostname that was not passed: nobody sets a record faster, and dead names may be many.
HOSTNAME_FIRST = timedelta(seconds=5)
TRANSIENT_MAX = timedelta(minutes=5)
#: No CA asks for a longer pause: the longest window of Let's Encrypt's limits is a week.
LONGEST_LIMIT = timedelta(days=7)
_OF_HOSTNAME = ("DNS", "CAA", "Challenge", "CDN")
#: A CA is not asked for its advice on a certificate more often than this.
ASK_AGAIN_LEAST = timedelta(minutes=1)
#: So old a certificate is before time or advice alone have it replaced, or a tenth of its life where that is less. That
#: is little beside the 24 hours that a CA has for a revocation (Baseline Requirements, 4.9.1.1).
LEAST_AGE = timedelta(hours=1)
#: That is doubled for each time in a row up to here, or to a third of its life where that is less.
LEAST_AGE_MOST = timedelta(days=1)
#: Below this lifetime a certificate is renewed at half of it instead of two thirds.
SHORT_LIFETIME = timedelta(days=10)


def retry_at(error: OperatorError, failures: int, now: datetime) -> datetime | None:
    """When to try again after `failures` consecutive failures for the same reason, this one included.

    Returns:
        The time, or None when only a changed spec or configuration can mend it.
    """
    if isinstance(error, RateLimited):
        # A status holds whole seconds; never a moment earlier than the CA said.
        return max(error.until, now).replace(microsecond=0) + timedelta(seconds=1)
    if isinstance(error, Rejected):
        return None
    if isinstance(error, ChallengeFailed):
        return now + CHALLENGE_DELAYS[min(failures, len(CHALLENGE_DELAYS)) - 1]
    doublings = min(failures - 1, 12)  # beyond that the maximum is long reached; keeps the number small
    first = HOSTNAME_FIRST if error.reason.startswith(_OF_HOSTNAME) else TRANSIENT_FIRST
    return now + min(first * float(2**doublings), TRANSIENT_MAX)


def longest_pause(reason: str, failures: int) -> timedelta:
    """How far ahead the next attempt is at most after `failures` consecutive failures that may be tried again.

    Args:
        reason: that of the last failure. It tells what only a Transient says from what a ChallengeFailed may say, too,
            and what a CA has said itself.
        failures: how many, 1 at least.
    """
    if reason == "RateLimited":
        return LONGEST_LIMIT + timedelta(seconds=1)  # see retry_at
    if reason == "CAUnavailable":
        return TRANSIENT_MAX
    return max(TRANSIENT_MAX, CHALLENGE_DELAYS[min(failures, len(CHALLENGE_DELAYS)) - 1])


class Window(NamedTuple):
    """When a CA wants a certificate renewed (RFC 9773, 4.2); aware datetimes."""

    start: datetime
    end: datetime


def renewal_time(not_before: datetime, not_after: datetime, *, window: Window | None = None, uid: str = "") -> datetime:
    """When a certificate is due.

    Without advice from the CA at two thirds of its life, at half when it is short. With advice at a point of the
    window, the same one for the same Domain each time, and between half and five sixths of its life: never so early
    that a CA's whim doubles the number of orders, never so late that there is no time to mend what goes wrong. A window
    that lies outside of that is taken at its word where it is earlier and not waited for where it is later; one that
    has passed means at once (RFC 9773, 4.2), as any point of it lies in the past.

    Args:
        not_before: of the certificate.
        not_after: of the certificate.
        window: the CA's advice, if any.
        uid: of the Domain.
    """
    lifetime = not_after - not_before
    if window is None:
        return not_before + (lifetime / 2 if lifetime < SHORT_LIFETIME else lifetime * 2 / 3)
    earliest, latest = not_before + lifetime / 2, not_before + lifetime * 5 / 6
    if window.start >= latest:
        return latest
    start, end = (max(window.start, earliest), min(window.end, latest)) if window.end > earliest else window
    return start + spread(uid, end - start)


def row_ends_at(lifetime: timedelta) -> timedelta:
    """The age from which on a certificate's replacement is none of those that follow each other too fast.

    A renewal in time comes at half of the lifetime or later, so it ends the row also by a clock that is a little wrong.
    """
    return lifetime / 3


def least_age(lifetime: timedelta, in_a_row: int) -> timedelta:
    """How old a certificate is at least before time or the CA's advice alone have it replaced.

    Without that a CA whose advice for each new certificate is a window that has passed, or a clock that is ahead by
    half a lifetime, would have one certificate ordered after the other without end.

    Args:
        lifetime: of the certificate.
        in_a_row: how many replacements that came so early have led to this certificate.
    """
    first = min(LEAST_AGE, lifetime / 10)
    return min(first * float(2 ** min(in_a_row, 16)), LEAST_AGE_MOST, row_ends_at(lifetime))


def overdue_time(renewal: datetime, not_after: datetime) -> datetime:
    """When a renewal that has not come counts as overdue: a quarter of the time that was left for it has passed."""
    return renewal + max(not_after - renewal, timedelta()) / 4


def ask_again_after(not_before: datetime, not_after: datetime, retry_after: timedelta) -> timedelta:
    """How long a CA's advice is believed: as it says, but a tenth of the certificate's life at most, and a minute."""
    return max(min(retry_after, (not_after - not_before) / 10), ASK_AGAIN_LEAST)


def spread(uid: str, interval: timedelta) -> timedelta:
    """A point within an interval that is the same for the same object each time: jitter without randomness."""
    digest = hashlib.sha256(uid.encode()).digest()
    return interval * (int.from_bytes(digest[:4], "big") / 2**32)
