"""What a change of TLS means for an App: told, asked about, and waited for until handshakes show it."""

import time
from collections.abc import Sequence

from certward.cli import changes, words
from certward.cli import view as views_of
from certward.cli.context import Session
from certward.cli.errors import Exit
from certward.cli.view import Data
from certward.model import conditions
from certward.model.clients import Client
from certward.model.impact import Impact
from certward.model.profiles import Profile
from certward.model.resources import App, Body


def data(one: Impact) -> Data:
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


def tell(session: Session, found: Sequence[Impact]) -> None:
    """What a move means, for people."""
    session.out.table(
        ["Namespace", "App", "Now", "Then", "Clients Lost", "Clients Gained"],
        [
            [
                one.app.namespace if session.flags.all_namespaces else "",
                one.app.name,
                profile_words(one.before),
                profile_words(one.after) if one.is_change else "no change",
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


def ask(session: Session, question: str, lost: Sequence[Client], *, is_yes: bool) -> None:
    """Ask where clients would be locked out; anything else needs no question."""
    if lost:
        changes.confirm(
            session, f"{question} {words.count(len(lost), 'known client')} would be locked out.", is_yes=is_yes
        )


def wait_for(session: Session, app: App, wanted: Profile, policy_name: str, seconds: int) -> Exit:
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
        # What is said while another profile is in force is about that one.
        now = next(
            (str(c.get("message") or "") for c in found if c.get("type") == "PolicyEnforced" and is_in_force), ""
        )
        if is_in_force and conditions.is_true(found, "PolicyEnforced"):
            session.out.say(f"Done. Grade: {tls.get('grade') or 'not known yet'}.")
            return Exit.DONE
        if now and now != told:
            session.out.say(f"  {now}")
            told = now
        if time.monotonic() >= deadline:
            session.out.say(f"Error: not shown within {words.count(seconds, 'second')}; see: {session.typed('tls')}")
            return Exit.FAILED
        time.sleep(1)


def profile_words(profile: Profile) -> str:
    """A profile with its revision and versions."""
    return f"{profile.name} {profile.revision} ({views_of.versions(profile.min_version, profile.max_version)})"


def _profile_data(profile: Profile) -> Data:
    return {
        "profile": profile.name,
        "revision": profile.revision,
        "minVersion": profile.min_version,
        "maxVersion": profile.max_version,
    }
