"""The servers that anybody may reach: what is no request, and clients that keep a connection and do nothing with it."""

import http.client
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from certward.acme import http01
from certward.acme.http01 import Answerer
from certward.names import CHALLENGE_PATH
from certward.runtime import server
from certward.runtime.server import HealthServer
from cluster.waiting import wait_for
from thumbprints import by_hostname

PATH = f"{CHALLENGE_PATH}{'a' * 43}"
GOOD = {
    "answerer": f"GET {PATH} HTTP/1.1\r\nHost: www.example.com\r\n\r\n".encode(),
    "health": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


def made(name: str, patience: float) -> Answerer | HealthServer:
    if name == "answerer":
        return Answerer("127.0.0.1", 0, by_hostname({"www.example.com": "PRINT"}), patience=patience)
    return HealthServer("127.0.0.1", 0, health=lambda: "", readiness=lambda: (True, {"a": 1}), patience=patience)


@pytest.fixture(params=["answerer", "health"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def port(name: str) -> Iterator[int]:
    """Of a server that is as patient as ever."""
    with closing(made(name, 10.0)) as running:
        running.start()
        yield running.port


@pytest.fixture
def hasty(name: str) -> Iterator[int]:
    """Of one that has no patience."""
    with closing(made(name, 0.3)) as running:
        running.start()
        yield running.port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def said(port: int, sent: bytes) -> bytes:
    """All that comes back until the server closes."""
    received = b""
    with connected(port) as connection:
        connection.sendall(sent)
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    return received


def is_cut(connection: socket.socket, more: bytes) -> bool:
    """Whether the server has ended the connection, which is never read from."""
    connection.setblocking(False)
    try:
        while more:
            connection.send(more)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return connection.recv(1, socket.MSG_PEEK) == b""


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "], ids=["nothing", "half a head"])
def test_a_request_that_does_not_come_is_not_waited_for(hasty: int, begun: bytes) -> None:
    assert said(hasty, begun) == b""


def test_an_answer_that_is_not_taken_is_not_kept_for_ever() -> None:
    with closing(made("answerer", 0.3)) as running, socket.socket() as deaf:
        running.start()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", running.port))
        wait_for(lambda: is_cut(deaf, GOOD["answerer"] * 100), 30, "the client is cut")


def test_many_who_wait_do_not_keep_out_one_who_asks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has waited longest gives way, as soon as there are too many."""
    most = 8
    monkeypatch.setattr(http01, "_MAXIMUM_CONNECTIONS", most)
    monkeypatch.setattr(server, "_MAXIMUM_CONNECTIONS", most)
    with closing(made(name, 60.0)) as running, ExitStack() as waiting:
        running.start()
        held = [waiting.enter_context(connected(running.port)) for _ in range(3 * most)]
        with connected(running.port) as good:
            good.sendall(GOOD[name])
            assert good.recv(12) == b"HTTP/1.1 200"
        assert held[0].recv(1) == b""
        held[-1].sendall(GOOD[name])
        assert held[-1].recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /<b>fuzz HTTP/1.1\r\nHost: a\r\nX y: <b>fuzz\r\n\r\n",
        b"<b>fuzz\r\n\r\n",
        b"GET <b>fuzz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: <b>fuzz\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n<b>fuzz",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03<b>fuzz\r\n\r\n",
    ],
)
def test_what_is_no_request_is_neither_repeated_nor_logged(
    port: int, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = said(port, sent)
    assert answer.split(b" ")[1:2] == [b"400"]
    assert b"fuzz" not in answer
    assert caplog.records == []


def test_what_runs_here_is_not_told(port: int) -> None:
    for sent in (b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"nonsense\r\n\r\n"):
        answer = said(port, sent).lower()
        assert b"\r\nserver: certward\r\n" in answer
        assert b"aiohttp" not in answer


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", ""])
def test_a_version_that_is_not_spoken_gets_no_answer_in_it(port: int, version: str) -> None:
    answer = said(port, f"GET {PATH} {version}\r\nHost: www.example.com\r\n\r\n".encode())
    assert answer == b"" or answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"http://www.example.com{PATH}", b"200"),
        (f"http://WWW.example.com:80{PATH}", b"200"),
        (f"http://shop.example.com{PATH}", b"400"),
        (f"http://www.example.com@evil.example{PATH}", b"400"),
        (f"http://[::1]{PATH}", b"400"),
    ],
)
def test_a_host_in_the_target_is_the_one_in_the_header(target: str, status: bytes) -> None:
    with closing(made("answerer", 10.0)) as running:
        running.start()
        sent = f"GET {target} HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n"
        assert said(running.port, sent.encode()).split(b" ")[1] == status


def ask(port: int, method: str, path: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def test_health_readiness_and_metrics_are_told_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    facts = {"problem": "", "ready": True}
    running = HealthServer(
        "127.0.0.1", 0, health=lambda: facts["problem"], readiness=lambda: (facts["ready"], {"replica": "a"})
    )
    with closing(running):
        running.start()
        assert ask(running.port, "GET", "/healthz")[:2] == (200, b"ok\n")
        status, body, headers = ask(running.port, "GET", "/readyz?verbose")
        assert (status, body, headers["Content-Type"]) == (200, b'{"replica": "a"}', "application/json")
        status, body, headers = ask(running.port, "GET", "/metrics")
        assert (status, headers["Connection"]) == (200, "close")
        assert body.startswith(b"# HELP ")
        assert headers["Content-Type"].startswith("text/plain; version=")
        assert ask(running.port, "HEAD", "/metrics")[:2] == (200, b"")
        status, _, headers = ask(running.port, "POST", "/metrics")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert ask(running.port, "GET", "/")[:2] == (404, b"Not Found\n")
        facts |= {"problem": "a thread has died", "ready": False}
        assert ask(running.port, "GET", "/healthz")[:2] == (500, b"a thread has died\n")
        assert ask(running.port, "GET", "/readyz")[0] == 503
    assert caplog.records == []


def test_a_mistake_of_ours_is_logged_and_not_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bytes:
        raise LookupError("inside")

    monkeypatch.setattr(server, "generate_latest", fail)
    with closing(made("health", 10.0)) as running:
        running.start()
        status, body, _ = ask(running.port, "GET", "/metrics")
    assert (status, body) == (500, b"Internal Server Error\n")
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "LookupError: inside" in caplog.text


def test_a_port_that_is_taken_is_told_to_the_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = HealthServer("127.0.0.1", taken.getsockname()[1], health=str, readiness=lambda: (True, {}))
        with pytest.raises(OSError, match="in use"):
            running.start()
