"""Certificates of small hierarchies made on the spot, each valid around `NOW`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certward.model import pki
from cluster.pki import key_usage

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Issued:
    cert: x509.Certificate
    key: object

    @property
    def pem(self):
        return pki.to_pem([self.cert])

    @property
    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def named(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]) if common_name else x509.Name([])


def authority(common_name, issuer=None, path_length=None):
    key = ec.generate_private_key(ec.SECP256R1())
    return signed(
        key,
        named(common_name),
        issuer,
        [
            (x509.BasicConstraints(ca=True, path_length=path_length), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (key_usage(ca=True), True),
        ],
    )


def leaf(*hostnames, issuer=None, key=None, start=-1, days=90, serial=None):
    extensions = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)]
    if hostnames:
        extensions.append((x509.SubjectAlternativeName([x509.DNSName(name) for name in hostnames]), True))
    key = key or ec.generate_private_key(ec.SECP256R1())
    return signed(key, named(""), issuer, extensions, start=start, days=days, serial=serial)


def signed(key, subject, issuer, extensions, *, start=-1, days=90, serial=None):
    issuer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.cert.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=start))
        .not_valid_after(NOW + timedelta(days=start + days))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(issuer_key, hashes.SHA256()), key)


@cache
def hierarchy():
    root = authority("Test Root")
    return root, authority("Test Intermediate", issuer=root, path_length=0)
