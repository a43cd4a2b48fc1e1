"""CAs of a test's own beside the cluster's: Pebble with other settings, and a way to it that can be disturbed."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cluster import acme_ca, pki, waiting, web
from cluster.binaries import binary
from cluster.dataplane import WEB, WEBSECURE
from cluster.handle import Cluster
from cluster.paths import service_network
from cluster.ports import Ports
from integration import observer
from integration.pebble_world import free_ports

_REPLACES = re.compile(r'ARI: order "([^"]+)" is a replacement of "([^"]+)"')


class OwnPebble:
    """A Pebble that asks the cluster's DNS and validates through its ingress; `with OwnPebble(...) as pebble`.

    Args:
        cluster: its certificates, DNS and ingress are used.
        folder: where configuration and log are kept.
        name: the issuer's name.
        resolver: host and port of the DNS that it asks instead of the cluster's.
        settings: of Pebble, merged over those of the cluster's own.
    """

    def __init__(
        self, cluster: Cluster, folder: Path, name: str, *, resolver: tuple[str, int] | None = None, **settings: Any
    ) -> None:
        self.name, self._cluster = name, cluster
        self._ports = Ports(cluster.state.root / "ports.json")
        self._dns = f"{resolver[0]}:{resolver[1]}" if resolver else acme_ca.dns_server(self._ports)
        self._pki = pki.ensure(cluster.state.pki, service_network(cluster.state))
        self.port, self._management = free_ports(2)
        self._config, self.log_file = folder / f"{name}.json", folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self._pki.certificate("pebble")),
            "privateKey": str(self._pki.key("pebble")),
            "httpPort": self._ports.get(WEB),
            "tlsPort": self._ports.get(WEBSECURE),
            "keyAlgorithm": "ecdsa",
            "profiles": {"default": {"description": "90 days", "validityPeriod": 90 * 86400}},
        }
        self._config.write_text(json.dumps({"pebble": config | settings}))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def directory(self) -> str:
        """The URL of its directory."""
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def own_certificate(self) -> tuple[Path, Path]:
        """Certificate and key of its directory."""
        return self._pki.certificate("pebble"), self._pki.key("pebble")

    def issuer(self, **fields: Any) -> dict[str, Any]:
        """What the operator's configuration says of it."""
        return {"name": self.name, "directory": self.directory, "caBundle": str(self._pki.ca)} | fields

    def start(self) -> None:
        """Start it; it remembers nothing of an earlier run, its account included."""
        command = [str(binary("pebble")), "-config", str(self._config)]
        command += ["-dnsserver", self._dns]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"PEBBLE_VA_NOSLEEP": "1"}
            )
        waiting.wait_for(lambda: web.answers(self.directory, ca=self._pki.ca), 20, f"Pebble {self.name} answers")

    def stop(self) -> None:
        """End it, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def signal(self, sign: signal.Signals) -> None:
        """Send a signal to it, such as SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(sign)

    def roots(self) -> str:
        """Its root and intermediate in PEM; new ones at each start."""
        return "".join(self.managed(f"{kind}/0").decode() for kind in ("roots", "intermediates"))

    def managed(self, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """What its management interface answers."""
        context = ssl.create_default_context(cafile=self._pki.ca)
        headers = {"User-Agent": "certward-tests"}  # RFC 8555, 6.1
        connection = http.client.HTTPSConnection("127.0.0.1", self._management, timeout=5, context=context)
        try:
            connection.request("POST" if body else "GET", f"/{path}", json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, (path, answer.status, text)
        return text

    def advise(self, certificate_pem: str, start: str, end: str) -> None:
        """Let it say from now on that this certificate ought to be renewed in that window (RFC 9773, 4.2)."""
        window = json.dumps({"suggestedWindow": {"start": start, "end": end}})
        self.managed("set-renewal-info/", {"Certificate": certificate_pem, "ARIResponse": window})

    def says(self) -> observer.CALog:
        """What it says of its orders from now on."""
        return observer.CALog(self._cluster, self.log_file)

    def replacements(self) -> dict[str, str]:
        """Order -> the order whose certificate it replaces, since its first start."""
        return dict(_REPLACES.findall(self.log_file.read_text(errors="replace")))


class Detour:
    """A way to a CA on which it can refuse new orders; `with Detour(pebble) as detour`.

    Pebble's URLs follow the Host of a request, so all that a client does comes by here.

    Attributes:
        retry_after: seconds; while it is not 0 new orders are refused with 429 and this Retry-After.
        asked: new orders that came.
        is_busy: whether orders are kept open, since nothing is finalized.
    """

    def __init__(self, pebble: OwnPebble) -> None:
        self.retry_after = 0
        self.asked = 0
        self.is_busy = False
        (port,) = free_ports(1)
        self._pebble = pebble
        self._context = ssl.create_default_context(cafile=pebble.issuer()["caBundle"])
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(*pebble.own_certificate)
        self._server.socket = own.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def issuer(self, **fields: Any) -> dict[str, Any]:
        """What the operator's configuration says of the CA at the end of the way."""
        return self._pebble.issuer(directory=f"https://127.0.0.1:{self._server.server_port}/dir", **fields)

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, bytes]:
        if "order-plz" in path:
            self.asked += 1
            if self.retry_after:
                problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many new orders"}
                told = {"Content-Type": "application/problem+json", "Retry-After": str(self.retry_after)}
                return 429, told.items(), json.dumps(problem).encode()
        if self.is_busy and "finalize-order" in path:
            problem = {"type": "urn:ietf:params:acme:error:serverInternal", "detail": "come back later"}
            return 500, {"Content-Type": "application/problem+json"}.items(), json.dumps(problem).encode()
        connection = http.client.HTTPSConnection("127.0.0.1", self._pebble.port, timeout=20, context=self._context)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forward = self._forward

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, answer = forward(self.command, self.path, dict(self.headers.items()), body)
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_HEAD = do_POST = _pass_on  # noqa: N815 - the names that the library wants

            def log_message(self, *_: object) -> None:
                """Be silent."""

        return Handler


class Handshakes:
    """Clients that connect to hosts at an even rate, one after the other, and verify what is shown.

    Args:
        cluster: its ingress is asked.
        hostnames: the hosts, asked in turn.
        roots_pem: what the clients trust.
        rate: handshakes a second, over all hosts.

    Attributes:
        hostnames: as given.
        failures: "seconds hostname: what was wrong" of each handshake that a client would have refused.
        shown: (host, leaf in DER) -> number of handshakes.
    """

    def __init__(self, cluster: Cluster, hostnames: list[str], roots_pem: str, rate: float) -> None:
        host, _, port = cluster.env["CLUSTER_HTTPS"].rpartition(":")
        self._address, self._gap = (host, int(port)), 1 / rate
        self.hostnames = hostnames
        self._context = ssl.create_default_context(cadata=roots_pem)
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._begun, self._next = 0.0, 0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(4)]
        self.failures: list[str] = []
        self.shown: dict[tuple[str, bytes], int] = {}

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        """How many have been shown a certificate that they trust."""
        return sum(self.shown.values())

    def leaves(self) -> set[bytes]:
        """All certificates that were shown."""
        with self._lock:
            return {leaf for _, leaf in self.shown}

    def _work(self) -> None:
        while True:
            with self._lock:
                number, self._next = self._next, self._next + 1
            if self._stop.wait(max(self._begun + number * self._gap - time.monotonic(), 0)):
                return
            hostname = self.hostnames[number % len(self.hostnames)]
            try:
                leaf = self._shake(hostname)
            except OSError as error:
                with self._lock:
                    self.failures.append(f"{time.monotonic() - self._begun:.1f} s {hostname}: {error!r}")
                continue
            with self._lock:
                self.shown[hostname, leaf] = self.shown.get((hostname, leaf), 0) + 1

    def _shake(self, hostname: str) -> bytes:
        with (
            socket.create_connection(self._address, 5) as plain,
            self._context.wrap_socket(plain, server_hostname=hostname) as connection,
        ):
            return connection.getpeercert(binary_form=True) or b""


class Statuses:
    """Every status that the Domains of a namespace get, with when it came; `with Statuses(...) as statuses`."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        arguments = ["get", "domains", "-n", namespace, "--watch", "--output-watch-events", "-o", "json"]
        self._command = [binary("kubectl"), "--kubeconfig", str(cluster.state.admin_kubeconfig), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._seen: list[tuple[float, str, observer.Object]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stop.set()
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def of(self, name: str) -> list[tuple[float, observer.Object]]:
        """The statuses of a Domain, each with the Unix time at which it was seen."""
        return [(at, told) for at, domain, told in list(self._seen) if domain == name]

    def _work(self) -> None:
        """Watch again and again: an API server ends each watch after some half an hour."""
        while True:
            with self._lock:
                if self._stop.is_set():
                    return
                self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            with self._process as process:
                self._read(process)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        decoder, text = json.JSONDecoder(), ""
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            text += chunk.decode(errors="replace")
            with suppress(ValueError):
                while text := text.lstrip():
                    event, end = decoder.raw_decode(text)
                    text = text[end:]
                    one = event["object"]
                    self._seen.append((time.time(), one["metadata"]["name"], observer.status(one)))
