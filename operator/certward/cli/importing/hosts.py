"""Hosts that cert-manager has certificates for: where they lead, and whether they can be taken over."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from certward.cli.importing import annotations as asked
from certward.cli.importing import rules
from certward.cli.importing.certificates import Wish
from certward.cli.importing.findings import (
    Note,
    Options,
    SecretFound,
    Sources,
    Weight,
    lost,
    risky,
    stops,
    told,
)
from certward.cli.importing.reading import Reading, SecretKey
from certward.cli.importing.rules import Path, Rule
from certward.cli.words import listed, sentence
from certward.model import hostnames

#: spec.paths of an App, and "/" beside them.
_MOST_PATHS = 33
_AUTOMATIC = "Put that right, or run again with --automatic, so that the host gets a certificate of its own."


@dataclass(frozen=True, slots=True)
class Host:
    """A hostname of a namespace that is served with a Secret of cert-manager's.

    Attributes:
        namespace: of its routes and its App.
        hostname: lower case.
        wish: what is asked for its certificate.
        secret: where that is, by namespace and name.
        rules: all objects that route it.
        class_name: empty for the default one.
        paths: where it leads, "/" among them.
        ranges: where clients may connect from; None: anywhere.
        redirect: whether plain HTTP is redirected.
        notes: what has no counterpart, those of its rules among them.
        is_covered: whether the Secret can be served as a manual certificate.
        is_secret_owned: whether the Secret would be deleted together with its Certificate.
    """

    namespace: str
    hostname: str
    wish: Wish
    secret: SecretKey
    rules: tuple[Rule, ...]
    class_name: str
    paths: tuple[Path, ...]
    ranges: tuple[str, ...] | None
    redirect: bool
    notes: tuple[Note, ...]
    is_covered: bool = True
    is_secret_owned: bool = False

    def stays(self, options: Options) -> bool:
        """Whether it stays with cert-manager."""
        limit = Weight.STOPS if options.accepts_loss else Weight.RISKY
        return any(note.weight >= limit for note in self.notes) or self.wish.stopped


def hosts(reading: Reading, sources: Sources, options: Options) -> list[Host]:
    """All hosts that are served with a Secret of cert-manager's, in a fixed order."""
    controllers = {
        str(body["metadata"]["name"]): str((body.get("spec") or {}).get("controller") or "")
        for body in sources.of("IngressClass")
    }
    found = []
    for (namespace, hostname), some in sorted(reading.rules.items()):
        used = [key for rule in some if (key := (rule.secret_namespace, rule.secret_name)) in reading.wishes]
        if used:
            found.append(_host(namespace, hostname, some, used, reading, controllers))
    there = [
        (str((body.get("spec") or {}).get("hostname")), str(body["metadata"]["namespace"])) for body in sources.domains
    ]
    spaces: dict[str, set[str]] = defaultdict(set)
    for namespace, hostname in reading.rules:
        spaces[hostname].add(namespace)
    owners = [(host.hostname, host.namespace) for host in found] + there
    return [_checked(host, sources, options, spaces[host.hostname], there, owners) for host in found]


def _host(
    namespace: str,
    hostname: str,
    some: Sequence[Rule],
    used: Sequence[SecretKey],
    reading: Reading,
    controllers: Mapping[str, str],
) -> Host:
    notes = [note for rule in some for note in rule.notes]
    classes = sorted({rule.class_name for rule in some})
    if len(classes) > 1:
        notes.append(
            stops(
                f"{hostname} is routed by several classes ({listed([name or 'the default one' for name in classes])}).",
                "Leave it with cert-manager, or have one class serve it.",
                hostname,
            )
        )
    if len(set(used)) > 1:
        notes.append(lost(f"{hostname} is served with several Secrets; it goes on with {used[0][1]}.", "", hostname))
    paths, more = rules.merged((path for rule in some for path in rule.paths), hostname)
    notes += more
    if not paths and not any(note.weight == Weight.STOPS for note in notes):
        notes.append(stops(f"{hostname} leads nowhere.", "Give its route a Service.", hostname))
    if len(paths) > _MOST_PATHS:
        notes.append(
            stops(f"{hostname} has {len(paths)} paths; an App has 32 at most.", "Join some of them.", hostname)
        )
    ranges = {rule.ranges for rule in some}
    if len(ranges) > 1:
        notes.append(
            risky(f"{hostname}: its routes let different ranges of addresses in.", "Make them the same.", hostname)
        )
    class_name = classes[0]
    by_itself = asked.redirects_by_itself(controllers.get(class_name) or class_name)
    told_of = [rule.redirect for rule in some if rule.redirect is not None]
    is_api = any(rule.source.kind == "HTTPRoute" for rule in some)
    return Host(
        namespace,
        hostname,
        reading.wishes[used[0]],
        used[0],
        tuple(some),
        class_name,
        paths,
        next(iter(ranges)) if len(ranges) == 1 else (),
        all(told_of) if told_of else by_itself or is_api,
        tuple(notes),
    )


def _checked(
    host: Host,
    sources: Sources,
    options: Options,
    spaces: set[str],
    there: Sequence[tuple[str, str]],
    owners: Sequence[tuple[str, str]],
) -> Host:
    """The host with what keeps it from being taken over, beside what its routes ask for."""
    notes = list(host.notes)
    name = host.hostname
    if problem := hostnames.problem(name):
        notes.append(stops(f"{name} is no hostname that a Domain can have. {problem}", "Leave it as it is.", name))
    if refused := sources.claims.problem(name, host.namespace):
        notes.append(stops(f"{name} {refused}.", "Ask whoever runs Certward.", name))
    if len(spaces) > 1:
        notes.append(
            stops(
                f"{name} is routed from several namespaces ({listed(sorted(spaces))}); a hostname has one App.",
                "Bring its Services into one namespace, or leave it with cert-manager.",
                name,
            )
        )
    rivals = {space for other, space in there if space != host.namespace and hostnames.conflicts(other, name)}
    if rivals:
        notes.append(
            stops(
                f"{name} belongs to a Domain in namespace {listed(sorted(rivals))}; a hostname has one namespace.",
                "Decide which of the two it is to be.",
                name,
            )
        )
    trouble = next(_unusable(host, sources, owners), None)
    if trouble and options.is_automatic:
        notes.append(told(sentence(trouble), "It gets an automatic certificate instead."))
    elif trouble:
        notes.append(
            stops(
                sentence(trouble), f"Or {_AUTOMATIC}." if "--" in trouble else sentence(_AUTOMATIC.capitalize()), name
            )
        )
    if hostnames.is_wildcard(name):
        notes.append(
            lost(
                f"{name}: an automatic certificate for a wildcard needs challenge.dns01 or challenge.dnsPersist01 in "
                "the operator's configuration.",
                "Until then keep cert-manager for its Certificate, or replace it by Domains for single hostnames.",
                name,
            )
        )
    found = sources.secrets.get(host.secret)
    return replace(host, notes=tuple(notes), is_covered=trouble is None, is_secret_owned=bool(found and found.owner))


def _unusable(host: Host, sources: Sources, owners: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Why its Secret could not be served as a manual certificate."""
    namespace, secret = host.secret
    found: SecretFound | None = sources.secrets.get(host.secret, SecretFound())
    if namespace != host.namespace:
        yield f"The certificate for {host.hostname} is in namespace {namespace}, its Services are in {host.namespace}"
    if found is None:
        yield f"There is no Secret {secret} yet: cert-manager has not obtained the certificate"
        return
    if found.problem:
        yield f"Secret {secret} cannot be served: {found.problem}"
    covered = found.facts.hostnames if found.facts else host.wish.names
    if not any(hostnames.covers(name, host.hostname) for name in covered):
        names = listed(covered) or "no hostname"
        yield f"The certificate in Secret {secret} is not for {host.hostname}, but for {names}"
    others = sorted(
        f"{hostname} in {space}"
        for hostname, space in owners
        if space != host.namespace and any(hostnames.covers(name, hostname) for name in covered)
    )
    if others:
        yield (
            f"The certificate in Secret {secret} is also for {listed(others, 3)}; one that covers hostnames of another "
            "namespace is not served as a manual one"
        )
