"""Writing a ledger down: what has changed, at most once a minute, and never over what somebody else has written."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from certward.errors import Conflict, OperatorError
from certward.runtime.ledger_account import Account

log = logging.getLogger(__name__)

#: Seconds between two writes.
WRITE_SECONDS: Final = 60.0


class Keeping:
    """For one thread at a time.

    Args:
        lock: held while an account is looked at or changed, and not while anything is asked of the API server.
        clock: seconds of the epoch.
        monotonic: monotonic seconds.
        now: seconds of the epoch, with the accounts moved along when the clock was set; called under the lock.
    """

    def __init__(
        self,
        lock: threading.Lock,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._monotonic = monotonic
        self._now = now

    def keep(self, issuer: str, account: Account, *, is_last: bool) -> None:
        """Write an account into its ConfigMap if that is due, or in any case the last time. Raises nothing."""
        try:
            self._flush(account, is_last=is_last)
        except OperatorError as error:
            account.is_changed = True
            log.warning("the ledger of issuer %s could not be written: %s", issuer, error.message)

    def _flush(self, account: Account, *, is_last: bool) -> None:
        with self._lock:
            is_due = account.is_changed and self._monotonic() - account.written_at >= WRITE_SECONDS
            if not account.is_used or not (is_due or is_last):
                return
            account.written_at = self._monotonic()
        try:
            self._write(account)
        except Conflict:
            theirs = account.store.read(self._clock())
            if theirs is not None:
                with self._lock:
                    account.merge(theirs, self._now())
            self._write(account)

    def _write(self, account: Account) -> None:
        with self._lock:
            snapshot = account.snapshot(self._now())
        account.store.write(snapshot)
        account.base = snapshot.books
