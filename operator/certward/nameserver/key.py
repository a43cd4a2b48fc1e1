"""A TSIG key, as `nsupdate -y` takes it or as BIND and Knot keep it in a file."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

import dns.exception
import dns.name
import dns.tsig

#: RFC 8945, 6; HMAC-MD5 and SHA-1 are named there for old servers only and are not taken.
ALGORITHMS: Final = {
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}
_ALLOWED: Final = ", ".join(ALGORITHMS)
_FORMS: Final = (
    'write algorithm:name:secret as for `nsupdate -y`, or a key file: key "name" { algorithm hmac-sha256; '
    'secret "..."; };'
)
_COMMENT: Final = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)
_KEY_FILE: Final = re.compile(r'key\s+"?([^\s"{;]+)"?\s*\{([^{}]*)\}\s*;?\s*')
_SETTING: Final = re.compile(r'\s*(algorithm|secret)\s+"?([^\s";]+)"?\s*;')
_MOST: Final = 8192


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A key that is shared with a DNS server."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)

    def of_library(self) -> dns.tsig.Key:
        """The key as dnspython has it."""
        return dns.tsig.Key(dns.name.from_text(self.name), self.secret, ALGORITHMS[self.algorithm])


def parse(text: str) -> TsigKey:
    """Read a key in either form.

    Raises:
        ValueError: it is in none of them; the message never quotes any of it.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"is empty; {_FORMS}")
    if len(text) > _MOST:
        raise ValueError(f"is too long to be a key; {_FORMS}")
    if "{" in text:
        return _of_file(text)
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 2:  # noqa: PLR2004 - nsupdate's default algorithm would be HMAC-MD5
        raise ValueError(f"names no algorithm; {_FORMS}")
    if len(parts) != 3:  # noqa: PLR2004 - the parts of the form
        raise ValueError(f"cannot be read; {_FORMS}")
    return _key(parts[1], parts[0], parts[2])


def _of_file(text: str) -> TsigKey:
    # In the secret there may be "//", as in any base64; so it is taken out of the way of the comments first.
    secrets: list[str] = []

    def keep(match: re.Match[str]) -> str:
        secrets.append(match[0])
        return f"\0{len(secrets) - 1}\0"

    bare = _COMMENT.sub(" ", re.sub(r'"[^"\n]*"', keep, text)).strip()
    restored = re.sub("\0([0-9]+)\0", lambda match: secrets[int(match[1])], bare)
    found = _KEY_FILE.fullmatch(restored)
    if not found:
        raise ValueError(f"is not one key; {_FORMS}")
    settings = dict(_SETTING.findall(found[2]))
    if set(settings) != {"algorithm", "secret"} or _SETTING.sub("", found[2]).strip():
        raise ValueError(f"needs an algorithm and a secret and nothing else; {_FORMS}")
    return _key(found[1], settings["algorithm"], settings["secret"])


def _key(name: str, algorithm: str, secret: str) -> TsigKey:
    algorithm = algorithm.lower().rstrip(".")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"has an algorithm that is not supported; use one of {_ALLOWED}")
    try:
        absolute = dns.name.from_text(name.rstrip(".")).to_text(omit_final_dot=True).lower() if name else ""
    except dns.exception.DNSException:
        absolute = ""
    if not absolute or absolute == "@":
        raise ValueError("has a name that is no DNS name")
    try:
        raw = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("has a secret that is not base64") from None
    if not raw:
        raise ValueError("has an empty secret")
    return TsigKey(absolute, algorithm, raw)
