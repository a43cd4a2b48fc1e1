"""What every command starts from: the options that all share, the cluster they mean, and the App that is meant."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from certward.cli.api import Api, Object
from certward.cli.errors import not_found, usage
from certward.cli.output import Format, Output
from certward.errors import InvalidSpec
from certward.model.resources import App, Domain, TLSPolicy

_R = TypeVar("_R", App, Domain, TLSPolicy)


@dataclass(frozen=True, slots=True)
class Flags:
    """The options that all commands share, as they were given."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    app: str | None = None
    output: Format = Format.TABLE


class Session:
    """One run of a command. Talks to the cluster only when something of it is asked for."""

    def __init__(self, flags: Flags) -> None:
        self.flags = flags
        self.out = Output(flags.output)

    @cached_property
    def api(self) -> Api:
        """The API server as the user."""
        return Api(self.flags.kubeconfig, self.flags.context)

    @cached_property
    def namespace(self) -> str:
        """The namespace that is meant: by -n, or the context's."""
        return self.flags.namespace or self.api.place.namespace

    @property
    def scope(self) -> str:
        """Where to list: the namespace, or empty for all by -A."""
        return "" if self.flags.all_namespaces else self.namespace

    def typed(self, line: str, *, of: App | None = None) -> str:
        """A command to go on with, as it has to be typed to mean the same cluster and namespace.

        Args:
            line: without the name of the program.
            of: the App that it is about, where several are told of.
        """
        flags = self.flags
        options = {
            "-n": of.meta.namespace if of and flags.all_namespaces else flags.namespace,
            "-a": of.meta.name if of and not flags.app else flags.app,
            "--context": flags.context,
            "--kubeconfig": flags.kubeconfig,
        }
        given = [f"{option} {shlex.quote(value)}" for option, value in options.items() if value]
        return " ".join(["kubectl certward", line, *given])

    @property
    def no_app(self) -> str:
        """The sentence for a listing that has no App to tell of."""
        if self.flags.all_namespaces:
            return "There is no App in any namespace."
        return f"There is no App in namespace {self.namespace}; -A looks into all namespaces."

    def apps(self) -> list[App]:
        """The Apps that are meant: in scope, of the name given by -a if one is.

        Raises:
            CliError: an App was named and is not there.
        """
        named = self.flags.app
        if named and not self.flags.all_namespaces:
            return [self.app()]
        apps = sorted(read(App, self.api.list("App", self.scope)), key=lambda app: (app.meta.namespace, app.meta.name))
        if not named:
            return apps
        chosen = [app for app in apps if app.meta.name == named]
        if not chosen:
            raise not_found(f"There is no App {named} in any namespace. {_there_are(apps)}")
        return chosen

    def app(self) -> App:
        """The one App that is meant: by -a, or the only one in the namespace.

        Raises:
            CliError: there is none, or -a is needed to tell which.
        """
        return read_one(App, self.app_object())

    def app_object(self) -> Object:
        """The App that is meant, as the API server sends it; see `app`."""
        self.one_namespace()
        named = self.flags.app
        if named and (found := self.api.get("App", self.namespace, named)):
            return found
        bodies = self.api.list("App", self.namespace)
        apps = read(App, bodies)
        if named:
            raise not_found(f"There is no App {named} in namespace {self.namespace}. {_there_are(apps)}")
        if not bodies:
            raise not_found(
                f"There is no App in namespace {self.namespace}. Apply one, or choose another namespace by -n."
            )
        if len(bodies) > 1:
            raise usage(f"Which App? Name one by -a. {_there_are(apps)}")
        return bodies[0]

    def one_namespace(self) -> str:
        """The namespace, for what is done in one only.

        Raises:
            CliError: all are meant.
        """
        if self.flags.all_namespaces:
            raise usage("This is done in one namespace: leave out -A, and name it by -n (and the App by -a).")
        return self.namespace

    def domains(self, apps: Sequence[App] | None = None) -> list[Domain]:
        """The Domains in scope; those of some Apps only, where these are given."""
        found = read(Domain, self.api.list("Domain", self.scope))
        if apps is not None:
            meant = {(app.meta.namespace, app.meta.name) for app in apps}
            found = [domain for domain in found if (domain.meta.namespace, domain.app) in meant]
        return sorted(found, key=lambda domain: (domain.meta.namespace, domain.app, domain.hostname))

    def policies(self) -> list[TLSPolicy]:
        """The TLSPolicies in scope."""
        return read(TLSPolicy, self.api.list("TLSPolicy", self.scope))


def read(kind: type[_R], bodies: Sequence[Object]) -> list[_R]:
    """Objects as values; those of an older schema that cannot be read are passed over."""
    found: list[_R] = []
    for body in bodies:
        try:
            found.append(kind.from_body(body))
        except InvalidSpec:
            continue
    return found


def read_one(kind: type[_R], body: Object) -> _R:
    """One object as a value.

    Raises:
        CliError: it lacks what cannot be done without.
    """
    try:
        return kind.from_body(body)
    except InvalidSpec as error:
        raise usage(f"{body['kind']} {body['metadata']['name']} cannot be read: {error.message}") from None


def _there_are(apps: Sequence[App]) -> str:
    if not apps:
        return "There is no App at all."
    names = ", ".join(sorted({app.meta.name for app in apps})[:20])
    return f"There {'is' if len(apps) == 1 else 'are'}: {names}."
