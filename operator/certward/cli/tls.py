"""`tls`: the TLS that Apps are served with, its grade, and which clients can connect."""

from collections.abc import Sequence
from typing import Annotated

import typer

from certward.cli import view as views_of
from certward.cli import words
from certward.cli.command import command
from certward.cli.command import group as new_group
from certward.cli.context import Session
from certward.cli.errors import failed, usage
from certward.cli.view import Data, DomainView
from certward.errors import InvalidSpec
from certward.model import profiles
from certward.model.profiles import Profile
from certward.model.resources import App
from certward.names import ANNOTATION_DEFAULT_REVISION

REVISION = Annotated[
    str | None,
    typer.Option("--revision", metavar="YYYY-MM", help=f"A revision of the profiles: {', '.join(profiles.REVISIONS)}."),
]


def listing(session: Session) -> None:
    """Show the TLS that the Apps are served with."""
    apps = session.apps()
    views = [DomainView(domain) for domain in session.domains(apps)]
    told = [_data(app, [v for v in views if _is_of(v, app)]) for app in apps]
    if not session.out.is_table:
        session.out.data(told)
        return
    if not apps:
        session.out.say(session.no_app)
        return
    session.out.table(
        ["Namespace", "App", "Profile", "Revision", "Policy", "Declared", "Served", "Grade", "Enforced"],
        [
            [
                one["namespace"] if session.flags.all_namespaces else "",
                one["app"],
                one["profile"],
                one["revision"],
                one["policy"],
                views_of.versions(one["minVersion"], one["maxVersion"]),
                _served(one["served"]),
                one["grade"],
                {"True": "yes", "False": "no"}.get(one["enforced"]["status"], ""),
            ]
            for one in told
        ],
    )
    for one in told:
        for text in _remarks(one):
            session.out.line(f"{one['app']}: {text}")


group = new_group("TLS of your apps: profile, grade, and what clients can connect with.", listing)


@command(group, "clients", "tls clients -a shop", "tls clients --profile modern --revision 2026-11")
def clients(
    session: Session,
    *,
    profile: Annotated[str | None, typer.Option(metavar="PROFILE", help="Another profile than the App's.")] = None,
    revision: REVISION = None,
) -> None:
    """Show which well-known clients can connect to the App."""
    from certward.model.clients import CLIENTS, negotiates

    app = session.app()
    chosen = chosen_profile(app, profile, revision)
    key_type = key_of(session, app, chosen)
    rows = [(client, negotiates(client, chosen, key_type)) for client in CLIENTS]
    if not session.out.is_table:
        session.out.data(
            {
                "app": app.meta.name,
                "namespace": app.meta.namespace,
                "profile": chosen.name,
                "revision": chosen.revision,
                "keyType": key_type,
                "clients": [
                    {"client": c.name, "connects": v is not None, "version": v, "source": c.source} for c, v in rows
                ],
            }
        )
        return
    session.out.line(
        f"Profile {chosen.name} of revision {chosen.revision}, with a certificate whose key is {key_type}:"
    )
    session.out.line()
    session.out.table(
        ["Client", "Connects", "With"],
        [[client.name, "yes" if found else "no", views_of.version(found or "")] for client, found in rows],
    )


def chosen_profile(app: App, name: str | None, revision: str | None) -> Profile:
    """A profile by name and revision; what is not named is the App's own.

    Raises:
        CliError: there is no such profile, or the operator has not said yet what the App is served with.
    """
    told = views_of.tls_of(app)
    pinned = app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION) or profiles.REVISIONS[-1]
    try:
        if name and not revision:
            since = told["revision"] if told["revision"] in profiles.REVISIONS else pinned
            return profiles.profile(profiles.first_revision_with(name, since), name)
        if not told["profile"] and not (name and revision):
            raise failed(f"The operator has not said yet what {app.meta.name} is served with. Try again in a moment.")
        return profiles.profile(revision or told["revision"], name or told["profile"])
    except InvalidSpec as problem:
        raise usage(problem.message) from None


def key_of(session: Session, app: App, profile: Profile) -> str:
    """The key type that clients meet: that of a served certificate that fits, else what would be asked for."""
    for domain in session.domains([app]):
        served = str(DomainView(domain).certificate.get("keyType") or "")
        if served and profiles.fits(profile, served):
            return served
    return app.key_type or profiles.default_key_type(profile)


def _is_of(view: DomainView, app: App) -> bool:
    return (view.domain.meta.namespace, view.domain.app) == (app.meta.namespace, app.meta.name)


def _data(app: App, views: Sequence[DomainView]) -> Data:
    conditions = app.status.get("conditions") or ()
    enforced: Data = next((c for c in conditions if c.get("type") == "PolicyEnforced"), {})
    return {
        "app": app.meta.name,
        "namespace": app.meta.namespace,
        "pinned": app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION, ""),
        **views_of.tls_of(app),
        "enforced": {name: str(enforced.get(name) or "") for name in ("status", "reason", "message")},
        "served": [
            {
                "hostname": view.domain.hostname,
                "minVersion": str((view.domain.status.get("served") or {}).get("minVersion") or ""),
                "maxVersion": str((view.domain.status.get("served") or {}).get("maxVersion") or ""),
            }
            for view in views
        ],
    }


def _served(served: Sequence[Data]) -> str:
    """The versions that handshakes showed, over all hostnames."""
    shown = [one for one in served if one["minVersion"]]
    if not shown:
        return ""
    return views_of.versions(min(one["minVersion"] for one in shown), max(one["maxVersion"] for one in shown))


def _remarks(one: Data) -> list[str]:
    remarks = []
    if one["gradeCappedBy"]:
        remarks.append(f"the grade is {one['grade']}: {words.sentence(one['gradeCappedBy'])}")
    if one["enforced"]["message"]:
        remarks.append(str(one["enforced"]["message"]))
    return remarks
