"""The socket that the dashboard listens on, and an HTTP server that nobody keeps busy by doing nothing."""

import asyncio
import ipaddress
import platform
import secrets
import socket
import sys
from contextlib import suppress
from typing import Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds in which a request has to be there, with its body.
PATIENCE: Final = 10.0
#: So many connections are kept. A browser opens six.
MOST: Final = 64
_HTTP: Final = 80


class Connection(H11Protocol):
    """A connection that has so long for each request, and gives way to a new one where there are too many.

    The port is open to every user of this machine, before anybody has shown a cookie. Uvicorn waits for a request for
    ever, and would answer 503 to everybody while a limit of connections is reached.
    """

    waits_since: float = 0.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request; of too many connections the one that has waited longest goes."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._wait()
        if len(self.connections) > MOST:
            others = [one for one in self.connections if isinstance(one, Connection) and one.is_waiting]
            min(others, key=lambda one: one.waits_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        """Wait for the other side to take what there is for it."""
        super().pause_writing()
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where an answer to what came before is under way, end that with it.

        Uvicorn would begin a second answer, or have the first one go on in a connection that is closed, and log what
        becomes of that.
        """
        is_under_way = self.cycle is not None and not self.cycle.response_complete
        if is_under_way:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if is_under_way or self.conn.our_state is not h11.IDLE:
            self.transport.close()
        else:
            super().send_400_response(msg)

    @property
    def is_waiting(self) -> bool:
        """Whether the other side has its turn: it has to send a request, or the rest of one, or to take the answer."""
        is_asked = self.cycle is None or self.cycle.response_complete or self.cycle.more_body
        return (is_asked or self.flow.write_paused) and not self.transport.is_closing()

    def _wait(self) -> None:
        self._stop_waiting()
        self.waits_since = self.loop.time()
        self._deadline = self.loop.call_later(PATIENCE, self._end)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _end(self) -> None:
        # One that is closed stays for as long as the other side does not take what is left for it.
        if self.is_waiting or self.transport.is_closing():
            self.transport.abort()


def listen(port: int) -> socket.socket:
    """Listen on loopback, so that a browser that is quicker than the server waits for it.

    Where the port is left open, the address is left open as well on Linux, where 127.0.0.0/8 is all loopback. What a
    browser keeps for a host is then of this run alone: cookies, which do not know ports, and what a page of another
    program may have installed at the same port before, such as a service worker, which would see every request of ours.

    Args:
        port: of 127.0.0.1; 0 for any, at any address of loopback.

    Raises:
        OSError: the port is taken.
    """
    # A browser in Windows reaches what listens in WSL at 127.0.0.1 and nowhere else.
    if not port and sys.platform == "linux" and "microsoft" not in platform.release().lower():
        with suppress(OSError):
            return _bound(str(ipaddress.IPv4Address("127.0.1.0") + secrets.randbelow(0xFFFD00)), 0)
    return _bound("127.0.0.1", port)


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError:
        bound.close()
        raise
    return bound


def authority_of(bound: socket.socket) -> str:
    """Host and port of a socket as browsers write them: without the port that HTTP has anyway."""
    host, port = bound.getsockname()
    return host if port == _HTTP else f"{host}:{port}"


def server(application: ASGIApp) -> uvicorn.Server:
    """An HTTP server for the application; nothing that it says of itself goes out, and no URL into a log."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            loop="asyncio",
            http=Connection,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=32_768,
        )
    )
