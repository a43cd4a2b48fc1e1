"""Who may talk to the dashboard: the user's own browser, on its own pages, and nobody else on this machine or the web.

Everything stands beneath a path that nobody can guess. Cookies do not know ports (RFC 6265, 8.5), so a server of
another local user on another port of 127.0.0.1 would be sent a cookie of the path `/`; one of that path it never sees.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "certward"
#: Bytes of a request's body; the forms need a few hundred.
MAX_BODY: Final = 16_384
_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    # Not no-referrer: with that a browser sends Origin: null with a form (Fetch, "append a request Origin header").
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one run; none of them is derived from another.

    Attributes:
        room: the path that everything is beneath.
        entry: in the URL that the user is given; exchanged for the cookie.
        session: the cookie's value.
        form: in every form that changes something.
    """

    room: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    entry: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    form: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def base(self) -> str:
        """The path of the first page."""
        return f"/{self.room}/"


class Guard:
    """Lets through to the application what comes from the user's browser and this server's own pages."""

    def __init__(self, app: ASGIApp, *, keys: Keys, authority: str) -> None:
        """Guard an application.

        Args:
            app: that is guarded.
            keys: of this run.
            authority: host and port at which the server listens, the only ones that a browser may mean.
        """
        self._app = app
        self._keys = keys
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return  # the lifespan of an application that has none; there are no websockets

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *((name, value) for name, value in message["headers"] if name.lower() != b"server"),
                    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What a request gets instead of what it asks for; None where it is in order."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if headers.getlist("host") != [self._authority]:
            return _page(HTTPStatus.MISDIRECTED_REQUEST, "This address is not the one that the command has printed.")
        if method not in ("GET", "HEAD", "POST"):
            return _page(HTTPStatus.METHOD_NOT_ALLOWED, "There is no such method here.")
        if not secrets.compare_digest(path[: len(self._keys.base)].encode(), self._keys.base.encode()):
            return _page(HTTPStatus.NOT_FOUND, "There is nothing here. Open the URL that the command has printed.")
        if path == f"{self._keys.base}enter" and method == "GET":
            return self._enter(scope)
        if not any(secrets.compare_digest(value, self._keys.session.encode()) for value in _cookies(headers)):
            return _page(HTTPStatus.FORBIDDEN, "You are not signed in. Open the URL that the command has printed.")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _page(HTTPStatus.FORBIDDEN, "Another page has asked for this one, which is not allowed.")
        if method == "POST":
            return self._forged(headers)
        return None

    def _enter(self, scope: Scope) -> Response:
        """Exchange the secret of the URL for the cookie.

        A page that leads on, and no redirect: a browser that came from elsewhere, such as a file, would not send a
        cookie with SameSite=Strict along with a redirect (RFC 6265bis, 5.2), but does from a page of this server.
        """
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[-1]
        if not secrets.compare_digest(given.encode(), self._keys.entry.encode()):
            return _page(
                HTTPStatus.FORBIDDEN, "This is not the URL that the command has printed, or one of another run."
            )
        answer = HTMLResponse(
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=./">'
            '<link rel="icon" href="static/icon.svg"><title>Certward</title>'
            '<p><a href="./">To the dashboard</a></p></html>'
        )
        answer.set_cookie(COOKIE, self._keys.session, path=self._keys.base, httponly=True, samesite="strict")
        return answer

    def _forged(self, headers: Headers) -> Response | None:
        if headers.get("origin") != f"http://{self._authority}":
            return _page(HTTPStatus.FORBIDDEN, "This request does not come from a page of the dashboard.")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            return _page(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is not a form of the dashboard.")
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY:
            return _page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is more than a form of the dashboard holds.")
        return None


def _cookies(headers: Headers) -> Iterator[bytes]:
    """Every value of the cookie: another server of this host may have set one of the same name for the path /."""
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                yield value.encode("latin-1")


def _page(status: HTTPStatus, text: str) -> Response:
    """A page without anything that a stranger could learn from."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status.phrase}</title><p>{text}</p></html>',
        status,
    )


def is_form_of(keys: Keys, given: str) -> bool:
    """Whether a form that came in is one that this run has sent out."""
    return secrets.compare_digest(given.encode(), keys.form.encode())
