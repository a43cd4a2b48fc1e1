"""What is asked before something is changed, in words. Pure.

A question carries a digest of all that it says and builds on. Whoever answers sends it back, and nothing is done where
the same question would read otherwise by then.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from certward.cli import gitops, impacts, words
from certward.cli.api import Object
from certward.cli.view import DomainView
from certward.model import policy
from certward.model.impact import Impact
from certward.model.resources import App, Domain, TLSPolicy

_MOST: Final = 10
_MOST_CLIENTS: Final = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before something is changed.

    Attributes:
        title: the question.
        told: what will happen, a sentence each.
        warnings: what to think of before.
        button: what saying yes does.
        seen: the digest.
        denied: why it cannot be done; empty where it can.
        is_danger: whether something stops working for somebody.
        fields: what else the form sends.
    """

    title: str
    told: tuple[str, ...]
    button: str
    seen: str
    warnings: tuple[str, ...] = ()
    denied: str = ""
    is_danger: bool = False
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One way to serve an App with another profile.

    Attributes:
        effect: what it changes.
        own: the TLSPolicy of the App alone, as it is; None where there is none.
        wanted: the TLSPolicy as it is to be; None: the own one is deleted.
    """

    effect: Impact
    own: Object | None
    wanted: Object | None

    @property
    def needless(self) -> str:
        """Why there is nothing to do; empty where there is."""
        if self.own is None or self.wanted is None or self.own["spec"] != self.wanted["spec"]:
            return ""
        return f"TLSPolicy {self.own['metadata']['name']} says so already."

    @property
    def words(self) -> str:
        """What is written, as a sentence."""
        if self.wanted is None:
            named = _named((self.own or {})["spec"])
            with_it = f", and with it {words.listed(named)} that it names" if named else ""
            return f"TLSPolicy {(self.own or {})['metadata']['name']} is deleted{with_it}."
        name, revision = self.wanted["metadata"]["name"], self.wanted["spec"].get("revision")
        if self.own is None:
            return f"TLSPolicy {name}, which is for this app alone, is made."
        kept = f", and goes on naming revision {revision}" if revision else ""
        return f"TLSPolicy {name}, which is for this app alone, is changed{kept}."


def of_automatic(body: Object, app: App, domains: Sequence[Domain], *, is_on: bool) -> Question:
    """What it means to turn automatic certificates on or off.

    Args:
        body: the App, as the API server sends it.
        app: the same.
        domains: of its namespace.
        is_on: whether they are to be on.
    """
    to, name = "on" if is_on else "off", app.meta.name
    views = sorted((DomainView(one) for one in domains if one.app == name), key=lambda view: view.domain.hostname)
    is_so = app.is_automatic == is_on
    told = () if is_so else _on(views) if is_on else _off(views)
    title, warnings = f"Turn {to} automatic certificates for {name}?", _git(body)
    hostnames = [(view.domain.meta.uid, view.domain.hostname) for view in views]
    return Question(
        title=title,
        told=told,
        warnings=warnings,
        button=f"Turn {to}",
        seen=_digest(app.meta.uid, app.meta.generation, title, told, warnings, hostnames),
        denied=f"Automatic certificates are {to} for {name} already." if is_so else "",
        is_danger=not is_on,
        fields={"to": to},
    )


def of_profile(app: App, policies: Sequence[TLSPolicy], step: Step, value: str, *, assumed: str) -> Question:
    """What it means to serve an App with another profile.

    Args:
        app: the App.
        policies: of its namespace.
        step: what is to be done.
        value: as the form sends it.
        assumed: what had to be assumed for that, as a sentence; empty for nothing.
    """
    effect, name = step.effect, app.meta.name
    then = f"with {impacts.profile_words(effect.before)} now, and with {impacts.profile_words(effect.after)} then"
    told = [step.words, f"{name} is served {then}."]
    lost, gained = ([client.name for client in clients] for clients in (effect.lost, effect.gained))
    if gained:
        told.append(f"In addition it would be reached by: {words.listed(gained, _MOST_CLIENTS)}.")
    if not lost:
        told.append("No client that is known would be locked out.")
    if assumed:
        told.append(assumed)
    warnings = _git(step.own) if step.own else ()
    if lost:
        count, names = words.count(len(lost), "known client"), words.listed(lost, _MOST_CLIENTS)
        warnings = (f"{count} would be locked out: {names}.", *warnings)
    claims = sorted((one.meta.uid, one.meta.generation) for one in policies if policy.rank(one, app) is not None)
    title = f"Take away the TLS policy of {name}?" if step.wanted is None else f"Change the TLS profile of {name}?"
    return Question(
        title=title,
        told=tuple(told),
        warnings=warnings,
        button="Take it away" if step.wanted is None else "Change it",
        seen=_digest(app.meta.uid, app.meta.generation, title, told, warnings, claims, lost, gained),
        denied=step.needless,
        is_danger=bool(lost),
        fields={"profile": value},
    )


def _git(body: Object) -> tuple[str, ...]:
    tool = gitops.manager_of(body)
    if not tool:
        return ()
    return (f"{body['kind']} {body['metadata']['name']} is managed by {tool}, which may undo this. Change it in git.",)


def _on(views: Sequence[DomainView]) -> tuple[str, ...]:
    if not views:
        return ("It has no hostname yet. Each one that it is given gets a certificate.",)
    names = words.listed([view.domain.hostname for view in views], _MOST)
    return (
        f"Certificates are ordered from the CA at once for {names}, and renewed from then on.",
        "A certificate that is served now stays served until the new one is issued and checked.",
    )


def _off(views: Sequence[DomainView]) -> tuple[str, ...]:
    told = ["No certificate is obtained or renewed for it any more. What is served stays served until it ends:"]
    for view in views[:_MOST]:
        at = view.at("certificate", "notAfter")
        told.append(
            f"{view.domain.hostname}: {f'until {words.stamp(at)}' if at else 'has no certificate, and gets none'}"
        )
    if len(views) > _MOST:
        told.append(f"and {len(views) - _MOST} more.")
    return tuple(told)


def _named(spec: Object) -> list[str]:
    """What a TLSPolicy says besides its profile."""
    hsts = spec.get("hsts") or {}
    named = [f"revision {spec['revision']}"] if spec.get("revision") else []
    return [*named, f"HSTS (max-age {hsts['maxAge']})"] if "maxAge" in hsts else named


def _digest(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
