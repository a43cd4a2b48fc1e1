"""What docs/install.md says of proxies: who goes by the environment's, and who connects by himself."""

import http.server
import socket
import threading
from contextlib import closing

import kopf
import pytest
import urllib3
from kubernetes.config import incluster_config
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from certward.acme.client import Issuer, IssuerSettings
from certward.errors import Transient
from certward.handlers.lifecycle import register
from certward.kube.client import Credentials, load_api_client
from certward.model import pki
from certward.probe.httpget import http_get

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
API_SERVER = "10.96.0.1"


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def asked():
    """A server that is a proxy for nobody: its address, and the first line of each request that it got."""
    lines = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            lines.append(self.requestline)
            self.send_error(503)

        do_CONNECT = do_HEAD = do_GET  # noqa: N815 - as http.server calls them

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address, lines
        server.shutdown()
        thread.join()


@pytest.fixture
def in_a_pod(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("of the account")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", DEFAULT_CA_BUNDLE_PATH)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", API_SERVER)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


@pytest.mark.usefixtures("in_a_pod")
@pytest.mark.parametrize(
    ("no_proxy", "is_used"),
    [("", True), (".cluster.local,.svc", True), (API_SERVER, False), ("localhost,10.96.0.0/12", False)],
)
def test_requests_to_the_api_server_take_the_proxy_unless_its_address_is_excepted(monkeypatch, no_proxy, is_used):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.net:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    pool = load_api_client(1).rest_client.pool_manager
    assert isinstance(pool, urllib3.ProxyManager) is is_used


def test_watches_by_kopf_never_take_it():
    registry = kopf.OperatorRegistry()
    register(registry, lambda: Credentials(f"https://{API_SERVER}", None, False, "Bearer", "x", None, None))
    (login,) = registry._activities.get_all_handlers()
    found = login.fn()
    assert (found.proxy_url, found.trust_env) == (None, False)


@pytest.fixture
def _no_dns(monkeypatch):
    look_up = socket.getaddrinfo

    def loopback_only(host, *args, **named):
        if host == "127.0.0.1":
            return look_up(host, *args, **named)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", loopback_only)


def issuer_at(directory):
    return Issuer(IssuerSettings("own", directory), pki.generate_key("ECDSA-P256"), timeout=2)


@pytest.mark.usefixtures("_no_dns")
@pytest.mark.parametrize(("no_proxy", "is_used"), [("", True), ("example", False), ("ca.example", False)])
def test_requests_to_a_ca_take_it_unless_the_ca_is_excepted(monkeypatch, asked, no_proxy, is_used):
    (host, port), lines = asked
    monkeypatch.setenv("HTTPS_PROXY", f"http://{host}:{port}")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    with closing(issuer_at("https://ca.example/directory")) as issuer, pytest.raises(Transient) as failed:
        issuer.directory()
    assert ("through the proxy" in failed.value.message) is is_used
    assert [line.split()[:2] for line in lines] == [["CONNECT", "ca.example:443"]] * is_used


def test_a_ca_on_loopback_is_asked_without_it(monkeypatch, asked):
    (host, port), lines = asked
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with closing(issuer_at(f"http://{host}:{port}/directory")) as issuer, pytest.raises(Transient):
        issuer.directory()
    assert lines == ["GET /directory HTTP/1.1"]


def test_what_is_looked_at_is_looked_at_without_it(monkeypatch, asked):
    (host, port), lines = asked
    for name in VARIABLES[:3]:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert http_get((host, port), "www.example.com", "/a").status == 503
    assert lines == ["GET /a HTTP/1.1"]
