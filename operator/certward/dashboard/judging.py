"""How a Domain stands, in one of five tones, and what follows from all of them together. Pure; `now` is an argument."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from certward.dashboard.rows import AppRow, DomainRow


class Tone(IntEnum):
    """From what needs somebody to what needs nobody; the order in which Domains are listed."""

    BAD = 0
    WARN = 1
    BUSY = 2
    IDLE = 3
    GOOD = 4

    @property
    def label(self) -> str:
        """In words."""
        return LABELS[self]


LABELS: Final = {
    Tone.BAD: "Failed",
    Tone.WARN: "At risk",
    Tone.BUSY: "In progress",
    Tone.IDLE: "Switched off",
    Tone.GOOD: "Served as declared",
}
#: A certificate that nobody renews is told of so long before it ends.
SOON: Final = timedelta(days=30)
_WEEKS: Final = 13
_BUSY_REASONS: Final = frozenset({"WaitingForBudget", "RateLimited"})


def tone(row: DomainRow, now: datetime) -> Tone:
    """How a Domain stands."""
    left = row.expires_at - now if row.expires_at else None
    if row.state == "Failed" or (left is not None and left <= timedelta(0)):
        return Tone.BAD
    if row.state == "Failing":
        return Tone.WARN if left is not None else Tone.BAD
    if row.state in ("InProgress", "DNSVerified", "") or row.reason in _BUSY_REASONS:
        return Tone.BUSY
    if row.state == "Waiting":
        return Tone.IDLE if row.reason == "AutomaticDisabled" else Tone.WARN
    if row.reason == "AutomaticDisabled" or (not row.reason and row.renewal_at is None):
        is_ending = left is not None and left < SOON
        return Tone.WARN if is_ending or not row.is_ready else Tone.IDLE if row.reason else Tone.GOOD
    return Tone.WARN if row.reason or not row.is_ready else Tone.GOOD


def is_renewed(row: DomainRow) -> bool:
    """Whether its certificate is renewed without anybody doing anything, as far as can be foreseen."""
    return row.renewal_at is not None and row.state == "CertIssued" and not row.reason


@dataclass(frozen=True, slots=True)
class Week:
    """What ends in one span of the timeline.

    Attributes:
        key: as in a link.
        label: of the axis.
        title: in words.
        renewed: certificates that Certward renews before.
        unattended: certificates that end unless somebody does something.
    """

    key: str
    label: str
    title: str
    renewed: int
    unattended: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.renewed + self.unattended


def span_of(row: DomainRow, now: datetime) -> str:
    """In which span of the timeline its certificate ends; empty where it has none."""
    if row.expires_at is None:
        return ""
    if row.expires_at <= now:
        return "past"
    week = int((row.expires_at - now) / timedelta(weeks=1))
    return f"w{week}" if week < _WEEKS else "later"


def timeline(rows: Iterable[DomainRow], now: datetime) -> list[Week]:
    """When certificates end: past, thirteen weeks from now, later."""
    counts = Counter((span_of(row, now), is_renewed(row)) for row in rows)
    spans = [("past", "past", "Expired")]
    for number in range(_WEEKS):
        begins, ends = (now + timedelta(weeks=number + step) for step in (0, 1))
        title = f"{begins:%d %B} to {ends:%d %B}"
        spans.append((f"w{number}", f"{begins:%d %b}" if number % 2 == 0 else "", title))
    spans.append(("later", "later", f"After {now + timedelta(weeks=_WEEKS):%d %B %Y}"))
    return [Week(key, label, title, counts[key, True], counts[key, False]) for key, label, title in spans]


def tones(rows: Iterable[DomainRow], now: datetime) -> Mapping[Tone, int]:
    """How many Domains stand how."""
    counts = Counter(tone(row, now) for row in rows)
    return {one: counts[one] for one in Tone}


def grades(apps: Sequence[AppRow]) -> list[tuple[str, int]]:
    """How many Apps have which grade, the best first; "" for those whose grade is not known yet."""
    counts = Counter(app.grade for app in apps)
    return sorted(counts.items(), key=lambda item: (item[0] == "", grade_order(item[0]), item[0]))


def grade_order(grade: str) -> int:
    """A before A-, then B to F, and T (not trusted) last."""
    order = ("A+", "A", "A-", "B", "C", "D", "E", "F", "T", "M")
    return order.index(grade) if grade in order else len(order)
