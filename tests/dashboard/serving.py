"""The dashboard's own server, with a store that the test fills; changes go to whatever API server is named."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from certward.dashboard.connections import authority_of, listen, server
from certward.dashboard.security import Keys
from certward.dashboard.server import application
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
    """Serve it on loopback, at an address and a port of its own."""
    keys, bound = Keys(), listen(0)
    # So that another server can have the port at once, for which it would have to wait a minute.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    authority = authority_of(bound)
    running = server(application(store=store, changing=changing, keys=keys, place=place, authority=authority))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield Served(authority, keys)
    finally:
        running.should_exit = True
        thread.join(10)
        bound.close()
