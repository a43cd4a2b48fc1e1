"""A gate before something that many use at once, and that is changed only while nobody does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Open at first. Whoever comes while it is closed is sent away, not kept waiting."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._is_closed = False
        self._opens_at = 0.0

    @contextmanager
    def using(self) -> Iterator[bool]:
        """Go in; gives whether that was possible."""
        with self._condition:
            is_free = not self._is_closed and time.monotonic() >= self._opens_at
            self._inside += is_free
        try:
            yield is_free
        finally:
            with self._condition:
                self._inside -= is_free
                self._condition.notify_all()

    def close(self, patience: float = 0.0) -> bool:
        """Let nobody in any more, and wait for those inside.

        Args:
            patience: for how long, in seconds.

        Returns:
            Whether nobody is inside. The gate stays closed either way.
        """
        with self._condition:
            self._is_closed = True
            return self._condition.wait_for(lambda: not self._inside, patience)

    def open(self, *, after: float = 0.0) -> None:
        """Let people in again, `after` so many seconds; does nothing to a gate that is open."""
        with self._condition:
            if self._is_closed:
                self._is_closed = False
                self._opens_at = time.monotonic() + after
