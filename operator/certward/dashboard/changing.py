"""What can be changed: automatic certificates of an App, and its TLS profile.

Each change is a question first, which says what will happen, and is done only if nothing that the question was about
has changed since. The API server decides whether the user may; that is asked beforehand, to say it in time.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from certward.cli import defaults, gitops, tls_policy, words
from certward.cli import view as views_of
from certward.cli.api import Object
from certward.cli.context import Session, read, read_one
from certward.cli.errors import CliError, failed, not_found, usage
from certward.cli.view import DomainView
from certward.model import policy
from certward.model.impact import Impact, compare
from certward.model.profiles import Profile
from certward.model.resources import App, Domain, TLSPolicy
from certward.names import GROUP

#: In the place of a profile: take away the policy that is for the App alone.
NONE: Final = "none"
PROFILES: Final = ("modern", "default", "legacy", "strict")
_ROLES: Final = {"apps": "edit", "tlspolicies": "admin"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before something is changed.

    Attributes:
        title: the question.
        told: what will happen, a sentence each.
        warnings: what to think of before.
        button: what saying yes does.
        seen: a digest of what the question builds on.
        denied: why the user may not; empty where they may.
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
class Choice:
    """A profile that an App could be served with.

    Attributes:
        value: as the form sends it.
        label: its name and revision.
        versions: its protocol versions.
        lost: names of known clients that would be locked out.
        gained: those that would be let in.
        is_current: whether the App is served it now.
        refusal: why it cannot be chosen; empty where it can.
    """

    value: str
    label: str
    versions: str = ""
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    is_current: bool = False
    refusal: str = ""


class Changing:
    """Changes as the user of a session. For many threads."""

    def __init__(self, session: Session, operator_namespace: str) -> None:
        self._session = session
        self._api = session.api
        self._operator_namespace = operator_namespace

    def ask_automatic(self, namespace: str, name: str, *, is_on: bool) -> Question:
        """What it means to turn automatic certificates on or off.

        Raises:
            CliError: the App is gone, or the cluster does not answer.
        """
        body, app = self._app(namespace, name)
        domains = read(Domain, self._api.list("Domain", namespace))
        views = [DomainView(one) for one in domains if one.app == name]
        told = _on(views) if is_on else _off(views)
        if app.is_automatic == is_on:
            told = (f"Automatic certificates are {'on' if is_on else 'off'} for {name} already.",)
        return Question(
            title=f"Turn {'on' if is_on else 'off'} automatic certificates for {name}?",
            told=told,
            warnings=_of_git(body),
            button=f"Turn {'on' if is_on else 'off'}",
            seen=_digest(app.meta.uid, app.meta.generation),
            denied=self._denied("patch", "apps", namespace),
            is_danger=not is_on,
            fields={"to": "on" if is_on else "off"},
        )

    def set_automatic(self, namespace: str, name: str, *, is_on: bool, seen: str) -> None:
        """Turn automatic certificates on or off.

        Raises:
            CliError: it was not done.
        """
        body, app = self._app(namespace, name)
        if seen != _digest(app.meta.uid, app.meta.generation):
            raise failed(f"App {name} was changed since you were asked. Nothing was done; look at it, then try again.")
        version = {"uid": app.meta.uid, "resourceVersion": body["metadata"]["resourceVersion"]}
        self._api.patch("App", namespace, name, {"metadata": version, "spec": {"certificates": {"automatic": is_on}}})

    def choices(self, namespace: str, name: str) -> tuple[App, list[Choice], str]:
        """The profiles that an App could be served with, and why the user may not choose; empty where they may.

        Raises:
            CliError: the App is gone, or the cluster does not answer.
        """
        _, app = self._app(namespace, name)
        bodies = self._api.list("TLSPolicy", namespace)
        rules = defaults.read(self._session, self._operator_namespace).rules
        before = policy.effective(app, read(TLSPolicy, bodies), rules).profile
        offered: list[Choice] = []
        for value in (*PROFILES, NONE):
            if value == NONE and not _own(app, bodies):
                continue
            try:
                effect, _ = self._effect(app, bodies, value, rules)
            except CliError as error:
                offered.append(Choice(value, value, refusal=error.message))
                continue
            offered.append(
                Choice(
                    value,
                    _profile_words(effect.after)
                    if value != NONE
                    else f"no policy of its own: {_profile_words(effect.after)}",
                    views_of.versions(effect.after.min_version, effect.after.max_version),
                    tuple(client.name for client in effect.lost),
                    tuple(client.name for client in effect.gained),
                    is_current=value != NONE and effect.after == before,
                )
            )
        return app, offered, self._denied_policy(app, bodies)

    def ask_profile(self, namespace: str, name: str, value: str) -> Question:
        """What it means to serve an App with a profile.

        Raises:
            CliError: it cannot be done.
        """
        _, app = self._app(namespace, name)
        bodies = self._api.list("TLSPolicy", namespace)
        effect, what = self._effect(app, bodies, value)
        told = [
            what,
            f"{name} is served with {_profile_words(effect.before)} now, and with {_profile_words(effect.after)} then.",
        ]
        if effect.gained:
            told.append(f"In addition it would be reached by: {words.listed([one.name for one in effect.gained], 20)}.")
        warnings = list(_of_git(own)) if (own := _own(app, bodies)) else []
        if effect.lost:
            names = words.listed([one.name for one in effect.lost], 20)
            warnings.insert(0, f"{words.count(len(effect.lost), 'known client')} would be locked out: {names}.")
        else:
            told.append("No client that is known would be locked out.")
        return Question(
            title=f"Change the TLS profile of {name}?" if value != NONE else f"Take away the TLS policy of {name}?",
            told=tuple(told),
            warnings=tuple(warnings),
            button="Change it" if value != NONE else "Take it away",
            seen=_digest_of(app, bodies, effect),
            denied=self._denied_policy(app, bodies, value),
            is_danger=bool(effect.lost),
            fields={"profile": value},
        )

    def set_profile(self, namespace: str, name: str, value: str, *, seen: str) -> None:
        """Serve an App with a profile, by the TLSPolicy that is for it alone.

        Raises:
            CliError: it was not done.
        """
        _, app = self._app(namespace, name)
        bodies = self._api.list("TLSPolicy", namespace)
        effect, _ = self._effect(app, bodies, value)
        if seen != _digest_of(app, bodies, effect):
            raise failed(f"What {name} is served with was changed since you were asked. Nothing was done; look again.")
        own = _own(app, bodies)
        if value == NONE:
            if own is None:
                raise not_found(f"There is no TLSPolicy for {name} alone.")
            self._api.delete("TLSPolicy", namespace, own["metadata"]["name"], uid=own["metadata"]["uid"])
            return
        _, manifest = tls_policy.policy_for(app, bodies, value, None)
        if own is None:
            self._api.create(manifest)
            return
        version = {"uid": own["metadata"]["uid"], "resourceVersion": own["metadata"]["resourceVersion"]}
        # A revision that the policy names belongs to the profile that it had.
        spec = {**manifest["spec"], "revision": None}
        self._api.patch("TLSPolicy", namespace, own["metadata"]["name"], {"metadata": version, "spec": spec})

    def _effect(
        self, app: App, bodies: Sequence[Object], value: str, rules: policy.Rules | None = None
    ) -> tuple[Impact, str]:
        """What a choice changes, and what is written for it, in words.

        Raises:
            CliError: it cannot be done.
        """
        rules = rules or defaults.read(self._session, self._operator_namespace).rules
        policies = read(TLSPolicy, bodies)
        if value == NONE:
            own = _own(app, bodies)
            if own is None:
                raise not_found(f"There is no TLSPolicy for {app.meta.name} alone.")
            left = [one for one in policies if one.meta.name != own["metadata"]["name"]]
            before, after = (policy.effective(app, some, rules).profile for some in (policies, left))
            return compare(app, before, after), f"TLSPolicy {own['metadata']['name']} is deleted."
        if value not in PROFILES:
            raise usage(f"There is no profile {value}; there are: {', '.join(PROFILES)}.")
        own, manifest = tls_policy.policy_for(app, bodies, value, None)
        if own is not None:
            manifest = {**manifest, "spec": {key: it for key, it in manifest["spec"].items() if key != "revision"}}
        effect = tls_policy.effect_of(app, manifest, policies, rules)
        doing = "is changed" if own is not None else "is made"
        return effect, f"TLSPolicy {manifest['metadata']['name']}, which is for this app alone, {doing}."

    def _app(self, namespace: str, name: str) -> tuple[Object, App]:
        body = self._api.get("App", namespace, name)
        if body is None:
            raise not_found(f"There is no App {name} in namespace {namespace} any more.")
        body = {**body, "kind": "App"}
        return body, read_one(App, body)

    def _denied(self, verb: str, plural: str, namespace: str) -> str:
        if self._api.may(verb, plural, namespace, group=GROUP):
            return ""
        return (
            f"You may look at this and not change it: your account has no right to {verb} {plural}.{GROUP} in "
            f"namespace {namespace}. The role {_ROLES[plural]} in that namespace has it: ask your administrator."
        )

    def _denied_policy(self, app: App, bodies: Sequence[Object], value: str = "") -> str:
        verb = "create" if _own(app, bodies) is None else "delete" if value == NONE else "patch"
        return self._denied(verb, "tlspolicies", app.meta.namespace)


def _own(app: App, bodies: Sequence[Object]) -> Object | None:
    return next((body for body in bodies if tls_policy.targets_of(body) == [app.meta.name]), None)


def _of_git(body: Object) -> tuple[str, ...]:
    tool = gitops.manager_of(body)
    if not tool:
        return ()
    return (f"{body['kind']} {body['metadata']['name']} is managed by {tool}, which may undo this. Change it in git.",)


def _on(views: Sequence[DomainView]) -> tuple[str, ...]:
    if not views:
        return ("It has no hostname yet. Each one that it is given gets a certificate.",)
    names = words.listed([view.domain.hostname for view in views])
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


_MOST: Final = 10


def _profile_words(profile: Profile) -> str:
    return f"{profile.name} {profile.revision} ({views_of.versions(profile.min_version, profile.max_version)})"


def _digest_of(app: App, bodies: Sequence[Object], effect: Impact) -> str:
    policies = sorted((one["metadata"]["uid"], one["metadata"].get("generation")) for one in bodies)
    lost = [client.name for client in effect.lost]
    after = [effect.after.name, effect.after.revision, effect.after.min_version]
    return _digest(app.meta.uid, app.meta.generation, policies, lost, after)


def _digest(*facts: Any) -> str:  # noqa: ANN401 - whatever JSON knows
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
