"""Servers that do wrong, each in one way. What watches them has to notice."""

import os
import sys
import time
import traceback
from http import HTTPStatus
from typing import Any

from aiohttp import web

from certward import listening
from certward.acme.http01 import Answerer
from certward.names import CHALLENGE_PATH

_KEPT: list[Any] = []


class Reflecting(Answerer):
    """Shows what it was asked for, as HTML."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.path.startswith(CHALLENGE_PATH):
            return await super()._answer(request)
        return web.Response(status=HTTPStatus.NOT_FOUND, text=f"no {request.path}", content_type="text/html")


class Open(Answerer):
    """Answers tokens with POST too."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        return await super()._answer(request.clone(method="GET"))


class Chatty(Answerer):
    """Says on standard error what it was sent, as a mistake, past the log that would cut it out."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            int(request.path)
        except ValueError:
            sys.stderr.write(f"{request.method} {dict(request.headers)}\n{traceback.format_exc()}")
        return await super()._answer(request)


class Telling(Answerer):
    """Answers a mistake of its own with its traceback."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if "%" in request.raw_path:
            text = 'Traceback (most recent call last):\n  File "/srv/operator/certward/acme/http01.py", line 1'
            return web.Response(status=500, text=text)
        return await super()._answer(request)


class Frail(Answerer):
    """Ends at what it does not expect."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if "%" in request.raw_path:
            os._exit(1)
        return await super()._answer(request)


class Blocking(Answerer):
    """Keeps everybody waiting for one, once."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if "%" in request.raw_path and not _KEPT:
            _KEPT.append(request.raw_path)
            _wait()
        return await super()._answer(request)


def _wait() -> None:
    time.sleep(3)


class Hoarding(Answerer):
    """Keeps something of every request, and a file open."""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        _KEPT.append((os.urandom(3_000_000), os.open(os.devnull, os.O_RDONLY)))
        return await super()._answer(request)


class Verbose(Answerer):
    """Says far too much."""

    def refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> web.Response:
        answer = super().refuse(status, headers)
        answer.body = bytes(4096)
        return answer


#: The fault -> the server and how it is set up. One that waits shortly makes for a short test.
ANSWERERS: dict[str, tuple[type[Answerer], dict[str, Any]]] = {
    "none": (Answerer, {"patience": 0.5}),
    "lets clients take nothing": (Answerer, {"patience": 0.5}),
    "waits for ever": (Answerer, {"patience": 3600.0}),
    "reflects": (Reflecting, {}),
    "answers POST": (Open, {}),
    "logs requests": (Chatty, {}),
    "tells its traceback": (Telling, {}),
    "ends": (Frail, {}),
    "blocks": (Blocking, {}),
    "hoards": (Hoarding, {}),
    "says too much": (Verbose, {}),
}


def begin(fault: str) -> None:
    """What a fault needs beside its server; does nothing for most."""
    if fault == "lets clients take nothing":
        listening._Connection.cut = lambda self: self._transport.close()
