"""What a replica that has begun to work has not looked at yet."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from certward.model.resources import Key

log = logging.getLogger(__name__)


class Unseen:
    """For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[Key] = set()
        self._began = 0.0

    def begin(self, keys: Iterable[Key]) -> None:
        """These are to be looked at from now on."""
        with self._lock:
            self._keys.update(keys)
            self._began = time.monotonic()

    def saw(self, key: Key) -> None:
        """All that belongs to an object has been compared with what there is, and written where it differed."""
        with self._lock:
            if key not in self._keys:
                return
            self._keys.discard(key)
            is_last, took = not self._keys, time.monotonic() - self._began
        if is_last:
            log.info("all objects have been looked at, %.1f s after the start of work", took)

    def leave(self, is_meant: Callable[[Key], bool]) -> None:
        """Another replica looks at these."""
        with self._lock:
            self._keys = {key for key in self._keys if not is_meant(key)}

    def count(self) -> int:
        """How many there are."""
        return len(self._keys)
