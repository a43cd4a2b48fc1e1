"""Tricks with the frame of a request: its headers, its length, its version, and what stands behind it."""

from collections.abc import Iterator

from fuzz.marks import AUTHORIZATION, LINE, MARK, form_head
from fuzz.surfaces import Surface

_CLIENT_HELLO = bytes.fromhex("16030100c6010000c20303") + bytes(range(187))
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")


def head(surface: Surface, method: bytes = b"GET") -> bytes:
    return method + b" " + surface.paths[0].encode() + b" HTTP/1.1\r\nHost: " + surface.host.encode() + b"\r\n"


def headers(surface: Surface) -> Iterator[bytes]:
    yield from (
        b"X-%d: a\r\n" % 1 * 5000,
        b"".join(b"X-%d: a\r\n" % n for n in range(3000)),
        b"X: %s\r\n" % (b"a" * 70000),
    )
    yield from (b"X" * 70000 + b": a\r\n", b"X: a\r\n b\r\n\tc\r\n", b" X: a\r\n", b"X : a\r\n", b"X\r\n", b": a\r\n")
    yield from (b"X: a\x00b\r\n", b"X\x00: a\r\n", b"X: \xff\xfe\r\n", b"X: a\nY: b\r\n", b"X: a\rY: b\r\n", LINE)
    yield from (b"X: " + MARK + b"\r\n", b"X: %0d%0aX-Injected: 1\r\n", AUTHORIZATION, b"X: a\r\n" * 200)
    yield from (
        b"Host: %s\r\n" % surface.host.encode(),
        b"Host: evil.example\r\n",
        b"X-Forwarded-Host: evil.example\r\n",
    )
    yield from (b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", b"Upgrade: h2c\r\n")
    yield from (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",)
    yield from (b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"Expect: nonsense\r\n", b"Range: bytes=0-,0-,0-\r\n")
    yield from (b"Accept: text/html\r\nAccept-Encoding: gzip;q=\r\n", b"Cookie: %s\r\n" % (b"a=b;" * 4000))
    yield from (b"Connection: close\r\n", b"Connection: %s\r\n" % (b"a," * 500), b"Keep-Alive: timeout=99999\r\n")
    yield from (b"Cookie: certward=\xff\xfe\r\n", b'Cookie: certward="a\r\n', b"Content-Encoding: gzip\r\n")


def framing(_: Surface) -> Iterator[bytes]:
    for length in (
        b"-1",
        b"+5",
        b"5, 5",
        b"5,6",
        b"0x5",
        b"5 5",
        b" ",
        b"1e3",
        b"9" * 40,
        b"9" * 5000,
        b"\xb2",
        b"5\x00",
    ):
        yield b"Content-Length: " + length + b"\r\n\r\nhello"
    yield b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
    yield b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
    yield b"Content-Length: 1000000000\r\n\r\nhello"
    yield b"Content-Length: 2000000\r\n\r\n" + b"a" * 2_000_000
    for coding in (
        b"chunked",
        b"Chunked",
        b"xchunked",
        b"chunked, identity",
        b"gzip, chunked",
        b"\x0bchunked",
        b"identity",
    ):
        yield b"Transfer-Encoding: " + coding + b"\r\nContent-Length: 4\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        yield b"Transfer-Encoding: " + coding + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    yield b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
    yield b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
    for chunks in (
        b"zz\r\n",
        b"-5\r\n",
        b"5;" + b"a" * 70000,
        b"f" * 70000,
        b"ffffffffffffffff\r\n",
        b"5\nhello\n0\n\n",
    ):
        yield b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    yield b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000
    yield b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 20_000
    yield b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloGARBAGE\r\n"
    yield b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    yield b"Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def versions(surface: Surface) -> Iterator[bytes]:
    path, host = surface.paths[0].encode(), surface.host.encode()
    yield from (b"GET " + path + b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n", b"\r\n" * 50, b"\n\n\n", b"\x00" * 100, b"")
    yield from (
        _CLIENT_HELLO,
        _PREFACE,
        b"SSH-2.0-OpenSSH_9\r\n",
        b"EHLO a\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    )
    for version in (
        b"HTTP/1.0",
        b"HTTP/0.9",
        b"HTTP/1.2",
        b"HTTP/2",
        b"HTTP/3.0",
        b"HTTP/11.1",
        b"HTTP/1.1 ",
        b"HTTP/",
        b"RTSP/1.0",
    ):
        yield b"GET " + path + b" " + version + b"\r\nHost: " + host + b"\r\n" + surface.headers + b"\r\n"
    yield b"\r\n\r\n" + surface.good
    yield surface.good.replace(b"\r\n", b"\n")
    yield surface.good.replace(b" ", b"\t")
    yield surface.good.replace(b" ", b"  ")


def pipelines(surface: Surface) -> Iterator[bytes]:
    yield surface.good * 50
    yield surface.good + b"GARBAGE\r\n\r\n"
    yield surface.good + _CLIENT_HELLO
    yield (
        head(surface, b"POST")
        + form_head(surface)
        + surface.headers
        + b"Content-Length: 3\r\n\r\na=b"
        + surface.good * 3
    )
    yield head(surface) + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + b"\x81\x05hello" * 20_000
    yield head(surface) + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + surface.good * 200
    yield (
        b"CONNECT "
        + surface.host.encode()
        + b" HTTP/1.1\r\nHost: "
        + surface.host.encode()
        + b"\r\n\r\n"
        + b"x" * 100_000
    )
    yield b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 300
