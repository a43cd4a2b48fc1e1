"""The chain from a hostname to its handshake: facts in, a verdict for each link out. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from certward.cli.explain import claim, issuance, outside, serving
from certward.cli.explain.facts import Facts
from certward.cli.findings import Finding, Unseen, Verdict

Judge = Callable[[Facts], Finding]

_DNS, _ORDER = "DNS", "Order"
#: In the order in which a request, and a certificate, come about: each link needs those before it.
CHAIN: Final[tuple[tuple[str, Judge], ...]] = (
    ("Domain", claim.domain),
    ("App", claim.app),
    (_DNS, outside.dns),
    ("CAA", outside.caa),
    ("Port 80", outside.port80),
    ("Challenge", outside.challenge),
    (_ORDER, issuance.order),
    ("Secret", issuance.secret),
    ("Route", serving.route),
    ("Handshake", serving.handshake),
    ("TLS policy", serving.policy),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the chain."""

    name: str
    finding: Finding

    def data(self) -> dict[str, Any]:
        """Everything for programs."""
        return {"link": self.name, **self.finding.data()}


def walk(facts: Facts) -> tuple[Link, ...]:
    """Judge link by link, up to the first that is broken; those behind it are not reached.

    Where the user has named addresses, it is looked at them although the DNS does not lead there (yet): as far as
    nothing else is broken, and up to the order where there is no certificate.
    """
    links: list[Link] = []
    is_stopped = False
    for name, judge in CHAIN:
        is_stopped = is_stopped or (name == _ORDER and _is_waiting_for_dns(facts, links))
        if is_stopped:
            links.append(Link(name, Finding(Verdict.NOT_REACHED, "")))
            continue
        found = judge(facts)
        links.append(Link(name, found))
        is_broken = found.verdict is Verdict.BROKEN and not (name == _DNS and _are_addresses_given(facts))
        is_stopped = found.stops or is_broken
    return tuple(links)


def _are_addresses_given(facts: Facts) -> bool:
    looks = [look for look in (facts.path, facts.served) if not isinstance(look, Unseen)]
    return any(each.is_given for look in looks for each in look)


def _is_waiting_for_dns(facts: Facts, links: list[Link]) -> bool:
    """Whether a CA need not be asked for a first certificate, since it will not get through."""
    return facts.good_until is None and any(
        each.name == _DNS and each.finding.verdict is Verdict.BROKEN for each in links
    )


def stop_of(links: tuple[Link, ...]) -> Link | None:
    """The link at which the chain stops; None: it does not."""
    return next((each for each in links if each.finding.stops or each.finding.verdict is Verdict.BROKEN), None)


def summary(hostname: str, links: tuple[Link, ...]) -> str:
    """The result in one sentence."""
    stop = stop_of(links)
    if stop and stop.finding.verdict is Verdict.BROKEN:
        return f"{hostname} is broken at {stop.name}."
    if stop:
        return f"{hostname} is on its way, at {stop.name}."
    warnings = [each.name for each in links if each.finding.verdict is Verdict.WARNING]
    if warnings:
        return f"{hostname} works, with a warning at {', '.join(warnings)}."
    unseen = [each.name for each in links if each.finding.verdict is Verdict.NOT_LOOKED_AT]
    limits = f", as far as could be seen (not: {', '.join(unseen)})" if unseen else ""
    return f"{hostname} works{limits}."
