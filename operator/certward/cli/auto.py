"""`certs auto`: automatic certificates of an App, switched on and off, and how each hostname stands."""

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer

from certward.cli import changes, completion, domains, words
from certward.cli.command import command
from certward.cli.command import group as new_group
from certward.cli.context import Session, read_one
from certward.cli.errors import Exit, not_found
from certward.cli.view import Data, DomainView, time_data
from certward.cli.waiting import TIMEOUT, WAIT, Wait, is_issued
from certward.model.resources import App
from certward.names import ANNOTATION_REFRESH


def listing(session: Session) -> None:
    """Show how the automatic certificates stand."""
    apps = session.apps()
    views = [DomainView(domain) for domain in session.domains(apps)]
    if not session.out.is_table:
        session.out.data([_data(app, _of(app, views)) for app in apps])
        return
    if not apps:
        session.out.say(session.no_app)
    for number, app in enumerate(apps):
        if number:
            session.out.line()
        show(session, app, _of(app, views), datetime.now(UTC), is_one_of_many=len(apps) > 1)


def show(
    session: Session, app: App, views: Sequence[DomainView], now: datetime, *, is_one_of_many: bool = False
) -> None:
    """One App: whether automatic certificates are on, a row for each hostname, and what to do next."""
    out = session.out
    typed = partial(session.typed, of=app if is_one_of_many or session.flags.all_namespaces else None)
    where = f" in namespace {app.meta.namespace}" if session.flags.all_namespaces else ""
    out.heading(f"Automatic certificates are {'on' if app.is_automatic else 'off'} for {app.meta.name}{where}")
    if not views:
        out.line(f"It has no hostname yet. Add one by: {typed('domains add www.example.com')}")
        return
    out.line()
    out.table(
        ["Domain", "Status", "Reason", "Last Updated"],
        [[v.domain.hostname, v.status, v.reason, _since(v, now)] for v in views],
    )
    for text in _afterwards(app, views, now, typed):
        out.line()
        out.line(text)


group = new_group("Automatic certificates: obtained, served and renewed for you.", listing)


@command(group, "enable", "certs auto enable -a shop --wait", "certs auto enable --dry-run")
def enable(session: Session, *, wait: WAIT = False, timeout: TIMEOUT = 300, dry_run: changes.DRY_RUN = False) -> int:
    """Obtain certificates for every hostname of the App and keep them renewed.

    A manual certificate stays served until the automatic one is issued and checked.
    """
    body = session.app_object()
    app = read_one(App, body)
    if app.is_automatic and not dry_run:
        session.out.say(f"Automatic certificates are on for {app.meta.name} already.")
    elif not changes.patch(session, body, {"spec": {"certificates": {"automatic": True}}}, is_dry_run=dry_run):
        return Exit.DONE
    else:
        session.out.say(f"Turning on automatic certificates for {app.meta.name}... done")
    waiting = Wait(session, lambda view: view.domain.app == app.meta.name, seconds=timeout)
    views = waiting.views()
    _tell_dns(session, views)
    if wait:
        code = waiting.for_certificates()
        _tell(session, app.meta.name)
        return code
    if not session.out.is_table:
        _tell(session, app.meta.name)
    elif views:
        session.out.say(f"See how it goes by: {session.typed('certs auto')}; or wait for it by: --wait")
    return Exit.DONE


@command(group, "disable", "certs auto disable -a shop", "certs auto disable --yes")
def disable(session: Session, *, yes: changes.YES = False, dry_run: changes.DRY_RUN = False) -> int:
    """Obtain and renew no more certificates for the App. What is served stays served until it expires."""
    body = session.app_object()
    app = read_one(App, body)
    if not app.is_automatic and not dry_run:
        session.out.say(f"Automatic certificates are off for {app.meta.name} already.")
    else:
        if not dry_run:
            _tell_what_disabling_means(session, app)
            changes.confirm(session, f"Turn off automatic certificates for {app.meta.name}?", is_yes=yes)
        if not changes.patch(session, body, {"spec": {"certificates": {"automatic": False}}}, is_dry_run=dry_run):
            return Exit.DONE
        session.out.say(f"Turning off automatic certificates for {app.meta.name}... done")
    if not session.out.is_table:
        _tell(session, app.meta.name)
    return Exit.DONE


@command(group, "refresh", "certs auto refresh", "certs auto refresh www.example.com --wait")
def refresh(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOSTNAME",
            help="Which; by default those of the App that are not as they should be.",
            autocompletion=completion.domains,
        ),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All hostnames of the App, also those that are well.")
    ] = False,
    wait: WAIT = False,
    timeout: TIMEOUT = 300,
) -> int:
    """Try again now. A hostname that is well gets a new certificate only if it is named, or by --all."""
    if names:
        chosen = [DomainView(domains.find(session, name)) for name in dict.fromkeys(names)]
    else:
        app = session.app()
        there = [DomainView(domain) for domain in session.domains([app])]
        chosen = [view for view in there if everything or view.reason or view.state != "CertIssued"]
        if not chosen:
            session.out.say(
                "All is well, so there is nothing to try again. To have a certificate replaced, name its hostname."
            )
            return _nothing(session)
    asked = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for view in chosen:
        meta = view.domain.meta
        session.api.patch(
            "Domain", meta.namespace, meta.name, {"metadata": {"annotations": {ANNOTATION_REFRESH: asked}}}
        )
        session.out.say(f"Refreshing {view.domain.hostname}... done")
    of = {view.domain.meta.name for view in chosen}

    def is_done(view: DomainView) -> bool:
        handled = (view.domain.status.get("handled") or {}).get("refresh")
        return handled == asked and is_issued(view)

    waiting = Wait(session, lambda view: view.domain.meta.name in of, seconds=timeout)
    code = waiting.for_certificates(is_done) if wait else Exit.DONE
    if not session.out.is_table:
        session.out.data([view.data() for view in waiting.views()])
    return code


def _nothing(session: Session) -> Exit:
    if not session.out.is_table:
        session.out.data([])
    return Exit.DONE


def _of(app: App, views: Sequence[DomainView]) -> list[DomainView]:
    mine = (app.meta.namespace, app.meta.name)
    return [view for view in views if (view.domain.meta.namespace, view.domain.app) == mine]


def _since(view: DomainView, now: datetime) -> str:
    at = view.at("lastUpdated")
    return words.span(now - at) if at else ""


def _data(app: App, views: Sequence[DomainView]) -> Data:
    due = [at for view in views if view.is_automatic and (at := view.at("certificate", "renewalTime"))]
    return {
        "app": app.meta.name,
        "namespace": app.meta.namespace,
        "automatic": app.is_automatic,
        "nextRenewal": time_data(min(due)) if due and app.is_automatic else None,
        "domains": [view.data() for view in views],
    }


def _afterwards(app: App, views: Sequence[DomainView], now: datetime, typed: Callable[[str], str]) -> list[str]:
    """What follows from the table: when renewal is due, what is wrong and what to do."""
    told = []
    due = sorted(
        (at, v.domain.hostname) for v in views if (at := v.at("certificate", "renewalTime")) and v.is_automatic
    )
    if due and app.is_automatic:
        at, hostname = due[0]
        whose = f"{hostname}, " if len(views) > 1 else ""
        told.append(f"Next renewal: {whose}{words.stamp(at)} ({words.ago(at, now)}).")
    manual = _manual(views)
    if not app.is_automatic:
        return list(filter(None, [*told, _until(views), manual, f"Turn them on by: {typed('certs auto enable')}"]))
    told += [manual] if manual else []
    failed = [view for view in views if view.state == "Failed"]
    failing = [view for view in views if view.state == "Failing"]
    others = [view for view in views if (view.reason or view.message) and view not in failed + failing]
    lines = [f"{view.domain.hostname}: {_advice(view, now, typed)}" for view in [*failed, *failing, *others]]
    if lines:
        told.append("\n".join(lines))
    if failed:
        told.append(f"=== Some hostnames failed. Mend what is said, then try again by: {typed('certs auto refresh')}")
    elif failing:
        told.append(f"=== Some hostnames fail so far; see whether your DNS is as it should be: {typed('domains')}")
    return told


def _advice(view: DomainView, now: datetime, typed: Callable[[str], str]) -> str:
    told = words.sentence(view.message or view.reason)
    if at := view.at("attempts", "nextAttempt"):
        soon = at - now < timedelta(seconds=30)
        told += " The next attempt is about to be made." if soon else f" Next attempt {words.ago(at, now)}."
    if view.state in ("Failing", "Failed"):
        told += f"\n    More: {typed(f'explain {shlex.quote(view.domain.hostname)}')}"
    return told


def _manual(views: Sequence[DomainView]) -> str:
    """Which manual certificates are served, and until when."""
    kept: dict[str, list[DomainView]] = {}
    for view in views:
        if view.certificate.get("source") == "Manual":
            kept.setdefault(str(view.certificate.get("secretName") or ""), []).append(view)
    lines = []
    for name, served in sorted(kept.items()):
        names = [view.domain.hostname for view in served]
        at = served[0].at("certificate", "notAfter")
        until = f" until {words.stamp(at)}" if at else ""
        lines.append(f"{words.listed(names)} {words.are(names)} served with manual certificate {name}{until}.")
    return "\n".join(lines)


def _until(views: Sequence[DomainView]) -> str:
    """Until when the last automatic certificates are served, where they are switched off."""
    left = [(at, view) for view in views if view.is_automatic and (at := view.at("certificate", "notAfter"))]
    return "\n".join(
        f"{view.domain.hostname} is served with its last automatic certificate until {words.stamp(at)}."
        for at, view in left
    )


def _tell_what_disabling_means(session: Session, app: App) -> None:
    views = [DomainView(domain) for domain in session.domains([app])]
    session.out.say(
        f"Certificates of {app.meta.name} are renewed no more. What is served stays served until it expires:"
    )
    for view in views:
        at = view.at("certificate", "notAfter")
        kind = "its automatic certificate" if view.is_automatic else "a manual certificate"
        if at:
            session.out.say(f"  {view.domain.hostname}: {kind} until {words.stamp(at)}")
        else:
            session.out.say(f"  {view.domain.hostname}: has no certificate, and gets none")
    session.out.say(f"A manual certificate takes over where there is one: {session.typed('certs add CRT KEY')}")


def _tell_dns(session: Session, views: Sequence[DomainView]) -> None:
    astray = [view for view in views if view.dns.get("target") and view.dns.get("verified") is not True]
    if astray and session.out.is_table:
        session.out.line("See that your DNS points here:")
        domains.show(session, astray)


def _tell(session: Session, name: str) -> None:
    """The App as it is now."""
    if not (body := session.api.get("App", session.namespace, name)):
        raise not_found(f"App {name} is gone.")
    app = read_one(App, body)
    views = [DomainView(domain) for domain in session.domains([app])]
    if session.out.is_table:
        show(session, app, views, datetime.now(UTC))
    else:
        session.out.data(_data(app, views))
