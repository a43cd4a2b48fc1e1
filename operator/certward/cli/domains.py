"""`domains`: the hostnames of an App, and the DNS record that each of them needs."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from certward.cli import changes, completion
from certward.cli.command import command
from certward.cli.command import group as new_group
from certward.cli.context import Session, read_one
from certward.cli.errors import Exit, failed, not_found, usage
from certward.cli.view import DomainView
from certward.cli.waiting import TIMEOUT, WAIT, Wait
from certward.model import hostnames
from certward.model.resources import App, Domain
from certward.names import API_VERSION

HOSTNAMES = Annotated[list[str], typer.Argument(metavar="HOSTNAME", help="One or several.")]
KNOWN = Annotated[
    list[str],
    typer.Argument(metavar="HOSTNAME", help="Or names of Domains.", autocompletion=completion.domains),
]


def listing(session: Session) -> None:
    """List the hostnames."""
    apps = session.apps()
    views = [DomainView(domain) for domain in session.domains(apps if session.flags.app else None)]
    if not session.out.is_table:
        session.out.data([view.data() for view in views])
        return
    for app in apps:
        if built_in := app.status.get("hostname"):
            session.out.say(f"{app.meta.name} is reached at {built_in} in any case.")
    if not views:
        adding = session.typed("domains add www.example.com")
        session.out.say(f"There are no hostnames yet. Add one by: {adding}" if apps else session.no_app)
        return
    show(session, views)


def show(session: Session, views: Sequence[DomainView]) -> None:
    """The table of hostnames and their DNS records."""
    session.out.table(
        ["Namespace", "Domain", "App", "Record Type", "DNS Target", "Points Here", "Status"],
        [
            [
                view.domain.meta.namespace if session.flags.all_namespaces else "",
                view.domain.hostname,
                view.domain.app,
                view.record_type,
                str(view.dns.get("target") or ""),
                view.points_here,
                view.status,
            ]
            for view in views
        ],
    )


group = new_group("Hostnames of your apps, and the DNS record that each of them needs.", listing)


@command(group, "add", "domains add www.example.com -a shop", "domains add www.example.com --wait")
def add(
    session: Session,
    names: HOSTNAMES,
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the Domain; by default made from the hostname.")
    ] = "",
    wait: WAIT = False,
    timeout: TIMEOUT = 300,
    dry_run: changes.DRY_RUN = False,
) -> int:
    """Give an App a hostname."""
    if name and len(names) > 1:
        raise usage("--name is the name of one Domain: add the hostnames one by one.")
    wanted = list(dict.fromkeys(one.lower().rstrip(".") for one in names))
    for hostname in wanted:
        if problem := hostnames.problem(hostname):
            raise usage(f"{hostname}: {problem}")
    body = session.app_object()
    app = read_one(App, body)
    there = session.domains()
    new = wanted if dry_run else _not_there(session, wanted, there, app, name)
    taken = {domain.meta.name: domain.hostname for domain in there}
    manifests = []
    for hostname in new:
        chosen = name or domain_name(hostname, taken)
        if taken.setdefault(chosen, hostname) != hostname:
            raise failed(f"Domain {chosen} is there already, for {taken[chosen]}. Choose another --name.")
        manifests.append(
            {
                "apiVersion": API_VERSION,
                "kind": "Domain",
                "metadata": {"name": chosen, "namespace": session.namespace},
                "spec": {"hostname": hostname, "appRef": {"name": app.meta.name}},
            }
        )
    if dry_run:
        changes.show(session, *manifests)
        return Exit.DONE
    if manifests:
        changes.warn_of_git(session, body)
    for hostname, manifest in zip(new, manifests, strict=True):
        session.api.create(manifest)
        session.out.say(f"Adding {hostname} to {app.meta.name}... done")
    return _tell_added(session, wanted, is_automatic=app.is_automatic, seconds=timeout, is_waiting=wait)


@command(group, "remove", "domains remove www.example.com")
def remove(session: Session, names: KNOWN, *, yes: changes.YES = False, dry_run: changes.DRY_RUN = False) -> None:
    """Take a hostname from an App. It is not served any more, and its automatic certificate is deleted."""
    found = list({domain.meta.name: domain for domain in (find(session, name) for name in names)}.values())
    if dry_run:
        for domain in found:
            session.out.line(f"kubectl delete domain {domain.meta.name} -n {domain.meta.namespace}")
        _tell_removed(session, found, is_removed=False)
        return
    shown = ", ".join(domain.hostname for domain in found)
    changes.confirm(session, f"{shown}: stop serving it and delete its automatic certificate?", is_yes=yes)
    for domain in found:
        session.api.delete("Domain", domain.meta.namespace, domain.meta.name, uid=domain.meta.uid)
        session.out.say(f"Removing {domain.hostname} from {domain.app}... done")
    _tell_removed(session, found, is_removed=True)


def _tell_removed(session: Session, found: Sequence[Domain], *, is_removed: bool) -> None:
    if not session.out.is_table:
        session.out.data([{"name": one.meta.name, "hostname": one.hostname, "removed": is_removed} for one in found])


def find(session: Session, name: str) -> Domain:
    """The Domain in the namespace that has this hostname or name; of the App named by -a, if one is.

    Raises:
        CliError: there is none, or several Domains have the hostname.
    """
    session.one_namespace()
    there = session.domains()
    if session.flags.app:
        there = [domain for domain in there if domain.app == session.flags.app]
    found = [one for one in there if one.hostname == name] or [one for one in there if one.meta.name == name]
    if not found:
        shown = ", ".join(sorted(one.hostname for one in there)[:20]) or "none at all"
        raise not_found(f"There is no domain {name} in namespace {session.namespace}; there are: {shown}.")
    if len(found) > 1:
        shown = ", ".join(sorted(f"{one.meta.name} (of App {one.app})" for one in found))
        raise usage(f"Which Domain? Several have the hostname {name}; give the name of one: {shown}.")
    return found[0]


def domain_name(hostname: str, taken: Mapping[str, str]) -> str:
    """A name for the Domain of a hostname: short enough for a label, and the plain one wherever that can be had.

    Args:
        hostname: of the Domain.
        taken: the hostnames of Domains by their names. Different hostnames can come to the same plain name, such as
            a-b.example.com and a.b.example.com; of these the later one has a hash at its end.
    """
    name = hostname.replace("*.", "wildcard-", 1).replace(".", "-")
    if len(name) <= _LONGEST and taken.get(name, hostname) == hostname:
        return name
    import hashlib

    return f"{name[: _LONGEST - 9].rstrip('-')}-{hashlib.sha256(hostname.encode()).hexdigest()[:8]}"


_LONGEST = 63


def _not_there(session: Session, wanted: Sequence[str], there: Sequence[Domain], app: App, name: str) -> Sequence[str]:
    """The hostnames that are still to be added; those that the App has are passed over, so that a line can be repeated.

    Raises:
        CliError: one is another App's, goes just now, or is to have another name than it has.
    """
    had = set()
    for domain in there:
        if domain.hostname not in wanted:
            continue
        told = f"{domain.hostname} is there already: Domain {domain.meta.name} of App {domain.app}"
        if domain.meta.is_deleting:
            raise failed(f"{told}, which is being deleted. Add it again once that is gone.")
        if domain.app != app.meta.name or name not in ("", domain.meta.name):
            raise failed(f"{told}.")
        session.out.say(f"{told}; passed over.")
        had.add(domain.hostname)
    return [hostname for hostname in wanted if hostname not in had]


def _tell_added(session: Session, added: Sequence[str], *, is_automatic: bool, seconds: int, is_waiting: bool) -> int:
    """Show the DNS records once the operator has told them, and wait for certificates where that is asked."""

    def is_ours(view: DomainView) -> bool:
        return view.domain.hostname in added

    views = Wait(session, is_ours, seconds=5).until_seen()
    if session.out.is_table and any(view.dns.get("target") for view in views):
        session.out.line("Point your DNS here:")
        show(session, views)
    code = Exit.DONE
    if not is_automatic:
        session.out.say(f"Automatic certificates are off. Turn them on by: {session.typed('certs auto enable')}")
    elif is_waiting:
        code = Wait(session, is_ours, seconds=seconds).for_certificates()
    if not session.out.is_table:
        session.out.data([view.data() for view in Wait(session, is_ours, seconds=0).views()])
    return code
