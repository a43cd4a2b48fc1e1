"""Certificates and keys from files, checked before anything is sent, and certificates out of Secrets.

A private key is read, checked and put into the Secret's data; it is in no message and in no representation.
"""

import base64
import binascii
import re
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509

from certward.cli.api import Object
from certward.cli.errors import usage
from certward.model import pki
from certward.model.pki import CertificateFacts, CertificateProblem

_LARGEST = 512 * 1024  # bytes; a Secret holds 1 MiB, and base64 takes a third more

_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain and its key, checked.

    Attributes:
        chain_pem: leaf first, without the comments of the files.
        key_pem: as it was read.
        facts: of the leaf.
    """

    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    facts: CertificateFacts

    def data(self) -> dict[str, str]:
        """The data of a kubernetes.io/tls Secret."""
        return {
            "tls.crt": base64.b64encode(self.chain_pem).decode(),
            "tls.key": base64.b64encode(self.key_pem).decode(),
        }


def read_pair(certificate: Path, key: Path, chain: Sequence[Path], now: datetime) -> Pair:
    """Read and check a certificate, its key and its chain.

    Args:
        certificate: the leaf, perhaps with its chain behind it; "-" is the standard input.
        key: unencrypted; may be the same file.
        chain: further files with the certificates above the leaf.
        now: aware UTC datetime.

    Raises:
        CliError: a file cannot be read, or the three do not make a certificate that can be served now.
    """
    pem = b"\n".join([_read(certificate), *map(_read, chain)])
    key_pem = _read(key)
    if b"PRIVATE KEY" not in key_pem and b"-----BEGIN CERTIFICATE" in key_pem:
        raise usage(f"{key} holds a certificate and no key: name the certificate first, then the key.")
    try:
        ordered = pki.to_pem(in_order(pki.load_chain(pem), key_pem))
        return Pair(ordered, _only_key(key_pem), pki.check_pair(ordered, key_pem, (), now))
    except CertificateProblem as problem:
        raise usage(f"{certificate}: {problem}") from None


def in_order(chain: Sequence[x509.Certificate], key_pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates as a server has to send them: the key's own first, then each one that signs the one before.

    Where they do not make one chain they stay as they are, for the check to say so. A root at the end goes away.
    """
    leaf = next((one for one in chain if pki.key_matches(key_pem, one)), None)
    if leaf is None:
        return tuple(chain)
    ordered, left = [leaf], [one for one in dict.fromkeys(chain) if one != leaf]
    while above := next((one for one in left if pki.chain_consistent([ordered[-1], one])), None):
        ordered.append(above)
        left.remove(above)
    if left:
        return (leaf, *(one for one in chain if one != leaf))
    return tuple(ordered[:-1] if len(ordered) > 1 and pki.chain_consistent([ordered[-1], ordered[-1]]) else ordered)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is found in a Secret.

    Attributes:
        facts: of the leaf; None where there is none.
        trusted: whether this machine trusts it; None where there is no certificate.
        problem: why it cannot be served, in one sentence; empty where it can.
    """

    facts: CertificateFacts | None
    trusted: bool | None
    problem: str


def read_secret(secret: Object, now: datetime) -> Kept:
    """The certificate in a Secret, and whether it could be served."""
    data = secret.get("data") or {}
    try:
        chain_pem = base64.b64decode(data.get("tls.crt") or "")
        key_pem = base64.b64decode(data.get("tls.key") or "")
    except (binascii.Error, ValueError):
        return Kept(None, None, "The Secret's data cannot be read.")
    try:
        chain = pki.load_chain(chain_pem)
        facts = pki.facts_of(chain[0])
    except CertificateProblem as problem:
        return Kept(None, None, str(problem))
    trusted = pki.is_trusted(chain, own_roots(), now)
    try:
        pki.check_pair(chain_pem, key_pem, (), now)
    except CertificateProblem as problem:
        return Kept(facts, trusted, str(problem))
    return Kept(facts, trusted, "")


@lru_cache(maxsize=1)
def own_roots() -> bytes:
    """The roots that this machine trusts."""
    return pki.roots_pem(ssl.create_default_context().get_ca_certs(binary_form=True))


def _only_key(key_pem: bytes) -> bytes:
    """The key out of a file that may hold parameters or certificates too."""
    found = _KEY.search(key_pem)
    return found.group() + b"\n" if found else key_pem


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(_LARGEST)
        with file.open("rb") as opened:
            read = opened.read(_LARGEST + 1)
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror or error}.") from None
    if len(read) > _LARGEST:
        raise usage(f"{file} is too large to be a certificate or a key.")
    return read
