"""One attempt for many threads."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Shared(Generic[_T]):
    """One attempt at a time; threads that come while it runs share its outcome, good or bad.

    A lock would let them try one after the other, each with its own time-out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Future[_T] | None = None

    def run(self, attempt: Callable[[], _T]) -> _T:
        """The outcome of the attempt that runs, or of this one. An attempt may not ask for itself."""
        with self._lock:
            running = self._running
            if running is None:
                mine = self._running = Future()
        if running is not None:
            return running.result()
        try:
            mine.set_result(attempt())
        except BaseException as error:  # noqa: BLE001 - whoever waits has to hear of it
            mine.set_exception(error)
        finally:
            with self._lock:
                self._running = None
        return mine.result()
