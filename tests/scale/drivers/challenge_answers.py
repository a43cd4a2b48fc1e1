"""What cert-manager's solver pods would answer, since there is no kubelet here to run them.

cert-manager makes a Pod, a Service and an Ingress for each challenge, as always, and takes them away again. Nothing
runs in the Pod. Instead, one server stands where the ingress would: it answers from the Challenge objects, which it
watches. It answers the CA's validation, which comes to it at the CA's port for HTTP-01, and cert-manager's self-check,
which comes to it as to a proxy (see `cert_manager`).

All of it is in cert-manager's favour. A challenge can be answered as soon as its object is there: no scheduler, no
image to pull, no container to start, no endpoints and no ingress to wait for. In a real cluster the first self-check
usually comes too early for that and is repeated only after 10 s.
"""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client

from cluster.errors import ClusterError
from scale.drivers.watching import Watching

_PATH = "/.well-known/acme-challenge/"
# A question may be here before the watch has told of its token; that must not look like a solver that fails.
_PATIENCE = 5.0


class ChallengeAnswers:
    """The server, at `address`:`port` from `begin` to `stop`; `answered` counts the right answers that it gave."""

    def __init__(self, api: client.ApiClient, address: str, port: int) -> None:
        """Take a client of the API server and where to listen. Raises ClusterError when the port is taken."""
        self.answered = 0
        self._keys: dict[str, str] = {}
        self._changed = threading.Condition()
        self._watching = Watching(api, ("acme.cert-manager.io", "v1", "challenges"), self._see)
        try:
            self._server = _Server((address, port), _handler(self))
        except OSError as error:
            raise ClusterError(
                f"{address}:{port} is not free for the answers to challenges ({error}); bring the cluster up with "
                "INGRESS=none"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def begin(self) -> None:
        """Start to watch and to answer."""
        self._watching.begin()
        self._thread.start()

    def stop(self) -> None:
        """Stop both; twice is once, and it need not have begun."""
        self._watching.stop()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def key(self, token: str) -> str:
        """Return the key authorization of a token, waited for at most 5 s; empty where there is none."""
        with self._changed:
            self._changed.wait_for(lambda: token in self._keys, _PATIENCE)
            key = self._keys.get(token, "")
            self.answered += bool(key)
            return key

    def _see(self, challenge: dict[str, Any]) -> None:
        with self._changed:
            self._keys[challenge["spec"]["token"]] = challenge["spec"]["key"]
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # all of a load's questions may come at once

    def verify_request(self, _request: object, client_address: tuple[str, int]) -> bool:
        return client_address[0].startswith("127.")

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing of connections that the other side has cut."""


def _handler(answers: ChallengeAnswers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_GET(self) -> None:
            path = urlsplit(self.path).path  # asked as a proxy, it gets a whole URL
            key = answers.key(path.removeprefix(_PATH)) if path.startswith(_PATH) else ""
            self.send_response(HTTPStatus.OK if key else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", str(len(key)))
            self.end_headers()
            self.wfile.write(key.encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: a load's output is no place for requests."""

    return Handler
