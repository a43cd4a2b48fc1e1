"""Real TLS engines of ingress controllers that cannot run here themselves.

Such a controller is stood in for by a rig: it reads the objects that a dialect renders, as the controller would, writes
the engine's configuration, and runs the engine on loopback. A rig writes down what its controller's sources say and no
more; it has no opinion of what would be right.
"""

import datetime as dt
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certward.render.dialects import Dialect

Manifest = dict[str, Any]
#: Namespace and name of a Secret -> certificate chain and private key, both PEM.
Secrets = Mapping[tuple[str, str], tuple[bytes, bytes]]


class Engine(Protocol):
    """One running engine.

    Behind every Service is a web server of the engine's own: it answers 200 and names the Service, as text
    `namespace/name:port`, so that a test can tell which route a request took.

    Attributes:
        name: of engine and version, for tables.
        dialect: whose objects it understands.
        https: address of the TLS entry, all hosts side by side.
        http: address of the plain entry.
    """

    name: str
    dialect: Dialect
    https: tuple[str, int]
    http: tuple[str, int]

    def configure(self, objects: Sequence[Manifest], secrets: Secrets) -> None:
        """Serve exactly these objects from when this returns, by a reload where the engine has one.

        Raises:
            Refused: the engine does not take the configuration; it goes on with the one before.
        """
        ...

    def close(self) -> None:
        """End the engine."""
        ...


class Refused(Exception):
    """An engine did not take a configuration; the message is what it said."""


#: How to start each engine: given an empty folder that is its own.
Start = Callable[[Path], Engine]


def free_ports(count: int) -> list[int]:
    """Give ports on loopback that nobody listens at now."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def self_signed(
    name: str, *hosts: str, algorithm: str = "ECDSA", left: dt.timedelta = dt.timedelta(days=1)
) -> tuple[bytes, bytes]:
    """Give a certificate and its key, both PEM; the algorithm is ECDSA (P-256) or RSA (2048 bits).

    `left` is how long the certificate is valid from now on; less than nothing: it has expired.
    """
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "ECDSA"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + left) - dt.timedelta(hours=1))
        .not_valid_after(now + left)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts or (name,)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
