"""Raw bytes to a server and back, and the answers that they hold."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass

#: Seconds of silence after which a client gives up on an answer, and after which it takes the one it has to be whole.
QUIET, WHOLE = 0.25, 0.06
#: Bytes that a client reads at most.
MOST = 4 << 20


@dataclass(frozen=True)
class Case:
    """Something that is sent.

    Attributes:
        family: what it is about.
        sent: the bytes.
        pieces: how many writes they are sent in.
        leaves: whether the client is gone before an answer can come.
    """

    family: str
    sent: bytes
    pieces: int = 1
    leaves: bool = False

    @property
    def method(self) -> bytes:
        return self.sent.partition(b" ")[0]


@dataclass(frozen=True)
class Exchange:
    """What came of a case.

    Attributes:
        case: what was sent.
        received: all that came back.
        is_closed: whether the server has ended the connection.
        trouble: why there is none of that.
    """

    case: Case
    received: bytes = b""
    is_closed: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer of several that may come over a connection."""

    status: int
    head: bytes
    body: bytes


def exchange(address: tuple[str, int], case: Case) -> Exchange:
    """Send a case and read what comes, until the server closes or is quiet."""
    try:
        connection = socket.create_connection(address, timeout=5)
    except OSError as error:
        return Exchange(case, trouble=f"no connection: {error}")
    with connection:
        # A server that has heard enough may close while there is more to send.
        with suppress(OSError):
            step = -(-len(case.sent) // case.pieces) or 1
            for begin in range(0, len(case.sent), step):
                connection.sendall(case.sent[begin : begin + step])
        if case.leaves:
            return Exchange(case)
        received, is_closed = _read(connection)
        return Exchange(case, received, is_closed)


def _read(connection: socket.socket) -> tuple[bytes, bool]:
    """What comes until the other side closes, is quiet, or has said more than enough; whether it has closed."""
    received = bytearray()
    connection.settimeout(QUIET)
    with suppress(TimeoutError):
        while len(received) < MOST:
            try:
                data = connection.recv(65536)
            except ConnectionError:
                return bytes(received), True
            if not data:
                return bytes(received), True
            received += data
            connection.settimeout(WHOLE)
    return bytes(received), False


def ask(address: tuple[str, int], sent: bytes, limit: float) -> tuple[Answer | None, float]:
    """A good request as a good client sends it: the answer, and the seconds that it took."""
    started = time.monotonic()
    received = bytearray()
    with suppress(OSError), socket.create_connection(address, timeout=limit) as connection:
        connection.sendall(sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        while data := connection.recv(65536):
            received += data
    answers = split(bytes(received), is_head=False)
    return (answers[0] if answers else None), time.monotonic() - started


def split(received: bytes, *, is_head: bool) -> list[Answer]:
    """The answers in what came back; the last one may have been cut off.

    Raises:
        ValueError: this is not HTTP/1.
    """
    answers: list[Answer] = []
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        first, _, fields = head.partition(b"\r\n")
        version, _, told = first.partition(b" ")
        if version not in (b"HTTP/1.0", b"HTTP/1.1") or not told[:3].isdigit():
            raise ValueError(f"no status line: {first[:80]!r}")
        status = int(told[:3])
        if not end:
            break
        by_name = dict(_field(line) for line in fields.split(b"\r\n"))
        # What is refused before its method is known has a body.
        is_bare = is_head and (not rest or rest.startswith(b"HTTP/"))
        if is_bare or status < 200 or status in (204, 304):
            body, received = b"", rest
        elif by_name.get(b"transfer-encoding") == b"chunked":
            body, received = _chunked(rest)
        else:
            length = int(by_name.get(b"content-length", str(len(rest))))
            body, received = rest[:length], rest[length:]
        answers.append(Answer(status, head, body))
    return answers


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip().lower()


def _chunked(rest: bytes) -> tuple[bytes, bytes]:
    body = bytearray()
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        body += rest[:length]
        rest = rest[length + 2 :]
        if not length:
            return bytes(body), rest
