"""Waiting for something to become true, without fixed sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotInTime(AssertionError):
    """Something did not become true within its time."""


def wait_for(
    predicate: Callable[[], T],
    timeout: float = 30.0,
    what: str = "the condition",
    every: float = 0.05,
    ignore: tuple[type[Exception], ...] = (),
) -> T:
    """Return the predicate's first true value, asking it every `every` seconds for at most `timeout` seconds.

    Raises NotInTime with `what`, the last value and the last ignored exception, so that the failure
    explains itself.
    """
    limit = time.monotonic() + timeout
    value: T | None = None
    trouble: Exception | None = None
    while True:
        try:
            value = predicate()
            trouble = None
        except ignore as error:
            trouble = error
        if value and trouble is None:
            return value
        if time.monotonic() >= limit:
            seen = f"last: {trouble!r}" if trouble is not None else f"last value: {value!r}"
            raise NotInTime(f"{what} did not happen within {timeout:g} s ({seen})")
        time.sleep(every)
