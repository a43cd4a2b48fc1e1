"""`certs`: the certificates of an App, automatic and manual, and the manual ones brought in, renewed, taken out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from certward.cli import auto, certificates, changes, manual, words
from certward.cli.command import command
from certward.cli.command import group as new_group
from certward.cli.context import Session
from certward.cli.errors import Exit, failed, not_found, usage
from certward.cli.view import Data, DomainView

CERTIFICATE = Annotated[
    Path, typer.Argument(metavar="CRT", help="PEM file with the certificate, perhaps with its chain behind it.")
]
KEY = Annotated[Path, typer.Argument(metavar="KEY", help="PEM file with its private key, without a passphrase.")]
OPTIONAL_CERTIFICATE = Annotated[
    Path | None,
    typer.Argument(metavar="CRT", show_default=False, help="PEM file with the certificate, perhaps with its chain."),
]
OPTIONAL_KEY = Annotated[
    Path | None,
    typer.Argument(metavar="KEY", show_default=False, help="PEM file with its private key, without a passphrase."),
]
CHAIN = Annotated[
    list[Path] | None, typer.Option("--chain", metavar="FILE", help="PEM file with the chain; may be given again.")
]


def listing(session: Session) -> None:
    """List the certificates."""
    apps = session.apps()
    views = [DomainView(domain) for domain in session.domains(apps)]
    rows = [row for app in apps for row in certificates.rows_of(session, app, views)]
    if not session.out.is_table:
        session.out.data([row.data() for row in rows])
        return
    if not rows:
        enabling = session.typed("certs auto enable")
        session.out.say(
            f"There is no certificate yet. Have them obtained for you by: {enabling}" if apps else session.no_app
        )
        return
    now = datetime.now(UTC)
    session.out.table(
        ["Namespace", "Name", "App", "Hostnames", "Expires", "Trusted", "Type", "Problem"],
        [
            [
                row.namespace if session.flags.all_namespaces else "",
                row.name,
                row.app if len(apps) > 1 else "",
                ", ".join(row.hostnames),
                f"{words.stamp(row.expires)} ({words.ago(row.expires, now)})" if row.expires else "",
                "" if row.trusted is None else str(row.trusted),
                row.kind,
                row.problem,
            ]
            for row in rows
        ],
    )


group = new_group("Certificates of your apps: automatic ones, and those that you bring along.", listing)
group.add_typer(auto.group, name="auto")


@command(
    group,
    "add",
    "certs add www.crt www.key -a shop",
    "certs add leaf.pem key.pem --chain intermediates.pem",
    "certs add --secret shop-bought",
)
def add(
    session: Session,
    certificate: OPTIONAL_CERTIFICATE = None,
    key: OPTIONAL_KEY = None,
    *,
    chain: CHAIN = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the Secret; by default made from the hostname.")
    ] = "",
    secret: Annotated[
        str, typer.Option("--secret", metavar="NAME", help="A Secret that is there already, instead of files.")
    ] = "",
    yes: changes.YES = False,
    dry_run: changes.DRY_RUN = False,
) -> int:
    """Bring a certificate along, from PEM files.

    It is checked before anything is sent. It is used for every hostname of the App that it covers, until an automatic
    one is issued.
    """
    if bool(secret) == bool(certificate) or bool(certificate) != bool(key) or (secret and (name or chain)):
        raise usage("Name two files, the certificate and then its key; or a Secret that is there, by --secret.")
    now = datetime.now(UTC)
    pair = None if secret else manual.read_files(certificate, key, chain or (), now)
    body = session.app_object()
    app, views = manual.app_and_domains(session, body)
    facts = pair.facts if pair else manual.facts_in(session, secret)
    covered = manual.covered(facts.hostnames, views)
    manual.tell(session, facts, covered, views, now)
    secret_name = secret or name or manual.secret_name(facts)
    if any(entry["secretName"] == secret_name for entry in manual.entries(body)):
        raise failed(
            f"{app.meta.name} has certificate {secret_name} already. To renew it: "
            f"{session.typed(f'certs update {secret_name} CRT KEY')}"
        )
    if not covered and not dry_run:
        changes.confirm(session, f"It covers no hostname of {app.meta.name}. Add it all the same?", is_yes=yes)
    if pair and not dry_run:
        manual.require(session, app)
        manual.make(session, secret_name, pair)
    is_written = manual.put_entry(session, body, secret_name, is_dry_run=dry_run)
    if not is_written:
        if pair:
            session.out.say(
                f"The Secret comes first; its key does not belong into git: kubectl create secret tls {secret_name} "
                f"-n {session.namespace} --cert={certificate} --key={key}"
            )
        return Exit.DONE
    session.out.say(f"Adding certificate {secret_name} to {app.meta.name}... done")
    if app.is_automatic and covered:
        session.out.say("Automatic certificates are on; they go before manual ones once they are issued.")
    _tell(session, secret_name)
    return Exit.DONE


@command(group, "update", "certs update shop-bought www.crt www.key")
def update(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The certificate, as certs lists it.")],
    certificate: CERTIFICATE,
    key: KEY,
    *,
    chain: CHAIN = None,
    yes: changes.YES = False,
) -> int:
    """Renew a certificate that you brought along, from PEM files.

    It is checked before anything is sent, for the hostnames of every App that uses it.
    """
    now = datetime.now(UTC)
    pair = manual.read_files(certificate, key, chain or (), now)
    apps, views = manual.apps_and_domains(session, _objects_with(session, name))
    covered = manual.covered(pair.facts.hostnames, views)
    manual.tell(session, pair.facts, covered, views, now)
    lost = [view for view in manual.served_with(name, views) if view not in covered]
    if lost:
        shown = words.listed([view.domain.hostname for view in lost])
        changes.confirm(session, f"It does not cover {shown}, which is served with {name} now. Go on?", is_yes=yes)
    manual.replace(session, name, pair)
    for app in apps:
        manual.nudge(session, app)
    session.out.say(f"Updating certificate {name} of {words.listed([app.meta.name for app in apps])}... done")
    _tell(session, name)
    return Exit.DONE


@command(group, "remove", "certs remove shop-bought")
def remove(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The certificate, as certs lists it.")],
    *,
    yes: changes.YES = False,
    dry_run: changes.DRY_RUN = False,
    timeout: Annotated[
        int, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait until it is used no more.")
    ] = 60,
) -> int:
    """Take out a certificate that you brought along.

    It is refused while a hostname needs it.
    """
    body = _object_with(session, name)
    app, views = manual.app_and_domains(session, body)
    needed = manual.needing(session, app, name, views)
    if needed:
        shown = words.listed([view.domain.hostname for view in needed])
        raise failed(
            f"{name} is needed: {shown} would be without a certificate. First let one be obtained "
            f"({session.typed('certs migrate')}) or add another ({session.typed('certs add CRT KEY')})."
        )
    if not dry_run:
        changes.confirm(session, f"Take certificate {name} out of {app.meta.name}?", is_yes=yes)
    if manual.drop_entry(session, body, name, is_dry_run=dry_run):
        manual.clear_away(session, app, name, seconds=timeout)
        session.out.say(f"Removing certificate {name} from {app.meta.name}... done")
        if not session.out.is_table:
            session.out.data({"name": name, "app": app.meta.name, "removed": True})
    return Exit.DONE


def _tell(session: Session, name: str) -> None:
    """A certificate as it is now, for programs; where several Apps use it, with what it serves of all of them."""
    if session.out.is_table:
        return
    apps, views = manual.apps_and_domains(session, _objects_with(session, name))
    rows = [row for app in apps for row in certificates.rows_of(session, app, views)]
    own = [row for row in rows if row.name == name and row.kind == "Manual"]
    meant = next((row for row in own if row.app == session.flags.app), own[0])
    session.out.data(
        {
            **meant.data(),
            "apps": [row.app for row in own],
            "serves": [hostname for row in own for hostname in row.serves],
        }
    )


def _object_with(session: Session, name: str) -> Data:
    """The App that has a manual certificate of that name: the one that is meant, or the only one in the namespace.

    Raises:
        CliError: there is none, or -a is needed to tell which.
    """
    found = {body["metadata"]["name"]: body for body in _objects_with(session, name)}
    if session.flags.app:
        return found[session.flags.app]
    if len(found) > 1:
        raise usage(f"Which App? Name one by -a. These use {name}: {', '.join(found)}.")
    return next(iter(found.values()))


def _objects_with(session: Session, name: str) -> list[Data]:
    """Every App in the namespace that has a manual certificate of that name, by their names.

    Raises:
        CliError: there is none, or the one that is named by -a has no such certificate.
    """
    bodies = session.api.list("App", session.one_namespace())
    meant = [body for body in bodies if session.flags.app in (None, body["metadata"]["name"])]
    if session.flags.app and not meant:
        session.app_object()  # says that it is not there, and which are
    if name in _names_in(meant):
        found = [body for body in bodies if name in _names_in([body])]
        return sorted(found, key=lambda body: str(body["metadata"]["name"]))
    there = words.listed(sorted(_names_in(meant))) or "none at all"
    automatic = (
        f"{name} is an automatic certificate; it comes and goes with its hostname. " if name.endswith("-tls") else ""
    )
    raise not_found(
        f"There is no manual certificate {name} in namespace {session.namespace}. {automatic}There are: {there}."
    )


def _names_in(bodies: Sequence[Data]) -> set[str]:
    return {str(entry["secretName"]) for body in bodies for entry in manual.entries(body)}
