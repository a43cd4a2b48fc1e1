"""The answers to HTTP-01 challenges (RFC 8555, 8.3), without any memory of challenges.

The answer to a token is the token and the account key's thumbprint, so any replica can answer any challenge
of a hostname at any time. Nothing else lives on this port, which is as public as the hostnames are.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from aiohttp import web

from certward.names import ANSWERER_HEADER, CHALLENGE_PATH

logger = logging.getLogger(__name__)

#: Base64url with 128 bits or more (RFC 8555, 8.3), and short enough to be one.
_TOKEN_PATH = re.compile(re.escape(CHALLENGE_PATH) + r"([A-Za-z0-9_-]{22,128})")
_HOST = re.compile(r"([A-Za-z0-9.-]{1,254})(?::\d{1,5})?")

_MAXIMUM_LINE = 2048
_MAXIMUM_HEADERS = 64
_MAXIMUM_CONNECTIONS = 1024
_START_SECONDS = 10.0

_HEADERS = {
    "Content-Type": "text/plain",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Server": "certward",
    ANSWERER_HEADER: "1",
}


class Answerer:
    """The server for challenges, in a thread of its own. Several processes may share its port.

    Args:
        host: address to listen on.
        port: to listen on; 0 for a free one, see `port`.
        thumbprint_for: the thumbprint for a hostname (lower case, no port, no trailing dot), or None for one
            that no certificate is wanted for; called for each request, so it has to be quick.
        allowed_peers: where given, connections from elsewhere are closed unheard.
        patience: seconds that a client has to send a request, the first or the next one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        thumbprint_for: Callable[[str], str | None],
        *,
        allowed_peers: Sequence[IPv4Network | IPv6Network] = (),
        patience: float = 10.0,
    ) -> None:
        self._host = host
        self._port = port
        self._thumbprint_for = thumbprint_for
        self._allowed_peers = tuple(allowed_peers)
        self._patience = patience
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.answered = 0
        """Requests answered with a key authorization."""
        self.refused = 0
        """Requests and connections that got none."""

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    def start(self) -> None:
        """Listen; returns once it does.

        Raises:
            OSError: the address cannot be listened on.
        """
        failure: list[BaseException] = []
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready, failure), name="certward-http01", daemon=True)
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise OSError(f"the challenge server did not start on {self._host} port {self._port}")
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

    def is_allowed(self, peer: str) -> bool:
        """Whether connections from this address are heard; IPv4 in IPv6 counts as IPv4."""
        if not self._allowed_peers:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._allowed_peers)

    def _run(self, ready: threading.Event, failure: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:
            failure.append(error)
            if ready.is_set():
                logger.exception("the challenge server ended")
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = _Server(self, self._answer, self._patience)
        listener = await self._loop.create_server(server, self._host, self._port, reuse_port=True, backlog=256)
        self._port = listener.sockets[0].getsockname()[1]
        ready.set()
        try:
            await self._stop.wait()
        finally:
            listener.close()
            await server.shutdown(timeout=1.0)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
        token = _TOKEN_PATH.fullmatch(request.rel_url.raw_path)
        host = _HOST.fullmatch(request.headers.get("Host", ""))
        if token is None or host is None:
            return self.refuse(HTTPStatus.NOT_FOUND)
        thumbprint = self._thumbprint_for(host[1].lower().removesuffix("."))
        if thumbprint is None:
            return self.refuse(HTTPStatus.NOT_FOUND)
        self.answered += 1
        return web.Response(body=f"{token[1]}.{thumbprint}".encode(), headers=_HEADERS)

    def refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> web.Response:
        """An answer that says no more than its status."""
        self.refused += 1
        return web.Response(status=status, body=f"{status.phrase}\n".encode(), headers=_HEADERS | (headers or {}))


class _Server(web.Server):
    """aiohttp's low-level server, with connections that are counted and checked before anything is read."""

    def __init__(self, answerer: Answerer, handler: Callable[[web.BaseRequest], Any], patience: float) -> None:
        super().__init__(handler)
        self.answerer = answerer
        self._patience = patience

    def __call__(self) -> "_Connection":
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            # Covers the time to the first complete request as well.
            keepalive_timeout=self._patience,
            # A request's body is never waited for.
            lingering_time=0,
            max_line_size=_MAXIMUM_LINE,
            max_field_size=_MAXIMUM_LINE,
            max_headers=_MAXIMUM_HEADERS,
            read_bufsize=8192,
        )


class _Connection(web.RequestHandler):
    __slots__ = ("_answerer",)

    def __init__(self, manager: _Server, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(manager, **options)
        self._answerer = manager.answerer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close at once what comes from elsewhere, and what is too much."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("",)
        crowded = self._manager is not None and len(self._manager.connections) > _MAXIMUM_CONNECTIONS
        if crowded or not self._answerer.is_allowed(str(peer[0])):
            self._answerer.refused += 1
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the client
    ) -> web.Response:
        """A short answer, and no traceback in the log: anybody may send garbage to a public port."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("a challenge could not be answered: %s", type(exc).__name__)
        response = self._answerer.refuse(HTTPStatus(status))
        response.force_close()
        return response
