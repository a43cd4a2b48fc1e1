"""What the cluster tells a person while it works: plain lines with the seconds since the start."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTED = time.monotonic()


def say(text: str) -> None:
    """Print one line, with the seconds since the program's start in front."""
    print(f"[{time.monotonic() - _STARTED:6.1f}s] {text}", file=sys.stderr, flush=True)


def human(seconds: float) -> str:
    """Return a duration as a person says it: `8 s`, `6 min 30 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


@contextmanager
def ticking(text: str, every: float = 20.0) -> Iterator[None]:
    """Say `text` now, and again with the elapsed time every `every` seconds for as long as the body runs."""
    say(text)
    started = time.monotonic()
    done = threading.Event()

    def tick() -> None:
        while not done.wait(every):
            say(f"  still at it after {human(time.monotonic() - started)}: {text}")

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
