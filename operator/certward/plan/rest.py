"""When a Domain is at rest: until something happens there is only to be looked whether it is still served."""

from datetime import datetime, timedelta

from certward.plan.domain import looks_beside_proof
from certward.plan.observed import Observed, Plan, Step, label


def rests_for(observed: Observed, plan: Plan, now: datetime) -> timedelta:
    """How long a Domain needs no decision if nothing of what it depends on changes; zero: it is not at rest.

    Args:
        observed: of the Domain.
        plan: what was decided on it.
        now: aware UTC datetime.
    """
    proof, app, serving = observed.proof, observed.app, plan.serving
    if app is None or proof is None or serving is None or plan.step is not Step.NONE or plan.leaves_class:
        return timedelta()
    is_waited_for = observed.obstacle or observed.order_url or observed.failure or observed.refused
    is_amiss = observed.foreign or observed.disturbed is not None or observed.unrevoked or observed.dns_warning
    is_of_others = (
        observed.is_moving or observed.owner or observed.refusal or observed.shares_certificate or observed.manual
    )
    if is_waited_for or is_amiss or is_of_others or not app.is_automatic or observed.secret.is_remembered:
        return timedelta()
    is_shown = not proof.problem and proof.since is None and proof.fingerprint == serving.facts.fingerprint_sha256
    is_enforced = proof.policy_reason in ("Enforced", "EnforcedNarrower") and proof.profile == label(observed.profile)
    if not is_shown or not is_enforced or plan.status != observed.domain.status:
        return timedelta()
    return max(min(looks_beside_proof(observed, now)), timedelta())
