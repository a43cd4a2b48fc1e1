"""Clients that take their time: many connections that are held and hardly used, to keep everybody else out."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from fuzz.marks import form_head
from fuzz.surfaces import Surface

_TICK = 0.05
#: Seconds between two bytes.
_DRIP = 0.25
#: Requests whose answers are more than a system keeps for somebody who does not take them.
_REPEATED = 4000
#: Connections of each such kind. They are work for the server, which the others are not.
_UNREAD = 3


@dataclass
class Held:
    """A connection.

    Attributes:
        kind: how it is slow.
        connection: it.
        drip: what is sent next, again and again: a byte at a time, by those who read.
        reads: whether what comes is read; those who do not send as much as they can.
        since: when it was made.
        ended_after: seconds until the server has cut it; None while it has not.
    """

    kind: str
    connection: socket.socket
    drip: bytes
    reads: bool
    since: float = field(default_factory=time.monotonic)
    ended_after: float | None = None
    sent: int = 0
    next_at: float = 0.0

    def tick(self) -> None:
        """Do the little that it does; notice whether it is cut."""
        try:
            if self.reads:
                while data := self.connection.recv(65536):
                    assert data
                self._end()
        except BlockingIOError:
            pass
        except OSError:
            self._end()
        now = time.monotonic()
        if self.ended_after is None and self.drip and (not self.reads or now >= self.next_at):
            self.next_at = now + _DRIP
            self._send()

    def _send(self) -> None:
        at = self.sent % len(self.drip)
        try:
            self.sent += self.connection.send(self.drip[at : at + 1] if self.reads else self.drip[at:])
        except BlockingIOError:
            pass
        except OSError:
            self._end()

    def _end(self) -> None:
        self.ended_after = time.monotonic() - self.since


class Crowd:
    """Holds so many connections in a thread of its own, until it is told to go."""

    def __init__(self, address: tuple[str, int], surface: Surface, size: int) -> None:
        self._address = address
        self.kinds = _kinds(surface)
        self._size = size
        self._stop = threading.Event()
        self.held: list[Held] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        names = list(self.kinds)
        for number in range(self._size):
            kind = names[number % len(names)]
            if not self.kinds[kind][2] and number >= _UNREAD * len(names):
                kind = names[0]
            begun, drip, reads = self.kinds[kind]
            connection = socket.socket()
            if not reads:  # so that little fits into what the system keeps for it
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.settimeout(5)
            with suppress(OSError):
                connection.connect(self._address)
            connection.setblocking(False)
            held = Held(kind, connection, drip, reads)
            with suppress(OSError):
                connection.send(begun)
            self.held.append(held)
        self._thread.start()

    def wait(self, limit: float) -> None:
        """Wait until the server has ended them all, or a time has come (of the monotonic clock)."""
        while time.monotonic() < limit and any(one.ended_after is None for one in self.held):
            time.sleep(0.05)

    def uncut(self, seconds: float) -> dict[str, int]:
        """How many the server has held for longer than that, by kind."""
        kinds = [one.kind for one in self.held if one.ended_after is None or one.ended_after > seconds]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def longest(self) -> float:
        return max((one.ended_after or 0.0 for one in self.held), default=0.0)

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for one in self.held:
            one.connection.close()

    def _run(self) -> None:
        while not self._stop.wait(_TICK):
            for one in self.held:
                if one.ended_after is None:
                    one.tick()


def _kinds(surface: Surface) -> dict[str, tuple[bytes, bytes, bool]]:
    """How clients are slow -> what they begin with, what they drip, and whether they read."""
    host = surface.host.encode()
    refused = b"GET /nothing HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    form = b"POST " + surface.paths[0].encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + form_head(surface)
    return {
        "says nothing": (b"", b"", True),
        "half a line, then a byte at a time": (b"GET /", b"a", True),
        "half a head, then a byte at a time": (b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nX-Slow: ", b"a", True),
        "a header at a time": (b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n", b"X: a\r\n", True),
        "a good request, then nothing": (surface.good, b"", True),
        "a good request, then a byte at a time": (surface.good + b"GET /", b"a", True),
        "half a form, then a byte at a time": (
            form + surface.headers + b"Content-Length: 15000\r\n\r\n",
            b"a",
            True,
        ),
        "half a body of a stranger": (form + b"Content-Length: 15000\r\n\r\n", b"a", True),
        "chunks without end": (form + surface.headers + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", True),
        "reads nothing": (b"", surface.good * _REPEATED, False),
        "reads nothing of what is refused": (b"", refused * _REPEATED, False),
    }
