"""Private keys as an observer knows them: which public key belongs to whom, and where a private one must not be."""

import base64
import re
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integration.observer import spki

_TOKEN = re.compile(rb"[A-Za-z0-9+/_=-]{32,}")
_MARK = b"PRIVATE KEY-----"
#: In base64, so that a Secret's data is found, too: "-----BEGIN " and what may follow, but for certificates.
_MARK_IN_BASE64 = re.compile(rb"LS0tLS1CRUdJTi(?!BDRVJUSUZJQ0FU)")
_LENGTH = 32


class Keys:
    """Every key that was seen in a Secret. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[bytes, tuple[str, int]] = {}
        self._needles: set[bytes] = set()

    def certificate(self, hostname: str, leaf: x509.Certificate) -> str:
        """Note whose public key it is; returns what is wrong, empty where nothing is."""
        now = (hostname, leaf.serial_number)
        with self._lock:
            known = self._of.setdefault(spki(leaf.public_key()), now)
        if known[0] != hostname:
            return f"the key of {hostname} is that of {known[0]}"
        return f"two certificates of {hostname} have one key" if known[1] != now[1] else ""

    def private(self, pem: bytes) -> None:
        """Look for this key from now on: for lines of its PEM, for that in base64, and for its private number.

        Only for what is private in it: the rest of the PEM is in the certificate as well.
        """
        key = serialization.load_pem_private_key(pem, None)
        lines, encoded = [line for line in pem.splitlines() if not line.startswith(b"-")], base64.b64encode(pem)
        found = {line[:_LENGTH] for line in lines[len(lines) // 2 :]}
        found.add(encoded[len(encoded) * 3 // 4 :][:_LENGTH])
        if isinstance(key, ec.EllipticCurvePrivateKey):  # PKCS #8 (RFC 5958) begins with the private number
            found = {line[:_LENGTH] for line in lines[:2]} | {encoded[128 : 128 + _LENGTH]}
            number = key.private_numbers().private_value
            found |= self._forms(number.to_bytes((key.key_size + 7) // 8)) | {f"{number}"[:_LENGTH].encode()}
        with self._lock:
            self._needles |= {one for one in found if len(one) == _LENGTH}

    def bare(self, secret: bytes) -> None:
        """Look for these bytes from now on."""
        with self._lock:
            self._needles |= {one for one in self._forms(secret) if len(one) == _LENGTH}

    @staticmethod
    def _forms(raw: bytes) -> set[bytes]:
        encoded = {raw.hex().encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
        return {one[:_LENGTH] for one in encoded}

    def leaks(self, text: bytes) -> str:
        """Whether a text holds a private key, in words; empty where it does not."""
        if _MARK in text or _MARK_IN_BASE64.search(text):
            return "it holds a private key in PEM"
        with self._lock:
            needles = self._needles
            for token in _TOKEN.findall(text):
                if any(token[at : at + _LENGTH] in needles for at in range(len(token) - _LENGTH + 1)):
                    return "it holds a part of a private key that is in use"
        return ""
