"""The questions and what is done when they are answered. They wait for the cluster, in threads of their own."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from certward.cli.errors import usage
from certward.dashboard.answers import Answers, place_of
from certward.dashboard.changing import NONE, Changing
from certward.dashboard.questions import Question
from certward.dashboard.security import Keys, is_form_of


class Actions:
    """The handlers of what changes something."""

    def __init__(self, answers: Answers, changing: Changing, keys: Keys) -> None:
        self._answers = answers
        self._changing = changing
        self._keys = keys

    def ask_automatic(self, request: Request) -> Response:
        """Ask before automatic certificates are turned on or off."""
        is_on = _is_on(request.query_params.get("to", ""))
        return self._ask(request, self._changing.ask_automatic(*place_of(request), is_on=is_on), "automatic")

    async def set_automatic(self, request: Request) -> Response:
        """Turn automatic certificates on or off."""

        def change(namespace: str, name: str, form: dict[str, str]) -> str:
            to = form.get("to", "")
            is_on = _is_on(to)
            self._changing.set_automatic(namespace, name, is_on=is_on, seen=form.get("seen", ""))
            return to

        return await self._set(request, change)

    def choose_profile(self, request: Request) -> Response:
        """Show the TLS profiles that an App could be served with."""
        offer = self._changing.offer(*place_of(request))
        title = f"TLS profile of {offer.app}"
        return self._answers.dialog(
            request, "profile.html", page="apps", title=title, offer=offer, back=self._back(request)
        )

    def ask_profile(self, request: Request) -> Response:
        """Ask before the TLS profile is changed."""
        value = request.query_params.get("profile", "")
        return self._ask(request, self._changing.ask_profile(*place_of(request), value), "profile/change")

    async def set_profile(self, request: Request) -> Response:
        """Change the TLS profile."""

        def change(namespace: str, name: str, form: dict[str, str]) -> str:
            value = form.get("profile", "")
            self._changing.set_profile(namespace, name, value, seen=form.get("seen", ""))
            return NONE if value == NONE else "profile"

        return await self._set(request, change)

    def _back(self, request: Request) -> str:
        return f"{self._keys.base}apps/{'/'.join(place_of(request))}"

    def _ask(self, request: Request, question: Question, action: str) -> Response:
        back = self._back(request)
        return self._answers.dialog(
            request,
            "question.html",
            page="apps",
            title=question.title,
            question=question,
            action=f"{back}/{action}",
            back=back,
        )

    async def _set(self, request: Request, change: Callable[[str, str, dict[str, str]], str]) -> Response:
        """Do what a form asks for, and lead back to the App; `change` tells what was done, by a key of views.DONE."""
        # The guard has let through nothing but a small form of this encoding.
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if not is_form_of(self._keys, form.get("key", "")):
            return self._answers.error(
                request, "This form is not one of this run of the dashboard.", HTTPStatus.FORBIDDEN
            )
        done = await run_in_threadpool(change, *place_of(request), form)
        return RedirectResponse(f"{self._back(request)}?done={done}", HTTPStatus.SEE_OTHER)


def _is_on(to: str) -> bool:
    if to not in ("on", "off"):
        raise usage("Automatic certificates are turned on or off, and nothing else is meant by this address.")
    return to == "on"
