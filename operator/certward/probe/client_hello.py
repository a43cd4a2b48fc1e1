"""The bytes of a ClientHello that offers exactly what it is told to.

Sources: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 8422 (elliptic curves), RFC 6066 (server name), RFC 5746
(secure renegotiation), RFC 7627 (extended master secret).
"""

import ipaddress
import struct
from collections.abc import Sequence
from typing import Final

from certward.model.suites import VERSIONS

#: Version names and the number that stands for each on the wire.
VERSION_CODES: Final[dict[str, int]] = {name: 0x0301 + index for index, name in enumerate(VERSIONS)}

_RECORD_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SCSV_RENEGOTIATION: Final = 0x00FF

_EXT_SERVER_NAME, _EXT_GROUPS, _EXT_POINT_FORMATS, _EXT_SIGNATURES = 0, 10, 11, 13
_EXT_MASTER_SECRET, _EXT_VERSIONS, _EXT_PSK_MODES, _EXT_KEY_SHARE = 23, 43, 45, 51

#: Every scheme that a server of any age might sign with, so that a refusal is never for want of one:
#: ECDSA, EdDSA, RSA-PSS (rsae and pss keys), RSA PKCS#1, and SHA-1 last.
_SIGNATURE_SCHEMES: Final = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0808),
    *(0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B),
    *(0x0401, 0x0501, 0x0601, 0x0203, 0x0201),
)


def client_hello(
    server_name: str,
    *,
    versions: Sequence[str],
    suites: Sequence[int],
    groups: Sequence[int],
    random: bytes,
    session_id: bytes,
) -> bytes:
    """Build the record of a ClientHello that offers exactly this.

    For TLS 1.3 the list of key shares is empty, which asks the server for a HelloRetryRequest (RFC 8446,
    4.2.8): it names version, suite and group, and costs neither side any cryptography. `supported_versions`
    is sent only with TLS 1.3, so that older offers look as they did in their time.

    Args:
        server_name: the name for the SNI; left out when empty or an IP address (RFC 6066, 3).
        versions: names out of `VERSIONS`.
        suites: code points in order of preference.
        groups: code points in order of preference; may be empty.
        random: 32 bytes.
        session_id: at most 32 bytes; TLS 1.3 clients send some for the sake of middleboxes (RFC 8446, D.4).

    Raises:
        ValueError: no version is given, or a name is not ASCII.
    """
    codes = sorted((VERSION_CODES[name] for name in versions), reverse=True)
    if not codes:
        raise ValueError("a ClientHello offers at least one version")
    has_tls13 = codes[0] == VERSION_CODES["TLSv1.3"]
    has_tls12 = VERSION_CODES["TLSv1.2"] in codes
    offered = list(suites) + ([] if codes == [VERSION_CODES["TLSv1.3"]] else [_SCSV_RENEGOTIATION])
    extensions = b""
    if server_name and not is_ip_address(server_name):
        entry = b"\x00" + _vector(2, server_name.encode("ascii"))
        extensions += _extension(_EXT_SERVER_NAME, _vector(2, entry))
    if groups:
        extensions += _extension(_EXT_GROUPS, _vector(2, _numbers(groups)))
        extensions += _extension(_EXT_POINT_FORMATS, _vector(1, b"\x00"))
    if has_tls12 or has_tls13:
        extensions += _extension(_EXT_SIGNATURES, _vector(2, _numbers(_SIGNATURE_SCHEMES)))
    extensions += _extension(_EXT_MASTER_SECRET, b"")
    if has_tls13:
        extensions += _extension(_EXT_VERSIONS, _vector(1, _numbers(codes)))
        extensions += _extension(_EXT_PSK_MODES, _vector(1, b"\x01"))
        extensions += _extension(_EXT_KEY_SHARE, _vector(2, b""))
    body = (
        struct.pack("!H", min(codes[0], VERSION_CODES["TLSv1.2"]))
        + random
        + _vector(1, session_id)
        + _vector(2, _numbers(offered))
        + _vector(1, b"\x00")  # no compression
        + _vector(2, extensions)
    )
    message = bytes([_CLIENT_HELLO]) + _vector(3, body)
    return struct.pack("!BH", _RECORD_HANDSHAKE, VERSION_CODES["TLSv1.0"]) + _vector(2, message)


def is_ip_address(name: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _numbers(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def _vector(size: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(size) + payload


def _extension(kind: int, payload: bytes) -> bytes:
    return kind.to_bytes(2) + _vector(2, payload)
