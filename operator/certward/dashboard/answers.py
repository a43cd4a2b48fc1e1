"""What is sent back: whole pages, or for htmx only the part of a page that changes; and what went wrong, in words."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from certward.cli.errors import CliError, Exit
from certward.dashboard.listing import Query
from certward.dashboard.pages import Pages
from certward.dashboard.store import Snapshot, Store

_STATUS: Final = {
    Exit.NO_RIGHTS: HTTPStatus.FORBIDDEN,
    Exit.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Exit.NO_CLUSTER: HTTPStatus.BAD_GATEWAY,
    Exit.USAGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Exit.FAILED: HTTPStatus.CONFLICT,
}
#: What objects and namespaces are called (RFC 1123); anything else would mean another path of the API.
_NAME: Final = re.compile(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?")


class Answers:
    """Answers with what is known at the moment."""

    def __init__(self, store: Store, pages: Pages) -> None:
        self._store = store
        self._pages = pages

    def page(
        self, request: Request, template: str, context: Callable[[Snapshot, datetime, Query], dict[str, Any]]
    ) -> Response:
        """A page that is kept up to date; for htmx nothing where it has seen all this already.

        Args:
            request: what is answered.
            template: of the page.
            context: what the page tells of a snapshot; `row` is what it is about, None where that is not there.
        """
        now, snapshot, is_part = datetime.now(UTC), self._store.snapshot(), _is_part(request)
        if is_part and request.query_params.get("seen") == self._pages.version(snapshot, now):
            return Response(status_code=HTTPStatus.NO_CONTENT)
        query = Query.of(request.query_params)
        told = {"query": query, **context(snapshot, now, query)}
        is_missing = told.get("row", told) is None and not snapshot.missing
        status = HTTPStatus.NOT_FOUND if is_missing and not is_part else HTTPStatus.OK
        return HTMLResponse(self._pages.render(template, snapshot, now, is_part=is_part, **told), status)

    def dialog(
        self, request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **context: object
    ) -> Response:
        """What is asked or told once: in a dialog of the page for htmx, else as a page."""
        is_part = _is_part(request)
        body = self._pages.render(template, self._store.snapshot(), datetime.now(UTC), is_part=is_part, **context)
        # htmx shows what it gets with a good status, and nothing else.
        return HTMLResponse(body, HTTPStatus.OK if is_part else status)

    def error(self, request: Request, text: str, status: HTTPStatus) -> Response:
        """Why something was not done, with a way back."""
        names = [request.path_params.get(part, "") for part in ("namespace", "name")]
        back = f"apps/{'/'.join(names)}" if all(map(_NAME.fullmatch, names)) else ""
        title = "That did not work"
        return self.dialog(
            request, "error.html", status, page="", title=title, text=text, back=f"{self._pages.base}{back}"
        )

    def refused(self, request: Request, error: Exception) -> Response:
        """What the cluster or this program has against it."""
        if not isinstance(error, CliError):
            raise error
        return self.error(request, error.message, _STATUS.get(error.code, HTTPStatus.BAD_GATEWAY))

    def missing(self, request: Request, _: Exception) -> Response:
        """No such page."""
        return self.error(request, "There is no such page.", HTTPStatus.NOT_FOUND)

    def gone(self, _: Request, __: Exception) -> Response:
        """The browser has not waited for the answer, so nobody reads this one."""
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    def broken(self, request: Request, _: Exception) -> Response:
        """A mistake of the dashboard's own; what it is stands in the terminal."""
        text = "The dashboard has made a mistake, which the command tells of. Look whether something was done."
        return self.error(request, text, HTTPStatus.INTERNAL_SERVER_ERROR)


def place_of(request: Request) -> tuple[str, str]:
    """Namespace and name of the object that a path is about.

    Raises:
        HTTPException: no object can be called that.
    """
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    if not _NAME.fullmatch(namespace) or not _NAME.fullmatch(name):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return namespace, name


def _is_part(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"
