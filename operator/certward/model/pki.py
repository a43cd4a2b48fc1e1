"""Certificates: their facts, their chains, and whether they fit a key and a hostname.

Only `cryptography` is used. Nothing here reads a clock: `now` is an argument and an aware datetime.
"""

import base64
import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certward.model import hostnames
from certward.model.keys import (
    KEY_TYPES,
    CertificateProblem,
    csr_der,
    generate_key,
    key_type_of,
    load_private_key,
    public_key_type,
    spki,
)

__all__ = [
    "KEY_TYPES",
    "CertificateFacts",
    "CertificateProblem",
    "ari_certificate_id",
    "chain_consistent",
    "check_pair",
    "covers",
    "csr_der",
    "facts_of",
    "generate_key",
    "is_trusted",
    "key_matches",
    "key_type_of",
    "load_chain",
    "to_pem",
]

#: The smallest RSA key that a browser accepts (CA/Browser Forum Baseline Requirements, 6.1.5).
MINIMUM_RSA_BITS = 2048
#: As many names as any public CA puts into one certificate, and then some.
_MOST_NAMES = 1000
#: What is wrong with a certificate whose time is over.
EXPIRED = "The certificate has expired."

# What cryptography raises for certificates that do not hold to RFC 5280, often only when a field is read.
_MALFORMED = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True)
class CertificateFacts:
    """What is worth knowing of a certificate, without the certificate.

    Attributes:
        subject: RFC 4514 string, empty where the certificate has none.
        issuer: RFC 4514 string.
        serial_number: lower-case hexadecimal, an even number of digits.
        fingerprint_sha256: lower-case hexadecimal of the DER form, no colons.
        key_type: such as "ECDSA-P256" or "RSA-2048".
        hostnames: the DNS names of the SAN extension, lower case, each once, in their order.
        not_before: aware UTC.
        not_after: aware UTC.
        spki_sha256: lower-case hexadecimal of the public key's SubjectPublicKeyInfo.
        ari_id: by which its CA knows it (RFC 9773, 4.1); empty where it names no issuing key.
    """

    subject: str
    issuer: str
    serial_number: str
    fingerprint_sha256: str
    key_type: str
    hostnames: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    spki_sha256: str
    ari_id: str = ""


def key_matches(key_pem: bytes, cert: x509.Certificate) -> bool:
    """Whether the private key belongs to the certificate.

    Raises:
        CertificateProblem: the key or the certificate cannot be read.
    """
    return spki(load_private_key(key_pem).public_key()) == spki(_public_key(cert))


def load_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, leaf first.

    Raises:
        CertificateProblem: there is none, or one cannot be parsed.
    """
    begun = pem.count(b"-----BEGIN CERTIFICATE-----")
    if not begun:
        raise CertificateProblem("There is no certificate in PEM form.")
    try:
        chain = tuple(x509.load_pem_x509_certificates(pem))
    except _MALFORMED as error:
        raise CertificateProblem("A certificate in the file cannot be parsed.") from error
    if len(chain) != begun:
        # One without an end is passed over by the parser; a chain that was cut off would be served without it.
        raise CertificateProblem("A certificate in the file is not whole.")
    return chain


def load_der(der: bytes) -> x509.Certificate:
    """A certificate from DER.

    Raises:
        CertificateProblem: it cannot be parsed.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except _MALFORMED as error:
        raise CertificateProblem("A certificate cannot be parsed.") from error


def roots_pem(ders: Iterable[bytes]) -> bytes:
    """Roots as PEM, without those that do not hold to RFC 5280 and that `cryptography` warns of or refuses."""
    roots = []
    for der in ders:
        try:
            with warnings.catch_warnings(action="error"):
                roots.append(x509.load_der_x509_certificate(der))
        except (*_MALFORMED, Warning):
            continue
    return to_pem(roots)


def to_pem(chain: Iterable[x509.Certificate]) -> bytes:
    """The certificates as PEM in the order given, without the comments that a file may hold."""
    return b"".join(cert.public_bytes(serialization.Encoding.PEM) for cert in chain)


def facts_of(cert_or_der: x509.Certificate | bytes) -> CertificateFacts:
    """The facts of a certificate, given as object or as DER.

    Raises:
        CertificateProblem: it cannot be parsed, or is for more names than can be dealt with.
    """
    try:
        cert = x509.load_der_x509_certificate(cert_or_der) if isinstance(cert_or_der, bytes) else cert_or_der
        public_key = cert.public_key()
        serial = format(cert.serial_number, "x")
        return CertificateFacts(
            subject=cert.subject.rfc4514_string(),
            issuer=cert.issuer.rfc4514_string(),
            serial_number=serial if len(serial) % 2 == 0 else f"0{serial}",
            fingerprint_sha256=cert.fingerprint(hashes.SHA256()).hex(),
            key_type=public_key_type(public_key),
            hostnames=_dns_names(cert),
            not_before=cert.not_valid_before_utc,
            not_after=cert.not_valid_after_utc,
            spki_sha256=hashlib.sha256(spki(public_key)).hexdigest(),
            ari_id=_ari_id_or_nothing(cert),
        )
    except CertificateProblem:
        raise
    except _MALFORMED as error:
        raise CertificateProblem("The certificate cannot be parsed.") from error


def covers(names: Iterable[str], hostname: str) -> bool:
    """Whether one of a certificate's names stands for the hostname; `*` stands for one label (RFC 9525, 6.3).

    A hostname that is itself a wildcard is covered by the same wildcard only.
    """
    return any(hostnames.covers(name, hostname) for name in names)


def chain_consistent(chain: Sequence[x509.Certificate]) -> bool:
    """Whether each certificate signs the one before it."""
    return all(_issued_by(cert, issuer) for cert, issuer in pairwise(chain))


def check_pair(chain_pem: bytes, key_pem: bytes, hostnames_needed: Sequence[str], now: datetime) -> CertificateFacts:
    """The facts of a certificate that can serve the hostnames with this key now.

    Whether anybody trusts it is not asked: self-signed ones pass.

    Raises:
        CertificateProblem: the first thing that is wrong, in the order: file, key, pair, names, dates,
            strength, chain.
    """
    chain = load_chain(chain_pem)
    leaf = chain[0]
    facts = facts_of(leaf)
    if not key_matches(key_pem, leaf):
        raise CertificateProblem("The private key does not belong to the first certificate in the file.")
    for hostname in hostnames_needed:
        if not covers(facts.hostnames, hostname):
            listed = ", ".join(facts.hostnames[:5]) or "no DNS name at all"
            raise CertificateProblem(f"The certificate does not cover {hostname}; it is for {listed}.")
    if now < facts.not_before:
        raise CertificateProblem("The certificate is not valid yet.")
    if now > facts.not_after:
        raise CertificateProblem(EXPIRED)
    public_key = leaf.public_key()
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size < MINIMUM_RSA_BITS:
        raise CertificateProblem(f"The RSA key has {public_key.key_size} bits; 2048 is the least.")
    if not chain_consistent(chain):
        raise CertificateProblem(
            "The file's certificates are not a chain: each one has to sign the one before it, leaf first."
        )
    return facts


def ari_certificate_id(cert: x509.Certificate) -> str:
    """The identifier of a certificate in ACME renewal information (RFC 9773, 4.1).

    Raises:
        CertificateProblem: the certificate has no authority key identifier.
    """
    try:
        extension = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        key_identifier = extension.value.key_identifier
    except (*_MALFORMED, x509.ExtensionNotFound):
        key_identifier = None
    if key_identifier is None:
        raise CertificateProblem("The certificate has no authority key identifier.")
    serial = cert.serial_number
    # The content octets of a DER INTEGER: big endian, with a leading zero where the top bit is set.
    serial_octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    return f"{_base64url(key_identifier)}.{_base64url(serial_octets)}"


def _ari_id_or_nothing(cert: x509.Certificate) -> str:
    try:
        return ari_certificate_id(cert)
    except CertificateProblem:
        return ""


def is_trusted(chain: Sequence[x509.Certificate], roots_pem: bytes, now: datetime) -> bool:
    """Whether a browser with these roots would build a path from the leaf to one of them at `now`."""
    names = facts_of(chain[0]).hostnames if chain else ()
    if not names or not roots_pem.strip():
        return False
    # The verifier wants one name to look for; any name below a wildcard will do.
    subject = x509.DNSName(names[0].replace("*", "any", 1))
    try:
        verifier = PolicyBuilder().store(_store(roots_pem)).time(now).build_server_verifier(subject)
        verifier.verify(chain[0], list(chain[1:]))
    except (VerificationError, *_MALFORMED):
        return False
    return True


@lru_cache(maxsize=4)
def _store(roots_pem: bytes) -> Store:
    """A system's roots are some 150 certificates; they are parsed once, not for every chain."""
    return Store(x509.load_pem_x509_certificates(roots_pem))


def _public_key(cert: x509.Certificate) -> PublicKeyTypes:
    try:
        return cert.public_key()
    except _MALFORMED as error:
        raise CertificateProblem("The certificate's public key cannot be read.") from error


def _dns_names(cert: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = tuple(dict.fromkeys(name.lower() for name in extension.value.get_values_for_type(x509.DNSName)))
    if len(names) > _MOST_NAMES:
        raise CertificateProblem(f"The certificate is for {len(names)} names; {_MOST_NAMES} are the most.")
    return names


def _issued_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_MALFORMED):
        return False
    return True


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
