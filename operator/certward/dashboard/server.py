"""The routes of the dashboard, put together as one application."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from certward.cli.errors import CliError
from certward.dashboard.actions import Actions
from certward.dashboard.answers import Answers
from certward.dashboard.changing import Changing
from certward.dashboard.pages import Pages
from certward.dashboard.security import Guard, Keys
from certward.dashboard.store import Store
from certward.dashboard.views import Views


def application(
    *,
    store: Store,
    changing: Changing,
    keys: Keys,
    place: str,
    authority: str,
    entered: Callable[[str], None] = lambda _: None,
) -> ASGIApp:
    """Everything, guarded.

    Args:
        store: what is known of the cluster.
        changing: how it is changed.
        keys: the secrets of this run.
        place: which cluster it is, in words.
        authority: host and port that it is served at.
        entered: told when a browser has exchanged the secret of the URL, with the next one.
    """
    pages = Pages(keys, place)
    answers = Answers(store, pages)
    views, actions = Views(answers, pages), Actions(answers, changing, keys)
    app = "/apps/{namespace}/{name}"
    routes = [
        Route("/", views.overview),
        Route("/domains", views.domains),
        Route("/apps", views.apps),
        Route("/policies", views.policies),
        Route("/budget", views.budget),
        Route("/domains/{namespace}/{name}", views.domain),
        Route(app, views.app),
        Route(f"{app}/automatic", actions.ask_automatic),
        Route(f"{app}/automatic", actions.set_automatic, methods=["POST"]),
        Route(f"{app}/profile", actions.choose_profile),
        Route(f"{app}/profile/change", actions.ask_profile),
        Route(f"{app}/profile/change", actions.set_profile, methods=["POST"]),
        Route("/static/{name}", views.static),
    ]
    handlers: Any = {
        404: answers.missing,
        CliError: answers.refused,
        ClientDisconnect: answers.gone,
        Exception: answers.broken,
    }
    inner = Starlette(routes=[Mount(keys.base.rstrip("/"), routes=routes)], exception_handlers=handlers)
    return Guard(inner, keys=keys, authority=authority, entered=entered)
