"""What a command writes: shown instead of sent with --dry-run, and with a warning where git has the say."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from certward.cli import gitops
from certward.cli.api import Object
from certward.cli.context import Session
from certward.cli.errors import failed, usage
from certward.cli.output import Format

DRY_RUN = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be written, as YAML (-o json: as JSON); for GitOps.")
]
YES = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def patch(
    session: Session, body: Object, change: Mapping[str, Any], *, is_dry_run: bool, is_locked: bool = False
) -> bool:
    """Change an object that was read, by a merge patch.

    Args:
        session: whose user writes.
        body: the object as it was read.
        change: the fields that are to differ.
        is_dry_run: only show them.
        is_locked: the change builds on what was read, so nobody may have written the object since.

    Returns:
        Whether it was written.
    """
    meta = body["metadata"]
    if is_dry_run:
        show(session, partial(body, change))
        return False
    warn_of_git(session, body)
    sent = {key: dict(value) if isinstance(value, Mapping) else value for key, value in change.items()}
    if is_locked:
        sent.setdefault("metadata", {})["resourceVersion"] = meta["resourceVersion"]
    session.api.patch(body["kind"], meta.get("namespace", ""), meta["name"], sent)
    return True


def create(session: Session, manifest: Object, *, is_dry_run: bool) -> bool:
    """Create an object; whether it was written."""
    if is_dry_run:
        show(session, manifest)
        return False
    session.api.create(manifest)
    return True


def partial(body: Object, change: Mapping[str, Any]) -> Object:
    """The part of an object that a change is about; fit for `kubectl patch --type merge`."""
    meta = body["metadata"]
    identity = {"name": meta["name"], "namespace": meta.get("namespace", "")}
    rest = {key: value for key, value in change.items() if key != "metadata"}
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {**identity, **change.get("metadata", {})},
        **rest,
    }


def show(session: Session, *manifests: Object) -> None:
    """Print what would be written; as JSON in one document, a List of several as `kubectl get -o json` has it."""
    if session.flags.output is Format.JSON:
        is_one = len(manifests) == 1
        session.out.data(manifests[0] if is_one else {"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        return
    import yaml

    for manifest in manifests:
        session.out.stdout.write(f"---\n{yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)}")


def warn_of_git(session: Session, body: Object) -> None:
    """Say that a change belongs into git, where it does."""
    if tool := gitops.manager_of(body):
        session.out.warn(
            f"{body['kind']} {body['metadata']['name']} is managed by {tool}, which may undo this. Make the change in "
            "git: --dry-run prints it."
        )


def confirm(session: Session, question: str, *, is_yes: bool) -> None:
    """Ask before something is done; without a terminal, --yes has to say it.

    Raises:
        CliError: the answer is no, or there is nobody to ask.
    """
    if is_yes:
        return
    if not sys.stdin.isatty():
        raise usage(f"{question} There is nobody to answer here: say --yes if that is meant.")
    session.out.stderr.flush()
    if not typer.confirm(question, err=True):
        raise failed("Nothing was changed.")
