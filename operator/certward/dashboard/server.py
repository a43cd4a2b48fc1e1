"""The routes of the dashboard, put together as one application."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from certward.cli.errors import CliError, Exit
from certward.dashboard import judging, listing, pages
from certward.dashboard.changing import Changing
from certward.dashboard.listing import Query
from certward.dashboard.pages import Pages
from certward.dashboard.questions import Question
from certward.dashboard.security import Guard, Keys, is_form_of
from certward.dashboard.store import Store

#: What is told after a change, by the name that stands in the URL.
DONE: Final = {
    "on": "Automatic certificates are on.",
    "off": "Automatic certificates are off.",
    "profile": "The TLS policy is changed. It takes effect in a moment; handshakes show it here.",
    "none": "The TLS policy of this app alone is deleted.",
}
_STATUS: Final = {
    Exit.NO_RIGHTS: HTTPStatus.FORBIDDEN,
    Exit.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Exit.NO_CLUSTER: HTTPStatus.BAD_GATEWAY,
    Exit.USAGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Exit.FAILED: HTTPStatus.CONFLICT,
}


class Dashboard:
    """The handlers. Those that wait for the cluster run in threads of their own."""

    def __init__(self, *, store: Store, changing: Changing, keys: Keys, place: str) -> None:
        self._store = store
        self._changing = changing
        self._keys = keys
        self._pages = Pages(keys, place)

    def application(self, authority: str, entered: Callable[[str], None] = lambda _: None) -> ASGIApp:
        """Everything, guarded.

        Args:
            authority: host and port that it is served at.
            entered: told when a browser has exchanged the secret of the URL, with the next one.
        """
        routes = [
            Route("/", self.overview),
            Route("/domains", self.domains),
            Route("/apps", self.apps),
            Route("/policies", self.policies),
            Route("/budget", self.budget),
            Route("/domains/{namespace}/{name}", self.domain),
            Route("/apps/{namespace}/{name}", self.app),
            Route("/apps/{namespace}/{name}/automatic", self.ask_automatic),
            Route("/apps/{namespace}/{name}/automatic", self.set_automatic, methods=["POST"]),
            Route("/apps/{namespace}/{name}/profile", self.choose_profile),
            Route("/apps/{namespace}/{name}/profile/change", self.ask_profile),
            Route("/apps/{namespace}/{name}/profile/change", self.set_profile, methods=["POST"]),
            Route("/static/{name}", self.static),
        ]
        mounted = [Mount(self._keys.base.rstrip("/"), routes=routes)]
        handlers: Any = {404: self._missing, CliError: self._cli_error, ClientDisconnect: self._gone}
        inner = Starlette(routes=mounted, exception_handlers=handlers)
        return Guard(inner, keys=self._keys, authority=authority, entered=entered)

    def overview(self, request: Request) -> Response:
        """The first page."""
        now = datetime.now(UTC)
        return self._page(request, "overview.html", lambda: self._pages.overview(self._store.snapshot(), now))

    def domains(self, request: Request) -> Response:
        """The Domains."""
        now, query = datetime.now(UTC), Query.of(request.query_params)
        return self._page(
            request,
            "domains.html",
            lambda: {
                "page": "domains",
                "title": "Domains",
                "found": listing.domains(self._store.snapshot().domains, query, now),
                "tones": judging.tones(self._store.snapshot().domains, now),
            },
        )

    def apps(self, request: Request) -> Response:
        """The Apps."""
        query = Query.of(request.query_params)

        def context() -> dict[str, Any]:
            snapshot = self._store.snapshot()
            counts: dict[tuple[str, str], int] = {}
            for row in snapshot.domains:
                counts[row.namespace, row.app] = counts.get((row.namespace, row.app), 0) + 1
            found = listing.cut(listing.search(snapshot.apps, query.q), query)
            return {"page": "apps", "title": "Apps", "found": found, "hostnames": counts}

        return self._page(request, "apps.html", context)

    def policies(self, request: Request) -> Response:
        """The TLSPolicies."""
        query = Query.of(request.query_params)

        def context() -> dict[str, Any]:
            rows = sorted(self._store.snapshot().policies, key=lambda row: row.trouble is None)
            return {"page": "policies", "title": "Policies", "found": listing.cut(listing.search(rows, query.q), query)}

        return self._page(request, "policies.html", context)

    def budget(self, request: Request) -> Response:
        """What the CAs' limits were used for."""
        now = datetime.now(UTC)

        def context() -> dict[str, Any]:
            snapshot = self._store.snapshot()
            return {
                "page": "budget",
                "title": "CA budget",
                "waiting": pages.waiting(snapshot),
                "issued": pages.issued(snapshot, now),
            }

        return self._page(request, "budget.html", context)

    def domain(self, request: Request) -> Response:
        """One Domain."""

        def context() -> dict[str, Any]:
            place = _place(request)
            snapshot = self._store.snapshot()
            row = next((one for one in snapshot.domains if (one.namespace, one.name) == place), None)
            app = next((a for a in snapshot.apps if row and (a.namespace, a.name) == (row.namespace, row.app)), None)
            return {"page": "domains", "title": row.hostname if row else place[1], "row": row, "app": app}

        return self._page(request, "domain.html", context)

    def app(self, request: Request) -> Response:
        """One App."""

        def context() -> dict[str, Any]:
            place = _place(request)
            snapshot = self._store.snapshot()
            row = next((one for one in snapshot.apps if (one.namespace, one.name) == place), None)
            mine = [one for one in snapshot.domains if (one.namespace, one.app) == place]
            done = DONE.get(request.query_params.get("done", ""), "")
            found = listing.domains(mine, Query.of(request.query_params), datetime.now(UTC))
            return {"page": "apps", "title": place[1], "row": row, "found": found, "done": done}

        return self._page(request, "app.html", context)

    def ask_automatic(self, request: Request) -> Response:
        """Ask before automatic certificates are turned on or off."""
        is_on = request.query_params.get("to") == "on"
        question = self._changing.ask_automatic(*_place(request), is_on=is_on)
        return self._ask(request, question, "automatic")

    async def set_automatic(self, request: Request) -> Response:
        """Turn automatic certificates on or off."""
        return await self._set(
            request,
            ("on", "off"),
            "to",
            lambda place, to, seen: self._changing.set_automatic(*place, is_on=to == "on", seen=seen),
        )

    def choose_profile(self, request: Request) -> Response:
        """Show the TLS profiles that an App could be served with."""
        namespace, name = _place(request)
        offer = self._changing.offer(namespace, name)
        context = {"offer": offer, "back": f"{self._pages.base}apps/{namespace}/{name}"}
        return self._dialog(request, "profile.html", title=f"TLS profile of {offer.app}", **context)

    def ask_profile(self, request: Request) -> Response:
        """Ask before the TLS profile is changed."""
        question = self._changing.ask_profile(*_place(request), request.query_params.get("profile", ""))
        return self._ask(request, question, "profile/change")

    async def set_profile(self, request: Request) -> Response:
        """Change the TLS profile."""
        return await self._set(
            request,
            (),
            "profile",
            lambda place, value, seen: self._changing.set_profile(*place, value, seen=seen),
        )

    def static(self, request: Request) -> Response:
        """A file that the pages need."""
        name = request.path_params["name"]
        if name not in self._pages.static:
            return self._missing(request, Exception())
        return Response(self._pages.static[name], media_type=pages.STATIC[name])

    def _page(self, request: Request, template: str, context: Callable[[], dict[str, Any]]) -> Response:
        """A whole page; for htmx only what changes, and nothing where nothing has changed."""
        now, snapshot = datetime.now(UTC), self._store.snapshot()
        version = self._pages.version(snapshot, now)
        is_part = request.headers.get("hx-request") == "true"
        if is_part and request.query_params.get("seen") == version:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        query = Query.of(request.query_params)
        told = {"query": query, **context()}
        status = HTTPStatus.NOT_FOUND if told.get("row", told) is None and not snapshot.missing else HTTPStatus.OK
        body = self._pages.render(template, snapshot, now, is_part=is_part, **told)
        return HTMLResponse(body, HTTPStatus.OK if is_part else status)

    def _ask(self, request: Request, question: Question, action: str) -> Response:
        namespace, name = _place(request)
        back = f"{self._pages.base}apps/{namespace}/{name}"
        return self._dialog(
            request, "question.html", title=question.title, question=question, action=f"{back}/{action}", back=back
        )

    def _dialog(self, request: Request, template: str, **context: Any) -> Response:  # noqa: ANN401
        """A question: within a page for htmx, else as a page."""
        now, snapshot = datetime.now(UTC), self._store.snapshot()
        is_part = request.headers.get("hx-request") == "true"
        return HTMLResponse(self._pages.render(template, snapshot, now, is_part=is_part, page="apps", **context))

    async def _set(
        self,
        request: Request,
        allowed: tuple[str, ...],
        name: str,
        change: Callable[[tuple[str, str], str, str], None],
    ) -> Response:
        # The guard has let through nothing but a small form of this encoding.
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if not is_form_of(self._keys, form.get("key", "")):
            return self._error(request, "This form is not one of this run of the dashboard.", HTTPStatus.FORBIDDEN)
        value, seen = form.get(name, ""), form.get("seen", "")
        if allowed and value not in allowed:
            return self._error(request, "This form lacks what it is about.", HTTPStatus.UNPROCESSABLE_ENTITY)
        namespace, app = _place(request)
        await run_in_threadpool(change, (namespace, app), value, seen)
        done = value if value in DONE else "profile"
        url = f"{self._pages.base}apps/{namespace}/{app}?done={done}"
        return RedirectResponse(url, HTTPStatus.SEE_OTHER)

    def _cli_error(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, CliError):
            raise error
        status = _STATUS.get(error.code, HTTPStatus.BAD_GATEWAY)
        # Within a page htmx shows what it gets with a good status only.
        is_part = request.headers.get("hx-request") == "true"
        return self._error(request, error.message, HTTPStatus.OK if is_part else status)

    def _gone(self, _: Request, __: Exception) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it

    def _missing(self, request: Request, _: Exception) -> Response:
        return self._error(request, "There is no such page.", HTTPStatus.NOT_FOUND)

    def _error(self, request: Request, text: str, status: HTTPStatus) -> Response:
        names = request.path_params
        back = f"apps/{names['namespace']}/{names['name']}" if "namespace" in names and "name" in names else ""
        now, snapshot = datetime.now(UTC), self._store.snapshot()
        is_part = request.headers.get("hx-request") == "true"
        context = {"page": "", "title": "That did not work", "text": text, "back": f"{self._pages.base}{back}"}
        return HTMLResponse(self._pages.render("error.html", snapshot, now, is_part=is_part, **context), status)


def _place(request: Request) -> tuple[str, str]:
    return request.path_params["namespace"], request.path_params["name"]
