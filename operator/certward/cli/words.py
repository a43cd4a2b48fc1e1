"""Words for people: spans of time, states, counts and lists. Pure; `now` is an argument."""

from collections.abc import Sequence
from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = 1, 60, 24 * 60
_MONTH, _YEAR = 30 * _DAY, 365 * _DAY

#: States as they are shown; any other one is shown as it is.
STATES = {"InProgress": "In Progress", "DNSVerified": "DNS Verified", "CertIssued": "Cert issued", "": "Waiting"}


def state(name: str) -> str:
    """A Domain's state as it is shown."""
    return STATES.get(name, name)


def page_of(reason: str) -> str:
    """Where a reason of a status is explained, as a line; in the repository, since there is no published site."""
    return f"More about {reason}: docs/reasons.md#{reason.lower()}"


def span(length: timedelta) -> str:
    """How long something is, as people say it: "about 1 hour", "3 days". The sign does not matter."""
    minutes = round(abs(length.total_seconds()) / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 45 * _MINUTE:
        return count(minutes, "minute")
    if minutes < _DAY - _HOUR // 2:
        return f"about {count(round(minutes / _HOUR) or 1, 'hour')}"
    if minutes < _MONTH - _DAY // 2:
        return count(round(minutes / _DAY) or 1, "day")
    if minutes < 2 * _MONTH - _MONTH // 2:
        return "about 1 month"
    if minutes < _YEAR - _MONTH // 2:
        return count(round(minutes / _MONTH), "month")
    return _years(minutes)


def _years(minutes: int) -> str:
    years, rest = divmod(minutes, _YEAR)
    if rest < _YEAR / 4:
        return f"about {count(years or 1, 'year')}"
    if rest < _YEAR * 3 / 4 and years:
        return f"over {count(years, 'year')}"
    return f"almost {count(years + 1, 'year')}"


def ago(at: datetime, now: datetime) -> str:
    """A time in relation to now: "2 days ago", "in 5 minutes", "just now"."""
    if abs(now - at) < timedelta(seconds=30):
        return "just now"
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def stamp(at: datetime) -> str:
    """A time as it is written in a sentence."""
    return at.strftime("%Y-%m-%d %H:%M UTC")


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and a noun: "1 day", "2 days"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names in a sentence: "a, b and c"; only so many of them."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def are(names: Sequence[str]) -> str:
    """The verb behind names: "is" or "are"."""
    return "is" if len(names) == 1 else "are"


def sentence(text: str) -> str:
    """Text with a full stop at its end."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."
