"""`tls set` and `tls unset`: the TLSPolicy of an App alone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from certward.cli import changes, defaults, impacts, words
from certward.cli.api import Object
from certward.cli.command import command
from certward.cli.context import Session
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit, failed, not_found, usage
from certward.cli.tls import REVISION, group
from certward.cli.waiting import TIMEOUT, WAIT
from certward.model import policy
from certward.model.impact import Impact, compare
from certward.model.policy import Rules
from certward.model.resources import App, TLSPolicy, format_time
from certward.names import API_VERSION

ProfileName = Literal["modern", "default", "legacy", "strict"]


@command(group, "set", "tls set modern -a shop", "tls set default -a shop --revision 2018-06 --dry-run")
def set_profile(
    session: Session,
    profile: Annotated[ProfileName, typer.Argument(metavar="PROFILE", help="modern, default, legacy or strict.")],
    *,
    revision: REVISION = None,
    yes: changes.YES = False,
    wait: WAIT = False,
    timeout: TIMEOUT = 300,
    dry_run: changes.DRY_RUN = False,
    operator_namespace: OPERATOR = OPERATOR_NAMESPACE,
) -> int:
    """Serve an App with another TLS profile, by a TLSPolicy.

    It shows beforehand whom that locks out.
    """
    app = session.app()
    known = defaults.read(session, operator_namespace)
    bodies = session.api.list("TLSPolicy", session.namespace)
    own, manifest = policy_for(app, bodies, profile, revision)
    effect = effect_of(app, manifest, session.policies(), known.rules)
    if not dry_run:
        impacts.tell(session, [effect])
        impacts.ask(session, f"Serve {app.meta.name} with profile {profile}?", effect.lost, is_yes=yes)
    if own is not None:
        change = {"profile": profile, **({"revision": revision} if revision else {})}
        body = own if dry_run else _unchanged(session, own)
        is_written = changes.patch(session, body, {"spec": change}, is_dry_run=dry_run, is_locked=True)
    else:
        is_written = changes.create(session, manifest, is_dry_run=dry_run)
    if not is_written:
        return Exit.DONE
    name = manifest["metadata"]["name"]
    session.out.say(f"Setting profile {profile} for {app.meta.name} (TLSPolicy {name})... done")
    code = impacts.wait_for(session, app, effect.after, name, timeout) if wait else Exit.DONE
    if not session.out.is_table:
        session.out.data({"policy": name, **impacts.data(effect)})
    return code


@command(group, "unset", "tls unset -a shop")
def unset_profile(
    session: Session,
    *,
    yes: changes.YES = False,
    operator_namespace: OPERATOR = OPERATOR_NAMESPACE,
) -> int:
    """Take away the TLSPolicy that is for the App alone.

    The App is served its default again, or what another policy says.
    """
    app = session.app()
    bodies = session.api.list("TLSPolicy", session.namespace)
    own = own_of(app, bodies)
    if own is None:
        raise not_found(f"There is no TLSPolicy for {app.meta.name} alone.")
    known = defaults.read(session, operator_namespace)
    policies = session.policies()
    left = [one for one in policies if one.meta.name != own["metadata"]["name"]]
    before, after = (policy.effective(app, some, known.rules).profile for some in (policies, left))
    effect = compare(app, before, after)
    impacts.tell(session, [effect])
    name = own["metadata"]["name"]
    impacts.ask(session, f"Delete TLSPolicy {name}?", effect.lost, is_yes=yes)
    meta = _unchanged(session, own)["metadata"]
    changes.warn_of_git(session, own)
    session.api.delete("TLSPolicy", session.namespace, name, uid=meta["uid"], version=meta["resourceVersion"])
    session.out.say(f"Deleting TLSPolicy {name}... done")
    if not session.out.is_table:
        session.out.data({"policy": name, "removed": True, **impacts.data(effect)})
    return Exit.DONE


def policy_for(app: App, bodies: Sequence[Object], profile: str, revision: str | None) -> tuple[Object | None, Object]:
    """The TLSPolicy of this App alone if there is one, and what it is to say; else one to be made.

    Raises:
        CliError: another policy names the App together with others, and would stay in force.
    """
    spec: Object = {"profile": profile, **({"revision": revision} if revision else {})}
    own = own_of(app, bodies)
    if own is not None:
        return own, {**own, "spec": {**own["spec"], **spec}}
    shared = next((body for body in bodies if app.meta.name in (_targets(body) or ())), None)
    if shared is not None:
        names = words.listed([name for name in _targets(shared) or () if name != app.meta.name])
        raise failed(
            f"TLSPolicy {shared['metadata']['name']} names {app.meta.name} together with {names}, and would stay in "
            f"force. Change it there, or take {app.meta.name} out of its targetRefs first."
        )
    taken = {body["metadata"]["name"] for body in bodies}
    name = app.meta.name if app.meta.name not in taken else f"{app.meta.name}-tls"
    return None, {
        "apiVersion": API_VERSION,
        "kind": "TLSPolicy",
        "metadata": {"name": name, "namespace": app.meta.namespace},
        "spec": {"targetRefs": [{"kind": "App", "name": app.meta.name}], **spec},
    }


def own_of(app: App, bodies: Sequence[Object]) -> Object | None:
    """The TLSPolicy that names this App and no other; of several the oldest, which is the one in force."""
    own = [body for body in bodies if _targets(body) == [app.meta.name]]
    return min(own, key=lambda body: (body["metadata"]["creationTimestamp"], body["metadata"]["name"]), default=None)


def _unchanged(session: Session, own: Object) -> Object:
    """A TLSPolicy as it is now, with the version that a write is to be locked to.

    The operator may have written its status while the user thought about the question; that changes nothing of it.

    Raises:
        CliError: somebody has changed it since it was read.
    """
    name = own["metadata"]["name"]
    now = session.api.get("TLSPolicy", session.namespace, name) or {"metadata": {}}
    if any(now["metadata"].get(field) != own["metadata"].get(field) for field in ("uid", "generation")):
        raise failed(
            f"TLSPolicy {name} was changed or deleted by somebody else at the same time. Nothing was done; look at it, "
            "then try again."
        )
    return {**own, "metadata": now["metadata"]}


def _targets(body: Object) -> list[str] | None:
    """The Apps that a TLSPolicy names; None where it names none."""
    refs = (body.get("spec") or {}).get("targetRefs")
    return None if refs is None else [ref["name"] for ref in refs]


def effect_of(app: App, manifest: Object, policies: Sequence[TLSPolicy], rules: Rules) -> Impact:
    """What a TLSPolicy changes for an App.

    Raises:
        CliError: the operator would refuse it.
    """
    unborn = {"uid": "", "resourceVersion": "0", "creationTimestamp": format_time(datetime.now(UTC))}
    new = TLSPolicy.from_body({**manifest, "metadata": {**unborn, **manifest["metadata"]}})
    after = policy.effective(app, [*(one for one in policies if one.meta.name != new.meta.name), new], rules)
    if after.refusal:
        raise usage(after.refusal.message)
    if after.policy != new.meta.name:
        raise failed(f"TLSPolicy {after.policy} is older and would stay in force; change or delete that one.")
    return compare(app, policy.effective(app, policies, rules).profile, after.profile)
