"""The dashboard's own server, with a store that the test fills; changes go to whatever API server is named."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from certward.dashboard.security import Keys
from certward.dashboard.server import Dashboard, listen, server
from certward.dashboard.store import Store


@dataclass(frozen=True)
class Served:
    """Where it is."""

    authority: str
    keys: Keys

    @property
    def base(self) -> str:
        return f"http://{self.authority}{self.keys.base}"

    @property
    def entry(self) -> str:
        return self.keys.url(self.authority)


@contextmanager
def serving(store: Store, changing: Any = None, place: str = "kind-demo") -> Iterator[Served]:
    """Serve it on a free port of loopback."""
    keys, bound = Keys(), listen(0)
    authority = f"127.0.0.1:{bound.getsockname()[1]}"
    made = Dashboard(store=store, changing=changing, keys=keys, place=place)
    running = server(made.application(authority))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield Served(authority, keys)
    finally:
        running.should_exit = True
        thread.join(10)
        bound.close()
