"""Where the time of a pass goes: named stages, each counted without those within it. Knows nothing of metrics."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: (name of the stage, seconds of its own)
Listener = Callable[[str, float], None]


class _Thread(threading.local):
    """The stages that this thread is in, outermost first: the seconds that stages within each have taken."""

    def __init__(self) -> None:
        self.within: list[float] = []


_thread = _Thread()
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have every stage told when it is over, in the thread that was in it."""
    _listeners.append(listener)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What runs here, as a `with` or a decorator, is that stage.

    What a stage within has taken is told of that one only, so the stages of a thread add up to the time that it worked.

    Args:
        name: one of a bounded set, for it becomes a label.
    """
    started = time.monotonic()
    _thread.within.append(0.0)
    try:
        yield
    finally:
        took = time.monotonic() - started
        own = took - _thread.within.pop()
        if _thread.within:
            _thread.within[-1] += took
        for listener in _listeners:
            listener(name, own)
