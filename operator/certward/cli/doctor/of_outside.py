"""What is said of CAs, clocks, users and Domains, from what was found of them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from certward.acme.directory import DirectoryLook
from certward.cli.findings import Finding, Unseen, broken, not_looked_at, ok, warning
from certward.cli.words import are, listed, span
from certward.model.conditions import is_true
from certward.model.resources import Domain, parse_time

#: A clock that is off by more makes times in statuses misleading; by more than the other, certificates invalid.
_CLOCK_MIND, _CLOCK_HARM = timedelta(seconds=30), timedelta(minutes=5)


def directory(name: str, look: DirectoryLook | Unseen) -> Finding:
    """Whether a CA is reachable from here."""
    if isinstance(look, Unseen):
        return not_looked_at(f"Issuer {name}: {look.why}.")
    if look.problem:
        return warning(
            f"The directory of issuer {name} {look.problem}, from here.",
            "The operator asks from inside of the cluster: see its log and the Domains that say CAUnavailable.",
        )
    return ok(f"Issuer {name} answers, from here.")


def clock(whose: str, date: datetime | None, now: datetime) -> Finding:
    """How far another clock is from this machine's.

    Args:
        whose: in words.
        date: what it said; whole seconds.
        now: of this machine at that moment.
    """
    if date is None:
        return not_looked_at(f"{whose} tells no time.")
    off = abs(now - date)
    if off < timedelta(seconds=2):
        return ok(f"{whose} agrees with this machine.")
    words = f"The clock of {whose} is {'behind' if date < now else 'ahead of'} this machine's by {span(off)}."
    if off < _CLOCK_MIND:
        return ok(words)
    advice = "Have both set by NTP."
    harm = " Certificates may not be valid yet, or no longer, where one looks." if off > _CLOCK_HARM else ""
    return warning(f"{words}{harm}", advice)


def user_roles(missing: Sequence[str] | Unseen, may: Mapping[str, bool], namespace: str) -> Finding:
    """What users may do, and this one.

    Args:
        missing: those of Certward's roles for users that are not there.
        may: what this user may in the namespace, by words for it.
        namespace: which.
    """
    able = [words for words, is_allowed in may.items() if is_allowed]
    unable = [words for words, is_allowed in may.items() if not is_allowed]
    words = f"In namespace {namespace} you may {', '.join(able) or 'nothing of Certward'}"
    words += f"; not {', '.join(unable)}." if unable else "."
    if not isinstance(missing, Unseen) and missing:
        return warning(
            f"{words} {listed(missing)} {are(missing)} not there, so the roles view, edit and admin say nothing of "
            "Apps and Domains.",
            "Apply manifests/base/user-roles.yaml.",
        )
    return ok(words)


def domains(found: Sequence[Domain], where: str) -> Finding:
    """How the Domains are."""
    counts: dict[str, int] = {}
    for each in found:
        state = str(each.status.get("state") or "not taken up")
        counts[state] = counts.get(state, 0) + 1
    if not found:
        return ok(f"There are no Domains {where}.")
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    words = f"{len(found)} Domain{'s' if len(found) > 1 else ''} {where}: {told}."
    bad = sorted(_name(each) for each in found if each.status.get("state") in ("Failing", "Failed"))
    if bad:
        return warning(f"{words} In trouble: {listed(bad)}.", f"kubectl certward explain {bad[0]}")
    return ok(words)


def overdue(found: Sequence[Domain], now: datetime) -> Finding:
    """Certificates that ought to have been renewed."""
    expired = sorted(_name(each) for each in found if _is_expired(each, now))
    if expired:
        verb = "has" if len(expired) == 1 else "have"
        words = f"The certificate{'s' if len(expired) > 1 else ''} of {listed(expired)} {verb} expired."
        return broken(words, f"kubectl certward explain {expired[0]}")
    late = sorted(_name(each) for each in found if is_true(each.status.get("conditions") or (), "RenewalOverdue"))
    if late:
        words = f"{listed(late)} ought to have been renewed by now (RenewalOverdue)."
        return warning(words, f"kubectl certward explain {late[0]}")
    return ok("No renewal is overdue.")


def _is_expired(domain: Domain, now: datetime) -> bool:
    until = (domain.status.get("certificate") or {}).get("notAfter")
    return until is not None and parse_time(until) <= now


def _name(domain: Domain) -> str:
    return f"{domain.meta.namespace}/{domain.meta.name}"
