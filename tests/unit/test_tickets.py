"""Sessions of a real TLS server, tried again where they were given and where they are not known."""

import contextlib
import socket
import ssl
import threading
import warnings

import pytest

from certward.probe import tickets
from scale.inside.looking_inside import look
from scale.local_ca import LocalCA

HOST = "a.example"
VERSIONS = {
    "TLSv1.0": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


class Server:
    """Answers each request with a 404; `renew` makes it forget the keys of its tickets.

    Args:
        pair: file with chain and key.
    """

    def __init__(self, pair):
        self._pair = str(pair)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def renew(self, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pair)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = context.maximum_version = VERSIONS[version]
        self._context = context

    def close(self):
        # Closing alone would not wake the thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(5)
            with (
                contextlib.suppress(OSError),
                connection,
                self._context.wrap_socket(connection, server_side=True) as tls,
            ):
                if tls.recv(1 << 12):
                    tls.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")


@pytest.fixture
def server(tmp_path):
    pair = tmp_path / "pair.pem"
    pair.write_bytes(b"".join(LocalCA().issue(HOST)))
    server = Server(pair)
    yield server
    server.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_resumes_as_often_as_it_is_tried(server, version):
    server.renew(version)
    session = tickets.take(server.address, HOST)
    assert session.version == version
    assert [tickets.resumes(session, server.address, HOST) for _ in range(3)] == [version] * 3


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_that_the_server_forgot_does_not_resume(server, version):
    server.renew(version)
    session = tickets.take(server.address, HOST)
    server.renew(version)
    assert tickets.resumes(session, server.address, HOST) == ""


def test_a_session_of_a_version_that_is_refused_does_not_resume(server):
    server.renew("TLSv1.2")
    session = tickets.take(server.address, HOST)
    server.renew("TLSv1.3")
    assert tickets.resumes(session, server.address, HOST) == ""


def test_nothing_is_taken_and_nothing_resumes_where_nobody_listens(server):
    server.renew("TLSv1.3")
    session = tickets.take(server.address, HOST)
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = free.getsockname()
    assert tickets.take(nowhere, HOST) is None
    assert tickets.resumes(session, nowhere, HOST) == ""


def test_a_session_shows_no_secrets(server):
    server.renew("TLSv1.3")
    assert repr(tickets.take(server.address, HOST)) == "Session(version='TLSv1.3')"


def test_sessions_that_are_dropped_leave_no_memory_behind(server):
    server.renew("TLSv1.3")

    def use(times):
        for _ in range(times):
            tickets.resumes(tickets.take(server.address, HOST), server.address, HOST)
        return look(HOST)["malloc"]["in_use"]

    before = use(20)
    assert (use(200) - before) / 200 < 1024
