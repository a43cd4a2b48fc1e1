"""How a CA has answered, counted."""

import threading
from collections import Counter

#: In the place of a status: no answer that could be read.
NO_ANSWER = "none"


class Tally:
    """Requests to one CA by the HTTP status of the answer. For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, result: int | str) -> None:
        """One more request that ended like that."""
        with self._lock:
            self._counts[str(result)] += 1

    def counts(self) -> dict[str, int]:
        """How many so far, by result."""
        with self._lock:
            return dict(self._counts)
