"""`--wait`: watch Domains until they are done, with what happens shown live, and an end in any case."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from certward.cli import words
from certward.cli.context import Session
from certward.cli.errors import Exit
from certward.cli.view import DomainView

WAIT = Annotated[bool, typer.Option("--wait", help="Wait until it is done, for --timeout at most.")]
TIMEOUT = Annotated[int, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long --wait waits.")]

_PAUSE = 1.0  # seconds between two looks
_GRACE = 5.0  # seconds in which an operator that works has taken up a change
_PATIENCE = 30.0  # seconds in which an operator that works has shown itself

Choice = Callable[[DomainView], bool]
Show = Callable[[Sequence[DomainView]], None]


def is_issued(view: DomainView) -> bool:
    """Whether its automatic certificate is issued and shown by a handshake."""
    return view.state == "CertIssued" and view.is_automatic and view.is_ready and view.reason != "AutomaticDisabled"


def has_given_up(view: DomainView) -> bool:
    """Whether nothing more is tried until somebody changes something."""
    return (view.state == "Failed" or view.reason == "HostnameTaken") and view.is_up_to_date


@dataclass(frozen=True, slots=True)
class Outcome:
    """How waiting ended.

    Attributes:
        views: the Domains as they were seen last.
        unfinished: those of them that are not done.
        why: why it ended before they were; empty where all are done.
    """

    views: tuple[DomainView, ...]
    unfinished: tuple[DomainView, ...]
    why: str


class Wait:
    """Waits for some Domains of the session's namespace."""

    def __init__(self, session: Session, chosen: Choice, *, seconds: float) -> None:
        self._session = session
        self._chosen = chosen
        self._seconds = seconds

    def views(self) -> tuple[DomainView, ...]:
        """The Domains as they are now."""
        return tuple(view for view in map(DomainView, self._session.domains()) if self._chosen(view))

    def until_seen(self) -> tuple[DomainView, ...]:
        """Wait for the operator's first word on each of them, silently; what there is when time is up."""
        deadline = time.monotonic() + self._seconds
        while True:
            views = self.views()
            if all(view.state for view in views) or time.monotonic() >= deadline:
                return views
            time.sleep(_PAUSE / 4)

    def for_certificates(self, is_done: Choice = is_issued) -> Exit:
        """Wait until each of them has its automatic certificate served, and tell how that ended."""
        ended = self.run(is_done, "every certificate is issued and served")
        tell(self._session, ended)
        return Exit.FAILED if ended.why else Exit.DONE

    def run(self, is_done: Choice, what: str) -> Outcome:
        """Wait until a condition holds for each of them.

        It ends early where waiting on is of no use: nothing more is tried, or nothing before the time limit.

        Args:
            is_done: the condition.
            what: the condition in words.
        """
        begun = time.monotonic()
        deadline = begun + self._seconds
        limit = datetime.now(UTC) + timedelta(seconds=self._seconds)
        self._session.out.say(f"Waiting until {what}...")
        with _progress(self._session) as show:
            while True:
                views = self.views()
                show(views)
                unfinished = tuple(view for view in views if not is_done(view))
                # At first a status may still be about what was before.
                why = why_no_longer(unfinished, limit) if time.monotonic() >= begun + _GRACE else ""
                if unfinished and not why and time.monotonic() >= deadline:
                    why = _late(self._session, unfinished, self._seconds)
                if why or not unfinished:
                    return Outcome(views, unfinished, why)
                time.sleep(_PAUSE)


def tell(session: Session, ended: Outcome) -> None:
    """Say how waiting ended, with what to do for each Domain that is not done."""
    if not ended.why:
        session.out.say("Done." if ended.views else "There is no hostname to wait for.")
        return
    for view in ended.unfinished:
        session.out.warn(f"{view.domain.hostname}: {trouble(view)}")
    session.out.say(f"Error: {ended.why}")


def trouble(view: DomainView) -> str:
    """What is wrong with a Domain and what to do, in one line."""
    if not view.state:
        return "the operator has not looked at it yet."
    told = words.sentence(view.message) if view.message else f"{view.status}."
    return told if told.startswith(view.status) or not view.reason else f"{view.status} ({view.reason}): {told}"


def why_no_longer(unfinished: Sequence[DomainView], limit: datetime) -> str:
    """Why waiting on is of no use: nothing more is tried, or nothing before the limit; empty where it is."""
    if not unfinished:
        return ""
    if all(has_given_up(view) for view in unfinished):
        how = " failed;" if all(view.state == "Failed" for view in unfinished) else ":"
        return f"{_names(unfinished)}{how} nothing more is tried until that is mended."
    later = [view.at("attempts", "nextAttempt") for view in unfinished if not has_given_up(view)]
    moments = [at for at in later if at is not None]
    if len(moments) == len(later) and min(moments) > limit:
        return f"{_names(unfinished)}: the next attempt is at {words.stamp(min(moments))}, after the time limit."
    return ""


def _late(session: Session, unfinished: Sequence[DomainView], seconds: float) -> str:
    late = f"not done within {words.count(round(seconds), 'second')}: {_names(unfinished)}. It goes on by itself"
    if seconds >= _PATIENCE and not any(view.state for view in unfinished):
        return f"{late}, once the operator runs; see: {session.typed('doctor')}"
    return f"{late}; see: {session.typed('certs auto')}"


def _why(view: DomainView) -> str:
    """The reason; none while the operator has not seen yet that automatic certificates were turned on."""
    if view.certificate.get("source") == "Manual" and not view.reason:
        return "still with the manual certificate"
    return "" if view.reason == "AutomaticDisabled" else view.reason


def _names(views: Sequence[DomainView]) -> str:
    return words.listed([view.domain.hostname for view in views])


@contextmanager
def _progress(session: Session) -> Iterator[Show]:
    """Show how Domains stand: a table that changes on a terminal, else a line for each change."""
    stderr = session.out.stderr
    if not stderr.isatty():
        told: dict[str, str] = {}

        def line(views: Sequence[DomainView]) -> None:
            for view in views:
                now = f"{view.domain.hostname}: {view.status}" + (f" ({_why(view)})" if _why(view) else "")
                if told.get(view.domain.hostname) != now:
                    told[view.domain.hostname] = now
                    session.out.say(f"  {now}")

        yield line
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from certward.cli.output import STYLES

    begun = time.monotonic()
    with Live(console=Console(file=stderr), auto_refresh=False, transient=True) as live:

        def draw(views: Sequence[DomainView]) -> None:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
            for view in views:
                style = STYLES.get(view.status, "")
                table.add_row(view.domain.hostname, Text(view.status, style=style), _why(view))
            table.add_row(Text(f"{round(time.monotonic() - begun)} s", style="dim"))
            live.update(table, refresh=True)

        yield draw
