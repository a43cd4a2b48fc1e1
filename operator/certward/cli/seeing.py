"""Facts that the user may or may not be allowed to see."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import yaml

from certward.cli.api import Api, Object
from certward.cli.errors import CliError, Exit
from certward.cli.findings import Unseen
from certward.kube.kinds import path_of

if TYPE_CHECKING:
    from certward.config import Config

T = TypeVar("T")
CONFIG_MAP: Final = "certward-config"
_FILE: Final = "config.yaml"


def see(ask: Callable[[], T]) -> T | Unseen:
    """Ask for something; where the user has no right to, say so instead.

    Raises:
        CliError: for any other reason.
    """
    try:
        return ask()
    except CliError as error:
        if error.code is not Exit.NO_RIGHTS:
            raise
        words = error.message.partition(". ")[0].rstrip(".")
        return Unseen(words[:1].lower() + words[1:])


def get_any(api: Api, kind: str, namespace: str, name: str) -> Object | None:
    """One object, also of a kind that the cluster may not have; None when there is none."""
    return api.raw("GET", path_of(kind, namespace, name))


def list_any(api: Api, kind: str, namespace: str = "", *, query: str = "") -> list[Object] | None:
    """All objects of a kind; None: the cluster does not have that kind."""
    page = api.raw("GET", path_of(kind, namespace) + (f"?{query}" if query else ""))
    return None if page is None else list(page.get("items") or ())


def read_configuration(api: Api, namespace: str) -> "Config | Unseen":
    """The operator's configuration, where the user may read it.

    Roots that stand in files of the operator's pod are left out.

    Raises:
        ConfigError: there are mistakes in it.
    """
    from certward.config import parse

    text = configuration_text(api, namespace)
    return text if isinstance(text, Unseen) else parse(without_files(text), Path("/nonexistent"))


def configuration_text(api: Api, namespace: str) -> str | Unseen:
    """The operator's configuration file as it stands in its ConfigMap."""
    found = see(lambda: api.get("ConfigMap", namespace, CONFIG_MAP))
    if isinstance(found, Unseen):
        return found
    data = (found or {}).get("data") or {}
    if _FILE not in data:
        return Unseen(f"there is no ConfigMap {CONFIG_MAP} with the key {_FILE} in namespace {namespace}")
    return str(data[_FILE])


def without_files(text: str) -> str:
    """The configuration without those roots that are the path of a file, which is not on this machine."""
    try:
        raw: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    issuers = raw.get("issuers") if isinstance(raw, dict) else None
    for issuer in issuers if isinstance(issuers, list) else ():
        if isinstance(issuer, dict) and is_file(issuer.get("caBundle")):
            del issuer["caBundle"]
    return yaml.safe_dump(raw, sort_keys=False)


def is_file(bundle: object) -> bool:
    """Whether a caBundle is the path of a file and not the roots themselves."""
    return isinstance(bundle, str) and bool(bundle) and "-----BEGIN " not in bundle
