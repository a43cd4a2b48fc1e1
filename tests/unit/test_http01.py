"""The challenge server, spoken to through real sockets."""

import http.client
import socket
import threading
from contextlib import closing
from ipaddress import ip_network

import pytest

from certward.acme.http01 import Answerer
from certward.names import ANSWERER_HEADER, CHALLENGE_PATH

A_TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"  # noqa: S105 - the example of RFC 8555
PATH = f"{CHALLENGE_PATH}{A_TOKEN}"


async def thumbprint_for(hostname):
    if hostname == "broken.example.com":
        raise LookupError("secret")
    return {"www.example.com": "PRINT"}.get(hostname)


@pytest.fixture
def answerer():
    server = Answerer("127.0.0.1", 0, thumbprint_for)
    server.start()
    with closing(server):
        yield server


def ask(answerer, path=PATH, *, host="www.example.com", method="GET", body=None, headers=None):
    with closing(http.client.HTTPConnection("127.0.0.1", answerer.port, timeout=5)) as connection:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": host} if host is not None else {}).items() | (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def raw(answerer, data, *, then_wait=True):
    with closing(socket.create_connection(("127.0.0.1", answerer.port), timeout=5)) as connection:
        connection.sendall(data)
        received = b""
        try:
            while then_wait and (chunk := connection.recv(65536)):
                received += chunk
        except ConnectionResetError:
            pass
        return received


@pytest.mark.parametrize(
    "host",
    ["www.example.com", "WWW.Example.com", "www.example.com:80", "www.example.com.", "www.example.com.:8080"],
)
def test_a_token_is_answered_with_the_key_authorization(answerer, host):
    status, body, headers = ask(answerer, host=host)

    assert (status, body) == (200, f"{A_TOKEN}.PRINT".encode())
    assert headers["Content-Type"] == "text/plain"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers[ANSWERER_HEADER] == "1"
    assert headers["Cache-Control"] == "no-store"
    assert (answerer.answered, answerer.refused) == (1, 0)


def test_head_gets_the_headers_only(answerer):
    status, body, headers = ask(answerer, method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(f"{A_TOKEN}.PRINT"))


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        pytest.param(PATH, {"host": "other.example.com"}, 404, id="hostname of nobody"),
        pytest.param(PATH, {"host": None}, 400, id="no host"),
        pytest.param(PATH, {"host": "[::1]:80"}, 404, id="IPv6 host"),
        pytest.param(PATH, {"host": "www.example.com/"}, 404, id="slash in host"),
        pytest.param("/", {}, 404, id="root"),
        pytest.param(CHALLENGE_PATH, {}, 404, id="no token"),
        pytest.param(f"{CHALLENGE_PATH}{'a' * 21}", {}, 404, id="short token"),
        pytest.param(f"{CHALLENGE_PATH}{'a' * 129}", {}, 404, id="long token"),
        pytest.param(f"{PATH}/", {}, 404, id="something behind the token"),
        pytest.param(f"{PATH}%0a", {}, 404, id="encoded newline"),
        pytest.param(f"{CHALLENGE_PATH}%61{'a' * 30}", {}, 404, id="encoded letter"),
        pytest.param(f"{CHALLENGE_PATH}..%2f{'a' * 30}", {}, 404, id="path traversal"),
        pytest.param(f"{CHALLENGE_PATH}<script>{'a' * 30}", {}, 404, id="markup"),
        pytest.param(PATH, {"method": "POST"}, 405, id="POST"),
        pytest.param(PATH, {"method": "OPTIONS"}, 405, id="OPTIONS"),
        pytest.param(PATH, {"host": "broken.example.com"}, 500, id="look-up that fails"),
        pytest.param(f"/{'a' * 5000}", {}, 400, id="long line"),
        pytest.param(PATH, {"headers": {"X": "a" * 5000}}, 400, id="long header"),
        pytest.param(PATH, {"headers": {f"X-{n}": "a" for n in range(100)}}, 400, id="many headers"),
    ],
)
def test_everything_else_is_refused_in_a_few_words(answerer, path, options, status):
    refused_status, body, headers = ask(answerer, path, **options)

    assert refused_status == status
    assert len(body) < 40
    assert b"aaa" not in body
    assert b"secret" not in body
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (answerer.answered, answerer.refused) == (0, 1)


def test_an_absolute_request_target_is_answered_too(answerer):
    reply = raw(
        answerer,
        f"GET http://www.example.com{PATH} HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n".encode(),
    )
    assert reply.startswith(b"HTTP/1.1 200")


def test_garbage_is_answered_and_closed(answerer, caplog):
    reply = raw(answerer, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert reply.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert caplog.records == []


def test_a_body_is_not_waited_for(answerer):
    reply = raw(
        answerer,
        f"GET {PATH} HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 1000000\r\n\r\nstart".encode(),
    )
    assert reply.startswith(b"HTTP/1.1 200")


def test_connections_are_kept_and_pipelining_works(answerer):
    request = f"GET {PATH} HTTP/1.1\r\nHost: www.example.com\r\n\r\n".encode()
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert raw(answerer, request * 20 + last).count(b"HTTP/1.1 200") == 21


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX-"], ids=repr)
def test_slow_clients_are_cut(sent):
    server = Answerer("127.0.0.1", 0, thumbprint_for, patience=0.2)
    server.start()
    with closing(server):
        assert raw(server, sent) == b""


@pytest.mark.parametrize(("network", "heard"), [("127.0.0.0/8", True), ("192.0.2.0/24", False), ("::/0", False)])
def test_peers_from_elsewhere_are_closed_unheard(network, heard):
    server = Answerer("127.0.0.1", 0, thumbprint_for, allowed_peers=[ip_network(network)])
    server.start()
    with closing(server):
        reply = raw(server, f"GET {PATH} HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n".encode())
        assert reply.startswith(b"HTTP/1.1 200") is heard
        assert heard or reply == b""
        assert (server.answered, server.refused) == (int(heard), int(not heard))


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.1.2.3", False), ("fe80::1%eth0", True), ("", False)],
)
def test_allowed_peers_in_all_spellings(peer, allowed):
    networks = [ip_network("10.0.0.0/8"), ip_network("fe80::/10")]
    assert Answerer("127.0.0.1", 0, thumbprint_for, allowed_peers=networks).is_allowed(peer) is allowed


def test_two_share_a_port_and_the_other_goes_on_when_one_ends(answerer):
    second = Answerer("127.0.0.1", answerer.port, thumbprint_for)
    second.start()
    assert second.port == answerer.port
    second.close()
    assert ask(answerer)[0] == 200


def test_an_address_that_cannot_be_had_is_told_to_the_caller():
    with closing(socket.socket()) as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        with pytest.raises(OSError, match="in use"):
            Answerer("127.0.0.1", occupied.getsockname()[1], thumbprint_for).start()


def test_close_ends_the_thread_and_the_connections_and_may_be_repeated():
    before = threading.active_count()
    server = Answerer("127.0.0.1", 0, thumbprint_for)
    server.start()
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as idle:
        ask(server)
        server.close()
        assert idle.recv(1) == b""
    server.close()
    assert threading.active_count() == before
