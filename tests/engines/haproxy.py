"""HAProxy 2.8 with the configuration that HAProxy Ingress would write for it."""

import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from certward.render.dialects import Dialect
from certward.render.dialects.haproxy_ingress import HAProxyIngress
from cluster import wheels
from cluster.waiting import wait_for
from engines import Manifest, Refused, Secrets, free_ports, haproxy_config, self_signed

_LOOPBACK = "127.0.0.1"
_PATIENCE = 20.0


class HAProxy:
    """A HAProxy and, behind it, a web server for each Service."""

    def __init__(
        self,
        folder: Path,
        configmap: Mapping[str, str] | None = None,
        name: str = "HAProxy 2.8.25",
        *,
        has_snippets: bool = True,
    ) -> None:
        """Start with nothing to serve.

        Args:
            folder: empty, its own.
            configmap: data of the controller's ConfigMap; what it lacks is the controller's default.
            name: for tables.
            has_snippets: False as when the controller is started with --disable-config-keywords=*.
        """
        self.name = name
        self.dialect: Dialect = HAProxyIngress()
        self._folder = folder
        self._configmap = dict(configmap or {})
        self._has_snippets = has_snippets
        self._generation = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._servers: dict[str, ThreadingHTTPServer] = {}
        self._default = folder / "default.pem"
        self._default.write_bytes(b"".join(self_signed("Fake Certificate", "ingress.local")))
        http, https = free_ports(2)
        self.http = (_LOOPBACK, http)
        self.https = (_LOOPBACK, https)
        try:
            self.configure((), {})
        except BaseException:
            self.close()
            raise

    def configure(self, objects: Sequence[Manifest], secrets: Secrets) -> None:
        """Serve exactly these objects from when this returns.

        Args:
            objects: in the order of their creation, by which the controller settles what they disagree on.
            secrets: certificates.

        Raises:
            Refused: HAProxy does not take the configuration.
        """
        self._generation += 1
        folder = self._folder / str(self._generation)
        folder.mkdir()
        ingresses = [each for each in objects if each["kind"] == "Ingress"]
        model = haproxy_config.Model.of(ingresses, has_snippets=self._has_snippets)
        certificates = {}
        for (namespace, name), (chain, key) in secrets.items():
            certificates[namespace, name] = folder / f"{namespace}_{name}.pem"
            certificates[namespace, name].write_bytes(chain.rstrip(b"\n") + b"\n" + key)
        config = haproxy_config.write(
            model,
            folder,
            http=self.http,
            https=self.https,
            certificates=certificates,
            default=self._default,
            servers={service: self._server(service) for service in model.backends},
            configmap=self._configmap,
        )
        command = [str(wheels.haproxy()), "-f", str(config)]
        checked = subprocess.run([*command, "-c"], capture_output=True, text=True, check=False)
        if checked.returncode:
            raise Refused(checked.stderr)
        self._replace(command, folder / "log")

    def _replace(self, command: Sequence[str], log: Path) -> None:
        """Start a process that takes over from the present one, and wait for the present one to be gone."""
        before = self._process
        takes_over = ["-sf", str(before.pid)] if before else []
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "-db", *takes_over], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        if before:
            before.wait(_PATIENCE)
            return
        wait_for(self._answers, what=f"{self.name} answers", every=0.02)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(self.https, 1), socket.create_connection(self.http, 1):
            return True
        return False

    def _server(self, service: str) -> tuple[str, int]:
        """The address of the web server that names this Service."""
        if service not in self._servers:
            server = ThreadingHTTPServer((_LOOPBACK, 0), _naming(service))
            server.daemon_threads = True
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self._servers[service] = server
        return _LOOPBACK, self._servers[service].server_address[1]

    def close(self) -> None:
        """End HAProxy and the web servers."""
        if self._process:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        self._servers.clear()


def _naming(service: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = service.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
