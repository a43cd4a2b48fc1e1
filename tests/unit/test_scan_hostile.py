"""Probes against servers that refuse, break off, dawdle or speak something else."""

import contextlib
import socket
import ssl
import struct
import threading
import time

import pytest

from certward.probe.handshake import handshake, http_get
from certward.probe.link import READ_MAX, ProbeFailed
from certward.probe.scan import Answer, hello, scan, scan_versions

SUITE, CODE = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC02F
RESET = struct.pack("ii", 1, 0)


def record(kind, payload):
    return struct.pack("!BHH", kind, 0x0303, len(payload)) + payload


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3) + body


def server_hello(version=0x0303, suite=CODE):
    return message(2, struct.pack("!H", version) + bytes(33) + struct.pack("!HB", suite, 0))


def alert(code, level=2):
    return record(21, bytes([level, code]))


P256 = message(12, b"\x03\x00\x17\x00")
FLIGHT = record(22, server_hello() + message(11, b"\x00\x00\x00") + P256 + message(14, b""))


@pytest.fixture
def serve():
    """Start a server that lets `behave(connection, hello)` answer each connection; gives its address."""
    listeners, threads = [], []

    def start(behave):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(10)
                    behave(connection, connection.recv(1 << 14))

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return listener.getsockname()

    yield start
    for listener in listeners:
        # Closing alone would not wake the thread that waits in accept().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def says(*pieces):
    def behave(connection, _hello):
        for piece in pieces:
            connection.sendall(piece)
        # Until the probe has gone, so that a close of ours is never part of the answer.
        while connection.recv(1 << 14):
            pass

    return behave


def says_and_closes(data):
    return lambda connection, _hello: connection.sendall(data)


def resets(connection, _hello):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def drips(data, pause=0.05):
    def behave(connection, _hello):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return behave


def stays_silent(connection, _hello):
    while connection.recv(1 << 14):
        pass


def floods(connection, _hello):
    while True:
        connection.sendall(record(20, b"\x01") * 1000)


def ask(address, *, timeout=5.0, groups=("X25519", "P-256")):
    return hello(address, "a.example", versions=["TLSv1.2"], suites=[SUITE], groups=groups, timeout=timeout)


ACCEPTED = Answer(accepted=True, version="TLSv1.2", suite=SUITE, group="P-256")


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        pytest.param(says(FLIGHT), ACCEPTED, id="one record"),
        pytest.param(says(*(record(22, bytes([b])) for b in FLIGHT[5:])), ACCEPTED, id="a record for each byte"),
        pytest.param(says(alert(112, level=1), FLIGHT), ACCEPTED, id="warning first"),
        pytest.param(
            says_and_closes(record(22, server_hello())),
            Answer(accepted=True, version="TLSv1.2", suite=SUITE),
            id="closed before the group",
        ),
        pytest.param(says(alert(40)), Answer(accepted=False, alert="handshake_failure"), id="alert"),
        pytest.param(
            says(record(22, server_hello()), alert(80)),
            Answer(accepted=False, alert="internal_error"),
            id="alert after the choice",
        ),
        pytest.param(
            says(record(22, server_hello(version=0x0301))),
            Answer(accepted=False, version="TLSv1.0", error="other version"),
            id="version not offered",
        ),
        pytest.param(
            says_and_closes(alert(112, level=1)),
            Answer(accepted=False, alert="unrecognized_name", error="closed"),
            id="warning and close",
        ),
        pytest.param(says_and_closes(b""), Answer(accepted=False, error="closed"), id="close"),
        pytest.param(resets, Answer(accepted=False, error="reset"), id="reset"),
    ],
)
def test_hello_tells_refusals_apart(serve, behave, expected):
    assert ask(serve(behave)) == expected


@pytest.mark.parametrize(
    ("behave", "kind", "words"),
    [
        pytest.param(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "garbage", "it is not TLS", id="HTTP"),
        pytest.param(says(record(22, message(11, b""))), "garbage", "instead of a ServerHello", id="out of order"),
        pytest.param(says(record(22, server_hello(suite=0x0005))), "garbage", "0x0005, which was not", id="suite"),
        pytest.param(
            says(record(22, server_hello() + message(12, b"\x03\x00\x19"))),
            "garbage",
            "group 0x0019",
            id="group",
        ),
        pytest.param(says(b"\x16\x03\x03\xff\xff"), "garbage", "a record of 65535 bytes", id="overlong record"),
        pytest.param(says(record(22, b"\x02\xff\xff\xff")), "garbage", "handshake message of", id="overlong message"),
        pytest.param(floods, "garbage", "more than any answer", id="flood"),
        pytest.param(stays_silent, "timeout", "timed out", id="silence"),
        pytest.param(drips(FLIGHT), "timeout", "timed out", id="drip"),
    ],
)
def test_hello_fails_in_bounds(serve, behave, kind, words):
    started = time.monotonic()
    with pytest.raises(ProbeFailed, match=words) as caught:
        ask(serve(behave), timeout=0.4)
    assert (caught.value.kind, caught.value.reason) == (kind, "NotServed")
    assert time.monotonic() - started < 2


def test_connection_refused_is_no_refusal_of_the_offer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    for probe in (
        lambda: ask(address),
        lambda: scan_versions(address, "a.example"),
        lambda: handshake(address, "a.example"),
        lambda: http_get(address, "a.example", "/"),
    ):
        with pytest.raises(ProbeFailed, match="connection refused") as caught:
            probe()
        assert caught.value.kind == "refused"
    result = scan(address, "a.example")
    assert (result.complete, result.error, result.connections) == (False, "connection refused", 1)
    assert (result.versions, result.min_version, result.max_version) == ((), "", "")


def test_a_full_backlog_times_out():
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with pytest.raises(ProbeFailed, match="timed out") as caught:
            ask(listener.getsockname(), timeout=0.2)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    ("behave", "kind"), [(resets, "reset"), (says_and_closes(b""), "closed")], ids=["reset", "closed"]
)
def test_a_server_that_never_speaks_accepts_nothing_and_refuses_nothing(serve, behave, kind):
    address = serve(behave)
    with pytest.raises(ProbeFailed, match="answered no ClientHello") as caught:
        scan_versions(address, "a.example")
    assert caught.value.kind == kind
    result = scan(address, "a.example")
    # Each of the four refusals is asked for twice.
    assert (result.complete, result.connections) == (False, 8)


def test_a_reset_by_accident_does_not_end_a_scan(serve):
    seen = []

    def behave(connection, data):
        seen.append(data)
        if len(seen) == 1:
            resets(connection, data)
        # Version, suite and the groups in the order in which they are offered; what precedes 44 is random.
        elif data[9:11] == b"\x03\x03" and struct.pack("!H", CODE) in data[44:] and b"\x00\x1d\x00\x17" in data[44:]:
            connection.sendall(FLIGHT)
        else:
            connection.sendall(alert(40))

    result = scan(serve(behave), "a.example")
    assert (result.versions, result.complete) == (("TLSv1.2",), True)
    assert (result.suites, result.server_order) == ({"TLSv1.2": (SUITE,)}, None)
    assert (result.groups_tls12, result.groups_tls13) == (("P-256",), ())


def test_a_scan_that_breaks_off_keeps_what_it_found(serve):
    count = iter(range(1000))

    def behave(connection, _hello):
        # Two refusals (1.0 and 1.1), one suite of 1.2, then nonsense.
        connection.sendall([alert(70), alert(70), FLIGHT, b"nonsense"][next(count)])

    result = scan(serve(behave), "a.example")
    assert (result.suites, result.complete, result.connections) == ({"TLSv1.2": (SUITE,)}, False, 4)
    assert "it is not TLS" in result.error


def test_a_slow_server_ends_a_scan_in_bounds(serve):
    def behave(connection, data):
        # Takes half of the timeout and then accepts the first suite of whatever is offered.
        time.sleep(0.05)
        version, suite = int.from_bytes(data[9:11]), int.from_bytes(data[46:48])
        connection.sendall(record(22, server_hello(version, suite) + message(14, b"")))

    started = time.monotonic()
    result = scan(serve(behave), "a.example", timeout=0.1)
    assert time.monotonic() - started < 1.5
    assert (result.complete, result.min_version) == (False, "TLSv1.0")


@pytest.mark.parametrize(
    ("behave", "kind", "words"),
    [
        pytest.param(says(alert(112)), "alert", "TLS alert unrecognized_name", id="alert"),
        pytest.param(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "garbage", "no TLS handshake", id="HTTP"),
        pytest.param(says_and_closes(b""), "closed", "closed the connection", id="close"),
        pytest.param(resets, "reset", "reset the connection", id="reset"),
        pytest.param(stays_silent, "timeout", "timed out", id="silence"),
        pytest.param(drips(FLIGHT), "timeout", "timed out", id="drip"),
    ],
)
def test_handshake_says_what_happened(serve, behave, kind, words):
    with pytest.raises(ProbeFailed, match=words) as caught:
        handshake(serve(behave), "a.example", timeout=0.4)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        pytest.param(says_and_closes(b"SSH-2.0-OpenSSH\r\n"), "garbage", id="no HTTP"),
        pytest.param(says_and_closes(b""), "closed", id="close"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100), "timeout", id="drip"),
        pytest.param(resets, "reset", id="reset"),
        pytest.param(says_and_closes(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3 * READ_MAX), "garbage", id="long header"),
    ],
)
def test_http_get_says_what_happened(serve, behave, kind):
    with pytest.raises(ProbeFailed) as caught:
        http_get(serve(behave), "a.example", "/", timeout=0.4)
    assert caught.value.kind == kind


def test_http_get_over_tls_names_a_server_without_tls(serve):
    with pytest.raises(ProbeFailed) as caught:
        http_get(serve(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "a.example", "/", tls=True, timeout=2)
    assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_http_get_reads_one_answer(serve):
    heads = []

    def behave(connection, head):
        heads.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 9999\r\n\r\n")
        connection.sendall(b"z" * 9999)

    answer = http_get(serve(behave), "a.example", "/.well-known/acme-challenge/x", max_bytes=100)
    assert (answer.status, answer.body) == (200, b"z" * 100)
    assert answer.headers == {"set-cookie": "a, b", "content-length": "9999"}
    assert heads[0].startswith(b"GET /.well-known/acme-challenge/x HTTP/1.1\r\n")
    assert (heads[0].count(b"\r\nHost: a.example\r\n"), heads[0].count(b"Host:")) == (1, 1)


def test_proxy_header_comes_first_and_names_both_ends(serve):
    heads = []

    def behave(connection, head):
        heads.append((head, connection.getpeername()))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    address = serve(behave)
    assert http_get(address, "a.example", "/", proxy_protocol=True).status == 204
    head, peer = heads[0]
    assert head.startswith(f"PROXY TCP4 127.0.0.1 127.0.0.1 {peer[1]} {address[1]}\r\n".encode())
