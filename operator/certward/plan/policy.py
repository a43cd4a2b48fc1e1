"""The status of a TLSPolicy: whether it is accepted, for how many Apps it is in force, and where that shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from certward.errors import InvalidSpec
from certward.model import policy as policies
from certward.model import profiles
from certward.model.conditions import Condition, is_true, no, render, unknown, yes
from certward.model.policy import Effective, Rules
from certward.model.resources import App, TLSPolicy


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
    targeted = sorted((app for app in apps if policies.rank(policy, app) is not None), key=lambda a: a.meta.name)
    effective = {app.meta.name: policies.effective(app, others, rules) for app in targeted}
    in_force = [app for app in targeted if effective[app.meta.name].policy == policy.meta.name]
    enforced = [app for app in in_force if _is_enforced(app, effective[app.meta.name])]
    accepted = _accepted(policy, others, targeted, in_force, rules)
    return {
        "observedGeneration": policy.meta.generation,
        "apps": {"targeted": len(targeted), "inForce": len(in_force), "enforced": len(enforced)},
        "conditions": render(
            [accepted, _enforced(accepted, targeted, in_force, enforced)],
            policy.status.get("conditions") or (),
            generation=policy.meta.generation,
            now=now,
        ),
    }


def _is_enforced(app: App, effective: Effective) -> bool:
    tls = app.status.get("tls") or {}
    is_shown = (tls.get("policy"), tls.get("profile"), tls.get("revision")) == (
        effective.policy,
        effective.profile.name,
        effective.profile.revision,
    )
    return is_shown and is_true(app.status.get("conditions") or (), "PolicyEnforced")


def _accepted(
    policy: TLSPolicy, others: Sequence[TLSPolicy], targeted: Sequence[App], in_force: Sequence[App], rules: Rules
) -> Condition:
    missing = sorted(set(policy.targets or ()) - {app.meta.name for app in targeted})
    if policy.targets is not None and not targeted:
        return no(
            "Accepted",
            "TargetNotFound",
            f"There is no App {', '.join(missing)} in namespace {policy.meta.namespace}; create it, or correct "
            "spec.targetRefs.",
        )
    if refusal := _refusal(policy, targeted, rules):
        return no("Accepted", refusal.reason, refusal.message)
    winners = _same_rank_winners(policy, others, targeted)
    if winners and not in_force:
        return no(
            "Accepted",
            "Conflicted",
            f"TLSPolicy {', '.join(winners)} is in force for the same Apps and is older; this one takes effect once "
            "that one is gone.",
        )
    words = []
    if _is_deprecated(policy, targeted, rules):
        words.append(f"Profile {policy.profile} is deprecated and gone in revision {profiles.REVISIONS[-1]}.")
    if missing:
        words.append(f"There is no App {', '.join(missing)} yet.")
    return yes("Accepted", "Accepted", " ".join(words))


def _refusal(policy: TLSPolicy, targeted: Sequence[App], rules: Rules) -> InvalidSpec | None:
    """The first reason for which the policy cannot be in force as declared for one of its Apps."""
    try:
        if policy.revision is not None:
            profiles.profile(policy.revision, policy.profile)
        for app in targeted:
            if refusal := policies.below_floor(policies.declared_profile(policy, app, rules), rules):
                return refusal
        if not targeted:
            profiles.first_revision_with(policy.profile, policy.revision or rules.default)
    except InvalidSpec as refusal:
        return refusal
    return None


def _same_rank_winners(policy: TLSPolicy, others: Sequence[TLSPolicy], targeted: Sequence[App]) -> list[str]:
    """Names of the policies of the same rank that have the say over Apps of this one."""
    found = set()
    for app in targeted:
        winner = policies.claiming(app, others)
        if winner and winner.meta.name != policy.meta.name and policies.rank(winner, app) == policies.rank(policy, app):
            found.add(winner.meta.name)
    return sorted(found)


def _is_deprecated(policy: TLSPolicy, targeted: Sequence[App], rules: Rules) -> bool:
    if policy.revision is not None:
        return profiles.profile(policy.revision, policy.profile).deprecated
    return any(policies.declared_profile(policy, app, rules).deprecated for app in targeted)


def _enforced(
    accepted: Condition, targeted: Sequence[App], in_force: Sequence[App], enforced: Sequence[App]
) -> Condition:
    if accepted.status != "True" and not in_force:
        return no("Enforced", accepted.reason, accepted.message)
    if not targeted:
        return unknown("Enforced", "NoApps", "There is no App that this policy is for.")
    if not in_force:
        return no(
            "Enforced", "Overridden", "A policy that points more closely at its Apps is in force for each of them."
        )
    overridden = sorted({app.meta.name for app in targeted} - {app.meta.name for app in in_force})
    if overridden:
        return no("Enforced", "PartiallyOverridden", f"Another policy is in force for App {', '.join(overridden)}.")
    pending = sorted({app.meta.name for app in in_force} - {app.meta.name for app in enforced})
    if pending:
        return no("Enforced", "NotShown", f"No handshake has shown it yet for App {', '.join(pending)}.")
    return yes("Enforced", "Enforced", "Shown by handshakes for every App.")
