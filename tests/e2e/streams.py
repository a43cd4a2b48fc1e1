"""Continuous streams of real HTTPS requests: a new connection each time, everything noted, an end in sight."""

import http.client
import math
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e.world import World

#: Seconds that one request may take; a slower one has failed.
_TIMEOUT = 5.0
#: No stream goes on for longer than so many seconds, whatever the test does.
_LONGEST = 120.0
_WORKERS = 3


@dataclass(frozen=True)
class Request:
    """One request: when it began (time.monotonic), what its handshake agreed on, what was answered.

    `version` is empty when there was no handshake; `problem` is empty when all was well.
    """

    began: float
    version: str
    hsts: str
    problem: str


class Stream:
    """Asks one host over HTTPS at an even rate. `with Stream(world, hostname) as stream`.

    The client speaks every TLS version that its OpenSSL has, verifies chain and name, and never resumes a session.
    Requests keep their rate when one is slow: there are several workers.

    Args:
        world: where to find the ingress.
        hostname: the host to ask.
        rate: requests a second.
        also_trusts: a file with roots beside the world's own.
    """

    def __init__(self, world: World, hostname: str, rate: float = 20.0, *, also_trusts: Path | None = None) -> None:
        self._address = world.platform.https
        self._hostname = hostname
        self._context = permissive_context(str(world.platform.ca) if world.platform.ca else None)
        if also_trusts:
            self._context.load_verify_locations(also_trusts)
        self._gap = 1.0 / rate
        self._lock = threading.Lock()
        self._done: list[Request] = []
        self._stop = threading.Event()
        self._next = self._end = 0.0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_WORKERS)]

    def __enter__(self) -> Self:
        self._next = time.monotonic()
        self._end = self._next + _LONGEST
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def requests(self) -> Sequence[Request]:
        """What was asked so far, in the order of their beginnings."""
        with self._lock:
            return sorted(self._done, key=lambda request: request.began)

    @property
    def failures(self) -> list[str]:
        """The requests that did not get the application's answer, with their time in the stream."""
        asked = self.requests
        return [f"{request.began - asked[0].began:.2f} s: {request.problem}" for request in asked if request.problem]

    def versions(self, since: float = -math.inf, until: float = math.inf) -> set[str]:
        """The versions that requests agreed on which began in this time (time.monotonic)."""
        return {request.version for request in self.requests if since <= request.began < until}

    def first(self, version: str, since: float) -> float:
        """When the first request after a moment agreed on a version; infinite when none did."""
        return min((r.began for r in self.requests if r.began >= since and r.version == version), default=math.inf)

    def _work(self) -> None:
        while True:
            with self._lock:
                due, self._next = self._next, self._next + self._gap
            if due > self._end or self._stop.wait(max(due - time.monotonic(), 0.0)):
                return
            request = self._ask()
            with self._lock:
                self._done.append(request)

    def _ask(self) -> Request:
        began, version, hsts = time.monotonic(), "", ""
        try:
            with (
                socket.create_connection(self._address, _TIMEOUT) as plain,
                self._context.wrap_socket(plain, server_hostname=self._hostname) as connection,
            ):
                version = connection.version() or ""
                client = http.client.HTTPConnection(self._hostname, timeout=_TIMEOUT)
                client.sock = connection
                client.request("GET", "/", headers={"Host": self._hostname, "Connection": "close"})
                response = client.getresponse()
                body = response.read()
                hsts = response.getheader("Strict-Transport-Security") or ""
                problem = "" if response.status == http.HTTPStatus.OK else f"status {response.status}: {body[:80]!r}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        return Request(began, version, hsts, problem)


class KeptConnection:
    """One connection that is kept open between requests, as browsers and HTTP clients with a pool do."""

    def __init__(self, world: World, hostname: str) -> None:
        context = permissive_context(str(world.platform.ca) if world.platform.ca else None)
        plain = socket.create_connection(world.platform.https, _TIMEOUT)
        self._client = http.client.HTTPConnection(hostname, timeout=_TIMEOUT)
        self._client.auto_open = 0  # a connection that the server has closed is not opened anew
        self._client.sock = context.wrap_socket(plain, server_hostname=hostname)
        self._hostname = hostname

    def status(self) -> int:
        """Ask again; returns the status, 0 where the server has closed the connection, as it may."""
        try:
            self._client.request("GET", "/", headers={"Host": self._hostname})
            response = self._client.getresponse()
            response.read()
        except (ConnectionError, ssl.SSLError, http.client.HTTPException):
            return 0
        return response.status

    def close(self) -> None:
        """Close it."""
        self._client.close()


def permissive_context(ca: str | None) -> ssl.SSLContext:
    """A client that verifies, and offers every version and suite that this OpenSSL has."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
