"""A CA, or what stands in front of it, that sends a byte now and then, by a server that does it."""

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from certward.acme.client import Issuer, IssuerSettings
from certward.acme.directory import look_at_directory
from certward.errors import Transient
from cluster import pki
from scripted_ca import ACCOUNT_KEY

#: Seconds for an answer, and before each piece of one.
LIMIT, PAUSE = 1.0, 0.02
#: Pieces that take longer than the limit by any clock, and such as take far less.
TOO_MANY, FEW = 75, 8
BODY = b"{" + b" " * TOO_MANY + b"}"
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
WHOLE = OK + LENGTH + BODY


def pieces(data):
    return [data[at : at + 1] for at in range(len(data))]


#: What comes at once, and then what comes bit by bit.
DRIPPING = {
    "/status-line": (b"HTTP/1.1 200 ", [*pieces(b"K" * TOO_MANY), b"\r\n" + LENGTH + BODY]),
    "/other-answers-first": (b"", [*[b"HTTP/1.1 100 Continue\r\n\r\n"] * TOO_MANY, WHOLE]),
    "/headers": (OK, [*pieces(b"X: " + b"x" * TOO_MANY), b"\r\n" + LENGTH + BODY]),
    "/body": (OK + LENGTH, pieces(BODY)),
    "/chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        [*[b"1\r\n%c\r\n" % each for each in BODY], b"0\r\n\r\n"],
    ),
    "/silence": (OK + LENGTH, [b""] * TOO_MANY),
}


class Dripping(ThreadingTCPServer):
    """Answers each path with what comes at once and what comes in pieces; `asked` has the paths of each connection."""

    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}
        self.asked = []
        self.is_over = threading.Event()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server_address[1]}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        self.is_over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class Handler(StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        paths = []
        self.server.asked.append(paths)
        with suppress(OSError):  # the client may have had enough of it
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                paths.append(line.split()[1].decode())
                at_once, later = self.server.answers[paths[-1]]
                self.wfile.write(at_once)
                for piece in later:
                    self.server.is_over.wait(PAUSE)
                    self.wfile.write(piece)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return pki.ensure(tmp_path_factory.mktemp("slow") / "pki", "127.99")


@pytest.fixture(params=["http", "https"])
def ca(request, files):
    with closing(Dripping(files.both("pebble") if request.param == "https" else None)) as server:
        yield server


@pytest.fixture
def issuer(ca, files):
    settings = IssuerSettings("slow", f"{ca.url}/directory", ca_bundle_pem=files.ca.read_bytes())
    with closing(Issuer(settings, ACCOUNT_KEY, timeout=LIMIT)) as ready:
        yield ready


def refused(issuer, url):
    with pytest.raises(Transient) as caught:
        issuer.get(url)
    return caught.value.message


def test_an_answer_has_one_limit_whatever_comes_of_it_meanwhile(ca, issuer):
    ca.answers = {**DRIPPING, "/next": (WHOLE, [])}

    def ask(path):
        with closing(issuer):
            return refused(issuer, f"{ca.url}{path}"), issuer.get(f"{ca.url}/next").body

    with ThreadPoolExecutor(len(DRIPPING)) as threads:
        told = list(threads.map(ask, DRIPPING))
    assert told == [("The CA slow does not answer in time; it is tried again.", BODY)] * len(DRIPPING)
    assert issuer.tally.counts() == {"none": len(DRIPPING), "200": len(DRIPPING)}
    assert sorted(ca.asked) == sorted([[path] for path in DRIPPING] + [["/next"]] * len(DRIPPING)), (
        "nothing more is asked where an answer is still under way"
    )


def test_each_answer_over_one_connection_has_a_limit_of_its_own(ca, issuer):
    ca.answers = {"/": (WHOLE[:-FEW], pieces(WHOLE[-FEW:])), "/body": DRIPPING["/body"]}
    times = round(LIMIT / (PAUSE * FEW)) + 2
    for _ in range(times):
        assert issuer.get(f"{ca.url}/").body == BODY
    assert "does not answer in time" in refused(issuer, f"{ca.url}/body")
    assert ca.asked == [["/"] * times + ["/body"]]


def test_an_answer_without_a_body_leaves_the_connection_to_the_next(ca, issuer):
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
    ca.answers = {"/": (WHOLE, []), "/none": (b"HTTP/1.1 204 No Content\r\n\r\n", []), "/old": (elsewhere, [])}
    assert issuer.get(f"{ca.url}/none").body == b""
    assert issuer.get(f"{ca.url}/old").body == BODY
    assert ca.asked == [["/none", "/old", "/"]]


def test_a_proxy_has_no_longer_than_a_ca(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    with closing(Dripping()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        proxy.answers = {"ca.example:443": (b"HTTP/1.1 403 ", [*pieces(b"F" * TOO_MANY), b"\r\n\r\n"])}
        settings = IssuerSettings("far", "https://ca.example/directory")
        with closing(Issuer(settings, ACCOUNT_KEY, timeout=LIMIT)) as issuer:
            assert "does not answer in time" in refused(issuer, "https://ca.example/directory")
        assert proxy.asked == [["ca.example:443"]]


@pytest.mark.parametrize("path", ["/headers", "/body"])
def test_a_look_at_a_directory_has_the_same_limit(ca, files, path):
    ca.answers = DRIPPING
    look = look_at_directory(f"{ca.url}{path}", files.ca.read_bytes(), timeout=LIMIT)
    assert look.problem == "does not answer (no answer in time)"
