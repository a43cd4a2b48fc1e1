"""HTTP servers for ports that anybody may reach: small limits, nothing repeated, and nobody keeps one busy by waiting.

aiohttp answers mistakes with what it was sent, logs them with tracebacks, and lets a client that takes no answer stay
for ever. What listens here does none of that.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import HttpVersion10, HttpVersion11, web

from certward import sockets

log = logging.getLogger(__name__)

#: Bytes of the line of a request, and of each header; headers; bytes read at a time.
_LINE, _HEADERS, _BUFFER = 2048, 64, 8192
_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    # aiohttp's own limit sees idle connections only; `_Connection` sees all that wait.
    "keepalive_timeout": 3600.0,
    # A request's body is never waited for, nor unpacked.
    "lingering_time": 0,
    "auto_decompress": False,
    "max_line_size": _LINE,
    "max_field_size": _LINE,
    "max_headers": _HEADERS,
    "read_bufsize": _BUFFER,
}
#: Bytes that the system keeps of what came, and of what is not taken: else some megabytes for each connection.
_SYSTEM_BUFFER: Final = 32_768
_BACKLOG: Final = 256
_START_SECONDS: Final = 10.0
_SHUTDOWN_SECONDS: Final = 1.0

Answer = Callable[[web.BaseRequest], Awaitable[web.Response]]
Refuse = Callable[[HTTPStatus], web.Response]


class Listener:
    """A server in a thread of its own.

    Args:
        host: address to listen on; empty for all addresses, of IPv6 and of IPv4.
        port: to listen on; 0 for a free one, see `port`.
        name: of the thread.
        answer: -> the answer to a request.
        refuse: -> what is said instead of an answer.
        admits: whether connections from an address are heard; others are closed at once. IPv4 is told as IPv4,
            also where it comes to a socket of IPv6.
        patience: seconds that a client has to take an answer and send a whole request, the first or the next one.
        most: connections that are kept. One more takes the place of that which has waited longest.
        is_shared: several processes may listen on the port.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        name: str,
        answer: Answer,
        refuse: Refuse,
        admits: Callable[[str], bool] = lambda _: True,
        patience: float,
        most: int,
        is_shared: bool = False,
    ) -> None:
        self.port = port
        self._host = host
        self._name = name
        self._make = partial(_Server, answer, refuse=refuse, admits=admits, patience=patience, most=most)
        self._is_shared = is_shared
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; returns once it does.

        Raises:
            OSError: the address cannot be listened on.
        """
        failure: list[BaseException] = []
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready, failure), name=self._name, daemon=True)
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise OSError(f"{self._name} did not start on {self._host or 'all addresses,'} port {self.port}")
        if failure:
            self._thread.join()
            raise failure[0]

    def close(self) -> None:
        """Stop listening and end the thread; does nothing where it does not run."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is None or stop is None or thread is None:
            return
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        self._loop = self._stop = self._thread = None

    def _run(self, ready: threading.Event, failure: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:
            failure.append(error)
            if ready.is_set():
                log.exception("%s has ended", self._name)
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = self._make()
        if self._host:
            options: dict[str, Any] = {"reuse_port": True} if self._is_shared else {}
            listening = await self._loop.create_server(server, self._host, self.port, backlog=_BACKLOG, **options)
        else:
            bound = sockets.everywhere(self.port, is_shared=self._is_shared)
            listening = await self._loop.create_server(server, sock=bound, backlog=_BACKLOG)
        for bound in listening.sockets:
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                bound.setsockopt(socket.SOL_SOCKET, buffer, _SYSTEM_BUFFER)
        self.port = listening.sockets[0].getsockname()[1]
        ready.set()
        try:
            await self._stop.wait()
        finally:
            listening.close()
            await server.shutdown(timeout=_SHUTDOWN_SECONDS)


class _Server(web.Server):
    """aiohttp's low-level server, which has no routes and no answers of its own."""

    def __init__(
        self, answer: Answer, *, refuse: Refuse, admits: Callable[[str], bool], patience: float, most: int
    ) -> None:
        super().__init__(self._answered)
        self._answer = answer
        self._most = most
        self.refuse = refuse
        self.admits = admits
        self.patience = patience

    def __call__(self) -> "_Connection":
        return _Connection(self)

    def make_room(self) -> None:
        """Where there are too many connections, cut the one that has waited longest."""
        connections = self.connections
        if len(connections) > self._most:
            waiting = [one for one in connections if isinstance(one, _Connection) and one.is_waiting]
            min(waiting, key=lambda one: one.waits_since).cut()

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        connection = cast(_Connection, request.protocol)
        if request.version not in (HttpVersion10, HttpVersion11):
            # It would be answered in the version that it names, which nobody speaks here.
            connection.force_close()
            return self.refuse(HTTPStatus.BAD_REQUEST)
        connection.work()
        try:
            return await self._answer(request)
        finally:
            connection.wait()


class _Connection(web.RequestHandler):
    """A connection whose other side has so long for its turn: from an answer to the end of the next request."""

    __slots__ = ("_deadline", "_server", "_transport", "waits_since")

    def __init__(self, server: _Server) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **_OPTIONS)
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.waits_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close at once what is not admitted; begin to wait."""
        super().connection_made(transport)
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername") or ("",)
        self.wait()
        if self._server.admits(sockets.unmapped(str(peer[0]))):
            self._server.make_room()
        else:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait no longer."""
        self.work()
        super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether the other side has its turn."""
        return self._deadline is not None and self._transport is not None and not self._transport.is_closing()

    def wait(self) -> None:
        """It is the other side's turn."""
        self.work()
        self.waits_since = self._loop.time()
        self._deadline = self._loop.call_later(self._server.patience, self.cut)

    def work(self) -> None:
        """It is our turn."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def cut(self) -> None:
        """End it, also where there is something that the other side does not take."""
        if self._transport is not None:
            self._transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.Response:
        """A short answer, and no traceback in the log: anybody may send garbage to a public port."""
        del request, message  # they quote the client
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s: a request could not be answered: %s", threading.current_thread().name, type(exc).__name__)
        response = self._server.refuse(HTTPStatus(status))
        response.force_close()
        return response
