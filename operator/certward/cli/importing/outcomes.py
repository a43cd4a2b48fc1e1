"""What the report says of Certificates and routes, once it is known which hosts are taken over."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from certward.cli.importing.apps import Moved, Work
from certward.cli.importing.certificates import Wish
from certward.cli.importing.findings import Finding, Note, Ref, Sources, Weight, finding, lost, ref_of, stops, told
from certward.cli.importing.hosts import Host
from certward.cli.importing.reading import Reading
from certward.cli.words import listed
from certward.model import hostnames


def _becomes(moved: Sequence[Moved]) -> list[str]:
    found = [f"App {one.host.namespace}/{one.app}" for one in moved]
    return list(dict.fromkeys([*found, *(f"Domain {one.host.namespace}/{one.domain}" for one in moved)]))


def routes_after(reading: Reading, work: Work) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
    """The routes that are needed no more, and those that are needed for other hosts still."""
    moved = {(one.host.namespace, one.host.hostname) for one in work.moved}
    hosts_of: dict[Ref, set[bool]] = defaultdict(set)
    for key, some in reading.rules.items():
        for rule in some:
            hosts_of[rule.source].add(key in moved)
    for ref in reading.with_default:
        if True in hosts_of[ref]:
            hosts_of[ref].add(False)
    whole = sorted(ref for ref, found in hosts_of.items() if found == {True})
    return tuple(whole), tuple(sorted(ref for ref, found in hosts_of.items() if found == {True, False}))


def listeners_after(reading: Reading, work: Work) -> dict[Ref, tuple[str, ...]]:
    """The hosts that are taken over from listeners of Gateways, by Gateway."""
    moved = {(one.host.namespace, one.host.hostname) for one in work.moved}
    found: dict[Ref, set[str]] = defaultdict(set)
    for key, some in reading.rules.items():
        for rule in some:
            if rule.gateway and key in moved:
                found[rule.gateway].add(rule.host)
    return {gateway: tuple(sorted(names)) for gateway, names in found.items()}


def of_certificates(sources: Sources, reading: Reading, work: Work) -> Iterator[Finding]:
    """What has become of each Certificate."""
    for key, wish in sorted(reading.wishes.items()):
        if wish.source.kind != "Certificate":
            continue
        mine = [one for one in work.moved if one.host.secret == key]
        used = {(rule.secret_namespace, rule.secret_name) for some in reading.rules.values() for rule in some}
        notes = [*wish.notes, *_issuer_notes(wish, work), *_owner_notes(sources, key, wish)]
        if not wish.stopped:
            notes += _unserved(wish, mine, key, is_routed=key in used, sources=sources)
        becomes = [f"Domain {one.host.namespace}/{one.domain}" for one in mine]
        if becomes and key[1]:
            notes.append(told(f"Its Secret {key[1]} is served as a manual certificate; nothing is reissued."))
        yield finding(wish.source, becomes, notes)


def _issuer_notes(wish: Wish, work: Work) -> Iterator[Note]:
    issuers = work.issuers
    if wish.issuer is None or wish.stopped:
        return
    if issuers.names.get(wish.issuer):
        if wish.issuer in issuers.by_dns:
            yield lost(
                f"{wish.issuer} proves hostnames by DNS-01; Certward proves them by HTTP-01, at port 80.",
                "See that the CA can reach them there before you turn automatic certificates on.",
            )
        return
    if wish.issuer in issuers.names or wish.issuer.group != "cert-manager.io":
        yield lost(
            f"{wish.issuer} has no counterpart, so that the App names no issuer.",
            "Keep cert-manager for this Certificate; what it renews is served. Or choose an issuer before you turn "
            "automatic certificates on.",
        )
    else:
        yield lost(
            f"{wish.issuer} was not among what was read, so that the App names no issuer.",
            "Import it as well, or name an issuer in the App's spec.certificates.issuer.",
        )


def _owner_notes(sources: Sources, key: tuple[str, str], wish: Wish) -> Iterator[Note]:
    found = sources.secrets.get(key)
    if found and found.owner:
        yield told(
            f"Secret {key[1]} would be deleted with it: cert-manager runs with --enable-certificate-owner-ref.",
            "Turn that option off and take metadata.ownerReferences out of the Secret before you delete anything.",
        )
    elif wish.owner:
        yield told(f"It is deleted together with {wish.owner}; its Secret stays.")


def _unserved(
    wish: Wish, mine: Sequence[Moved], key: tuple[str, str], *, is_routed: bool, sources: Sources
) -> Iterator[Note]:
    """Names of a Certificate that no host stands for."""
    if not mine and is_routed:
        yield stops("Its hosts stay as they are; see their routes.", "")
        return
    if not mine:
        users = listed(sorted(str(ref) for ref in _other_users(sources, key)))
        if users:
            yield stops(
                f"Its Secret is used by {users}, a kind of route that is not translated.",
                "Write App and Domain for the host, with the Secret in spec.certificates.manual; then remove it.",
            )
        else:
            yield stops(
                "No Ingress, HTTPRoute or IngressRoute that was read is served with its Secret.",
                "Keep cert-manager for it if something else reads the Secret (a mail server, a webhook, mutual TLS); "
                "else delete it.",
            )
        return
    idle = [name for name in wish.names if not any(hostnames.covers(name, one.host.hostname) for one in mine)]
    if idle:
        yield lost(
            f"No host that is taken over is for {listed(idle)}.",
            "If something else is served with it, keep the Certificate for it.",
        )


def _other_users(sources: Sources, key: tuple[str, str]) -> Iterator[Ref]:
    for kind in ("IngressRouteTCP", "HTTPProxy"):
        for body in sources.of(kind):
            spec = body.get("spec") or {}
            tls = (spec.get("virtualhost") or spec).get("tls") or {}
            if (ref_of(body).namespace, tls.get("secretName")) == key:
                yield ref_of(body)


def _as_accepted(note: Note) -> Note:
    return note._replace(todo="That is accepted.") if note.weight is Weight.RISKY else note


def of_routes(reading: Reading, hosts: Sequence[Host], work: Work) -> Iterator[Finding]:
    """What has become of each route and annotated Gateway; those without cert-manager are passed over."""
    by_source: Mapping[Ref, list[Host]] = defaultdict(list)
    for host in hosts:
        for rule in host.rules:
            by_source[rule.source].append(host)
            if rule.secret_namespace and rule.source.kind == "HTTPRoute":
                gateways = [
                    ref for ref in reading.routes if ref.kind == "Gateway" and ref.namespace == rule.secret_namespace
                ]
                for gateway in gateways:
                    by_source[gateway].append(host)
    for ref in reading.routes:
        its = by_source[ref]
        notes = list(reading.notes.get(ref, ()))
        if not its and not notes:
            continue  # it has nothing to do with cert-manager
        known = {(one.host.namespace, one.host.hostname): one for one in work.moved}
        mine = [known[key] for host in its if (key := (host.namespace, host.hostname)) in known]
        for host in its:
            is_moved = (host.namespace, host.hostname) in known
            notes += [_as_accepted(note) if is_moved else note for note in host.notes]
            notes += _issuer_notes(host.wish, work) if is_moved and host.wish.source == ref else ()
        stay = sorted({host.hostname for host in its if (host.namespace, host.hostname) not in known})
        if stay and mine:
            notes.append(lost(f"{listed(stay)} stays with cert-manager and with this {ref.kind}."))
        if not its:
            notes.append(stops("None of its hosts is served over HTTPS by a route that was read."))
        yield finding(ref, _becomes(mine), notes)
