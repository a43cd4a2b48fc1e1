"""What anybody on this machine can do to the dashboard's port without being let in: next to nothing."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from certward.dashboard import connections
from certward.dashboard.connections import MOST, authority_of, listen
from certward.dashboard.security import COOKIE
from cluster.waiting import wait_for
from dashboard import worlds
from dashboard.serving import Served, serving


@pytest.fixture
def served(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """With what it logs caught from the beginning."""
    del capsys
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with serving(worlds.small(worlds.now())) as at:
        yield at


def connected(served: Served) -> socket.socket:
    host, _, port = served.authority.partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def status_of_the_first_page(served: Served) -> int:
    """As the user's browser asks for it, in a connection of its own."""
    with closing(http.client.HTTPConnection(served.authority, timeout=10)) as connection:
        connection.request("GET", served.keys.base, headers={"Cookie": f"{COOKIE}={served.keys.session}"})
        return connection.getresponse().status


def is_ended(connection: socket.socket) -> bool:
    """Whether the server has closed its side, perhaps after an answer."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_connections_that_ask_for_nothing_do_not_keep_the_user_out(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 60)
    with ExitStack() as open_ones:
        for _ in range(2 * MOST):
            open_ones.enter_context(connected(served))
        assert status_of_the_first_page(served) == 200


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ", id="half a header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\nGET / HTT", id="a second request that does not end"),
        pytest.param(
            b"POST {base}apps/team-a/shop/automatic HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            b"Cookie: certward={session}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 1000\r\n\r\nkey=",
            id="half a form",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 999999\r\n\r\nx", id="half a body refused"),
    ],
)
def test_a_request_that_does_not_end_is_given_up(
    served: Served, begun: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """However much comes meanwhile, byte by byte."""
    facts = {"host": served.authority, "base": served.keys.base, "session": served.keys.session}
    for name, value in facts.items():
        begun = begun.replace(b"{%s}" % name.encode(), value.encode())
    with connected(served) as slow:
        slow.sendall(begun)
        started = time.monotonic()
        wait_for(lambda: _trickled(slow), 20, "the connection is given up", every=0.1)
        assert 0.3 < time.monotonic() - started < 15
    assert status_of_the_first_page(served) == 200
    assert "Traceback" not in capsys.readouterr().err


def _trickled(connection: socket.socket) -> bool:
    """Send one more byte; whether the other side has ended the connection."""
    connection.settimeout(0.01)
    try:
        connection.sendall(b"x")
        while data := connection.recv(65536):
            assert data
    except TimeoutError:
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True
    return True


def test_clients_that_take_no_answers_do_not_keep_the_user_out(served: Served) -> None:
    """Whoever asks again and again and reads nothing, without a cookie, in as many connections as are kept."""
    asked = f"GET / HTTP/1.1\r\nHost: {served.authority}\r\n\r\n".encode() * 500
    with ExitStack() as open_ones:
        deaf = [open_ones.enter_context(socket.socket()) for _ in range(MOST)]
        host, _, port = served.authority.partition(":")
        for connection in deaf:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.connect((host, int(port)))
        # One of them does all that it can; it costs too much time to have all do so.
        wait_for(lambda: _is_given_up(deaf[0], asked), 60, "the connection is given up")
        assert status_of_the_first_page(served) == 200


def _is_given_up(connection: socket.socket, more: bytes) -> bool:
    """Send as much as can be sent, and read nothing; whether the other side has ended the connection."""
    connection.setblocking(False)
    try:
        while True:
            connection.send(more)
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"GET {base}apps HTTP/1.1\r\n{user}\r\nGARBAGE\r\n\r\n", id="after a request"),
        pytest.param(
            b"POST {base}apps HTTP/1.1\r\n{user}Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="in a body refused"
        ),
        pytest.param(
            b"POST {base}apps/team-a/shop/automatic HTTP/1.1\r\n{user}Origin: http://{host}\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nkey=a&b=cGARBAGE\r\n\r\n",
            id="after a form",
        ),
        pytest.param(b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n\x16\x03\x01\r\n\r\n" * 5, id="between requests"),
    ],
)
def test_garbage_behind_a_request_is_given_up_without_a_word(
    served: Served, garbage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    user = f"Host: {served.authority}\r\nCookie: {COOKIE}={served.keys.session}\r\n"
    for name, value in {"user": user, "host": served.authority, "base": served.keys.base}.items():
        garbage = garbage.replace(b"{%s}" % name.encode(), value.encode())
    for _ in range(5):
        with connected(served) as stranger:
            stranger.sendall(garbage)
            assert is_ended(stranger)
    assert status_of_the_first_page(served) == 200
    told = capsys.readouterr()
    assert told.out + told.err == ""


def test_a_head_that_is_too_long_and_what_is_no_http_are_refused(served: Served) -> None:
    for sent in (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"\x16\x03\x01\x02\x00\x01\x00" + bytes(600), b"\r\n" * 9):
        with connected(served) as stranger:
            stranger.sendall(sent)
            assert is_ended(stranger)
    assert status_of_the_first_page(served) == 200


def test_nothing_of_a_request_is_logged(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(http.client.HTTPConnection(served.authority, timeout=10)) as connection:
        connection.request("GET", served.entry.removeprefix(f"http://{served.authority}"))
        assert connection.getresponse().status == 200
    told = capsys.readouterr()
    assert told.out + told.err == ""


def test_each_run_is_a_host_of_its_own_for_the_browser() -> None:
    """Neither cookies nor service workers of what listened on this machine before can meet it."""
    with listen(0) as one, listen(0) as other:
        hosts = {bound.getsockname()[0] for bound in (one, other)}
    assert len(hosts) == 2
    assert all(host.startswith("127.") and host != "127.0.0.1" for host in hosts)


def test_a_port_that_was_asked_for_is_at_the_usual_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listen(port)
    with listen(port) as bound:
        assert authority_of(bound) == f"127.0.0.1:{port}"


def test_a_browser_does_not_write_the_usual_port() -> None:
    class Bound:
        def getsockname(self) -> tuple[str, int]:
            return "127.0.0.1", 80

    assert authority_of(Bound()) == "127.0.0.1"
