"""The certificates of Apps as rows of a list: automatic ones from the status, manual ones from their Secrets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from certward.cli import manual
from certward.cli.context import Session
from certward.cli.errors import CliError, Exit
from certward.cli.view import Data, DomainView, time_data
from certward.model.resources import App, parse_time


@dataclass(frozen=True, slots=True)
class Row:
    """A certificate in the list.

    Attributes:
        name: of its Secret.
        namespace: of its Secret.
        app: whose it is.
        kind: Automatic or Manual.
        hostnames: that it is for; where the Secret cannot be read, those that are served with it.
        expires: None where that is not known.
        trusted: None where that is not known.
        serves: the hostnames that are served with it now.
        problem: in one sentence; empty where there is none.
    """

    name: str
    namespace: str
    app: str
    kind: str
    hostnames: tuple[str, ...]
    expires: datetime | None
    trusted: bool | None
    serves: tuple[str, ...]
    problem: str = ""

    def data(self) -> Data:
        """For programs."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "app": self.app,
            "type": self.kind,
            "hostnames": list(self.hostnames),
            "expires": time_data(self.expires),
            "trusted": self.trusted,
            "serves": list(self.serves),
            "problem": self.problem,
        }


def rows_of(session: Session, app: App, views: Sequence[DomainView]) -> Iterator[Row]:
    """The certificates of one App: those that its Domains are served with, and its manual ones."""
    mine = [v for v in views if (v.domain.meta.namespace, v.domain.app) == (app.meta.namespace, app.meta.name)]
    for view in mine:
        told = view.certificate
        if not view.is_automatic or not told.get("secretName"):
            continue
        yield Row(
            name=told["secretName"],
            namespace=app.meta.namespace,
            app=app.meta.name,
            kind="Automatic",
            hostnames=(view.domain.hostname,),
            expires=view.at("certificate", "notAfter"),
            trusted=told.get("trusted"),
            serves=(view.domain.hostname,),
        )
    for secret_name in app.manual_secrets:
        served = [v for v in mine if not v.is_automatic and v.certificate.get("secretName") == secret_name]
        yield _manual_row(session, app, secret_name, served, mine)


def _manual_row(
    session: Session, app: App, secret_name: str, served: Sequence[DomainView], mine: Sequence[DomainView]
) -> Row:
    told = served[0].certificate if served else {}
    serves = tuple(view.domain.hostname for view in served)
    hostnames, problem = serves, ""
    expires = parse_time(told["notAfter"]) if told.get("notAfter") else None
    trusted = told.get("trusted")
    try:
        kept = manual.look(session, app.meta.namespace, secret_name)
    except CliError as error:
        if error.code is not Exit.NO_RIGHTS:
            raise
        problem = "" if told else "You have no right to read the Secret."
    else:
        problem = kept.problem
        if kept.facts:
            hostnames, expires = kept.facts.hostnames, kept.facts.not_after
            trusted = kept.trusted if trusted is None else trusted
    if not served and not problem:
        # What only the operator can know: that it would intrude on others, for instance.
        problem = next((view.message for view in mine if f"Secret {secret_name} " in view.message), "")
    return Row(secret_name, app.meta.namespace, app.meta.name, "Manual", hostnames, expires, trusted, serves, problem)
