"""The operator's configuration with further issuers in it: the text stays as it is, comments and all."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from certward.cli.importing.findings import Body, Claims
from certward.model.hostnames import HostnameRule


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines, such as PEM, as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dump(value: object) -> str:
    """A value as YAML, in the order in which it is written."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def issuers_of(text: str) -> list[Body]:
    """The issuers of a configuration; none where it cannot be read."""
    return _mappings(_parsed(text).get("issuers"))


def claims_of(text: str) -> Claims:
    """Who may claim which hostname; everybody all of them where the configuration cannot be read."""
    parsed = _parsed(text)
    rules = tuple(
        HostnameRule(str(one.get("pattern")), tuple(str(space) for space in one.get("namespaces") or ()))
        for one in _mappings(parsed.get("hostnames"))
    )
    platform = parsed.get("platformDomain")
    suffix = platform.get("suffix") if isinstance(platform, Mapping) else ""
    return Claims(rules, "deny" if parsed.get("hostnamesDefault") == "deny" else "allow", str(suffix or ""))


def _parsed(text: str) -> Body:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return parsed if isinstance(parsed, Mapping) else {}


def _mappings(found: object) -> list[Body]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def fragment(issuers: Sequence[Body]) -> str:
    """The `issuers` of a configuration that has nothing else."""
    return dump({"issuers": [dict(one) for one in issuers]})


def merged(text: str, new: Sequence[Body]) -> str:
    """The configuration with further issuers behind those that it has.

    Args:
        text: valid YAML of a mapping, or empty.
        new: what is to be added.
    """
    if not new:
        return text
    before: dict[str, Any] = yaml.safe_load(text) or {}
    wanted = {**before, "issuers": [*(before.get("issuers") or ()), *(dict(one) for one in new)]}
    edited = _edited(text, new)
    try:
        if yaml.safe_load(edited) == wanted:
            return edited
    except yaml.YAMLError:
        pass
    return dump(wanted)


def _edited(text: str, new: Sequence[Body]) -> str:
    """The text with the new entries put in; whether it came out right is for the caller to see."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    there = next((value for key, value in pairs if key.value == "issuers"), None)
    if there is None:
        return f"{text.rstrip()}\n{fragment(new)}".lstrip()
    if not isinstance(there, yaml.SequenceNode) or there.flow_style or not there.value:
        return text
    lines = text.splitlines()
    at = there.value[-1].end_mark.line
    if there.value[-1].end_mark.column:  # the end of the file, without a newline
        at += 1
    while at > 0 and not lines[at - 1].strip():
        at -= 1
    margin = " " * there.start_mark.column
    added = [margin + line if line else line for line in dump([dict(one) for one in new]).splitlines()]
    return "\n".join([*lines[:at], *added, *lines[at:]]) + "\n"
