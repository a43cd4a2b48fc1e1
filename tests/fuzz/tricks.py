"""The tricks that are known, by what they are about; each is tried in every run."""

from collections.abc import Iterator
from urllib.parse import quote

from fuzz import browsing, frames
from fuzz.marks import CREDENTIAL, MARK, METHODS, form_head
from fuzz.surfaces import CHALLENGE, CHALLENGED, Surface, request


def known(surface: Surface) -> dict[str, list[bytes]]:
    """The tricks for a surface, by family."""
    families = {
        "methods": [request(surface.paths[0], surface.host, surface.headers, method=method) for method in METHODS],
        "targets": [
            b"GET " + target + b" HTTP/1.1\r\nHost: " + surface.host.encode() + b"\r\n" + surface.headers + b"\r\n"
            for target in _targets(surface)
        ],
        "headers": [frames.head(surface) + fields + surface.headers + b"\r\n" for fields in frames.headers(surface)],
        "framing": [
            frames.head(surface, b"POST") + form_head(surface) + surface.headers + sent
            for sent in frames.framing(surface)
        ],
        "hosts": [b"GET " + surface.paths[0].encode() + b" HTTP/1.1\r\n" + host + b"\r\n" for host in _hosts(surface)],
        "versions": list(frames.versions(surface)),
        "pipelines": list(frames.pipelines(surface)),
    }
    if surface.name == "answerer":
        families["tokens"] = [request(f"{CHALLENGE}{token}", surface.host) for token in _tokens()]
    if surface.name == "dashboard":
        families["strangers"] = list(browsing.strangers(surface))
        families["forms"] = list(browsing.forms(surface))
        families["queries"] = list(browsing.queries(surface))
    return families


def _targets(surface: Surface) -> Iterator[bytes]:
    path, host = surface.paths[0].encode(), surface.host.encode()
    yield from (b"*", b"", b"?", b"#", host, b"evil.example:443", b"//evil.example/", b"http://", b"http:///", b"//")
    yield from (b"http://%s%s" % (host, path), b"http://evil.example%s" % path, b"ftp://%s%s" % (host, path))
    yield from (b"http://user:%s@%s%s" % (CREDENTIAL.encode(), host, path), b"http://[::1%s" % path)
    yield from (b"http://%s:99999%s" % (host, path), b"file:///etc/passwd", b"javascript:alert(1)", b"data:,x")
    odd = (b"..", b"%2e%2e", b"..%2f..%2fetc%2fpasswd", b"%252e%252e%252f", b"..%5c..%5c", b"....//", b"%c0%ae%c0%ae/")
    odd += (b"%00", b"%0d%0aX-Injected:%201", b"%0a", b"%ff%fe", b"\xff\xfe", b"\xc3\xa9", b"%", b"%zz", b"%u002e")
    odd += (b";", b";a=b", b"//", b"/./", b"a//b", b"?a=%00", b"?" + MARK, MARK, quote(MARK).encode(), b"~", b"\\")
    odd += (b"a" * 65536, b"%41" * 5000, b"/" * 8000, b"?" + b"a=b&" * 8000, b"\xe2\x80\xae", b"%e2%80%ae", b"\x00")
    for tail in odd:
        yield surface.base.encode() + tail
        yield path + tail
        yield b"/" + tail


def _hosts(surface: Surface) -> Iterator[bytes]:
    own = surface.host.encode()
    names = (
        b"",
        b" ",
        b"evil.example",
        own + b".evil.example",
        own + b"@evil.example",
        b"evil.example#" + own,
        b"[::1]",
    )
    names += (
        own + b":x",
        own + b":99999999",
        own.upper(),
        own + b"..",
        b"." + own,
        own + b"/",
        own + b"\\",
        own + b",a",
    )
    names += (
        b"a" * 300,
        MARK,
        b"\xff",
        b"localhost",
        b"127.0.0.1",
        b"0x7f.1",
        own + b"\x00",
        own + b" evil.example",
        b"*",
    )
    for name in names:
        yield b"Host: " + name + b"\r\n" + surface.headers
    yield surface.headers
    yield b"Host: " + own + b"\r\nHost: evil.example\r\n" + surface.headers
    yield b"Host: evil.example\r\nHost: " + own + b"\r\n" + surface.headers
    yield b"X-Forwarded-Host: " + own + b"\r\nForwarded: host=" + own + b"\r\n" + surface.headers


def _tokens() -> Iterator[str]:
    yield from (
        "a" * 21,
        "a" * 22,
        "a" * 128,
        "a" * 129,
        "-" * 43,
        CHALLENGED[:-1] + "=",
        f"{CHALLENGED}.",
        f"{CHALLENGED}/",
        f"{CHALLENGED}?a=b",
    )
    yield from (
        f"{CHALLENGED}%00",
        f"%65{CHALLENGED[1:]}",
        f"{CHALLENGED}#a",
        f"../{CHALLENGED}",
        f"{CHALLENGED};a",
        f"{CHALLENGED}%20",
        f"{CHALLENGED}\x0b",
    )
    yield from (f"{number:043d}" for number in range(40))
    yield f"{CHALLENGED}\r\nX-Injected: 1"
