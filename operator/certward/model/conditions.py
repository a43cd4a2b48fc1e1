"""Conditions as Kubernetes and kstatus read them: built fresh each time, times kept where nothing changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from certward.model.resources import format_time

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition without its times."""

    type: str
    status: Status
    reason: str
    message: str = ""


def yes(kind: str, reason: str, message: str = "") -> Condition:
    """A condition that holds."""
    return Condition(kind, "True", reason, message)


def no(kind: str, reason: str, message: str = "") -> Condition:
    """A condition that does not hold."""
    return Condition(kind, "False", reason, message)


def unknown(kind: str, reason: str, message: str = "") -> Condition:
    """A condition that could not be determined."""
    return Condition(kind, "Unknown", reason, message)


def is_true(conditions: Iterable[Mapping[str, Any]], kind: str) -> bool:
    """Whether a list of rendered conditions holds one of this type that is True."""
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def render(
    wanted: Iterable[Condition], before: Iterable[Mapping[str, Any]], *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Conditions for a status.

    lastTransitionTime moves only when `status` changes (API conventions), so a converged object renders to what
    it already has.
    """
    old = {c.get("type"): c for c in before}
    rendered = []
    for condition in wanted:
        known = old.get(condition.type)
        kept = known is not None and known.get("status") == condition.status
        since = known["lastTransitionTime"] if kept and known is not None else format_time(now)
        rendered.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return rendered
