"""Which issuers cannot issue at the moment, so that the next one in the configuration is asked."""

import threading
import time
from dataclasses import dataclass

from certward.deadlines import Deadline
from certward.errors import OperatorError, RateLimited
from certward.plan.schedule import LONGEST_LIMIT
from certward.runtime.memory import Memory

#: A CA that has not answered rightly for so long is passed over, in seconds; hiccups are shorter.
_PATIENCE = 20.0
#: So long after its last failure it is asked again.
_FORGOTTEN = 60.0
#: So long an issuer that refuses a hostname is not asked for it.
_REFUSAL = 3600.0


@dataclass(slots=True)
class _Trouble:
    failure: OperatorError
    since: float
    last: float
    until: Deadline | None = None


class Troubles:
    """What has gone wrong at each issuer lately. For many threads."""

    def __init__(self) -> None:
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
        if isinstance(failure, RateLimited) or failure.reason == "CAUnavailable":
            until = Deadline.of(failure.until, LONGEST_LIMIT) if isinstance(failure, RateLimited) else None
            with self._lock:
                known = self._of.get(issuer)
                since = known.since if known and now - known.last < _FORGOTTEN else began
                self._of[issuer] = _Trouble(failure, since, now, until)
        elif failure.reason in ("CARejected", "CAAForbids"):
            memory.refusals[issuer] = (failure.message, now + _REFUSAL)

    def over(self, issuer: str) -> None:
        """It has issued."""
        with self._lock:
            self._of.pop(issuer, None)

    def with_issuer(self, issuer: str, memory: Memory) -> str:
        """Why an issuer is not asked for a hostname now, as a sentence; empty when it is."""
        now = time.monotonic()
        message, until = memory.refusals.get(issuer, ("", 0.0))
        if until > now:
            return message
        with self._lock:
            known = self._of.get(issuer)
        if known is None:
            return ""
        if known.until is not None:
            return "" if known.until.is_over() else known.failure.message
        is_lasting = now - known.since >= _PATIENCE and now - known.last < _FORGOTTEN
        return known.failure.message if is_lasting else ""

    def limit(self, issuer: str) -> RateLimited | None:
        """What an issuer has said that takes no orders for now; None when it does."""
        with self._lock:
            known = self._of.get(issuer)
        if known is None or known.until is None or known.until.is_over():
            return None
        return RateLimited(known.failure.reason, known.failure.message, until=known.until.by_the_clock())

    def choose(self, issuers: tuple[str, ...], open_with: str, memory: Memory) -> str:
        """The issuer to ask: the one of the open order, else the first that can issue; the first when none can.

        Args:
            issuers: those that may be used, in order; perhaps none.
            open_with: the issuer of the open order; empty when there is none.
            memory: of the Domain.
        """
        candidates = [open_with] if open_with in issuers else []
        for issuer in (*candidates, *issuers):
            if not self.with_issuer(issuer, memory):
                return issuer
        return next(iter((*candidates, *issuers)), "")
