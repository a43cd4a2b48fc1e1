"""Since when a Domain has wanted its first certificate, by which is measured how long that took."""

from datetime import datetime, timedelta
from typing import Final

from certward.model.resources import parse_time
from certward.plan.observed import Observed, Plan

#: Kubernetes cuts the time of creation down to the second.
_COARSE: Final = timedelta(seconds=2)


def wanted_since(observed: Observed, plan: Plan, known: datetime | None, now: datetime) -> datetime | None:
    """Since when the Domain has wanted its first certificate, with the way free for it.

    Args:
        observed: what is known of it.
        plan: what is done for it.
        known: what was answered before, in this process.
        now: aware UTC datetime.

    Returns:
        The time; None: it wants none, something else has to come first, or one has been shown already.
    """
    status = observed.domain.status
    if plan.routes is None or observed.app is None or not observed.app.is_automatic or status.get("certificate"):
        return None
    if known is not None:
        return known
    if not status:
        created_at = observed.domain.meta.created_at
        return created_at if now - created_at > _COARSE else now
    for condition in status.get("conditions") or ():  # a process before this one has begun
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return parse_time(condition["lastTransitionTime"])
    return now
