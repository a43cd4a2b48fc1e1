"""Another user's server on this machine, at another port or, after the command has ended, at the same one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Elsewhere:
    """Where it is, and the cookies of each request that it got."""

    url: str
    cookies: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    """Answers whatever is asked with one page, and sets a cookie of the dashboard's name."""

    page: bytes
    cookies: list[str]

    def do_GET(self) -> None:
        self.cookies.append(self.headers.get("Cookie") or "")
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "certward=theirs; Path=/")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def elsewhere(page: str, host: str, port: int = 0) -> Iterator[Elsewhere]:
    """Serve a page at a host of loopback."""
    cookies: list[str] = []
    server = ThreadingHTTPServer((host, port), type("It", (_Handler,), {"cookies": cookies, "page": page.encode()}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Elsewhere(f"http://{host}:{server.server_port}/", cookies)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
