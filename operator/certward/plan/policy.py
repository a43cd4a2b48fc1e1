"""The status of a TLSPolicy: whether it is accepted, for how many Apps it is in force, and where that shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from certward.errors import InvalidSpec
from certward.model import policy as policies
from certward.model import profiles
from certward.model.conditions import Condition, is_true, no, render, unknown, yes
from certward.model.policy import Effective, Rules
from certward.model.profiles import Profile
from certward.model.resources import App, TLSPolicy, key_of

#: Why a policy is not in force that nobody has to do anything about: another one is meant to come first.
_OUTRANKED = ("Overridden", "PartiallyOverridden")
#: Why it is not in force and will not be, as things are.
_GIVEN_UP = ("NotEnforceable",)


def status(
    policy: TLSPolicy, others: Sequence[TLSPolicy], apps: Sequence[App], rules: Rules, *, now: datetime
) -> dict[str, Any]:
    """The whole status.

    Args:
        policy: the policy.
        others: all policies of its namespace; this one may be among them.
        apps: all Apps of its namespace.
        rules: from the configuration.
        now: aware UTC datetime; shows only where something changes.
    """
    everyone = [*(other for other in others if key_of(other) != key_of(policy)), policy]
    targeted = sorted((app for app in apps if policies.rank(policy, app) is not None), key=lambda a: a.meta.name)
    claimed = [app for app in targeted if policies.claiming(app, everyone) is policy]
    effective = {app.meta.name: policies.effective(app, everyone, rules) for app in claimed}
    in_force = [app for app in claimed if effective[app.meta.name].policy == policy.meta.name]
    enforced = [app for app in in_force if _is_enforced(app, effective[app.meta.name])]
    accepted = _accepted(policy, everyone, targeted, claimed, rules)
    shown = _enforced(accepted, targeted, claimed, in_force, enforced)
    return {
        "observedGeneration": policy.meta.generation,
        "apps": {"targeted": len(targeted), "inForce": len(in_force), "enforced": len(enforced)},
        "conditions": render(
            [accepted, shown, *_progress(accepted, shown)],
            policy.status.get("conditions") or (),
            generation=policy.meta.generation,
            now=now,
        ),
    }


def _progress(accepted: Condition, enforced: Condition) -> list[Condition]:
    """Reconciling and Stalled as kstatus reads them, never both: whether to wait, or to do something about it."""
    if accepted.status == "False":
        wrong, is_awaited = accepted, accepted.reason == "TargetNotFound"
    elif enforced.status == "False" and enforced.reason not in _OUTRANKED:
        wrong, is_awaited = enforced, enforced.reason not in _GIVEN_UP
    else:
        return [no("Reconciling", "Settled"), no("Stalled", "NotStalled")]
    if is_awaited:
        return [yes("Reconciling", wrong.reason, wrong.message), no("Stalled", "NotStalled")]
    return [no("Reconciling", "Settled"), yes("Stalled", wrong.reason, wrong.message)]


def _is_enforced(app: App, effective: Effective) -> bool:
    tls = app.status.get("tls") or {}
    is_shown = (tls.get("policy"), tls.get("profile"), tls.get("revision")) == (
        effective.policy,
        effective.profile.name,
        effective.profile.revision,
    )
    return is_shown and is_true(app.status.get("conditions") or (), "PolicyEnforced")


def _accepted(
    policy: TLSPolicy, everyone: Sequence[TLSPolicy], targeted: Sequence[App], claimed: Sequence[App], rules: Rules
) -> Condition:
    missing = sorted(set(policy.targets or ()) - {app.meta.name for app in targeted})
    if policy.targets is not None and not targeted:
        return no(
            "Accepted",
            "TargetNotFound",
            f"There is no App {', '.join(missing)} in namespace {policy.meta.namespace}; create it, or correct "
            "spec.targetRefs.",
        )
    try:
        declared = _declared(policy, targeted, claimed, rules)
    except InvalidSpec as refusal:
        return no("Accepted", refusal.reason, refusal.message)
    if beneath := next(filter(None, (policies.below_floor(profile, rules) for profile in declared)), None):
        return no("Accepted", beneath.reason, beneath.message)
    winners = _same_rank_winners(policy, everyone, targeted)
    if winners and not claimed:
        return no(
            "Accepted",
            "Conflicted",
            f"TLSPolicy {', '.join(winners)} is for the same Apps and comes first, by age and then by name; this one "
            "takes effect once that one is gone.",
        )
    words = []
    if any(profile.deprecated for profile in declared):
        words.append(f"Profile {policy.profile} is deprecated and gone in revision {profiles.REVISIONS[-1]}.")
    if missing:
        words.append(f"There is no App {', '.join(missing)} yet.")
    return yes("Accepted", "Accepted", " ".join(words))


def _declared(policy: TLSPolicy, targeted: Sequence[App], claimed: Sequence[App], rules: Rules) -> list[Profile]:
    """What the policy means: for each App that it has the say over, for new ones where there is no App yet.

    Raises:
        InvalidSpec: it means nothing for one of them.
    """
    if policy.revision is not None:
        return [profiles.profile(policy.revision, policy.profile)]
    if targeted:
        return [policies.declared_profile(policy, app, rules) for app in claimed]
    return [profiles.profile(profiles.first_revision_with(policy.profile, rules.default), policy.profile)]


def _same_rank_winners(policy: TLSPolicy, others: Sequence[TLSPolicy], targeted: Sequence[App]) -> list[str]:
    """Names of the policies of the same rank that have the say over Apps of this one."""
    found = set()
    for app in targeted:
        winner = policies.claiming(app, others)
        if winner and winner.meta.name != policy.meta.name and policies.rank(winner, app) == policies.rank(policy, app):
            found.add(winner.meta.name)
    return sorted(found)


def _enforced(
    accepted: Condition,
    targeted: Sequence[App],
    claimed: Sequence[App],
    in_force: Sequence[App],
    enforced: Sequence[App],
) -> Condition:
    if accepted.status != "True" and not in_force:
        return no("Enforced", accepted.reason, accepted.message)
    if not targeted:
        return unknown("Enforced", "NoApps", "There is no App that this policy is for.")
    if not in_force:
        return no(
            "Enforced", "Overridden", "A policy that points more closely at its Apps is in force for each of them."
        )
    overridden = sorted({app.meta.name for app in targeted} - {app.meta.name for app in claimed})
    if overridden:
        return no("Enforced", "PartiallyOverridden", f"Another policy is in force for App {', '.join(overridden)}.")
    if len(in_force) < len(claimed):
        return no("Enforced", accepted.reason, accepted.message)  # refused for some of its Apps
    pending = sorted({app.meta.name for app in in_force} - {app.meta.name for app in enforced})
    for app in sorted(in_force, key=lambda each: each.meta.name):
        if app.meta.name in pending and (broken := _broken(app)):
            return no("Enforced", broken["reason"], f"App {app.meta.name}: {broken['message']}")
    if pending:
        return no("Enforced", "NotShown", f"No handshake has shown it yet for App {', '.join(pending)}.")
    return yes("Enforced", "Enforced", "Shown by handshakes for every App.")


def _broken(app: App) -> Mapping[str, Any] | None:
    """What the App says of handshakes that have shown something else than its profile; None where it says nothing."""
    conditions = app.status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == "PolicyEnforced" and c.get("status") == "False"), None)
