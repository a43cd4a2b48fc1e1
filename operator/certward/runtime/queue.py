"""The work queue: delayed, de-duplicating, fair between namespaces; one key is never worked on twice at once.

Within a namespace what has been begun is ended before the next is begun: of a thousand Domains the first are served
early, and none goes about half done for a minute. News goes before looks that were only to be taken again, so that what
is not in order does not hold up what has just come. Every fourth time the oldest such look goes first.
"""

import heapq
import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from certward.model.resources import Key

#: One in so many is the oldest look to be taken again, whatever news there is.
_TURNS = 4
#: So long after its news was taken up a key counts as begun, in seconds: it is ended within a few, or is not in order.
_BEGUN_SECONDS = 10.0
#: A time in place of which an earlier one has come stays in the heap until it is over, but so many at most beside the
#: keys that wait: a look that was only to be taken again is hours away, and news comes all the time.
_OUTDATED = 64


class _Lanes:
    """What is due in one namespace, the oldest first in each lane."""

    def __init__(self) -> None:
        self.begun: deque[Key] = deque()
        self.news: deque[Key] = deque()
        self.again: deque[Key] = deque()
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self.begun or self.news or self.again)

    def pop(self) -> Key:
        """The next one."""
        self._turn += 1
        if self.again and self._turn % _TURNS == 0:
            return self.again.popleft()
        return (self.begun or self.news or self.again).popleft()


class WorkQueue:
    """Keys that are due, handed out namespace by namespace in turn.

    A key that is added again before it is due keeps the earlier time. A key that is added while it is worked on
    comes again afterwards.

    Args:
        clock: monotonic seconds.
        keeps: whether a key is any of this process's business; others are not taken in.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, keeps: Callable[[Key], bool] = lambda _: True
    ) -> None:
        self._clock = clock
        self._keeps = keeps
        self._changed = threading.Condition()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._ready: OrderedDict[str, _Lanes] = OrderedDict()
        self._news: set[Key] = set()
        self._begun: dict[Key, float] = {}
        self._since: dict[Key, float] = {}
        self._working: dict[Key, bool] = {}
        self._again: dict[Key, float] = {}
        self._is_closed = False

    def keeps(self, key: Key) -> bool:
        """Whether a key would be taken in."""
        return self._keeps(key)

    def add(self, key: Key, after: float = 0.0, *, is_news: bool = True) -> None:
        """Have a key worked on `after` seconds from now, or earlier if it already is to be.

        Args:
            key: the key.
            after: seconds.
            is_news: something has happened; otherwise it is only to be looked at again.
        """
        if not self._keeps(key):
            return
        with self._changed:
            due = self._clock() + max(after, 0.0)
            if is_news:
                self._take_news(key)
            self._add(key, due)
            self._changed.notify()

    def add_all(self, keys: Iterable[Key], after: float = 0.0) -> None:
        """Add several keys."""
        with self._changed:
            due = self._clock() + max(after, 0.0)
            for key in filter(self._keeps, keys):
                self._take_news(key)
                self._add(key, due)
            self._changed.notify_all()

    def take(self, timeout: float) -> Key | None:
        """The next key that is due, from the namespace whose turn it is.

        Args:
            timeout: seconds to wait for one.

        Returns:
            The key, to be given back by done(); None when none came in time or the queue was closed.
        """
        deadline = self._clock() + timeout
        with self._changed:
            while not self._is_closed:
                now = self._clock()
                self._ripen(now)
                if (key := self._pop()) is not None:
                    return key
                if now >= deadline:
                    return None
                next_due = self._heap[0][0] if self._heap else deadline
                self._changed.wait(max(min(next_due, deadline) - now, 0.0))
            return None

    def is_news(self, key: Key) -> bool:
        """Whether a key that was taken came because something has happened."""
        with self._changed:
            return self._working.get(key, True)

    def done(self, key: Key) -> None:
        """The key has been worked on; if it was added meanwhile, it comes again."""
        with self._changed:
            self._working.pop(key, None)
            due = self._again.pop(key, None)
            if due is not None and self._keeps(key):
                self._add(key, due)
                self._changed.notify()

    def close(self) -> None:
        """Wake all that wait; nothing is handed out any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def drop(self, is_meant: Callable[[Key], bool]) -> bool:
        """Forget the keys that wait and are meant.

        Returns:
            Whether none that is meant is worked on any more either.
        """
        with self._changed:
            for waiting in (self._due, self._since, self._again, self._begun):
                for key in [key for key in waiting if is_meant(key)]:
                    del waiting[key]
            self._news = {key for key in self._news if not is_meant(key)}
            return not any(is_meant(key) for key in self._working)

    def is_waited_for(self) -> bool:
        """Whether a key is due that no worker has taken yet."""
        with self._changed:
            self._ripen(self._clock())
            return bool(self._since)

    def depth(self) -> tuple[int, int, float]:
        """(keys that are due, keys that wait for their time, age in seconds of the oldest due one)."""
        with self._changed:
            now = self._clock()
            self._ripen(now)
            oldest = min(self._since.values(), default=now)
            return len(self._since), len(self._due), now - oldest

    def _take_news(self, key: Key) -> None:
        if key in self._since and key not in self._news:
            self._ready[key.namespace].news.append(key)  # its place among the others is passed over
        self._news.add(key)

    def _add(self, key: Key, due: float) -> None:
        if key in self._working:
            self._again[key] = min(due, self._again.get(key, due))
            return
        if key in self._since or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        if len(self._heap) > 2 * len(self._due) + _OUTDATED:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def _ripen(self, now: float) -> None:
        while self._begun and now - next(iter(self._begun.values())) > _BEGUN_SECONDS:
            del self._begun[next(iter(self._begun))]  # the oldest; it may be gone, and never come again
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                continue  # an earlier time has been set since
            del self._due[key]
            self._lane_of(key).append(key)
            self._since[key] = due

    def _lane_of(self, key: Key) -> deque[Key]:
        lanes = self._ready.setdefault(key.namespace, _Lanes())
        if key in self._news:
            return lanes.news
        return lanes.begun if key in self._begun else lanes.again

    def _pop(self) -> Key | None:
        while self._ready:
            namespace, lanes = next(iter(self._ready.items()))
            key = lanes.pop()
            is_left_over = key not in self._since
            if not lanes:
                del self._ready[namespace]
            elif not is_left_over:
                self._ready.move_to_end(namespace)
            if not is_left_over:
                del self._since[key]
                self._working[key] = key in self._news
                if key in self._news:
                    self._begun.pop(key, None)
                    self._begun[key] = self._clock()  # behind all others: they are in the order of their times
                self._news.discard(key)
                return key
        return None
