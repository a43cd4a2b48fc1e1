"""How long a token is used before it is asked for again, seen from the API server's side."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from kubernetes import client as kubernetes_client

from certward.errors import Transient
from certward.kube import client as module
from certward.kube.client import Client

SECONDS = 5.0


class Told(BaseHTTPRequestHandler):
    """Answers everything with an empty object, and keeps what it was told."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.headers.append(self.headers)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_PATCH(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    made.daemon_threads = True
    made.headers = []
    running = threading.Thread(target=made.serve_forever, args=(0.05,))
    running.start()
    yield made
    made.shutdown()
    running.join()
    made.server_close()


class Tokens:
    """Where the official client gets its tokens from: each asking gives what `now` is, or fails."""

    def __init__(self):
        self.now = "first"
        self.asked = 0
        self.error = None

    def __call__(self, configuration):
        self.asked += 1
        if self.error:
            raise self.error
        configuration.api_key["authorization"] = f"Bearer {self.now}"


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def clock(monkeypatch):
    """Seconds of monotonic time, which stand still."""
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def client(server, tokens):
    configuration = kubernetes_client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_port}"
    configuration.api_key["authorization"] = "Bearer none yet"
    configuration.refresh_api_key_hook = tokens
    with kubernetes_client.ApiClient(configuration) as api:
        yield Client(api, timeout=10.0)
        api.rest_client.pool_manager.clear()


def shown(server):
    """The tokens that requests came with."""
    return [headers["Authorization"] for headers in server.headers]


def test_a_token_is_asked_for_every_few_seconds_and_not_at_each_request(client, server, tokens, clock):
    for _ in range(5):
        client.get("Secret", "team-a", "www-tls")
    assert tokens.asked == 1
    tokens.now = "second"
    clock[0] += SECONDS
    client.get("Secret", "team-a", "www-tls")
    clock[0] += 0.1
    client.get("Secret", "team-a", "www-tls")
    client.get("Secret", "team-a", "www-tls")
    assert tokens.asked == 2
    assert shown(server) == ["Bearer first"] * 6 + ["Bearer second"] * 2


@pytest.mark.usefixtures("clock")
def test_what_one_request_says_does_not_stay_for_the_next_one(client, server):
    client.apply({"kind": "Secret", "metadata": {"name": "x", "namespace": "team-a"}})
    client.get("Secret", "team-a", "x")
    first, second = server.headers
    assert "apply-patch" in first["Content-Type"]
    assert "Content-Type" not in second
    assert shown(server) == ["Bearer first"] * 2


def test_a_token_that_cannot_be_had_is_asked_for_at_the_next_request(client, server, tokens, clock):
    client.get("Secret", "team-a", "x")
    clock[0] += SECONDS + 0.1
    tokens.error = OSError("no such file")
    with pytest.raises(Transient):
        client.get("Secret", "team-a", "x")
    tokens.error, tokens.now = None, "second"
    client.get("Secret", "team-a", "x")
    assert shown(server) == ["Bearer first", "Bearer second"]
