"""What a CA has asked not to be asked before a certain moment."""

import re
import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from certward.acme.problems import Problem
from certward.deadlines import Deadline
from certward.errors import RateLimited

#: Let's Encrypt's limits of one name; they are no reason to hold the orders of others.
_OF_A_NAME = re.compile(r"already issued for|failed authorizations")
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Holds:
    """The moments by URL: those of newOrder and the like are the account's, those of an order its own. For threads."""

    def __init__(self, issuer_name: str) -> None:
        self._issuer_name = issuer_name
        self._lock = threading.Lock()
        self._until: dict[str, Deadline] = {}

    def note(self, url: str, problem: Problem, retry_after: float | None) -> None:
        """Keep a Retry-After (RFC 8555, 6.6; RFC 9110, 10.2.3)."""
        is_busy = problem.status in _BUSY or problem.code == "rateLimited"
        if not is_busy or not retry_after or _OF_A_NAME.search(problem.detail):
            return
        wait = timedelta(seconds=retry_after)
        until = Deadline.of(datetime.now(UTC) + wait, wait)
        with self._lock:
            self._until = {held: known for held, known in self._until.items() if not known.is_over()}
            self._until[url] = max(until, self._until.get(url, until), key=lambda known: known.at)

    def check(self, url: str) -> None:
        """Before a request.

        Raises:
            RateLimited: it is too early.
        """
        with self._lock:
            until = self._until.get(url)
        if until is not None and not until.is_over():
            message = f"The CA {self._issuer_name} accepts no more requests for now; it goes on by itself."
            raise RateLimited("RateLimited", message, until=until.by_the_clock())
