"""Who may talk to the dashboard: the user's own browser, on its own pages, and nobody else on this machine or the web.

Everything stands beneath a path that nobody can guess. Cookies do not know ports (RFC 6265, 8.5), so a server of
another local user on another port of the same address would be sent a cookie of the path `/`; one of that path it never
sees.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "certward"
#: The header of every answer to the user, by which a page knows that this run still answers.
RUN: Final = "Certward-Run"
#: Bytes of a request's body; the forms need a few hundred.
MAX_BODY: Final = 16_384
_METHODS: Final = ("GET", "HEAD", "POST")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
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


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one run; none of them is derived from another.

    Attributes:
        room: the path that everything is beneath.
        entry: in the URL that the user is given; exchanged for the cookie, once.
        session: the cookie's value.
        form: in every form that changes something.
        run: in the pages and in every answer to the user. A browser never sends it, so that whoever takes the port
            when this run has ended cannot answer for it.
    """

    room: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    entry: str = field(default_factory=_secret, repr=False)
    session: str = field(default_factory=_secret, repr=False)
    form: str = field(default_factory=_secret, repr=False)
    run: str = field(default_factory=_secret, repr=False)

    @property
    def base(self) -> str:
        """The path of the first page."""
        return f"/{self.room}/"

    def url(self, authority: str, entry: str = "") -> str:
        """What the user opens.

        Args:
            authority: host and port of the server.
            entry: a later secret than the first.
        """
        return f"http://{authority}{self.base}enter?key={entry or self.entry}"


class Guard:
    """Lets through to the application what comes from the user's browser and this server's own pages."""

    def __init__(self, app: ASGIApp, *, keys: Keys, authority: str, entered: Callable[[str], None]) -> None:
        """Guard an application.

        Args:
            app: that is guarded.
            keys: of this run.
            authority: host and port at which the server listens, the only ones that a browser may mean.
            entered: told when a browser has exchanged the secret of the URL, with the next one.
        """
        self._app = app
        self._keys = keys
        self._authority = authority
        self._entered = entered
        self._entry = keys.entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return  # the lifespan of an application that has none; there are no websockets
        answer = self._refusal(scope)
        headers = HEADERS if answer else {**HEADERS, RUN: self._keys.run}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *((name, value) for name, value in message["headers"] if name.lower() != b"server"),
                    *((name.lower().encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What a request gets instead of what it asks for; None where it is in order."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if headers.getlist("host") != [self._authority]:
            return _page(HTTPStatus.MISDIRECTED_REQUEST, "This address is not the one that the command has printed.")
        if method not in _METHODS:
            answer = _page(HTTPStatus.METHOD_NOT_ALLOWED, "There is no such method here.")
            answer.headers["Allow"] = ", ".join(_METHODS)
            return answer
        if not secrets.compare_digest(path[: len(self._keys.base)].encode(), self._keys.base.encode()):
            return _page(HTTPStatus.NOT_FOUND, "There is nothing here. Open the URL that the command has printed.")
        if path == f"{self._keys.base}enter" and method == "GET":
            return self._enter(scope, headers)
        if not self._is_signed_in(headers):
            return _page(HTTPStatus.FORBIDDEN, "You are not signed in. Open the URL that the command has printed.")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _page(HTTPStatus.FORBIDDEN, "Another page has asked for this one, which is not allowed.")
        if method == "POST":
            return self._forged(headers)
        return None

    def _is_signed_in(self, headers: Headers) -> bool:
        return any(secrets.compare_digest(value, self._keys.session.encode()) for value in _cookies(headers))

    def _enter(self, scope: Scope, headers: Headers) -> Response:
        """Exchange the secret of the URL for the cookie, once.

        The URL stays in the browser's history, and in the command line of a browser that is started with it, which
        every user of this machine can read. After it was opened it is worth nothing there; and a stranger who is
        quicker than the user is noticed, because the user then cannot enter and the command tells of both.
        """
        if "prefetch" in headers.get("sec-purpose", headers.get("purpose", "")):
            return _page(HTTPStatus.SERVICE_UNAVAILABLE, "This page is not fetched beforehand.")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[-1]
        if secrets.compare_digest(given.encode(), self._entry.encode()):
            self._entry = _secret()
            self._entered(self._entry)
            answer = _leading_on()
            answer.set_cookie(COOKIE, self._keys.session, path=self._keys.base, httponly=True, samesite="strict")
            return answer
        if self._is_signed_in(headers):
            return _leading_on()
        # A browser that is signed in sends its cookie only where a page of this server leads on.
        return _page(
            HTTPStatus.FORBIDDEN,
            "This URL lets nobody in: it is of another run, or a browser has used it already. Was that yours? Then go "
            'on <a href="./">to the dashboard</a>, or open the URL that the command has printed since. If it was not, '
            "end the command.",
        )

    def _forged(self, headers: Headers) -> Response | None:
        if headers.getlist("origin") != [f"http://{self._authority}"]:
            return _page(HTTPStatus.FORBIDDEN, "This request does not come from a page of the dashboard.")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            return _page(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is not a form of the dashboard.")
        length = headers.get("content-length", "")
        # A body that comes in chunks is as long as it likes, whatever Content-Length says (RFC 9112, 6.3).
        is_known = length.isascii() and length.isdigit() and "transfer-encoding" not in headers
        if not is_known or len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
            return _page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is more than a form of the dashboard holds.")
        return None


def _cookies(headers: Headers) -> Iterator[bytes]:
    """Every value of the cookie: another server of this host may have set one of the same name for the path /."""
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                yield value.encode("latin-1")


def _leading_on() -> Response:
    """A page that leads to the first one.

    No redirect: a browser that came from elsewhere, such as a file, would not send a cookie with SameSite=Strict along
    with a redirect (RFC 6265bis, 5.2), but does from a page of this server.
    """
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=./">'
        '<link rel="icon" href="static/icon.svg"><title>Certward</title>'
        '<p><a href="./">To the dashboard</a></p></html>'
    )


def _page(status: HTTPStatus, text: str) -> Response:
    """A page without anything that a stranger could learn from."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status.phrase}</title><p>{text}</p></html>',
        status,
    )


def is_form_of(keys: Keys, given: str) -> bool:
    """Whether a form that came in is one that this run has sent out."""
    return secrets.compare_digest(given.encode(), keys.form.encode())
