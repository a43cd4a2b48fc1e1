"""A CA that says what it is told to, for tests of what a CA may do wrong."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from certward.acme.client import Issuer, IssuerSettings
from certward.model import pki

ACCOUNT_KEY = pki.generate_key("ECDSA-P256")
PROBLEM = "urn:ietf:params:acme:error:"


class ScriptedCA:
    """Answers each path with its replies in turn, the last one again and again: (status, body, headers).

    A reply may also be a function that makes it of the request's body.
    """

    def __init__(self):
        self.replies = {}
        self.seen = []
        self._lock = threading.Lock()
        ca = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, body, headers = ca.reply(self.command, self.path, asked)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response_only(status)
                usual = {"Replay-Nonce": "bm9uY2U", "Date": self.date_time_string()}
                for name, value in (usual | headers).items():
                    if value is not None:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_HEAD = do_POST = do_GET  # noqa: N815 - as http.server calls them

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        names = ("newNonce", "newAccount", "newOrder", "renewalInfo")
        self.says("/directory", (200, {name: f"{self.url}/{name}" for name in names}))
        self.says("/newNonce", (200, b""))
        self.says("/newAccount", (201, {}, {"Location": f"{self.url}/account/1"}))

    def says(self, path, *replies):
        self.replies[path] = [reply if callable(reply) else _whole(reply) for reply in replies]

    def reply(self, method, path, asked):
        with self._lock:
            self.seen.append((method, path))
            replies = self.replies.get(path) or [(404, {"type": f"{PROBLEM}malformed"}, {})]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            return _whole(reply(asked)) if callable(reply) else reply

    def issuer(self, **settings):
        return Issuer(IssuerSettings("scripted", f"{self.url}/directory", **settings), ACCOUNT_KEY, timeout=5)

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _whole(reply):
    return (*reply, {})[:3]


def order_document(ca, status, **more):
    return {
        "status": status,
        "identifiers": [{"type": "dns", "value": "www.example.com"}],
        "authorizations": [f"{ca.url}/authorization"],
        "finalize": f"{ca.url}/finalize",
    } | more
