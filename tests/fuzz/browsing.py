"""Tricks against the dashboard: strangers, forms of other pages, and odd things asked for."""

from collections.abc import Iterator
from urllib.parse import quote

from fuzz.marks import MARK, form_head
from fuzz.surfaces import Surface, request


def strangers(surface: Surface) -> Iterator[bytes]:
    for path in surface.paths:
        yield request(path, surface.host)
        yield request(path, surface.host, b"Cookie: certward=wrong\r\n")
    for query in (
        "",
        "?key=",
        f"?key={'a' * 43}",
        "?key=%00",
        "?key=a&key=b",
        f"?key={surface.secrets[0]}",
        "?key=%ff%d8",
    ):
        yield request(f"{surface.base}enter{query}", surface.host)
    yield request(surface.base, surface.host, surface.headers + b"Sec-Fetch-Site: cross-site\r\n")
    yield request(surface.base, surface.host, surface.headers + b"Cookie: certward=wrong\r\n")
    yield request(surface.base, surface.host, b"Cookie: certward=" + surface.secrets[0][:-1].encode() + b"\r\n")
    yield request(surface.base.upper(), surface.host, surface.headers)


def forms(surface: Surface) -> Iterator[bytes]:
    path = f"{surface.base}apps/team-a/shop/automatic"
    origins = (
        b"",
        b"Origin: null\r\n",
        b"Origin: http://evil.example\r\n",
        f"Origin: http://{surface.host}.evil\r\n".encode(),
    )
    for origin in (*origins, f"Origin: http://{surface.host}\r\n".encode()):
        for kind in (b"application/x-www-form-urlencoded", b"text/plain", b"multipart/form-data; boundary=x", b"\xff"):
            for key in ("", "wrong", surface.key):
                body = f"key={key}&to=on&seen=x".encode()
                fields = origin + b"Content-Type: " + kind + b"\r\nContent-Length: %d\r\n" % len(body)
                yield request(path, surface.host, fields + surface.headers, method="POST") + body
    for body in (
        b"&" * 16_384,
        b"a=" * 8_000,
        b"%" * 16_000,
        b"key=%ff&to=%00",
        b"to=on&to=off",
        b"a" * 20_000,
        b"\xff" * 900,
    ):
        fields = form_head(surface) + b"Content-Length: %d\r\n" % len(body)
        yield request(path, surface.host, fields + surface.headers, method="POST") + body


def queries(surface: Surface) -> Iterator[bytes]:
    hostile = (
        "9" * 5000,
        "-1",
        "0",
        "²",
        "٣",
        "1e9",
        "%00",
        "%ff",
        MARK.decode().replace(" ", "+"),
        "a" * 5000,
        "'",
        "{{7*7}}",
    )
    hostile += ("%F0%9F%92%A9", "%ED%A0%80", "__class__", "../..", "NaN", "[]", "%0d%0aX-Injected:1")
    for value in hostile:
        safe = quote(value, safe="%+'{}*[].-_")
        query = "&".join(
            f"{name}={safe}" for name in ("q", "state", "expires", "sort", "page", "seen", "done", "to", "profile")
        )
        for path in (
            "domains",
            "apps",
            "apps/team-a/shop",
            "apps/team-a/shop/automatic",
            "apps/team-a/shop/profile/change",
        ):
            yield request(f"{surface.base}{path}?{query}", surface.host, surface.headers + b"HX-Request: true\r\n")
        for path in (f"domains/{safe}/{safe}", f"apps/{safe}/{safe}", f"static/{safe}"):
            yield request(f"{surface.base}{path}", surface.host, surface.headers)
