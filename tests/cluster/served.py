"""What a client sees of a served hostname: its certificate, its answers, the protocols it accepts.

Nothing here uses the operator's own code, so that what is shown does not rest on what is to be proved: the
handshakes are those of OpenSSL, by Python's ssl and by the openssl program.
"""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

VERSIONS = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_PATIENCE = 10.0
_OPENSSL_FLAGS = dict(zip(VERSIONS, ("-tls1", "-tls1_1", "-tls1_2", "-tls1_3"), strict=True))
_PYTHON_VERSIONS = dict(
    zip(
        VERSIONS,
        (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
        strict=True,
    )
)
# Alerts by which a server declines what a client offers (RFC 8446, 6): handshake_failure, protocol_version.
_REFUSALS = {"40": "handshake_failure", "70": "protocol_version"}


@dataclass(frozen=True)
class Answer:
    """What came back over one connection; `leaf` and `version` only where it was TLS."""

    status: int
    headers: dict[str, str]
    body: bytes
    version: str = ""
    leaf: x509.Certificate | None = None

    def json(self) -> dict[str, Any]:
        """Return the body, which has to be a JSON object."""
        told = json.loads(self.body)
        if not isinstance(told, dict):
            raise ValueError(f"not a JSON object: {self.body[:200]!r}")  # noqa: TRY004 - as for what is no JSON
        return told


@dataclass(frozen=True)
class Offer:
    """Whether a version was accepted; None: it could not be found out. `seen` says what showed it."""

    accepted: bool | None
    seen: str


def authorities(bundle: Path) -> list[x509.Certificate]:
    """Return the certificates of the CA in a PEM file, roots and intermediates."""
    return x509.load_pem_x509_certificates(bundle.read_bytes())


def trusting(bundle: Path) -> ssl.SSLContext:
    """Return a client's TLS settings that trust the roots in a PEM file.

    The intermediates in it are left out: the server has to send them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    roots = [certificate for certificate in authorities(bundle) if certificate.issuer == certificate.subject]
    for root in roots:
        context.load_verify_locations(cadata=root.public_bytes(Encoding.DER))
    return context


def fetch(
    address: str, hostname: str, path: str = "/", trust: ssl.SSLContext | None = None, timeout: float = _PATIENCE
) -> Answer:
    """GET `path` of `hostname` at `address` (host:port), over TLS if `trust` is given.

    Raises OSError (ssl.SSLError is one) or http.client.HTTPException.
    """
    with _connected(address, timeout) as plain:
        if trust is None:
            return _get(plain, hostname, path)
        with trust.wrap_socket(plain, server_hostname=hostname) as secured:
            leaf = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
            answer = _get(secured, hostname, path)
            return Answer(answer.status, answer.headers, answer.body, secured.version() or "", leaf)


def is_served(address: str, hostname: str, trust: ssl.SSLContext, timeout: float = 2.0) -> bool:
    """Tell whether a handshake shows a certificate for the hostname whose chain can be verified."""
    try:
        with _connected(address, timeout) as plain, trust.wrap_socket(plain, server_hostname=hostname):
            return True
    except OSError:
        return False


def chain_of(leaf: x509.Certificate, known: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the leaf and the CA's certificates above it up to the root, each signature checked.

    Raises ValueError when it ends before a root.
    """
    chain = [leaf]
    while chain[-1].issuer != chain[-1].subject:
        above = next((certificate for certificate in known if _signed(chain[-1], certificate)), None)
        if above is None or len(chain) > len(known):
            raise ValueError(f"no certificate of the CA has signed {chain[-1].subject.rfc4514_string()}")
        chain.append(above)
    return chain


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names that a certificate is for."""
    return list(
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    )


def key_type_of(certificate: x509.Certificate) -> str:
    """Return the type of a certificate's key as the API spells it."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA-P{key.curve.key_size}"
    return f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__


def client_program() -> str:
    """Return which program offers the versions, with its version."""
    openssl = shutil.which("openssl")
    if not openssl:
        return f"Python's ssl with {ssl.OPENSSL_VERSION}, as there is no openssl on PATH"
    told = subprocess.run([openssl, "version"], capture_output=True, text=True, check=False, timeout=_PATIENCE)
    return f"openssl s_client, {told.stdout.strip()}"


def offer(address: str, hostname: str, version: str) -> Offer:
    """Offer a server one version only, by a full handshake."""
    openssl = shutil.which("openssl")
    if openssl:
        found = _offer_by_program(openssl, address, hostname, version)
        if found.accepted is not None:
            return found
    return _offer_by_python(address, hostname, version)


def _connected(address: str, timeout: float) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def _get(sock: socket.socket, hostname: str, path: str) -> Answer:
    request = f"GET {path} HTTP/1.1\r\nHost: {hostname}\r\nUser-Agent: certward-demo\r\nConnection: close\r\n\r\n"
    sock.sendall(request.encode())
    response = http.client.HTTPResponse(sock, method="GET")
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read(1024 * 1024))


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _offer_by_program(openssl: str, address: str, hostname: str, version: str) -> Offer:
    argv = [openssl, "s_client", "-connect", address, "-servername", hostname, _OPENSSL_FLAGS[version]]
    if version != "TLSv1.3":
        argv += ["-cipher", "ALL:@SECLEVEL=0"]  # or OpenSSL 3 would not offer TLS 1.0 and 1.1 at all
    # The system's own settings may forbid old versions to every client.
    environment = os.environ | {"OPENSSL_CONF": os.devnull}
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PATIENCE,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return Offer(None, f"no answer within {_PATIENCE:g} s")
    agreed = re.search(r"^New, (\S+), Cipher is (\S+)", done.stdout, re.MULTILINE)
    if done.returncode == 0 and agreed and agreed[2] != "(NONE)":
        return Offer(accepted=True, seen=agreed[2])
    alert = re.search(r"SSL alert number (\d+)", done.stderr)
    if alert and alert[1] in _REFUSALS:
        return Offer(accepted=False, seen=f"alert {_REFUSALS[alert[1]]}")
    return Offer(None, (done.stderr.strip().splitlines() or ["openssl said nothing"])[0])


def _offer_by_python(address: str, hostname: str, version: str) -> Offer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only the version matters here
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # asking for an old version is the point
        context.minimum_version = context.maximum_version = _PYTHON_VERSIONS[version]
    try:
        with _connected(address, _PATIENCE) as plain, context.wrap_socket(plain, server_hostname=hostname) as secured:
            cipher = secured.cipher()
            return Offer(accepted=True, seen=cipher[0] if cipher else "")
    except ssl.SSLError as error:
        if error.reason and "ALERT" in error.reason:
            return Offer(accepted=False, seen=error.reason.lower().replace("_", " "))
        return Offer(None, f"{error.reason or error}")
    except OSError as error:
        return Offer(None, str(error))
