"""What can be changed: automatic certificates of an App, and its TLS profile.

Each change is a question first, which says what will happen, and is done only if the same would still be asked. The API
server decides whether the user may; that is asked beforehand, to say it in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from certward.cli import defaults, impacts, tls_policy
from certward.cli.api import Object
from certward.cli.context import Session, read, read_one
from certward.cli.defaults import Defaults
from certward.cli.errors import CliError, failed, not_found, usage
from certward.dashboard import questions
from certward.dashboard.questions import Question, Step
from certward.model import policy
from certward.model.impact import compare
from certward.model.resources import App, Domain, TLSPolicy
from certward.names import GROUP

#: In the place of a profile: take away the policy that is for the App alone.
NONE: Final = "none"
PROFILES: Final = ("modern", "default", "legacy", "strict")
_ROLES: Final = {"apps": "edit", "tlspolicies": "admin"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile that an App could be served with.

    Attributes:
        value: as the form sends it.
        label: its name, revision and protocol versions.
        lost: names of known clients that would be locked out.
        gained: those that would be let in.
        is_current: whether the App is served it now.
        refusal: why it cannot be chosen; empty where it can.
    """

    value: str
    label: str
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    is_current: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The profiles that an App could be served with.

    Attributes:
        app: its name.
        choices: of which one is chosen.
        notes: what to know about all of them, a sentence or two each.
        denied: why the user may not choose; empty where they may.
    """

    app: str
    choices: tuple[Choice, ...]
    notes: tuple[str, ...]
    denied: str


@dataclass(frozen=True, slots=True)
class _Scene:
    """An App with what decides on its TLS, read in one go."""

    app: App
    bodies: Sequence[Object]
    known: Defaults

    @property
    def policies(self) -> list[TLSPolicy]:
        return read(TLSPolicy, self.bodies)

    @property
    def own(self) -> Object | None:
        return tls_policy.own_of(self.app, self.bodies)


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
        _, question = self._automatic(namespace, name, is_on=is_on)
        return replace(question, denied=question.denied or self._denied("patch", "apps", namespace, name))

    def set_automatic(self, namespace: str, name: str, *, is_on: bool, seen: str) -> None:
        """Turn automatic certificates on or off.

        Raises:
            CliError: it was not done.
        """
        body, question = self._automatic(namespace, name, is_on=is_on)
        _still_asked(question, seen, name)
        self._api.patch(
            "App", namespace, name, {"metadata": _lock(body), "spec": {"certificates": {"automatic": is_on}}}
        )

    def offer(self, namespace: str, name: str) -> Offer:
        """The profiles that an App could be served with.

        Raises:
            CliError: the App is gone, or the cluster does not answer.
        """
        scene = self._scene(namespace, name)
        before = policy.effective(scene.app, scene.policies, scene.known.rules).profile
        choices: list[Choice] = []
        for value in (*PROFILES, NONE) if scene.own else PROFILES:
            try:
                effect = _step(scene, value).effect
            except CliError as error:
                choices.append(Choice(value, value, refusal=error.message))
                continue
            label = impacts.profile_words(effect.after)
            choices.append(
                Choice(
                    value,
                    label if value != NONE else f"no policy of its own: {label}",
                    tuple(client.name for client in effect.lost),
                    tuple(client.name for client in effect.gained),
                    is_current=value != NONE and effect.after == before,
                )
            )
        notes = filter(None, (_kept_revision(scene), defaults.assumed(scene.known)))
        return Offer(name, tuple(choices), tuple(notes), self._denied_policy(scene, ""))

    def ask_profile(self, namespace: str, name: str, value: str) -> Question:
        """What it means to serve an App with a profile.

        Raises:
            CliError: it cannot be done.
        """
        scene = self._scene(namespace, name)
        question = _of_profile(scene, _step(scene, value), value)
        return replace(question, denied=question.denied or self._denied_policy(scene, value))

    def set_profile(self, namespace: str, name: str, value: str, *, seen: str) -> None:
        """Serve an App with a profile, by the TLSPolicy that is for it alone.

        Raises:
            CliError: it was not done.
        """
        scene = self._scene(namespace, name)
        step = _step(scene, value)
        _still_asked(_of_profile(scene, step, value), seen, name)
        if step.own is None:
            self._api.create(step.wanted or {})
            return
        lock, own_name = _lock(step.own), step.own["metadata"]["name"]
        if step.wanted is None:
            self._api.delete("TLSPolicy", namespace, own_name, uid=lock["uid"], version=lock["resourceVersion"])
        else:
            self._api.patch("TLSPolicy", namespace, own_name, {"metadata": lock, "spec": {"profile": value}})

    def _automatic(self, namespace: str, name: str, *, is_on: bool) -> tuple[Object, Question]:
        body, app = self._app(namespace, name)
        domains = read(Domain, self._api.list("Domain", namespace))
        return body, questions.of_automatic(body, app, domains, is_on=is_on)

    def _scene(self, namespace: str, name: str) -> _Scene:
        _, app = self._app(namespace, name)
        bodies = self._api.list("TLSPolicy", namespace)
        return _Scene(app, bodies, defaults.read(self._session, self._operator_namespace))

    def _app(self, namespace: str, name: str) -> tuple[Object, App]:
        body = self._api.get("App", namespace, name)
        if body is None:
            raise not_found(f"There is no App {name} in namespace {namespace} any more.")
        body = {**body, "kind": "App"}
        return body, read_one(App, body)

    def _denied_policy(self, scene: _Scene, value: str) -> str:
        if scene.own is None:
            return self._denied("create", "tlspolicies", scene.app.meta.namespace)
        verb = "delete" if value == NONE else "patch"
        return self._denied(verb, "tlspolicies", scene.app.meta.namespace, scene.own["metadata"]["name"])

    def _denied(self, verb: str, plural: str, namespace: str, name: str = "") -> str:
        if self._api.may(verb, plural, namespace, group=GROUP, name=name):
            return ""
        return (
            f"You may look at this and not change it: your account has no right to {verb} {plural}.{GROUP} in "
            f"namespace {namespace}. The role {_ROLES[plural]} in that namespace has it: ask your administrator."
        )


def _step(scene: _Scene, value: str) -> Step:
    """What has to be done for a choice.

    Raises:
        CliError: it cannot be done.
    """
    app, own, rules = scene.app, scene.own, scene.known.rules
    if value == NONE:
        if own is None:
            raise not_found(f"There is no TLSPolicy for {app.meta.name} alone.")
        left = [one for one in scene.policies if one.meta.name != own["metadata"]["name"]]
        before, after = (policy.effective(app, some, rules).profile for some in (scene.policies, left))
        return Step(compare(app, before, after), own, None)
    if value not in PROFILES:
        raise usage(f"There is no profile {value}; there are: {', '.join(PROFILES)}.")
    own, wanted = tls_policy.policy_for(app, scene.bodies, value, None)
    return Step(tls_policy.effect_of(app, wanted, scene.policies, rules), own, wanted)


def _of_profile(scene: _Scene, step: Step, value: str) -> Question:
    return questions.of_profile(scene.app, scene.policies, step, value, assumed=defaults.assumed(scene.known))


def _still_asked(question: Question, seen: str, name: str) -> None:
    """Raise where the answer is to another question than would be asked now."""
    if question.seen != seen:
        raise failed(
            f"What you were asked about {name} is no longer so: something was changed meanwhile. Nothing was done; "
            "look at it, then try again."
        )
    if question.denied:
        raise failed(f"{question.denied} Nothing was done.")


def _kept_revision(scene: _Scene) -> str:
    own = scene.own
    revision = own["spec"].get("revision") if own else None
    if own is None or not revision:
        return ""
    meta = scene.app.meta
    return (
        f"TLSPolicy {own['metadata']['name']} names revision {revision}, which stays. Another one is named by: "
        f"kubectl certward tls set PROFILE -a {meta.name} -n {meta.namespace} --revision REVISION"
    )


def _lock(body: Object) -> dict[str, str]:
    """What a write names so that it is refused if anybody has written the object since it was read."""
    return {"uid": body["metadata"]["uid"], "resourceVersion": body["metadata"]["resourceVersion"]}
