"""Certificates as somebody else sells them: a CA of the tests' own, its chains, and what can be wrong with one."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = timedelta(days=1)


class Seller:
    """A root, an intermediate, and what is bought from it."""

    def __init__(self, folder: Path, name: str = "Seller") -> None:
        self._root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = _certificate(f"{name} Root", self._root_key.public_key(), f"{name} Root", self._root_key, ca=True)
        self.intermediate = _certificate(f"{name} CA", self._key.public_key(), f"{name} Root", self._root_key, ca=True)
        self._name = f"{name} CA"
        self.roots = folder / f"{name}.pem"
        self.roots.write_bytes(pem(self.root))

    def sell(
        self, hostnames: Sequence[str], *, days: float = 300, begins: timedelta = -DAY, bits: int = 2048
    ) -> tuple[bytes, bytes, x509.Certificate]:
        """Return chain and key in PEM, and the leaf."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        leaf = _certificate("", key.public_key(), self._name, self._key, hostnames=hostnames, days=days, begins=begins)
        return pem(leaf) + pem(self.intermediate), key_pem(key), leaf


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: Key, password: bytes = b"") -> bytes:
    """Return a key in PEM, encrypted where a password is given."""
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def tls_secret(name: str, namespace: str, chain: bytes, key: bytes, kind: str = "kubernetes.io/tls") -> dict[str, Any]:
    """Return the Secret that holds them."""
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "data": data,
    }


def _certificate(
    subject: str,
    public_key: Any,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    hostnames: Sequence[str] = (),
    days: float = 3000,
    begins: timedelta = -2 * DAY,
    ca: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + begins + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if hostnames:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in hostnames])
        builder = builder.add_extension(names, critical=not subject)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])
