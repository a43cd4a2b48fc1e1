"""/healthz, /readyz and /metrics, on a port of their own."""

import asyncio
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from certward.listening import Listener

log = logging.getLogger(__name__)

_MAXIMUM_CONNECTIONS = 64
_TEXT = "text/plain; charset=utf-8"
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Server": "certward"}


class HealthServer:
    """Answers probes and scrapes from a thread of its own, so that a busy operator still answers.

    Args:
        host: address to listen at; empty for all, of IPv6 and of IPv4.
        port: TCP port; 0 for a free one, see `port`.
        health: -> problem as a sentence; empty when all is well.
        readiness: -> (ready, facts for the answer).
        patience: seconds that a client has to send its request, and again to take the answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Callable[[], str],
        readiness: Callable[[], tuple[bool, dict[str, Any]]],
        patience: float = 10.0,
    ) -> None:
        self._health = health
        self._readiness = readiness
        self._scraping = asyncio.Lock()
        self._pages = {"/healthz": self._on_health, "/readyz": self._on_ready, "/metrics": self._on_metrics}
        self._listener = Listener(
            host,
            port,
            name="health",
            answer=self._answer,
            refuse=_refusal,
            patience=patience,
            most=_MAXIMUM_CONNECTIONS,
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had.
        """
        self._listener.start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        page = self._pages.get(request.rel_url.raw_path)
        if page is None:
            response = _refusal(HTTPStatus.NOT_FOUND)
        elif request.method not in ("GET", "HEAD"):
            response = _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
            response.headers["Allow"] = "GET, HEAD"
        else:
            response = await page()
        # Probes and scrapes come seconds apart: nobody gains by a connection that is kept.
        response.force_close()
        return response

    async def _on_health(self) -> web.Response:
        problem = self._health()
        return _response(f"{problem or 'ok'}\n".encode(), _TEXT, HTTPStatus(500 if problem else 200))

    async def _on_ready(self) -> web.Response:
        is_ready, facts = self._readiness()
        return _response(json.dumps(facts).encode(), "application/json", HTTPStatus(200 if is_ready else 503))

    async def _on_metrics(self) -> web.Response:
        async with self._scraping:  # one at a time, beside the loop: with many Domains it takes a moment
            body = await asyncio.to_thread(self._told)
        return _response(body, CONTENT_TYPE_LATEST)

    def _told(self) -> bytes:
        try:
            return generate_latest()
        except Exception:  # the mistake is ours, so it is told in full
            log.exception("the metrics cannot be told")
            raise


def _response(body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(status=status, body=body, headers=_HEADERS | {"Content-Type": content_type})


def _refusal(status: HTTPStatus) -> web.Response:
    return _response(f"{status.phrase}\n".encode(), _TEXT, status)
