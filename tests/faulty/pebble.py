"""How Pebble names things, and what a signed request says."""

import base64
import json

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from faulty.faults import Kind

_PATHS = {
    "dir": Kind.DIRECTORY,
    "nonce-plz": Kind.NEW_NONCE,
    "sign-me-up": Kind.NEW_ACCOUNT,
    "order-plz": Kind.NEW_ORDER,
    "authZ": Kind.AUTHZ,
    "chalZ": Kind.CHALLENGE,
    "my-order": Kind.ORDER,
    "finalize-order": Kind.FINALIZE,
    "certZ": Kind.CERT,
    "draft-ietf-acme-ari-03": Kind.RENEWAL_INFO,
}


def kind_of(path: str) -> Kind:
    """What a request to this path is for."""
    return _PATHS.get(path.split("/", 2)[1], Kind.OTHER)


def path_of(url: str) -> str:
    """The path of a URL."""
    return "/" + url.split("/", 3)[3]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def payload_of(body: bytes) -> dict:
    """What a signed request says; empty where it says nothing."""
    try:
        found = json.loads(_decoded(json.loads(body)["payload"]))
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def key_of(payload: dict) -> bytes:
    """The SubjectPublicKeyInfo in a request to finalize."""
    csr = x509.load_der_x509_csr(_decoded(payload["csr"]))
    return csr.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
