"""The report in words: what has become of each object, and the way on from there. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from certward.cli.importing import kept
from certward.cli.importing.apps import Moved
from certward.cli.importing.assemble import Import
from certward.cli.importing.findings import IMPORTED, LABEL_IMPORTED, Finding, Outcome
from certward.cli.words import count, listed

_SELECTOR = f"{LABEL_IMPORTED}={IMPORTED}"
OPERATOR_RESTART = "rollout restart deployment/certward"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way on.

    Attributes:
        title: what to do, and why then.
        commands: how.
    """

    title: str
    commands: tuple[str, ...] = ()


def headline(result: Import) -> str:
    """How it came out, in one line."""
    counted = Counter(one.outcome for one in result.findings)
    parts = [f"{counted[outcome]} {words}" for outcome, words in _OUTCOMES.items() if counted[outcome]]
    return f"{count(len(result.findings), 'object')}: {listed(parts) or 'none'}"


_OUTCOMES = {Outcome.TRANSLATED: "translated", Outcome.PARTLY: "partly", Outcome.NOT: "not translated"}


def written(result: Import) -> list[str]:
    """What is to be written, one line each; in the order in which it is written."""
    lines = [
        f"issuer {one['name']} ({one['directory']}) into the operator's configuration"
        for one in result.issuers.new
        if not result.keeper
    ]
    for body in result.apps:
        meta, certificates = body["metadata"], body["spec"]["certificates"]
        manual = [one["secretName"] for one in certificates.get("manual") or ()]
        how = "automatic certificates on" if certificates["automatic"] else "automatic certificates off"
        with_ = f", serving Secret {listed(manual)}" if manual else ""
        lines.append(f"App {meta['namespace']}/{meta['name']} ({how}{with_})")
    lines += [f"App {space}/{name} gets Secret {listed(secrets)} as well" for space, name, secrets in result.changes]
    for body in result.domains:
        meta, spec = body["metadata"], body["spec"]
        lines.append(f"Domain {meta['namespace']}/{meta['name']} ({spec['hostname']}, App {spec['appRef']['name']})")
    return lines


def steps(result: Import, operator_namespace: str, *, is_applied: bool, apply_command: str) -> list[Step]:
    """The way on, in the order in which no request fails."""
    found = []
    if not is_applied and (result.apps or result.domains or result.changes or result.issuers.new):
        accounts = " With --adopt-accounts the operator goes on with cert-manager's accounts at the CA."
        found.append(
            Step(
                "Write all of this. Hosts stay routed by what routes them today."
                + (accounts if result.issuers.accounts and result.issuers.new else ""),
                (apply_command,),
            )
        )
    if result.issuers.new:
        found.append(_read_anew(result, operator_namespace))
    if not result.moved:
        return found
    found.append(
        Step(
            "Wait until each host is shown to be served with its Secret. Your own routes are there as well, so that "
            "PolicyEnforced may name them until they go; the rest is as it will be.",
            (f"kubectl wait domains -A -l {_SELECTOR} --for=condition=Ready --timeout=3m",),
        )
    )
    found += _keep_secrets(result)
    found += _keep_certificates(result)
    found += _remove_routes(result)
    found += _turn_on(result.moved)
    found += _clean_up(result)
    found.append(
        Step(
            "To go back, as long as your own routes are there: take away what was made. Secrets stay.",
            (f"kubectl delete domains,apps -A -l {_SELECTOR}",),
        )
    )
    return found


def _read_anew(result: Import, operator_namespace: str) -> Step:
    """Bring new issuers to the operator."""
    restart = (f"kubectl -n {operator_namespace} {OPERATOR_RESTART}",)
    if not (keeper := result.keeper):
        return Step("Have the operator read its configuration anew.", restart)
    title = kept.way_there(keeper, [str(one["name"]) for one in result.issuers.new])
    return Step(title, () if keeper.is_release else restart)


def _keep_secrets(result: Import) -> Iterator[Step]:
    owned = sorted({one.host.secret for one in result.moved if one.host.is_secret_owned})
    if owned:
        yield Step(
            "Before anything is deleted: have cert-manager run without --enable-certificate-owner-ref, and free these "
            "Secrets, which would be deleted together with their Certificates.",
            tuple(
                f"kubectl -n {space} patch secret {name} --type=json "
                '-p=\'[{"op":"remove","path":"/metadata/ownerReferences"}]\''
                for space, name in owned
            ),
        )


def _keep_certificates(result: Import) -> Iterator[Step]:
    """Certificates that cert-manager goes on renewing have to outlive the Ingress that they were made for."""
    removed = {*result.removable, *result.shared}
    kept = {
        (one.host.secret[0], one.host.wish.source.name if one.host.wish.owner else one.host.secret[1])
        for one in result.moved
        if not one.can_be_automatic and (one.host.wish.owner or one.host.wish.source) in removed
    }
    if kept:
        yield Step(
            "cert-manager goes on renewing these Certificates, which would be deleted together with the Ingress that "
            "they were made for. Free them from it first.",
            tuple(
                f"kubectl -n {space} patch certificate {name} --type=json "
                '-p=\'[{"op":"remove","path":"/metadata/ownerReferences"}]\''
                for space, name in sorted(kept)
            ),
        )


def _remove_routes(result: Import) -> Iterator[Step]:
    for gateway, names in sorted(result.listeners.items()):
        yield Step(
            f"Take the listeners for {listed(names)} out of {gateway}; those of ListenerSets take their place.",
            (f"kubectl -n {gateway.namespace} edit gateway {gateway.name}",),
        )
    if result.removable:
        yield Step(
            "When they are Ready, remove your own routes for them (where they come from: git, a Helm value such as "
            "ingress.enabled). Do it before automatic certificates are turned on: an ingress with one store for all "
            "certificates goes on showing the old one as long as a route names it." + _on_traefik(result.moved),
            tuple(f"kubectl -n {ref.namespace} delete {ref.kind.lower()} {ref.name}" for ref in result.removable),
        )
    for ref in result.shared:
        mine = sorted({m.host.hostname for m in result.moved if any(rule.source == ref for rule in m.host.rules)})
        yield Step(
            f"Take {listed(mine)} out of the rules and the tls of {ref}, which stays for its other hosts.",
            (f"kubectl -n {ref.namespace} edit {ref.kind.lower()} {ref.name}",),
        )


def _on_traefik(moved: Sequence[Moved]) -> str:
    if not any("traefik" in one.host.class_name or not one.host.class_name for one in moved):
        return ""
    return (
        " Traefik 3.7 answers requests on connections that were opened before with 421, after which clients open new "
        "ones: choose a quiet hour."
    )


def _turn_on(moved: Sequence[Moved]) -> Iterator[Step]:
    ready = [one for one in moved if one.can_be_automatic]
    apps = sorted({(one.host.namespace, one.app) for one in ready})
    if apps:
        yield Step(
            "Then turn automatic certificates on, App by App: until each is issued and shown, the old one is served. "
            f"From here on Certward renews. That makes {count(len(ready), 'certificate')}, one for each hostname, with "
            "ECDSA keys where the App asks for no type; the operator keeps to the CA's limits, and hosts beyond them "
            "wait.",
            tuple(f"kubectl certward -n {space} certs migrate -a {app}" for space, app in apps),
        )


def _clean_up(result: Import) -> Iterator[Step]:
    served = {one.host.secret for one in result.moved if one.can_be_automatic}
    still = {one.host.secret for one in result.moved if not one.can_be_automatic}
    mine = sorted(
        f"kubectl -n {one.host.secret[0]} delete certificate {one.host.wish.source.name}"
        for one in result.moved
        if one.host.secret in served - still
        and one.host.wish.source.kind == "Certificate"
        and one.host.wish.owner is None
    )
    if mine:
        yield Step(
            "When nothing is served with their Secrets any more (kubectl certward certs), delete the Certificates; "
            "those of an Ingress have gone with it. Secrets stay until you delete them.",
            tuple(dict.fromkeys(mine)),
        )
    stay = [one for one in result.findings if one.source.kind == "Certificate" and one.outcome is Outcome.NOT]
    kept = sorted(
        {str(one.source) for one in stay} | {str(_of(one)) for one in result.moved if not one.can_be_automatic}
    )
    if kept:
        yield Step(f"cert-manager stays for {listed(kept, 20)}.")
    else:
        yield Step("Nothing is left for cert-manager: uninstall it as its documentation says.")


def _of(one: Moved) -> str:
    source = one.host.wish.source
    return str(source) if source.kind == "Certificate" else f"the certificate of {source}"


def data(result: Import, way: Sequence[Step]) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "objects": [*result.apps, *result.domains],
        "changes": [
            {"kind": "App", "namespace": space, "name": name, "addManual": list(secrets)}
            for space, name, secrets in result.changes
        ],
        "there": list(result.there),
        "issuers": [dict(one) for one in result.issuers.new],
        "report": [
            {
                "kind": one.source.kind,
                "namespace": one.source.namespace,
                "name": one.source.name,
                "outcome": str(one.outcome),
                "becomes": list(one.becomes),
                "notes": [{"weight": n.weight.name.lower(), "what": n.what, "todo": n.todo} for n in one.notes],
            }
            for one in result.findings
        ],
        "unread": list(result.unread),
        "next": [{"title": step.title, "commands": list(step.commands)} for step in way],
    }


def markdown(result: Import, way: Sequence[Step]) -> str:
    """The report as a page."""
    lines = ["# From cert-manager to Certward", "", f"{headline(result)}.", ""]
    if result.unread:
        lines += [*(f"- {text}" for text in result.unread), ""]
    lines += ["| object | outcome | becomes |", "|---|---|---|"]
    lines += [f"| {one.source} | {one.outcome} | {', '.join(one.becomes)} |" for one in result.findings]
    lines += ["", "## What to know of each"]
    for one in result.findings:
        if one.notes:
            lines += ["", f"### {one.source}: {one.outcome}", "", *(f"- {text}" for text in note_lines(one))]
    lines += ["", "## What is written", "", *(f"- {text}" for text in written(result))]
    lines += [f"- {text} is there already" for text in result.there]
    lines += ["", "## The way on"]
    for number, step in enumerate(way, 1):
        lines += ["", f"{number}. {step.title}"]
        if step.commands:
            lines += ["", "   ```sh", *(f"   {command}" for command in step.commands), "   ```"]
    return "\n".join(lines) + "\n"


def note_lines(one: Finding) -> list[str]:
    """The notes of a finding, each in a line."""
    return list(dict.fromkeys(f"{note.what} {note.todo}".rstrip() for note in one.notes))
