"""What a CA wants to see for DNS-01 (RFC 8555, 8.4) and for DNS-PERSIST-01 (draft-ietf-acme-dns-persist)."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any


def txt_value(token: str, thumbprint: str) -> str:
    """The value of the TXT record: base64url of SHA-256 of the key authorization (RFC 8555, 8.4)."""
    digest = hashlib.sha256(f"{token}.{thumbprint}".encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def issuer_domains(directory: Mapping[str, Any]) -> tuple[str, ...]:
    """The names by which DNS records know a CA (RFC 8555, 7.1.1: caaIdentities)."""
    meta = directory.get("meta")
    names = meta.get("caaIdentities") if isinstance(meta, Mapping) else None
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
