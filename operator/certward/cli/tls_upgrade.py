"""`tls impact` and `tls upgrade`: what a move to another revision would do, and the move."""

from collections.abc import Sequence
from typing import Annotated

import typer

from certward.cli import changes, defaults, impacts, words
from certward.cli.command import command
from certward.cli.context import Session, read_one
from certward.cli.defaults import OPERATOR, OPERATOR_NAMESPACE
from certward.cli.errors import Exit, usage
from certward.cli.tls import REVISION, group
from certward.cli.waiting import TIMEOUT, WAIT
from certward.model import profiles
from certward.model.impact import impact
from certward.model.policy import Rules
from certward.model.resources import App
from certward.plan.upgrade import upgrade as plan_upgrade


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
        session.out.data([impacts.data(one) for one in found])
        return
    if not found:
        session.out.say(f"A move to revision {after.default} changes nothing for {_how_many(apps)}.")
        return
    impacts.tell(session, found)


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
        impacts.tell(session, [planned.impact])
        if not planned.impact.is_change and planned.is_needed:
            session.out.line("A policy in force names its own revision, so what is served stays as it is.")
    else:
        session.out.data(
            {
                "needed": planned.is_needed,
                "pinned": planned.pinned,
                "annotation": {name: value},
                **impacts.data(planned.impact),
            }
        )
    if not planned.is_needed and known.is_known:
        session.out.say(f"{app.meta.name} is at today's default, revision {value}, already.")
        return Exit.DONE
    if dry_run:
        session.out.say(f'Nothing was changed. To do so in git, set the annotation {name}: "{value}" on the App.')
        return Exit.DONE
    impacts.ask(session, f"Move {app.meta.name} to revision {value}?", planned.impact.lost, is_yes=yes)
    # Without the annotation the operator moves the App to its default, whichever that is.
    change = {"metadata": {"annotations": {name: value if known.is_known else None}}}
    changes.patch(session, body, change, is_dry_run=False)
    session.out.say(f"Moving {app.meta.name} to revision {value}... done")
    return impacts.wait_for(session, app, planned.impact.after, "", timeout) if wait else Exit.DONE


def _how_many(apps: Sequence[App]) -> str:
    return apps[0].meta.name if len(apps) == 1 else words.count(len(apps), "app")
