"""What `explain` and `doctor` say of each thing that they look at."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certward.model.resources import format_time


class Verdict(enum.StrEnum):
    """What came of looking at one thing."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    NOT_REACHED = "not reached"
    """Something before it is broken, and nothing can be said before that is mended."""
    NOT_LOOKED_AT = "not looked at"
    """It is not needed, or cannot be seen with these rights or from here; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        verdict: what came of it.
        words: what was found, one or a few sentences.
        advice: what to do, where the words do not say it already; or nothing.
        told_at: since when the operator says so, where it is the operator's word and not what was seen from here.
        stops: nothing after it can be right, although nothing is broken (yet).
    """

    verdict: Verdict
    words: str
    advice: str = ""
    told_at: datetime | None = None
    stops: bool = False

    @property
    def told(self) -> str:
        """What was found, and by whom where that was not here."""
        return f"{self.words} (the operator, {format_time(self.told_at)})" if self.told_at else self.words

    def data(self) -> dict[str, Any]:
        """Everything for programs."""
        return {
            "verdict": str(self.verdict),
            "message": self.words,
            "advice": self.advice,
            "seenBy": "operator" if self.told_at else "here",
            "since": format_time(self.told_at) if self.told_at else None,
        }


def ok(words: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, words)


def warning(words: str, advice: str = "") -> Finding:
    """Something to know of, or to mend before it breaks."""
    return Finding(Verdict.WARNING, words, advice)


def broken(words: str, advice: str = "") -> Finding:
    """It does not work."""
    return Finding(Verdict.BROKEN, words, advice)


def not_looked_at(words: str, advice: str = "") -> Finding:
    """Nobody has looked; the words say why."""
    return Finding(Verdict.NOT_LOOKED_AT, words, advice)


def is_any_broken(found: Iterable[Finding]) -> bool:
    """Whether something is broken: then the exit code says so."""
    return any(each.verdict is Verdict.BROKEN for each in found)


@dataclass(frozen=True, slots=True)
class Unseen:
    """In the place of a fact that could not be had.

    Attributes:
        why: the rest of a sentence that begins with "Not looked at: ".
    """

    why: str
