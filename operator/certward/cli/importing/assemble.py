"""The whole translation: sources in; Apps, Domains, issuers and findings out. Total and pure; the same each time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from certward.cli.gitops import Keeper
from certward.cli.importing import hosts, issuers, outcomes, reading
from certward.cli.importing.apps import Manifest, Moved, Work
from certward.cli.importing.findings import Finding, Options, Ref, Sources
from certward.cli.importing.issuers import Issuers


@dataclass(frozen=True, slots=True)
class Import:
    """What comes out.

    Attributes:
        apps: to be created.
        changes: Apps that are there and get further manual certificates: namespace, name, names of Secrets.
        domains: to be created.
        there: objects that are there already and stay as they are, in words.
        moved: the hosts that are taken over, those that are there already among them.
        removable: routes all of whose hosts are taken over.
        listeners: hosts that are taken over from listeners, by Gateway.
        shared: routes that are needed for other hosts, too.
        issuers: what has become of the issuers.
        keeper: who would undo a change of the operator's configuration, so that new issuers are not put there.
        findings: the report, object by object.
        unread: what could not be read.
    """

    apps: tuple[Manifest, ...] = ()
    changes: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    domains: tuple[Manifest, ...] = ()
    there: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    removable: tuple[Ref, ...] = ()
    listeners: Mapping[Ref, tuple[str, ...]] = field(default_factory=dict)
    shared: tuple[Ref, ...] = ()
    issuers: Issuers = field(default_factory=Issuers)
    keeper: Keeper | None = None
    findings: tuple[Finding, ...] = ()
    unread: tuple[str, ...] = ()


def translate(sources: Sources, options: Options) -> Import:
    """Translate everything."""
    read = reading.read(sources, options.default_issuer)
    used = Counter(wish.issuer for wish in read.wishes.values() if wish.issuer)
    bodies = [*sources.of("ClusterIssuer"), *sources.of("Issuer")]
    known = issuers.translate(bodies, sources.issuers, options.resource_namespace, used)
    found = hosts.hosts(read, sources, options)
    work = Work(sources, options, known, read)
    for host in found:
        work.look(host)
    work.finish()
    removable, shared = outcomes.routes_after(read, work)
    return Import(
        apps=tuple(work.apps),
        changes=tuple(work.changes),
        domains=tuple(work.domains),
        there=tuple(work.there),
        moved=tuple(work.moved),
        removable=removable,
        listeners=outcomes.listeners_after(read, work),
        shared=shared,
        issuers=known,
        keeper=sources.keeper,
        findings=(
            *known.findings,
            *outcomes.of_certificates(sources, read, work),
            *outcomes.of_routes(read, found, work),
        ),
        unread=sources.unread,
    )
