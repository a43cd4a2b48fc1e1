"""TLS versions, cipher suites and groups: names, code points and what each needs.

Suites are named by their IANA names everywhere; `Suite.openssl` is for data planes that are configured with
OpenSSL's names. Sources: the IANA "TLS Cipher Suites" and "TLS Supported Groups" registries; RFC 5246
(TLS 1.2), RFC 5288 and 5289 (GCM, SHA-256 and SHA-384 suites need TLS 1.2), RFC 7905 (ChaCha20-Poly1305),
RFC 8422 (elliptic curves), RFC 8446 (TLS 1.3).
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

KeyExchange = Literal["ECDHE", "DHE", "RSA", "any"]
Authentication = Literal["ECDSA", "RSA", "any"]

#: Protocol versions, oldest first.
VERSIONS: Final = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")

#: Named groups for the key exchange and their code points.
GROUPS: Final[dict[str, int]] = {
    "X25519MLKEM768": 0x11EC,
    "X25519": 0x001D,
    "P-256": 0x0017,
    "P-384": 0x0018,
    "P-521": 0x0019,
}


@dataclass(frozen=True)
class Suite:
    """A cipher suite.

    Attributes:
        iana: name in the IANA registry.
        openssl: name in OpenSSL; for TLS 1.3 suites the same as `iana`.
        code: code point on the wire.
        kx: key exchange; "RSA" has no forward secrecy, "any" is TLS 1.3, where groups decide.
        auth: the kind of certificate key that it needs; "any" is TLS 1.3, where signature algorithms decide.
        enc: "AES-GCM", "AES-CBC", "CHACHA20-POLY1305" or "3DES-CBC".
        bits: length of the encryption key as OpenSSL and SSL Labs count it; 168 for 3DES.
        aead: whether encryption and integrity are one (GCM, Poly1305).
        tls13: whether it is a TLS 1.3 suite, which no other version can use.
        min_version: the lowest version that can use it.
    """

    iana: str
    openssl: str
    code: int
    kx: KeyExchange
    auth: Authentication
    enc: str
    bits: int
    aead: bool
    tls13: bool
    min_version: str


_CIPHERS = {
    "AES_128_GCM": ("AES-GCM", 128),
    "AES_256_GCM": ("AES-GCM", 256),
    "AES_128_CBC": ("AES-CBC", 128),
    "AES_256_CBC": ("AES-CBC", 256),
    "CHACHA20_POLY1305": ("CHACHA20-POLY1305", 256),
    "3DES_EDE_CBC": ("3DES-CBC", 168),
}


def _suite(code: int, iana: str, openssl: str) -> Suite:
    """Read the properties off the name, which IANA builds as TLS_<kx>_<auth>_WITH_<cipher>_<hash>."""
    before, separator, after = iana.removeprefix("TLS_").rpartition("_WITH_")
    cipher, _, digest = after.rpartition("_")
    enc, bits = _CIPHERS[cipher]
    aead = not enc.endswith("-CBC")
    kx, _, auth = before.partition("_")
    tls13 = not separator
    return Suite(
        iana=iana,
        openssl=openssl,
        code=code,
        kx=cast("KeyExchange", kx or "any"),
        auth=cast("Authentication", auth or kx or "any"),
        enc=enc,
        bits=bits,
        aead=aead,
        tls13=tls13,
        min_version="TLSv1.3" if tls13 else "TLSv1.0" if not aead and digest == "SHA" else "TLSv1.2",
    )


#: Every suite that a profile can name or a data plane may be found to accept, by IANA name.
SUITES: Final[dict[str, Suite]] = {
    suite.iana: suite
    for suite in (
        _suite(0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        _suite(0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        _suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
        _suite(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        _suite(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        _suite(0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305"),
        _suite(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        _suite(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        _suite(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        _suite(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        _suite(0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256"),
        _suite(0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384"),
        _suite(0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"),
        _suite(0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"),
        _suite(0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384"),
        _suite(0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384"),
        _suite(0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256"),
        _suite(0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256"),
        _suite(0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"),
        _suite(0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"),
        _suite(0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"),
        _suite(0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"),
        _suite(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        _suite(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        _suite(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"),
        _suite(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256"),
        _suite(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"),
        _suite(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"),
        _suite(0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA"),
    )
}


def usable(suite: Suite, version: str) -> bool:
    """Tell whether a suite can be negotiated at a protocol version; TLS 1.3 and its suites go only together.

    Raises:
        ValueError: `version` is not one of `VERSIONS`.
    """
    if suite.tls13 or version == "TLSv1.3":
        return suite.tls13 and version == "TLSv1.3"
    return VERSIONS.index(suite.min_version) <= VERSIONS.index(version)
