"""What a server answers to a ClientHello, as far as it is not encrypted: records, alerts, handshake messages.

Knows no sockets and no cryptography. Sources: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 8422 (elliptic
curves).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

#: Names of alerts (RFC 8446, 6; RFC 5246, 7.2; the IANA registry "TLS Alerts").
ALERTS: Final[dict[int, str]] = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    117: "general_error",
    120: "no_application_protocol",
    121: "ech_required",
}

SERVER_HELLO: Final = 2
SERVER_KEY_EXCHANGE: Final = 12
SERVER_HELLO_DONE: Final = 14

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE = 20, 21, 22
#: Of encrypted records (type 23) nothing can be read, so they do not belong here.
_RECORD_TYPES: Final = (_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE)
#: The first byte of a record's version is 3 from SSL 3.0 to TLS 1.3; empty while it is not there yet.
_RECORD_MAJORS: Final = (bytearray(), bytearray(b"\x03"))
_RECORD_HEADER, _MESSAGE_HEADER = 5, 4
_FATAL: Final = 2
_NAMED_CURVE: Final = 3
_EXT_VERSIONS, _EXT_KEY_SHARE = 43, 51
#: A record holds at most 2^14 bytes of plaintext (RFC 8446, 5.1); nothing else is read here.
_RECORD_MAX: Final = 1 << 14
#: The longest message that is waited for: far more than a long certificate chain.
_MESSAGE_MAX: Final = 1 << 16


class Malformed(ValueError):
    """The bytes are no TLS, or break its rules."""


@dataclass(frozen=True)
class Alert:
    """An alert: its number, and whether it is fatal."""

    code: int
    fatal: bool

    @property
    def name(self) -> str:
        """The registered name, or "alert 200" for a number without one."""
        return ALERTS.get(self.code, f"alert {self.code}")


@dataclass(frozen=True)
class Message:
    """One handshake message, put together from its fragments."""

    kind: int
    body: bytes


@dataclass(frozen=True)
class ServerHello:
    """What a ServerHello or a HelloRetryRequest says; code points as sent, `group` 0 where there is none."""

    version: int
    suite: int
    group: int


class Cursor:
    """Reads numbers and vectors off bytes; going past the end is `Malformed`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_done(self) -> bool:
        """Whether everything was read."""
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise Malformed("a length goes past the end")
        piece, self._at = self._data[self._at : end], end
        return piece

    def number(self, size: int) -> int:
        """Read an unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """Read a vector whose length stands before it in `size` bytes."""
        return self.take(self.number(size))


class ServerFlight:
    """Puts alerts and handshake messages together from the bytes of an unencrypted flight, however cut."""

    def __init__(self) -> None:
        self._records = bytearray()
        self._messages = bytearray()

    def feed(self, data: bytes) -> Iterator[Alert | Message]:
        """Take the next bytes from the server and give what they complete.

        Raises:
            Malformed: the bytes are no TLS, a record is encrypted, or a length is out of bounds.
        """
        self._records += data
        while self._records:
            # A server that speaks something else shows it in its first bytes; do not wait for a whole header.
            if self._records[0] not in _RECORD_TYPES or self._records[1:2] not in _RECORD_MAJORS:
                raise Malformed("it is not TLS")
            if len(self._records) < _RECORD_HEADER:
                return
            kind, _, length = struct.unpack_from("!BHH", self._records)
            if length > _RECORD_MAX:
                raise Malformed(f"a record of {length} bytes")
            end = _RECORD_HEADER + length
            if len(self._records) < end:
                return
            fragment = bytes(self._records[_RECORD_HEADER:end])
            del self._records[:end]
            if kind == _ALERT:
                alert = Cursor(fragment)
                yield Alert(fatal=alert.number(1) == _FATAL, code=alert.number(1))
            elif kind == _HANDSHAKE:
                self._messages += fragment
                yield from self._whole_messages()

    def _whole_messages(self) -> Iterator[Message]:
        while len(self._messages) >= _MESSAGE_HEADER:
            length = int.from_bytes(self._messages[1:4])
            if length > _MESSAGE_MAX:
                raise Malformed(f"a handshake message of {length} bytes")
            end = _MESSAGE_HEADER + length
            if len(self._messages) < end:
                return
            message = Message(kind=self._messages[0], body=bytes(self._messages[_MESSAGE_HEADER:end]))
            del self._messages[:end]
            yield message


def parse_server_hello(body: bytes) -> ServerHello:
    """Read a ServerHello or HelloRetryRequest (RFC 8446, 4.1.3 and 4.1.4; RFC 5246, 7.4.1.3).

    Raises:
        Malformed: the message breaks its format.
    """
    cursor = Cursor(body)
    version = cursor.number(2)
    cursor.take(32)  # random
    cursor.vector(1)  # session id
    suite = cursor.number(2)
    cursor.number(1)  # compression
    group = 0
    # TLS 1.0 servers may leave the extensions out altogether.
    extensions = Cursor(b"" if cursor.is_done else cursor.vector(2))
    if not cursor.is_done:
        raise Malformed("bytes after the end of a ServerHello")
    while not extensions.is_done:
        kind, value = extensions.number(2), Cursor(extensions.vector(2))
        if kind == _EXT_VERSIONS:
            version = value.number(2)
        elif kind == _EXT_KEY_SHARE:
            group = value.number(2)
    return ServerHello(version=version, suite=suite, group=group)


def parse_named_curve(body: bytes) -> int:
    """Read the named curve off an ECDHE ServerKeyExchange (RFC 8422, 5.4); 0 for an explicit curve.

    Raises:
        Malformed: the message is too short.
    """
    cursor = Cursor(body)
    return cursor.number(2) if cursor.number(1) == _NAMED_CURVE else 0
