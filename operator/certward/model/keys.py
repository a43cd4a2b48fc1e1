"""Private keys and signing requests.

Only `cryptography` is used. No error carries the key or what a parser said of it.
"""

import base64
import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

#: The key types that a certificate may be asked for with.
KEY_TYPES = ("ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096")

#: The largest RSA key that is read. Go, and so Traefik and others, refuses larger ones in handshakes (crypto/tls).
MAXIMUM_RSA_BITS = 8192

_CURVES: dict[str, type[ec.EllipticCurve]] = {"ECDSA-P256": ec.SECP256R1, "ECDSA-P384": ec.SECP384R1}
#: The orders of their groups (SEC 2, 2.4.2 and 2.5.1).
_GROUP_ORDERS = {
    "ECDSA-P256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ECDSA-P384": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
    ),
}
#: A private key in PEM (RFC 7468, 10; RFC 5915, 4; RFC 8017, A.1.2); without a label it is PKCS #8.
_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z ]*)PRIVATE KEY-----(?P<body>(?:(?!-----).)*)-----END (?P=label)PRIVATE KEY-----",
    re.DOTALL,
)
_LABELS = (b"", b"RSA ", b"EC ", b"ENCRYPTED ")
_DER_LENGTH = rb"(?:[\x00-\x7f]|\x81.|\x82..|\x83...)"
#: rsaEncryption and RSASSA-PSS (RFC 8017, C), id-ecPublicKey (RFC 5480, 2.1.1), Ed25519 and Ed448 (RFC 8410, 3).
_OIDS = (
    rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]",
    rb"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
    rb"\x06\x03\x2b\x65[\x70\x71]",
)
#: The beginning of PKCS #8 (RFC 5958, 2): a version, then the algorithm.
_PKCS8 = re.compile(
    rb"\x30" + _DER_LENGTH + rb"\x02\x01[\x00\x01]\x30" + _DER_LENGTH + rb"(?:" + rb"|".join(_OIDS) + rb")", re.DOTALL
)
_CURVE_NAMES = {"secp256r1": "P256", "secp384r1": "P384", "secp521r1": "P521"}


class CertificateProblem(ValueError):
    """A certificate or key cannot be used; the text is one sentence for the owner of the domain."""


def generate_key(key_type: str) -> bytes:
    """A new private key as unencrypted PKCS #8 PEM.

    Raises:
        ValueError: `key_type` is none of KEY_TYPES.
    """
    if key_type not in KEY_TYPES:
        raise ValueError(f"unknown key type {key_type!r}: use one of {', '.join(KEY_TYPES)}")
    key: PrivateKeyTypes
    if key_type in _CURVES:
        key = ec.generate_private_key(_CURVES[key_type]())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=int(key_type.removeprefix("RSA-")))
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def is_derivable(key_type: str) -> bool:
    """Whether `derive_key` makes keys of this type."""
    return key_type in _CURVES


def derive_key(seed: bytes, label: str, key_type: str) -> bytes:
    """The private key that belongs to a seed and a label, as unencrypted PKCS #8 PEM; the same one each time.

    By HKDF (RFC 5869) and FIPS 186-5, A.2.1: 64 bits more than the order of the curve has are reduced modulo it, so
    that no key is noticeably likelier than another.

    Args:
        seed: at least 32 bytes that nobody else knows.
        label: what tells this key from all others of the seed.
        key_type: one that `is_derivable`.
    """
    curve = _CURVES[key_type]()
    info = f"certward order key|{key_type}|{label}".encode()
    drawn = HKDF(hashes.SHA256(), length=curve.key_size // 8 + 8, salt=None, info=info).derive(seed)
    scalar = int.from_bytes(drawn) % (_GROUP_ORDERS[key_type] - 1) + 1
    key = ec.derive_private_key(scalar, curve)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def csr_der(key_pem: bytes, hostnames: Sequence[str]) -> bytes:
    """A certificate signing request in DER with the names in its SAN extension and an empty subject.

    The subject stays empty because a common name holds at most 64 characters and CAs ignore it.

    Raises:
        CertificateProblem: the key cannot be read or cannot sign.
    """
    key = load_private_key(key_pem)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CertificateProblem("The private key is neither RSA nor ECDSA.")
    names = x509.SubjectAlternativeName([x509.DNSName(hostname) for hostname in hostnames])
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def key_type_of(key_pem: bytes) -> str:
    """The type of a private key, such as "ECDSA-P256".

    Raises:
        CertificateProblem: the key cannot be read.
    """
    return public_key_type(load_private_key(key_pem).public_key())


def load_private_key(key_pem: bytes) -> PrivateKeyTypes:
    """The parsed key of an unencrypted PEM file.

    Raises:
        CertificateProblem: there is none, it is encrypted, cannot be read, is damaged, too large, or of a kind that no
            TLS server has.
    """
    if not key_pem.strip():
        raise CertificateProblem("There is no private key.")
    # OpenSSL works on large numbers for hours, with all other threads standing still: when it looks whether RSA's are
    # prime, and when it makes the public half of a DSA or DH key. So neither is left to it.
    try:
        block = _usable_block(key_pem)
        key = serialization.load_pem_private_key(block, password=None, unsafe_skip_rsa_key_validation=True)
    except CertificateProblem:
        raise
    except TypeError:
        raise CertificateProblem("The private key is encrypted; store it without a passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem("The private key cannot be read; it has to be an unencrypted PEM key.") from None
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size > MAXIMUM_RSA_BITS:
            raise CertificateProblem(f"The RSA key has {key.key_size} bits; {MAXIMUM_RSA_BITS} is the most.")
        if not _fits_together(key.private_numbers()):
            raise CertificateProblem("The private key is damaged: its numbers do not belong together.")
    return key


def _usable_block(key_pem: bytes) -> bytes:
    """The first private key of a PEM file, if it is of a kind that a TLS server may have.

    Raises:
        CertificateProblem: it is of another kind.
        ValueError: there is none.
    """
    found = _BLOCK.search(key_pem)
    if found is None:
        raise ValueError("no PEM block")
    label, body = found["label"], found["body"]
    if label not in _LABELS or (not label and not _PKCS8.match(base64.b64decode(body))):
        raise CertificateProblem("The private key is neither RSA nor ECDSA nor Ed25519.")
    return found[0]


def _fits_together(numbers: rsa.RSAPrivateNumbers) -> bool:
    """Whether an RSA key can undo what its public half does (RFC 8017, 3.2), if its primes are some."""
    p, q, d, n, e = numbers.p, numbers.q, numbers.d, numbers.public_numbers.n, numbers.public_numbers.e
    if max(each.bit_length() for each in (p, q, d, e, numbers.dmp1, numbers.dmq1, numbers.iqmp)) > n.bit_length():
        return False  # before anything is multiplied
    return (
        min(p, q) > 1
        and p * q == n
        and d * e % (p - 1) == d * e % (q - 1) == 1
        and (numbers.dmp1, numbers.dmq1) == (d % (p - 1), d % (q - 1))
        and numbers.iqmp * q % p == 1
    )


def public_key_type(public_key: PublicKeyTypes) -> str:
    """The type of a public key: "RSA-2048", "ECDSA-P256", or the algorithm's name for others."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"RSA-{public_key.key_size}"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return f"ECDSA-{_CURVE_NAMES.get(public_key.curve.name, public_key.curve.name)}"
    return type(public_key).__name__.removesuffix("PublicKey")


def spki(public_key: PublicKeyTypes) -> bytes:
    """The DER form of a public key (SubjectPublicKeyInfo, RFC 5280, 4.1.2.7)."""
    return public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
