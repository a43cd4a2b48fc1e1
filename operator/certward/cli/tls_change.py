"""`tls set`, `tls upgrade`, `tls impact`: what a change of TLS would do, and the change itself."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from certward.cli import changes, defaults, words
from certward.cli import view as views_of
from certward.cli.api import Object
from certward.cli.command import command
from certward.cli.context import Session, read_one
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit, failed, not_found, usage
from certward.cli.tls import REVISION, group
from certward.cli.view import Data
from certward.cli.waiting import TIMEOUT, WAIT
from certward.model import conditions, policy, profiles
from certward.model.clients import Client
from certward.model.impact import Impact, compare, impact
from certward.model.policy import Rules
from certward.model.profiles import Profile
from certward.model.resources import App, Body, TLSPolicy, format_time
from certward.names import API_VERSION
from certward.plan.upgrade import upgrade as plan_upgrade

ProfileName = Literal["modern", "default", "legacy", "strict"]


@command(group, "impact", "tls impact --revision 2026-11 -A", "tls impact -a shop")
def show_impact(
    session: Session, *, revision: REVISION = None, operator_namespace: OPERATOR = OPERATOR_NAMESPACE
) -> None:
    """Tell what a move to another revision would change.

    For which apps, and which clients would be locked out.
    """
    known = defaults.read(session, operator_namespace)
    if revision is None:
        defaults.tell(session, known)
    elif revision not in profiles.REVISIONS:
        raise usage(f"There is no revision {revision}; there are {', '.join(profiles.REVISIONS)}.")
    after = Rules(revision or known.rules.default, known.rules.history, known.rules.floor)
    apps = session.apps()
    found = impact(apps, session.policies(), known.rules, after)
    if not session.out.is_table:
        session.out.data([impact_data(one) for one in found])
        return
    if not found:
        session.out.say(f"A move to revision {after.default} changes nothing for {_how_many(apps)}.")
        return
    tell_impacts(session, found)


@command(group, "upgrade", "tls upgrade -a shop --dry-run", "tls upgrade -a shop --wait")
def upgrade(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would change.")] = False,
    yes: changes.YES = False,
    wait: WAIT = False,
    timeout: TIMEOUT = 300,
    operator_namespace: OPERATOR = OPERATOR_NAMESPACE,
) -> int:
    """Move an App to today's default of the platform."""
    body = session.app_object()
    app = read_one(App, body)
    known = defaults.read(session, operator_namespace)
    defaults.tell(session, known)
    planned = plan_upgrade(app, known.rules, session.policies())
    name, value = planned.annotation
    if session.out.is_table:
        tell_impacts(session, [planned.impact])
        if not planned.impact.is_change and planned.is_needed:
            session.out.line("A policy in force names its own revision, so what is served stays as it is.")
    else:
        session.out.data(
            {
                "needed": planned.is_needed,
                "pinned": planned.pinned,
                "annotation": {name: value},
                **impact_data(planned.impact),
            }
        )
    if not planned.is_needed and known.is_known:
        session.out.say(f"{app.meta.name} is at today's default, revision {value}, already.")
        return Exit.DONE
    if dry_run:
        session.out.say(f'Nothing was changed. To do so in git, set the annotation {name}: "{value}" on the App.')
        return Exit.DONE
    _ask(session, f"Move {app.meta.name} to revision {value}?", planned.impact.lost, is_yes=yes)
    # Without the annotation the operator moves the App to its default, whichever that is.
    change = {"metadata": {"annotations": {name: value if known.is_known else None}}}
    changes.patch(session, body, change, is_dry_run=False)
    session.out.say(f"Moving {app.meta.name} to revision {value}... done")
    return _wait(session, app, planned.impact.after, "", timeout) if wait else Exit.DONE


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
    own, manifest = _policy_for(app, bodies, profile, revision)
    effect = _effect(app, manifest, session.policies(), known.rules)
    if not dry_run:
        tell_impacts(session, [effect])
        _ask(session, f"Serve {app.meta.name} with profile {profile}?", effect.lost, is_yes=yes)
    if own is not None:
        is_written = changes.patch(session, own, {"spec": manifest["spec"]}, is_dry_run=dry_run)
    else:
        is_written = changes.create(session, manifest, is_dry_run=dry_run)
    if not is_written:
        return Exit.DONE
    name = manifest["metadata"]["name"]
    session.out.say(f"Setting profile {profile} for {app.meta.name} (TLSPolicy {name})... done")
    code = _wait(session, app, effect.after, name, timeout) if wait else Exit.DONE
    if not session.out.is_table:
        session.out.data({"policy": name, **impact_data(effect)})
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
    own = next((body for body in bodies if _targets(body) == [app.meta.name]), None)
    if own is None:
        raise not_found(f"There is no TLSPolicy for {app.meta.name} alone.")
    known = defaults.read(session, operator_namespace)
    policies = session.policies()
    left = [one for one in policies if one.meta.name != own["metadata"]["name"]]
    before, after = (policy.effective(app, some, known.rules).profile for some in (policies, left))
    effect = compare(app, before, after)
    tell_impacts(session, [effect])
    name = own["metadata"]["name"]
    _ask(session, f"Delete TLSPolicy {name}?", effect.lost, is_yes=yes)
    changes.warn_of_git(session, own)
    session.api.delete("TLSPolicy", session.namespace, name, uid=own["metadata"]["uid"])
    session.out.say(f"Deleting TLSPolicy {name}... done")
    if not session.out.is_table:
        session.out.data({"policy": name, "removed": True, **impact_data(effect)})
    return Exit.DONE


def impact_data(one: Impact) -> Data:
    """What a move means for one App, for programs."""
    return {
        "app": one.app.name,
        "namespace": one.app.namespace,
        "changes": one.is_change,
        "before": _profile_data(one.before),
        "after": _profile_data(one.after),
        "lost": [client.name for client in one.lost],
        "gained": [client.name for client in one.gained],
    }


def tell_impacts(session: Session, found: Sequence[Impact]) -> None:
    """What a move means, for people."""
    session.out.table(
        ["App", "Namespace", "Now", "Then", "Clients Lost", "Clients Gained"],
        [
            [
                one.app.name,
                one.app.namespace if session.flags.all_namespaces else "",
                _profile_words(one.before),
                _profile_words(one.after) if one.is_change else "no change",
                str(len(one.lost)),
                str(len(one.gained)),
            ]
            for one in found
        ],
    )
    for one in found:
        if one.lost:
            session.out.line(f"{one.app.name} would no longer be reached by: {', '.join(c.name for c in one.lost)}.")
        if one.gained:
            session.out.line(
                f"{one.app.name} would be reached by, in addition: {', '.join(c.name for c in one.gained)}."
            )


def _policy_for(app: App, bodies: Sequence[Object], profile: str, revision: str | None) -> tuple[Object | None, Object]:
    """The TLSPolicy of this App alone if there is one, and what it is to say; else one to be made.

    Raises:
        CliError: another policy names the App together with others, and would stay in force.
    """
    spec: Object = {"profile": profile, **({"revision": revision} if revision else {})}
    own = next((body for body in bodies if _targets(body) == [app.meta.name]), None)
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


def _targets(body: Object) -> list[str] | None:
    refs = (body.get("spec") or {}).get("targetRefs")
    return None if refs is None else [ref["name"] for ref in refs]


def _effect(app: App, manifest: Object, policies: Sequence[TLSPolicy], rules: Rules) -> Impact:
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


def _ask(session: Session, question: str, lost: Sequence[Client], *, is_yes: bool) -> None:
    """Ask where clients would be locked out; anything else needs no question."""
    if lost:
        changes.confirm(
            session, f"{question} {words.count(len(lost), 'known client')} would be locked out.", is_yes=is_yes
        )


def _wait(session: Session, app: App, wanted: Profile, policy_name: str, seconds: int) -> Exit:
    """Wait until handshakes show the profile on every hostname of the App."""
    session.out.say(f"Waiting until handshakes show profile {wanted.name} of revision {wanted.revision}...")
    deadline = time.monotonic() + seconds
    told = ""
    while True:
        status: Body = (session.api.get("App", app.meta.namespace, app.meta.name) or {}).get("status") or {}
        tls = status.get("tls") or {}
        is_in_force = (tls.get("profile"), tls.get("revision")) == (wanted.name, wanted.revision)
        is_in_force = is_in_force and (not policy_name or tls.get("policy") == policy_name)
        found = status.get("conditions") or ()
        now = next((str(c.get("message") or c.get("reason")) for c in found if c.get("type") == "PolicyEnforced"), "")
        if is_in_force and conditions.is_true(found, "PolicyEnforced"):
            session.out.say(f"Done. Grade: {tls.get('grade') or 'not known yet'}.")
            return Exit.DONE
        if now != told:
            session.out.say(f"  {now}")
            told = now
        if time.monotonic() >= deadline:
            session.out.say(f"Error: not shown within {words.count(seconds, 'second')}; see: kubectl certward tls")
            return Exit.FAILED
        time.sleep(1)


def _profile_data(profile: Profile) -> Data:
    return {
        "profile": profile.name,
        "revision": profile.revision,
        "minVersion": profile.min_version,
        "maxVersion": profile.max_version,
    }


def _profile_words(profile: Profile) -> str:
    return f"{profile.name} {profile.revision} ({views_of.versions(profile.min_version, profile.max_version)})"


def _how_many(apps: Sequence[App]) -> str:
    return apps[0].meta.name if len(apps) == 1 else words.count(len(apps), "app")
