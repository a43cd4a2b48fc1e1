"""What is said of the operator: its definitions, rights, Lease, Deployment and configuration. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from certward.cli.findings import Finding, Unseen, Verdict, broken, not_looked_at, ok, warning
from certward.cli.words import are, listed, span
from certward.model.conditions import is_true
from certward.model.policy import Rules, pinned_revision
from certward.model.profiles import REVISIONS
from certward.model.resources import App, format_time, parse_time
from certward.names import ANNOTATION_DEFAULT_REVISION, VERSION
from certward.plan.shards import in_words

Body = Mapping[str, Any]
_APPLY_CRDS: Final = "Apply them: kubectl apply --server-side -k crds"


def definitions(found: Mapping[str, Body | None] | Unseen, served: Collection[str] | None) -> Finding:
    """The custom resource definitions.

    Args:
        found: the definitions by their names; None for one that is not there.
        served: the plurals that the API server serves in the version that this plugin knows; None: it serves none.
    """
    if isinstance(found, Unseen):
        if served is None:
            return broken(f"The cluster does not serve certward.dev/{VERSION}.", _APPLY_CRDS)
        return ok(
            f"certward.dev/{VERSION} is served: {', '.join(sorted(served))}. ({found.why[:1].upper()}{found.why[1:]}.)"
        )
    lacking = [name for name, body in found.items() if body is None]
    if lacking:
        return broken(f"{listed(lacking)} {are(lacking)} not there.", _APPLY_CRDS)
    present = {name: body for name, body in found.items() if body is not None}
    unborn = [name for name, body in present.items() if not is_true(_conditions(body), "Established")]
    if unborn:
        return broken(
            f"{listed(unborn)} {are(unborn)} not established, so the API server does not serve them.", _APPLY_CRDS
        )
    older = [name for name, body in present.items() if VERSION not in _served_versions(body)]
    if older:
        return broken(
            f"{listed(older)} {'do' if len(older) > 1 else 'does'} not serve {VERSION}, the version that this plugin "
            "knows.",
            f"{_APPLY_CRDS}, of the same release as this plugin.",
        )
    return ok(f"{listed(sorted(present))} are established and serve {VERSION}, which this plugin knows.")


def rights(missing: Sequence[str] | Unseen, account: str) -> Finding:
    """What the operator's account may not and has to."""
    if isinstance(missing, Unseen):
        return not_looked_at(f"The rights of {account}: {missing.why}.")
    if missing:
        return broken(
            f"{account} may not {listed(missing)}.",
            "Apply the manifests of its release, or your overlay: kubectl apply --server-side -k manifests/base",
        )
    return ok(f"{account} has every right that it needs.")


def lease(body: Body | Unseen | None, now: datetime) -> Finding:
    """Which replica works."""
    if isinstance(body, Unseen):
        return not_looked_at(f"The Lease: {body.why}.")
    spec = (body or {}).get("spec") or {}
    holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime")
    if not holder or not renewed:
        words = "Nobody holds the Lease certward, so no operator works."
        return broken(words, "See the operator's pods and their logs.")
    age = now - parse_time(renewed)
    since = f" since {format_time(parse_time(spec['acquireTime']))}" if spec.get("acquireTime") else ""
    duration = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 15))
    if age > 2 * duration:
        return broken(
            f"{holder} held the Lease{since}, but has not renewed it for {span(age)}: it has died or hangs, and "
            "nobody has taken over.",
            "See the operator's pods and their logs.",
        )
    return ok(f"{holder} works{since}; it renewed the Lease {span(max(age, timedelta()))} ago.")


def leases(bodies: Mapping[int, Body | None] | Unseen, now: datetime) -> Finding:
    """Which replica works on which shard.

    Args:
        bodies: shard -> its Lease; None where there is none. With a single one, it is as `lease` says.
        now: by the API server's clock.
    """
    if isinstance(bodies, Unseen):
        return lease(bodies, now)
    if len(bodies) == 1:
        return lease(bodies[0], now)
    found = {shard: lease(body, now) for shard, body in bodies.items()}
    idle = [shard for shard, finding in found.items() if finding.verdict is not Verdict.OK]
    if idle:
        return broken(
            f"Nobody works on {in_words(idle)} of {len(bodies)}. {found[idle[0]].words}", found[idle[0]].advice
        )
    holders: dict[str, list[int]] = {}
    for shard, body in bodies.items():
        holders.setdefault(str((body or {})["spec"]["holderIdentity"]), []).append(shard)
    works = [f"{holder} works on {in_words(shards)}" for holder, shards in sorted(holders.items())]
    return ok(f"{listed(works)}, of {len(bodies)}.")


def deployment(body: Body | Unseen | None, pods: Sequence[Body] | Unseen, namespace: str) -> Finding:
    """The operator's Deployment and its pods."""
    if isinstance(body, Unseen):
        return not_looked_at(f"The Deployment: {body.why}.")
    if body is None:
        return warning(
            f"There is no Deployment certward in namespace {namespace}: the operator runs elsewhere, or not at all.",
            "If it is installed in another namespace, name that by --operator-namespace.",
        )
    wanted = int((body.get("spec") or {}).get("replicas", 1))
    ready = int((body.get("status") or {}).get("readyReplicas") or 0)
    troubles = [] if isinstance(pods, Unseen) else [words for pod in pods for words in _pod_troubles(pod)]
    if wanted == 0:
        return broken(
            "The Deployment certward is scaled to 0.", f"kubectl -n {namespace} scale deployment/certward --replicas=1"
        )
    if ready < wanted:
        words = f"{ready} of {wanted} replicas are ready. {' '.join(troubles)}".rstrip()
        advice = f"kubectl -n {namespace} describe pods; kubectl -n {namespace} logs deployment/certward"
        return broken(words, advice) if ready == 0 else warning(words, advice)
    if troubles:
        return warning(f"{ready} of {wanted} replicas are ready. {' '.join(troubles)}")
    return ok(f"{ready} of {wanted} replicas are ready.")


def configuration(
    text: str | Unseen,
    problem: str,
    changed_at: datetime | None,
    started_at: datetime | None,
    dangers: Sequence[str] = (),
) -> Finding:
    """The operator's configuration.

    Args:
        text: as it stands in the ConfigMap.
        problem: the mistakes in it; empty when there are none.
        changed_at: when it was last written.
        started_at: when the operator last started; None where that cannot be seen.
        dangers: what it allows though hardly anybody means it (`Config.warnings`).
    """
    if isinstance(text, Unseen):
        return not_looked_at(f"The configuration: {text.why}.")
    if problem:
        return broken(
            f"The configuration has mistakes, with which an operator does not start: {'; '.join(problem.splitlines())}",
            "Correct it; docs/configuration.md lists every field.",
        )
    if changed_at and started_at and changed_at > started_at:
        return warning(
            f"The configuration was changed at {format_time(changed_at)}, after the operator had started, which reads "
            "it once.",
            "kubectl rollout restart deployment/certward, in the operator's namespace",
        )
    if dangers:
        return warning(
            " ".join(dangers), "Say in hostnames which namespaces may claim what; see docs/configuration.md."
        )
    return ok("The configuration can be read and holds no mistake.")


def floor(rules: Rules | Unseen, apps: Sequence[App], where: str) -> Finding:
    """Whether anything holds against an App that is pinned to an older TLS revision, and whether one is.

    Args:
        rules: by which the operator goes.
        apps: that can be seen.
        where: those are, in words.
    """
    if isinstance(rules, Unseen):
        return not_looked_at(f"The floor of TLS: {rules.why}.")
    if rules.floor:
        return ok(f"Nothing beneath {rules.floor} is served (tls.floor).")
    older = sorted(f"{app.meta.namespace}/{app.meta.name}" for app in apps if _is_pinned_back(app, rules))
    if not older:
        return ok(f"No tls.floor is set; no App {where} is pinned to an older TLS revision than it was created under.")
    return warning(
        f"No tls.floor is set, and {listed(older)} {are(older)} pinned to an older TLS revision than was the default "
        "at creation. Whoever may edit Apps can pin them so.",
        "If that is not meant: kubectl certward tls upgrade. tls.floor in the configuration holds against every pin.",
    )


def _is_pinned_back(app: App, rules: Rules) -> bool:
    """Whether the annotation says an older revision than the App would have had without it when it was created."""
    pinned = app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION, "")
    others = {name: value for name, value in app.meta.annotations.items() if name != ANNOTATION_DEFAULT_REVISION}
    unpinned = replace(app, meta=replace(app.meta, annotations=others), status={})
    first = pinned_revision(unpinned, default=rules.default, history=rules.history)
    return pinned in REVISIONS and REVISIONS.index(pinned) < REVISIONS.index(first)


def _pod_troubles(pod: Body) -> list[str]:
    found = []
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            said = f": {waiting['message']}" if waiting.get("message") else ""
            found.append(f"Pod {pod['metadata']['name']} waits ({waiting['reason']}{said}).")
        elif (ended := (container.get("lastState") or {}).get("terminated")) and container.get("restartCount"):
            often = f"has restarted {container['restartCount']} times"
            found.append(f"Pod {pod['metadata']['name']} {often}, the last time with status {ended.get('exitCode')}.")
    return found


def _conditions(body: Body) -> Sequence[Body]:
    return (body.get("status") or {}).get("conditions") or ()


def _served_versions(body: Body) -> list[str]:
    return [each["name"] for each in body["spec"]["versions"] if each.get("served")]
