"""`certs migrate`: from a bought certificate to automatic ones, step by step, without a moment without a certificate.

Nothing is remembered between runs: each step looks at the cluster and is passed over where it is done already, so the
command can be stopped anywhere and run again.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from certward.cli import changes, manual, words
from certward.cli.api import Object
from certward.cli.certs import group
from certward.cli.command import command
from certward.cli.context import Session
from certward.cli.errors import Exit, not_found
from certward.cli.view import Data, DomainView
from certward.cli.waiting import TIMEOUT, Wait, has_given_up, is_issued, tell, trouble
from certward.model.hostnames import is_wildcard
from certward.model.resources import App

REMOVE = Annotated[
    bool | None,
    typer.Option(
        "--remove-manual/--keep-manual", help="What to do with the manual certificate at the end; asked otherwise."
    ),
]


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate as the switch shows it: who issued it, and when it expires."""

    issuer: str
    expires: datetime | None

    def __str__(self) -> str:
        expires = f", expires {self.expires:%Y-%m-%d}" if self.expires else ""
        return f"{_common_name(self.issuer)}{expires}" if self.issuer else "none"


@command(group, "migrate", "certs migrate -a shop", "certs migrate -a shop --yes --remove-manual --timeout 900")
def migrate(
    session: Session,
    *,
    yes: changes.YES = False,
    remove_manual: REMOVE = None,
    timeout: TIMEOUT = 600,
) -> int:
    """Move an App from a bought certificate to automatic ones.

    It looks at what is there, turns them on, waits, shows the switch, and offers to take the bought one out. Run it
    again at any time: what is done already is passed over.
    """
    body = session.app_object()
    app, views = manual.app_and_domains(session, body)
    _step(session, 1, "Looking at what is there")
    before = _before(session, app, views)
    _check(session, app, views)

    _step(session, 2, "Turning on automatic certificates")
    if app.is_automatic:
        session.out.say("  They are on already.")
    else:
        session.out.say("  What is served now stays served until a new certificate is issued and checked.")
        changes.confirm(session, f"Turn on automatic certificates for {app.meta.name}?", is_yes=yes)
        changes.patch(session, body, {"spec": {"certificates": {"automatic": True}}}, is_dry_run=False)

    _step(session, 3, "Having certificates issued and served")
    waiting = Wait(session, lambda view: view.domain.app == app.meta.name, seconds=timeout)
    ended = waiting.run(is_issued, "every hostname is served with its automatic certificate")
    # Hostnames that the App was given meanwhile were served with nothing before.
    before = {view.domain.hostname: Shown("", None) for view in ended.views} | before
    if ended.why:
        tell(session, ended)
        session.out.say("Nothing is lost: what was served is served. When it is mended, run this again.")
        _result(session, app, ended.views, before, [])
        return Exit.FAILED

    _step(session, 4, "The switch, as handshakes show it")
    _show_switch(session, ended.views, before)

    removed = _clear_up(session, app, ended.views, is_wanted=remove_manual, is_yes=yes)
    _result(session, app, ended.views, before, removed)
    return Exit.DONE


def _step(session: Session, number: int, what: str) -> None:
    session.out.say(f"{number}. {what}")


def _before(session: Session, app: App, views: Sequence[DomainView]) -> dict[str, Shown]:
    """By hostname, the manual certificate that is served, or was until the switch."""
    kept = [manual.look(session, app.meta.namespace, name) for name in app.manual_secrets]
    before = {}
    for view in views:
        told = view.certificate
        covering = [one.facts for one in kept if one.facts and manual.covered(one.facts.hostnames, [view])]
        if told.get("source") == "Manual":
            before[view.domain.hostname] = Shown(str(told.get("issuer") or ""), view.at("certificate", "notAfter"))
        elif covering:
            best = max(covering, key=lambda facts: facts.not_after)
            before[view.domain.hostname] = Shown(best.issuer, best.not_after)
        else:
            before[view.domain.hostname] = Shown("", None)
    return before


def _check(session: Session, app: App, views: Sequence[DomainView]) -> None:
    """Say what is there and what stands in the way.

    Raises:
        CliError: it cannot go on like that.
    """
    if not views:
        raise not_found(
            f"{app.meta.name} has no hostname, so there is nothing to move. Add one by: "
            f"{session.typed('domains add www.example.com')}"
        )
    manual.require(session, app)
    for view in views:
        told = "automatic" if view.is_automatic else "manual" if view.certificate else "no certificate"
        session.out.say(f"  {view.domain.hostname}: {told}")
        if is_wildcard(view.domain.hostname):
            session.out.warn(f"{view.domain.hostname} is a wildcard: its CA has to be answered in DNS (DNS-01).")
        if view.dns.get("verified") is False:
            target = view.dns.get("target")
            session.out.warn(f"{view.domain.hostname} does not point here yet; it has to lead to {target}.")
        if has_given_up(view):
            session.out.warn(f"{view.domain.hostname}: {trouble(view)}")


def _show_switch(session: Session, views: Sequence[DomainView], before: dict[str, Shown]) -> None:
    # Run again after everything was moved, there is nothing to compare with.
    is_any = any(before[view.domain.hostname].issuer for view in views)
    session.out.table(
        ["Domain", "Before", "Now", "Renews"],
        [
            [
                view.domain.hostname,
                str(before[view.domain.hostname]) if is_any else "",
                str(_now(view)),
                _renews(view),
            ]
            for view in views
        ],
    )


def _now(view: DomainView) -> Shown:
    return Shown(str(view.certificate.get("issuer") or ""), view.at("certificate", "notAfter"))


def _renews(view: DomainView) -> str:
    at = view.at("certificate", "renewalTime")
    return words.ago(at, datetime.now(UTC)) if at else ""


def _clear_up(
    session: Session, app: App, views: Sequence[DomainView], *, is_wanted: bool | None, is_yes: bool
) -> list[str]:
    """Offer to take the manual certificates out; which ones were."""
    if not app.manual_secrets:
        return []
    _step(session, 5, "The manual certificate")
    removed = []
    for name in app.manual_secrets:
        needed = manual.served_with(name, views)
        if needed:
            session.out.say(f"  {name} stays: {words.listed([v.domain.hostname for v in needed])} needs it.")
            continue
        if not _is_to_go(session, name, is_wanted=is_wanted, is_yes=is_yes):
            session.out.say(f"  {name} stays. Later: {session.typed(f'certs remove {name}')}")
            continue
        manual.drop_entry(session, _fresh(session, app), name, is_dry_run=False)
        manual.clear_away(session, app, name, seconds=60)
        session.out.say(f"  {name} is taken out.")
        removed.append(name)
    return removed


def _is_to_go(session: Session, name: str, *, is_wanted: bool | None, is_yes: bool) -> bool:
    if is_wanted is not None:
        return is_wanted
    if is_yes or not sys.stdin.isatty():
        return False  # nobody has said so
    session.out.stderr.flush()
    return typer.confirm(f"  {name} is not needed any more. Take it out?", err=True)


def _fresh(session: Session, app: App) -> Object:
    return session.api.get("App", app.meta.namespace, app.meta.name) or {}


def _result(
    session: Session,
    app: App,
    views: Sequence[DomainView],
    before: dict[str, Shown],
    removed: Sequence[str],
) -> None:
    if session.out.is_table:
        return
    domains: list[Data] = [
        {**view.data(), "before": {"issuer": before[view.domain.hostname].issuer}, "migrated": is_issued(view)}
        for view in views
    ]
    session.out.data(
        {"app": app.meta.name, "namespace": app.meta.namespace, "domains": domains, "removed": list(removed)}
    )


def _common_name(issuer: str) -> str:
    """The speaking part of a distinguished name (RFC 4514)."""
    for part in issuer.split(","):
        if part.startswith("CN="):
            return part.removeprefix("CN=")
    return issuer
