"""Certificates that look as if the CA had issued them, of a CA that nobody trusts."""

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Forger:
    """A throwaway CA."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throwaway CA")])
        self._own = self._certificate(self._name, self._key.public_key(), x509.BasicConstraints(True, 0))

    def chain(self, hostname: str, public_key: ec.EllipticCurvePublicKey | None = None) -> bytes:
        """Return a chain in PEM for the hostname, of this key or of one that nobody has."""
        public_key = public_key or ec.generate_private_key(ec.SECP256R1()).public_key()
        names = x509.SubjectAlternativeName([x509.DNSName(hostname)])
        leaf = self._certificate(x509.Name([]), public_key, names)
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, self._own))

    def _certificate(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=public_key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - dt.timedelta(hours=1),
            not_valid_after=now + dt.timedelta(days=90),
        )
        return builder.add_extension(extension, critical=True).sign(self._key, hashes.SHA256())
