"""Which issuers cannot issue at the moment, so that the next one in the configuration is asked."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from certward.errors import OperatorError, RateLimited
from certward.plan.schedule import LONGEST_LIMIT
from certward.plan.turns import OrderRequest
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Memory

#: A CA that has not answered rightly for so long is passed over, in seconds; hiccups are shorter.
_PATIENCE = 20.0
#: So long after its last failure it is asked again.
_FORGOTTEN = 60.0
#: So long an issuer that refuses a hostname is not asked for it.
_REFUSAL = 3600.0
#: Who is told to wait for less than this waits, and asks nobody else.
_BRIEF = timedelta(seconds=10)


@dataclass(slots=True)
class _Trouble:
    failure: OperatorError
    since: float
    last: float


class Troubles:
    """What has gone wrong at each issuer lately. For many threads.

    Args:
        ledger: knows what each CA has said that it takes no orders for. That may be about some names alone.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._of: dict[str, _Trouble] = {}

    def note(self, issuer: str, failure: OperatorError, memory: Memory, *, began: float) -> None:
        """Take note of a failure, for everybody or for the one hostname that it concerns.

        Args:
            issuer: whose.
            failure: what came of it.
            memory: of the Domain.
            began: monotonic time at which it was asked; a CA that hangs has been in trouble since then.
        """
        now = time.monotonic()
        if isinstance(failure, RateLimited):
            wait = min(failure.until - datetime.now(UTC), LONGEST_LIMIT)
            if wait >= _BRIEF:
                memory.refusals[issuer] = (failure.message, now + wait / timedelta(seconds=1))
        elif failure.reason == "CAUnavailable":
            with self._lock:
                known = self._of.get(issuer)
                since = known.since if known and now - known.last < _FORGOTTEN else began
                self._of[issuer] = _Trouble(failure, since, now)
        elif failure.reason in ("CARejected", "CAAForbids"):
            memory.refusals[issuer] = (failure.message, now + _REFUSAL)

    def over(self, issuer: str) -> None:
        """It has issued."""
        with self._lock:
            self._of.pop(issuer, None)

    def with_issuer(self, issuer: str, memory: Memory, request: OrderRequest | None = None) -> str:
        """Why an issuer is not asked for a hostname now, as a sentence; empty when it is.

        Args:
            issuer: whose.
            memory: of the Domain.
            request: the order that would be placed; None where it is open already, and none is placed.
        """
        now = time.monotonic()
        message, until = memory.refusals.get(issuer, ("", 0.0))
        if until > now:
            return message
        with self._lock:
            known = self._of.get(issuer)
        if known and now - known.since >= _PATIENCE and now - known.last < _FORGOTTEN:
            return known.failure.message
        held = self._ledger.hold(issuer, request) if request else None
        return held[1] if held and held[0] - datetime.now(UTC) >= _BRIEF else ""

    def choose(
        self,
        issuers: tuple[str, ...],
        asked: str,
        memory: Memory,
        request: Callable[[str], OrderRequest],
        *,
        is_open: bool,
    ) -> str:
        """The issuer to ask: the one that is asked already, else the first that can issue; that one when none can.

        Args:
            issuers: those that may be used, in order; perhaps none.
            asked: the one that is asked already; empty when there is none.
            memory: of the Domain.
            request: the order that would be placed at an issuer.
            is_open: an order is open at the one that is asked already.
        """
        candidates = [asked] if asked in issuers else []
        if len(issuers) > 1:
            for issuer in (*candidates, *issuers):
                if not self.with_issuer(issuer, memory, None if is_open and issuer == asked else request(issuer)):
                    return issuer
        return next(iter((*candidates, *issuers)), "")
