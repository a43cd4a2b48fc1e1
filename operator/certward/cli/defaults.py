"""What the platform's default is, so that moves between revisions can be foretold; read where the user may."""

import json
from dataclasses import dataclass
from typing import Annotated

import typer

from certward.cli.context import Session
from certward.cli.errors import CliError, Exit
from certward.model.policy import DefaultChange, Rules
from certward.model.profiles import REVISIONS
from certward.model.resources import parse_time
from certward.names import DEFAULTS_CONFIGMAP

OPERATOR = Annotated[
    str,
    typer.Option(
        "--operator-namespace", metavar="NAME", envvar="CERTWARD_OPERATOR_NAMESPACE", help="Where the operator runs."
    ),
]
OPERATOR_NAMESPACE = "certward-system"


@dataclass(frozen=True, slots=True)
class Defaults:
    """The rules by which the operator goes, as far as the user can see them.

    Attributes:
        rules: the default revision with its history, and the floor.
        is_known: whether they were read; else the newest revision stands in for the default.
    """

    rules: Rules
    is_known: bool


def read(session: Session, operator_namespace: str) -> Defaults:
    """The platform's default."""
    try:
        found = session.api.get("ConfigMap", operator_namespace, DEFAULTS_CONFIGMAP)
    except CliError as error:
        if error.code is not Exit.NO_RIGHTS:
            raise
        found = None
    data = (found or {}).get("data") or {}
    try:
        history = tuple(
            DefaultChange(parse_time(entry["since"]), str(entry["revision"]))
            for entry in json.loads(data.get("history") or "[]")
        )
    except (ValueError, KeyError, TypeError):
        history = ()
    if not history or history[-1].revision not in REVISIONS:
        return Defaults(Rules(default=REVISIONS[-1]), is_known=False)
    rules = Rules(default=history[-1].revision, history=history, floor=str(data.get("floor") or ""))
    return Defaults(rules, is_known=True)


def assumed(known: Defaults) -> str:
    """What had to be guessed, as a sentence; empty where nothing had to be."""
    if known.is_known:
        return ""
    return (
        f"The platform's default cannot be read (ConfigMap {DEFAULTS_CONFIGMAP} in the operator's namespace); this "
        f"assumes the newest revision, {known.rules.default}."
    )


def tell(session: Session, known: Defaults) -> None:
    """Say so where the default had to be guessed."""
    if text := assumed(known):
        session.out.warn(text)
