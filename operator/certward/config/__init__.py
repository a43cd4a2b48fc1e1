"""The operator's configuration file: reading it, the rules between its fields, and how mistakes are told.

All mistakes are told at once, each with the dotted path of its field, in words for whoever wrote the file.
"""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from certward.config import fields
from certward.config.fields import DIALECTS, HostPort
from certward.config.models import LETS_ENCRYPT, Config, IngressClass, IssuerConfig, Limits
from certward.config.yaml_file import read_yaml
from certward.errors import ConfigError
from certward.model.profiles import REVISIONS, cut_to_floor, profile
from certward.model.suites import VERSIONS

__all__ = [
    "DIALECTS",
    "LETS_ENCRYPT",
    "Config",
    "HostPort",
    "IngressClass",
    "IssuerConfig",
    "Limits",
    "load",
    "parse",
]


def load(path: Path) -> Config:
    """Read the configuration file; paths in it are relative to its folder.

    Raises:
        ConfigError: the file cannot be read, or as `parse` does.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is not UTF-8 text") from None
    return parse(text, path.parent)


def parse(text: str, base: Path) -> Config:
    """Read a configuration.

    Args:
        text: YAML; the empty text is a valid configuration.
        base: the folder that paths in it are relative to.

    Raises:
        ConfigError: with every mistake. A single one gives `path`; several are lines of `message`, each
            beginning with its path.
    """
    raw = read_yaml(text)
    mistakes = list(_across(raw))
    try:
        config = Config.model_validate(raw, context={"base": base})
    except ValidationError as caught:
        found = caught.errors(include_url=False, include_input=False)
        mistakes += [_mistake(e["type"], e["loc"], e.get("ctx", {})) for e in found]
    if not mistakes:
        return config
    if len(mistakes) == 1:
        raise ConfigError(*mistakes[0])
    raise ConfigError("", "\n".join(f"{path}: {words}" for path, words in mistakes))


def _across(raw: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Find what is wrong between fields, whatever is wrong with them; so all mistakes are told together."""
    raw = _mapping(raw)
    yield from _twice(raw, "issuers", "name")
    ingress = _mapping(raw.get("ingress"))
    classes, default = _mapping(ingress.get("classes")), ingress.get("defaultClass")
    if isinstance(default, str) and classes and default not in classes:
        known = ", ".join(str(name) for name in classes)
        yield "ingress.defaultClass", f"'{default}' is not one of ingress.classes ({known})"
    yield from _twice(raw, "hostnames", "pattern")
    yield from _too_small_to_share(raw)
    tls = _mapping(raw.get("tls"))
    revision, floor = tls.get("defaultRevision", REVISIONS[-1]), _mapping(tls.get("floor")).get("minVersion")
    if revision in REVISIONS and floor in VERSIONS:
        offered = profile(revision, "default")
        if cut_to_floor(offered, floor) is None:
            words = f"is above all that the default profile of revision {revision} offers"
            what = f"write {offered.max_version} at most, or a later tls.defaultRevision"
            yield "tls.floor.minVersion", f"{words}; {what}"


def _too_small_to_share(raw: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """Limits of an account are divided among the shards, and a shard without any could order nothing for ever."""
    shards, issuers = raw.get("shards"), raw.get("issuers")
    for index, issuer in enumerate(issuers if isinstance(issuers, list) else ()):
        orders = _mapping(_mapping(issuer).get("limits")).get("ordersPer3h")
        if type(orders) is int and type(shards) is int and 0 < orders < shards:
            path = f"issuers[{index}].limits.ordersPer3h"
            yield path, f"must be at least {shards}, so that each of the shards may place an order; or 0 for no limit"


def _twice(raw: dict[Any, Any], where: str, key: str) -> Iterator[tuple[str, str]]:
    items = raw.get(where)
    values = [_mapping(item).get(key) for item in items] if isinstance(items, list) else []
    for index, value in enumerate(values):
        first = values.index(value)
        if value is not None and first < index:
            yield f"{where}[{index}].{key}", f"is the same as {where}[{first}].{key}"


def _mistake(kind: str, place: tuple[int | str, ...], context: dict[str, Any]) -> tuple[str, str]:
    place = tuple(part for part in place if part != "[key]")
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    if kind == "extra_forbidden" and (known := _known_fields(place[:-1])):
        return path, f"is not a field; here may stand {', '.join(known)}"
    return path, fields.in_words(kind, context)


def _known_fields(place: tuple[int | str, ...]) -> list[str]:
    """Return the names of the fields that the mapping at that place of the file may have."""
    here: Any = Config
    for part in place:
        if _is_model(here):
            here = next(field.annotation for field in here.model_fields.values() if field.alias == part)
            if get_origin(here) is not UnionType:
                continue
        # One of a list, one of a mapping, or a field that may be absent: the model among its arguments.
        here = next(argument for argument in get_args(here) if _is_model(argument))
    return [field.alias or name for name, field in here.model_fields.items()]


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _mapping(value: Any) -> dict[Any, Any]:  # noqa: ANN401
    return value if isinstance(value, dict) else {}
