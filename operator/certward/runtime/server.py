"""/healthz, /readyz and /metrics, on a port of their own."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = logging.getLogger(__name__)


class HealthServer:
    """Answers probes and scrapes from a thread of its own, so that a busy operator still answers.

    Args:
        host: address to listen at.
        port: TCP port.
        health: -> problem as a sentence; empty when all is well.
        readiness: -> (ready, facts for the answer).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Callable[[], str],
        readiness: Callable[[], tuple[bool, dict[str, Any]]],
    ) -> None:
        self._host = host
        self._port = port
        self._health = health
        self._readiness = readiness
        self._loop = asyncio.new_event_loop()
        self._scraping = asyncio.Lock()
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop listening."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._app(), access_log=None)
        try:
            self._loop.run_until_complete(self._listen(runner))
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port).start()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/healthz", self._on_health)
        app.router.add_get("/readyz", self._on_ready)
        app.router.add_get("/metrics", self._on_metrics)
        return app

    async def _on_health(self, _request: web.Request) -> web.Response:
        problem = self._health()
        return web.Response(status=500 if problem else 200, text=f"{problem or 'ok'}\n")

    async def _on_ready(self, _request: web.Request) -> web.Response:
        is_ready, facts = self._readiness()
        return web.json_response(facts, status=200 if is_ready else 503)

    async def _on_metrics(self, _request: web.Request) -> web.Response:
        async with self._scraping:  # one at a time, beside the loop: with many Domains it takes a moment
            body = await asyncio.to_thread(generate_latest)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
