"""When to try again and when to renew. All arithmetic, no clock."""

import hashlib
from datetime import datetime, timedelta

from certward.errors import ChallengeFailed, OperatorError, RateLimited, Rejected

#: After a failed validation (Let's Encrypt integration guide, "Retrying failures"); the last one repeats.
CHALLENGE_DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(minutes=100),
    timedelta(days=1),
)
TRANSIENT_FIRST = timedelta(seconds=1)
TRANSIENT_MAX = timedelta(minutes=5)
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
    return now + min(TRANSIENT_FIRST * float(2**doublings), TRANSIENT_MAX)


def renewal_time(not_before: datetime, not_after: datetime) -> datetime:
    """When a certificate is due without advice from the CA: at two thirds of its life, at half when it is short."""
    lifetime = not_after - not_before
    return not_before + (lifetime / 2 if lifetime < SHORT_LIFETIME else lifetime * 2 / 3)


def spread(uid: str, interval: timedelta) -> timedelta:
    """A point within an interval that is the same for the same object each time: jitter without randomness."""
    digest = hashlib.sha256(uid.encode()).digest()
    return interval * (int.from_bytes(digest[:4], "big") / 2**32)
