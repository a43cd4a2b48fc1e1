"""A TCP connection with one deadline for all that happens on it and a bound on what is read.

A peer that drips one byte at a time, or never stops, can hold a worker no longer than the deadline.
"""

import io
import socket
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

from certward.errors import Transient

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: What went wrong, for machines: no connection (refused, unreachable), silence until the deadline (timeout),
#: an end before the answer (reset, closed), a TLS alert, or an answer that breaks the protocol (garbage).
Kind = Literal["refused", "unreachable", "timeout", "reset", "closed", "alert", "garbage"]

#: How much is read of one connection.
READ_MAX: Final = 1 << 16


class ProbeFailed(Transient):
    """An address did not serve what was asked of it; the reason is always NotServed.

    Attributes:
        kind: see `Kind`.
        alert: name of the TLS alert (RFC 8446, 6) when `kind` is "alert", else empty.
    """

    def __init__(self, kind: Kind, message: str, *, alert: str = "") -> None:
        super().__init__("NotServed", message)
        self.kind = kind
        self.alert = alert


class Link:
    """A connected socket; everything raises `ProbeFailed` and nothing lasts beyond the deadline.

    Args:
        sock: connected; the link closes it.
        deadline: on the monotonic clock, in seconds.
        read_max: bytes that may be read before the peer counts as broken.
    """

    def __init__(self, sock: socket.socket, deadline: float, *, read_max: int = READ_MAX) -> None:
        self.sock = sock
        self._deadline = deadline
        self._left = read_max

    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            ProbeFailed: it has passed.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ProbeFailed("timeout", "timed out waiting for the answer")
        return left

    def sendall(self, data: "ReadableBuffer") -> None:
        """Send everything."""
        self.sock.settimeout(self.remaining())
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise failure(error, connected=True) from error

    def recv_into(self, buffer: "WriteableBuffer") -> int:
        """Wait for bytes; 0 is the end."""
        self.sock.settimeout(self.remaining())
        try:
            count = self.sock.recv_into(buffer)
        except OSError as error:
            raise failure(error, connected=True) from error
        self._left -= count
        if self._left < 0:
            raise ProbeFailed("garbage", "the server sends more than any answer is long")
        return count

    def recv(self) -> bytes:
        """Wait for bytes; none is the end."""
        buffer = bytearray(1 << 14)
        return bytes(buffer[: self.recv_into(buffer)])

    def reader(self) -> io.BufferedReader:
        """Wrap the link as a file to read from; closing it leaves the link open."""
        return io.BufferedReader(_Raw(self))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Raw(io.RawIOBase):
    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._link.recv_into(buffer)


def connect(
    address: tuple[str, int], *, timeout: float, proxy_protocol: bool = False, read_max: int = READ_MAX
) -> Link:
    """Connect, and start with a PROXY protocol v1 header when asked to.

    Args:
        address: host and port; the host should be an IP address, since looking up a name has no deadline.
        timeout: seconds for everything that will happen on the link, connecting included.
        proxy_protocol: send the HAProxy PROXY protocol's header, version 1, with the connection's own ends.
        read_max: bytes that may be read.

    Raises:
        ProbeFailed: no connection.
    """
    deadline = time.monotonic() + timeout
    try:
        sock = socket.create_connection(address, timeout=timeout)
    except OSError as error:
        raise failure(error, connected=False) from error
    link = Link(sock, deadline, read_max=read_max)
    if proxy_protocol:
        try:
            link.sendall(_proxy_header(sock))
        except ProbeFailed:
            link.close()
            raise
    return link


def _proxy_header(sock: socket.socket) -> bytes:
    source, target = sock.getsockname(), sock.getpeername()
    family = "TCP6" if sock.family == socket.AF_INET6 else "TCP4"
    # The scope of a link-local address (fe80::1%eth0) is no part of the format.
    hosts = (str(end[0]).partition("%")[0] for end in (source, target))
    return f"PROXY {family} {' '.join(hosts)} {source[1]} {target[1]}\r\n".encode("ascii")


def failure(error: OSError, *, connected: bool) -> ProbeFailed:
    """Say in words what an OSError of a socket means."""
    if isinstance(error, ConnectionRefusedError):
        return ProbeFailed("refused", "connection refused")
    if isinstance(error, TimeoutError):
        return ProbeFailed("timeout", f"timed out {'waiting for the answer' if connected else 'connecting'}")
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return ProbeFailed("reset", "the server reset the connection")
    if connected:
        return ProbeFailed("reset", f"the connection broke ({error.strerror or type(error).__name__})")
    return ProbeFailed("unreachable", f"cannot be reached ({error.strerror or type(error).__name__})")
