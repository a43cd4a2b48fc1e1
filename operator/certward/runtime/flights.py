"""What takes long and is nobody's computing: done beside the workers, who let go of the key until it is over."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import ParamSpec, TypeVar

from certward.model.resources import Key

#: So long a worker waits for a flight; then it does something else until it is told.
_WAITS = 0.05
#: How soon a worker comes back that did not get a place, and one that is told when a flight is over.
NO_PLACE = timedelta(milliseconds=100)
UNTIL_TOLD = timedelta(minutes=2)

P = ParamSpec("P")
R = TypeVar("R")


class Flights:
    """A bounded number of threads. For many threads.

    Args:
        name: of the threads.
        places: how many flights may be under way; half of them for one namespace at most, so that names which keep one
            waiting do not keep the others from starting.
        wake: has a key worked on again.
    """

    def __init__(self, name: str, places: int, wake: Callable[[Key], None]) -> None:
        self._pool = ThreadPoolExecutor(places, thread_name_prefix=name)
        self._places = places
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._wake = wake

    def start(self, namespace: str, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R] | None:
        """Start a flight for a namespace; None when too many are under way."""
        with self._lock:
            of_all, of_it = self._under_way.total(), self._under_way[namespace]
            if of_all >= self._places or of_it >= max(self._places // 2, 1):
                return None
            self._under_way[namespace] += 1
        flight = self._pool.submit(work, *args, **kwargs)
        flight.add_done_callback(lambda _: self._landed(namespace))
        return flight

    def are_under_way(self, is_meant: Callable[[str], bool]) -> bool:
        """Whether any are, for a namespace that is meant."""
        with self._lock:
            return any(is_meant(namespace) for namespace in self._under_way)

    def _landed(self, namespace: str) -> None:
        with self._lock:
            self._under_way[namespace] -= 1
            if not self._under_way[namespace]:
                del self._under_way[namespace]

    def is_over(self, flight: Future[R], key: Key) -> bool:
        """Whether a flight is over, or is within a moment; else the key is worked on again once it is.

        Told only now: a key that was told while it is worked on would come again at once, whatever pause follows.
        """
        if wait([flight], timeout=_WAITS).done:
            return True
        flight.add_done_callback(lambda _: self._wake(key))
        return False
