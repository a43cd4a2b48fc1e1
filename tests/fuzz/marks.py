"""What marks that which is sent, and the words that it is made of."""

from fuzz.surfaces import Surface

#: It is in what is sent, and never to be seen in an answer like this.
MARK = b'<b id="fz">fuzz'
#: What is never to be seen in a log, or in an answer.
CREDENTIAL = "fz-credential-7b1d0c"
AUTHORIZATION = f"Authorization: Bearer {CREDENTIAL}\r\nCookie: other={CREDENTIAL}\r\n".encode()
#: A header that would pass for a line of a log.
LINE = b"X-Line: a\x0b2026-11-23T12:00:00.000Z ERROR fz-line\r\n"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PRI", "BREW")
METHODS += ("get", "Get", "GET\t", "G" * 3000, "\x00", "GE T", "<b>", "")
NAMES = (b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"Cookie", b"Origin")
NAMES += (b"Content-Type", b"Content-Encoding", b"Accept-Encoding", b"Range", b"X-Forwarded-Host", b"HX-Request")


def form_head(surface: Surface) -> bytes:
    """What a form carries."""
    return b"Origin: http://" + surface.host.encode() + b"\r\nContent-Type: application/x-www-form-urlencoded\r\n"
