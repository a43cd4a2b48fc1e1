"""The way from the operators to the API server, on which answers are slow, watches lag, and watches are too old."""

import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

_NOT_FORWARDED = {"transfer-encoding", "content-length", "connection", "keep-alive", "host", "accept-encoding"}
#: An event or an answer that says that a resourceVersion is too old, as the API server writes it.
_GONE = b'"code":410'


class Way:
    """A reverse proxy on loopback, in a thread of its own; `with Way(...) as way`. Attributes may be set at any time.

    Args:
        upstream: scheme, host and port of the API server.
        ca: the file of its roots.
        certificate: certificate and key that it shows itself, which is valid for 127.0.0.1.

    Attributes:
        delay: seconds before each request is passed on.
        expired: watches that came since `expire`, sent on with a resourceVersion that the API server no longer has.
        gone: answers and events "410 Gone" that the API server itself gave.
        requests: that were passed on.
    """

    def __init__(self, upstream: str, *, ca: Path, certificate: Path) -> None:
        self.delay, self.expired, self.gone, self.requests = 0.0, 0, 0, 0
        self._upstream = upstream
        self._trust = ssl.create_default_context(cafile=str(ca))
        self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.load_cert_chain(certificate)
        self._is_expiring, self._is_shut = False, False
        self._watches: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._started, self._stopping, self._flowing = threading.Event(), asyncio.Event(), asyncio.Event()
        self._flowing.set()
        self._port = 0
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="way")

    @property
    def url(self) -> str:
        """Where the API server is, this way."""
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the way to the API server did not open")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)
        self._loop.close()

    def expire(self, *, is_on: bool) -> None:
        """End all watches, and have those that come until it is off again begin at a version of long ago."""
        self._is_expiring = is_on
        if is_on:
            self.cut()

    def shut(self, *, is_on: bool) -> None:
        """End all watches and let none through until it is off again; everything else passes."""
        self._is_shut = is_on
        if is_on:
            self.cut()

    def lag(self, *, is_on: bool) -> None:
        """Watches tell nothing until it is off again; what they would have told comes then."""
        self._loop.call_soon_threadsafe(self._flowing.clear if is_on else self._flowing.set)

    def cut(self) -> None:
        """End all watches."""
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._watches])

    async def _serve(self) -> None:
        connector = TCPConnector(ssl=self._trust, limit=0)
        timeout = ClientTimeout(total=None, sock_connect=5)
        session = ClientSession(
            connector=connector, timeout=timeout, cookie_jar=DummyCookieJar(), auto_decompress=False
        )
        async with session as self._session:
            runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._own, backlog=512)
            await site.start()
            self._port = runner.addresses[0][1]
            self._started.set()
            await self._stopping.wait()
            self._flowing.set()
            for task in self._watches:
                task.cancel()
            await runner.cleanup()

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        self.requests += 1
        body = await incoming.read()
        query = dict(parse_qsl(incoming.query_string, keep_blank_values=True))
        is_watch = query.get("watch") in ("true", "1", "True")
        await asyncio.sleep(self.delay)
        if is_watch and self._is_shut:
            return _cut(incoming)
        path = incoming.raw_path
        if is_watch and self._is_expiring and query.get("resourceVersion"):
            self.expired += 1
            path = f"{incoming.path}?{urlencode({**query, 'resourceVersion': '1'})}"
        headers = {key: value for key, value in incoming.headers.items() if key.lower() not in _NOT_FORWARDED}
        try:
            async with self._session.request(
                incoming.method, f"{self._upstream}{path}", headers=headers, data=body or None, allow_redirects=False
            ) as reply:
                kept = {key: value for key, value in reply.headers.items() if key.lower() not in _NOT_FORWARDED}
                if is_watch and reply.status == 200:
                    response = web.StreamResponse(status=reply.status, headers=kept)
                    await response.prepare(incoming)
                    task = asyncio.ensure_future(self._pass_on(reply, response))
                    self._watches.add(task)
                    task.add_done_callback(self._watches.discard)
                    with suppress(asyncio.CancelledError, ConnectionError):
                        await task
                        return response
                    return _cut(incoming, response)
                answer = await reply.read()
                self.gone += is_watch and reply.status == 410
                return web.Response(status=reply.status, headers=kept, body=answer)
        except (ClientError, OSError, TimeoutError):
            return _cut(incoming)  # the API server is away, and so is the way

    async def _pass_on(self, reply, response) -> None:
        async for chunk in reply.content.iter_any():
            await self._flowing.wait()
            self.gone += _GONE in chunk.replace(b" ", b"")
            await response.write(chunk)
        await response.write_eof()


def _cut(incoming: web.BaseRequest, response: web.StreamResponse | None = None) -> web.StreamResponse:
    if incoming.transport is not None:
        incoming.transport.abort()
    return response or web.Response()
