"""What is not urgent, spaced out."""

import threading
import time


class Pacer:
    """Spaces out what is not urgent: at most so many a second."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def book(self) -> float:
        """Take the next free place; returns the monotonic time at which it is."""
        with self._lock:
            place = max(self._next, time.monotonic())
            self._next = place + self._gap
            return place
