"""A small HTTP server in place of an app's pod: it listens on the Service's ClusterIP, a loopback address.

For data planes that contact endpoints it listens a second time, on an address of the machine's own.
"""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Backend:
    """A server at `address`:`port`; it answers GET, HEAD and POST with JSON; `requests` holds paths.

    With `endpoint`, an address that is not a loopback one, it listens at `endpoint`:`endpoint_port`, too, and drops
    peers there that are not of this machine. Without, `endpoint_port` is `port`.
    """

    def __init__(
        self, address: str, port: int, answer: Mapping[str, Any], endpoint: str = "", endpoint_port: int = 0
    ) -> None:
        self.address, self.port = address, port
        self.requests: list[str] = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30  # an idle connection of the ingress must not keep its thread for ever

            def _answer(self) -> None:
                backend.requests.append(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                if length:
                    self.rfile.read(length)
                told = {
                    "path": self.path,
                    "host": self.headers.get("Host", ""),
                    "headers": dict(self.headers),
                }
                body = json.dumps({**told, **answer}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = _answer  # noqa: N815 - the base class's names

            def log_message(self, *_arguments: object) -> None:
                """Say nothing: the tests' output is not this server's place."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def verify_request(self, _request: object, client_address: tuple[str, int]) -> bool:
                return client_address[0].startswith("127.")

            def handle_error(self, *_arguments: object) -> None:
                """Say nothing of connections that the other side has cut."""

        servers = [Server((address, port), Handler)]
        if endpoint:
            servers.append(Server((endpoint, endpoint_port), Handler))
        self.endpoint_port: int = servers[-1].server_address[1]
        self._serving = {
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True): server for server in servers
        }
        for thread in self._serving:
            thread.start()

    def stop(self) -> None:
        """Stop listening; twice is once."""
        for thread, server in self._serving.items():
            if thread.is_alive():
                server.shutdown()
                thread.join()
                server.server_close()
