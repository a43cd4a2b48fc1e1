"""Writing what came out: into the cluster as the user, or into files."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from certward.cli import changes, manual
from certward.cli.api import Object
from certward.cli.context import Session
from certward.cli.errors import CliError, Exit, usage
from certward.cli.importing import configuration, report
from certward.cli.importing.assemble import Import
from certward.cli.importing.issuers import Account, AccountKey
from certward.cli.importing.kept import CONFIG_KEY, CONFIG_MAP, place_of
from certward.cli.importing.report import Step
from certward.cli.importing.sources import operator_configuration
from certward.names import GROUP, LABEL_MANAGED_BY, MANAGED_BY

_ACCOUNT_KEY = "tls.key"


def apply(session: Session, result: Import, operator_namespace: str) -> bool:
    """Write issuers, Apps and Domains; what is there already stays as it is.

    Returns:
        Whether all of it was written.
    """
    done = _write_issuers(session, result, operator_namespace)
    for manifest in (*result.apps, *result.domains):
        meta = manifest["metadata"]
        what = f"{manifest['kind']} {meta['namespace']}/{meta['name']}"
        try:
            session.api.create(manifest)
        except CliError as error:
            if error.code in (Exit.NO_RIGHTS, Exit.NO_CLUSTER):
                raise
            session.out.warn(f"{what}: {error.message}")
            # In a namespace that goes with all that is in it nothing is left to be done.
            done = done and error.code is Exit.NOT_FOUND
        else:
            session.out.say(f"Creating {what}... done")
    for namespace, name, secrets in result.changes:
        done = _add_secrets(session, namespace, name, secrets) and done
    if not (result.apps or result.domains or result.changes or result.issuers.new):
        session.out.say("Everything is there already; nothing was written.")
    return done


def _add_secrets(session: Session, namespace: str, name: str, secrets: tuple[str, ...]) -> bool:
    body = session.api.get("App", namespace, name)
    if body is None:
        session.out.warn(f"App {namespace}/{name} is gone.")
        return False
    there = manual.entries(body)
    wanted = [*there, *({"secretName": one} for one in secrets if {"secretName": one} not in there)]
    changes.patch(session, body, {"spec": {"certificates": {"manual": wanted}}}, is_dry_run=False, is_locked=True)
    session.out.say(f"Changing App {namespace}/{name}... done")
    return True


def _write_issuers(session: Session, result: Import, operator_namespace: str) -> bool:
    """Put new issuers into the operator's configuration; where that cannot be, say what belongs there."""
    if not result.issuers.new:
        return True
    config = operator_configuration(session.api, operator_namespace)
    trouble, place = config.trouble, "the operator's configuration"
    if keeper := config.keeper:
        where = f"ConfigMap {operator_namespace}/{CONFIG_MAP}"
        trouble = f"{where} is kept by {keeper.name}, which would undo a change or refuse to go on."
        place = place_of(keeper)
    if not trouble:
        change = {"data": {CONFIG_KEY: configuration.merged(config.text, result.issuers.new)}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", **config.body}
        try:
            changes.patch(session, body, change, is_dry_run=False, is_locked=True)
        except CliError as error:
            if error.code is not Exit.NO_RIGHTS:
                raise
            trouble = error.message
        else:
            session.out.say(f"Adding issuers to ConfigMap {operator_namespace}/{CONFIG_MAP}... done")
            return True
    session.out.warn(f"{trouble} Have these issuers added to {place}, behind those that are there:")
    session.out.say(configuration.fragment(result.issuers.new).rstrip())
    return False


def accounts_to_adopt(session: Session, result: Import, operator_namespace: str) -> list[tuple[Account, str]]:
    """The accounts whose keys can be taken over, and why not for the others; empty: it can."""
    found = []
    for account in result.issuers.accounts:
        if session.api.get("Secret", operator_namespace, account.secret) is not None:
            found.append(
                (account, f"{account.issuer} has an account of its own (Secret {account.secret}), which stays.")
            )
        elif _value(session, account.held) is None:
            held = account.held
            found.append((account, f"Secret {held.namespace}/{held.name} has no key {held.key}."))
        else:
            found.append((account, ""))
    return found


def adopt(session: Session, account: Account, operator_namespace: str) -> None:
    """Give the operator the key of an account at a CA, and that of its binding. Neither is shown anywhere."""
    from certward.model.keys import CertificateProblem, key_type_of

    value = _value(session, account.held)
    try:
        key_type_of(value or b"")
    except CertificateProblem as problem:
        raise usage(f"The account key in Secret {account.held.namespace}/{account.held.name}: {problem}") from None
    session.api.create(_secret(operator_namespace, account.secret, _ACCOUNT_KEY, value or b"", account.directory))
    held = account.held
    session.out.say(f"Adopting the account of {account.issuer} from Secret {held.namespace}/{held.name}... done")
    bound = account.binding
    if bound and session.api.get("Secret", operator_namespace, bound.name) is None:
        if (value := _value(session, bound)) is None:
            session.out.warn(f"Secret {bound.namespace}/{bound.name} has no key {bound.key}.")
        else:
            session.api.create(_secret(operator_namespace, bound.name, bound.key, value))
            session.out.say(f"Copying Secret {bound.namespace}/{bound.name} to {operator_namespace}... done")


def _value(session: Session, at: AccountKey) -> bytes | None:
    secret = session.api.get("Secret", at.namespace, at.name)
    value = ((secret or {}).get("data") or {}).get(at.key)
    return base64.b64decode(value) if value else None


def _secret(namespace: str, name: str, key: str, value: bytes, directory: str = "") -> Object:
    meta: dict[str, Any] = {"name": name, "namespace": namespace}
    if directory:
        meta |= {"labels": {LABEL_MANAGED_BY: MANAGED_BY}, "annotations": {f"{GROUP}/directory": directory}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode()},
    }


def manifests(result: Import) -> Iterator[str]:
    """Apps and Domains as documents of YAML."""
    for manifest in (*result.apps, *result.domains):
        yield f"---\n{configuration.dump(manifest)}"


def commented_issuers(result: Import) -> str:
    """The issuers as comments, for a stream of manifests; empty where there are none."""
    if not result.issuers.new:
        return ""
    lines = ["Into the operator's configuration (ConfigMap certward-config), beside what is there:"]
    lines += configuration.fragment(result.issuers.new).splitlines()
    return "".join(f"# {line}\n" for line in lines)


def to_folder(folder: Path, result: Import, way: list[Step]) -> list[Path]:
    """Write apps.yaml, domains.yaml, certward-config.yaml and report.md; those that would be empty are left out.

    Raises:
        CliError: the folder cannot be written to.
    """
    parts = {
        "apps.yaml": "".join(f"---\n{configuration.dump(one)}" for one in result.apps),
        "domains.yaml": "".join(f"---\n{configuration.dump(one)}" for one in result.domains),
        "certward-config.yaml": _CONFIG_HEAD + configuration.fragment(result.issuers.new) if result.issuers.new else "",
        "report.md": report.markdown(result, way),
    }
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in parts.items():
            if text:
                (folder / name).write_text(text, encoding="utf-8")
                written.append(folder / name)
    except OSError as error:
        raise usage(f"{folder} cannot be written to: {error.strerror}.") from None
    return written


_CONFIG_HEAD = """\
# Issuers for the operator's configuration: put them beside what stands in config.yaml of ConfigMap certward-config.
"""
