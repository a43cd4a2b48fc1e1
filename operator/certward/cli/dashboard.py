"""`dashboard`: a page in the browser, on this machine only, with the user's own rights."""

import os
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from certward.cli.command import command
from certward.cli.context import Session
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit, usage

group = typer.Typer(rich_markup_mode=None, add_completion=False)


@command(group, "dashboard", "dashboard", "dashboard -n team-a,team-b --no-open", "dashboard --port 8443")
def dashboard(
    session: Session,
    *,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65535, help="On 127.0.0.1; by default a free one of this machine."
        ),
    ] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the URL; open no browser.")] = False,
    operator_namespace: OPERATOR = OPERATOR_NAMESPACE,
) -> int:
    """Serve a page about apps, domains and certificates on this machine, until you press Ctrl-C.

    It shows what you may see: all namespaces, or those that -n names (several with commas between them). The URL that
    is printed lets one browser in, which then acts with your rights; when it was used, another one is printed.
    """
    from certward.dashboard import budgets
    from certward.dashboard.changing import Changing
    from certward.dashboard.connections import authority_of, listen, server
    from certward.dashboard.following import Following
    from certward.dashboard.security import Keys
    from certward.dashboard.server import application
    from certward.dashboard.store import Store

    api, keys, store = session.api, Keys(), Store()
    namespaces = tuple(filter(None, (session.flags.namespace or "").split(",")))
    place = api.place.context or api.server
    try:
        bound = listen(port)
    except OSError as error:
        raise usage(f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}. Choose another by --port.") from None
    authority = authority_of(bound)
    following = Following(api, store, namespaces)
    following.start()
    following.run("What limits were used for", budgets.follow, api, store, operator_namespace, following.stop)
    _tell(session, place, keys.url(authority))

    def entered(entry: str) -> None:
        at = f"{datetime.now(UTC):%H:%M:%S} UTC"
        session.out.say(f"A browser has opened it at {at}. If that was not yours, press Ctrl-C.")
        session.out.say(f"The URL for another one is\n\n  {keys.url(authority, entry)}\n")

    changing = Changing(session, operator_namespace)
    running = server(
        application(store=store, changing=changing, keys=keys, place=place, authority=authority, entered=entered)
    )
    with opened(keys.url(authority), wanted=not no_open):
        try:
            running.run(sockets=[bound])
        except KeyboardInterrupt:
            pass
        finally:
            following.stop.set()
    return Exit.DONE


def _tell(session: Session, place: str, url: str) -> None:
    if session.out.is_table:
        session.out.line(f"The dashboard of {place} is at\n\n  {url}\n")
        session.out.line("It acts with your rights, for one browser. Ctrl-C ends it.")
    else:
        session.out.data({"context": place, "url": url})
    session.out.stdout.flush()


@contextmanager
def opened(url: str, *, wanted: bool) -> Iterator[None]:
    """Open the browser, by way of a file that only the user can read, and keep the file meanwhile.

    The URL itself would stand in the command line of the browser, where every user of this machine can read it.

    Args:
        url: that is opened.
        wanted: whether the user wants that; where there is no display nothing is opened in any case.
    """
    if not wanted or not (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="certward-") as folder:
        page = Path(folder) / "dashboard.html"
        page.touch(mode=0o600)
        page.write_text(
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}">'
            f'<title>Certward</title><p><a href="{url}">To the dashboard</a></p>',
            encoding="utf-8",
        )
        # Some browsers are waited for until they end, and they wait for the page.
        threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
        yield
