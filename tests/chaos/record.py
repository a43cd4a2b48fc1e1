"""What was done to the cluster and when, and what of that excuses what. The driver writes, the observer reads.

Times are seconds since the epoch, by the one clock that nobody sets.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Seconds within which what a fault took away has to be back.
BOUND = 100.0
#: The same in all, however many other faults came in between.
MOST = 300.0
#: Seconds that clients are given to see what has just come back.
GRACE = 2.0
#: Seconds after which operators have seen what was done: watches lag by up to six.
UNSEEN = 8.0


@dataclass
class Fault:
    """One that was injected.

    Attributes:
        kind: which.
        target: a part, a hostname, or words.
        at: when it began.
        healed: when what it had taken was given back, as far as the fault gives it back at all.
        recovered: when all was well again; None if that was never seen.
    """

    kind: str
    target: str
    at: float
    healed: float | None = None
    recovered: float | None = None


@dataclass
class Window:
    """A time in which something may be missing.

    Attributes:
        kind: of the fault.
        subject: a hostname, a Secret as namespace/name, or "*" for all.
        begun: from when.
        limit: until when at most, whatever happens.
        ended: when it was seen to be back.
    """

    kind: str
    subject: str
    begun: float
    limit: float
    ended: float | None = None

    def covers(self, subject: str, begun: float, ended: float) -> bool:
        """Whether it excuses something that lasted from `begun` to `ended`."""
        last = min(self.limit, self.ended + GRACE if self.ended else self.limit)
        return self.subject in ("*", subject) and begun <= last and ended >= self.begun


@dataclass
class Cause:
    """A reason for one order: what was asked of a hostname, or taken from it.

    Attributes:
        hostname: of which.
        why: in words.
        at: when it was begun.
        inherits: the hostname had a former owner.
        done_at: when the API server had taken it, where that is known.
    """

    hostname: str
    why: str
    at: float
    inherits: bool = False
    done_at: float | None = None

    def may_be_unseen(self, at: float) -> bool:
        """Whether an order that was placed at this moment may know nothing of it, so that another one has to follow."""
        return at < (self.done_at or self.at) + UNSEEN


@dataclass
class Trouble:
    """A time in which an order may come to nothing."""

    kind: str
    begun: float
    ended: float | None = None


@dataclass
class Record:
    """All of it. For many threads."""

    faults: list[Fault] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    skews: list[tuple[float, float]] = field(default_factory=list)
    helped: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(self, kind: str, target: str) -> Fault:
        """A fault begins."""
        fault = Fault(kind, target, time.time())
        with self.lock:
            self.faults.append(fault)
        return fault

    def window(self, kind: str, subject: str, bound: float = BOUND) -> Window:
        """From now on something may be missing; it ends by `ended` or by its limit."""
        now = time.time()
        window = Window(kind, subject, now, now + bound)
        with self.lock:
            self.windows.append(window)
        return window

    def cause(self, hostname: str, why: str, *, inherits: bool = False) -> Cause:
        """From now on one order for a hostname is right."""
        found = Cause(hostname, why, time.time(), inherits)
        with self.lock:
            self.causes.append(found)
        return found

    @contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """Meanwhile orders may come to nothing, and what is missing cannot come back."""
        trouble = Trouble(kind, time.time())
        with self.lock:
            self.troubles.append(trouble)
        try:
            yield
        finally:
            with self.lock:
                trouble.ended = now = time.time()
                for window in self.windows:
                    if window.ended is None and window.limit > trouble.begun:
                        window.limit = min(max(window.limit, now + BOUND), window.begun + MOST)

    def skew(self, seconds: float) -> None:
        """The operators' clock is ahead by so much from now on."""
        with self.lock:
            self.skews.append((time.time(), seconds))

    def most_skew(self, begun: float, ended: float) -> float:
        """By how much the clock was ahead at most in this time."""
        with self.lock:
            marks = [(0.0, 0.0), *self.skews]
        ends = [at for at, _ in marks[1:]] + [float("inf")]
        return max(skew for (at, skew), end in zip(marks, ends, strict=True) if at <= ended and end >= begun)

    def excuse(self, subjects: Iterable[str], begun: float, ended: float) -> str:
        """The fault by which something may have been missing then; empty where there is none."""
        with self.lock:
            found = (one.kind for one in self.windows for subject in subjects if one.covers(subject, begun, ended))
            return next(found, "")

    def troubles_between(self, begun: float, ended: float) -> list[Trouble]:
        """The times of trouble that touch this one."""
        with self.lock:
            return [one for one in self.troubles if one.begun <= ended and (one.ended or ended) >= begun]
