"""One deadline for a CA's whole answer, for `requests`.

The timeout of a socket is for each read, so that a byte now and then would keep a thread for as long as a CA likes: in
a body, and before it, where `http.client` reads line after line by itself.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Answer(HTTPResponse):
    """All of it, from the status line to the end of the body, has the time that its socket has for one read."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        limit = sock.gettimeout()
        if limit is not None:
            self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, time.monotonic() + limit))


class _Timed(io.RawIOBase):
    """What comes from a socket until a moment of monotonic time; then `TimeoutError`."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, until: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not there in time")
        self._sock.settimeout(left)  # the next request over this connection sets it anew
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Connection(HTTPConnection):
    response_class = _Answer


class _TLSConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


#: For a `PoolManager` or a `ProxyManager`, whose CONNECT it holds for as well.
POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _TLSPool}
