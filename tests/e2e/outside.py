"""The world outside: a client of the ingress that verifies what it is shown, and the openssl program."""

import http.client
import json
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from e2e.platform import Address

TIMEOUT = 10.0
_FLAGS = {"TLSv1.0": "-tls1", "TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, where it is a JSON object; else empty."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    @property
    def backend(self) -> str:
        """The backend that answered; empty when it was none of ours."""
        return str(self.json.get("backend", ""))


class Outside:
    """Asks the ingress under a hostname, whatever DNS says of it."""

    def __init__(self, http_address: Address, https_address: Address, ca: Path | None) -> None:
        self._http, self._https = http_address, https_address
        self._context = ssl.create_default_context(cafile=str(ca) if ca else None)

    def http_get(self, hostname: str, path: str = "/") -> Answer:
        """GET over plain HTTP; redirects are returned, not followed."""
        with socket.create_connection(self._http, TIMEOUT) as connection:
            return _get(connection, hostname, path)

    def https_get(self, hostname: str, path: str = "/") -> Answer:
        """GET over HTTPS, the chain and the name verified; raises ssl.SSLError where they are not right."""
        with socket.create_connection(self._https, TIMEOUT) as plain, self._wrap(plain, hostname) as connection:
            return _get(connection, hostname, path)

    def served_leaf(self, hostname: str) -> x509.Certificate:
        """Return the certificate that is served, verified; raises ssl.SSLError where it is not right."""
        with socket.create_connection(self._https, TIMEOUT) as plain, self._wrap(plain, hostname) as connection:
            der = connection.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def is_served(self, hostname: str) -> bool:
        """Whether a verified handshake succeeds."""
        try:
            self.served_leaf(hostname)
        except OSError:
            return False
        return True

    def protocols(self, hostname: str) -> set[str]:
        """Return the protocol versions that a permissive openssl completes a handshake with."""
        return {version for version, flag in _FLAGS.items() if self._openssl(hostname, flag)}

    def _openssl(self, hostname: str, flag: str) -> bool:
        host, port = self._https
        told = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"{host}:{port}", "-servername", hostname),
                *(flag, "-cipher", "ALL:@SECLEVEL=0"),
            ],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
        ).stdout
        return "Cipher is " in told and "Cipher is (NONE)" not in told

    def _wrap(self, plain: socket.socket, hostname: str) -> ssl.SSLSocket:
        return self._context.wrap_socket(plain, server_hostname=hostname)


class Watch:
    """Asks over HTTPS again and again, and keeps what went wrong and which certificates were shown."""

    def __init__(self, outside: Outside, hostname: str, every: float = 0.03) -> None:
        self._outside, self._hostname, self._every = outside, hostname, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failures: list[str] = []
        self.serials: list[int] = []
        self.requests = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.requests += 1
            try:
                serial = self._outside.served_leaf(self._hostname).serial_number
                answer = self._outside.https_get(self._hostname)
                if answer.status == http.HTTPStatus.MISDIRECTED_REQUEST:
                    # The TLS settings have changed between this connection's handshake and its request: clients
                    # come again on a new connection (RFC 9110, 15.5.20).
                    answer = self._outside.https_get(self._hostname)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                continue
            if not answer.backend:
                self.failures.append(repr(answer))
            if not self.serials or self.serials[-1] != serial:
                self.serials.append(serial)


def key_type(leaf: x509.Certificate) -> str:
    """Return the leaf's key type in the words of the API."""
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return f"ECDSA-P{key.key_size}"


def _get(connection: socket.socket, hostname: str, path: str) -> Answer:
    client = http.client.HTTPConnection(hostname, timeout=TIMEOUT)
    client.sock = connection
    client.request("GET", path, headers={"Host": hostname, "Connection": "close"})
    response = client.getresponse()
    try:
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        response.close()
