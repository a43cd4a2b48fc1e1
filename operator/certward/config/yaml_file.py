"""YAML for the configuration file: no key twice, no surprises, and mistakes told by line and column.

It reads true and false as booleans, decimal digits as numbers, and leaves YAML 1.1's other notations as text,
so that `off` and `2026-11-01` mean what they say. A key with nothing behind it counts as left out.
"""

import re
from typing import Any

import yaml

from certward.errors import ConfigError


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|", "~n"),
    ("bool", r"true|false", "tf"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+", "-0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])


def read_yaml(text: str) -> Any:  # noqa: ANN401
    """Return the one document in a text; the empty text is an empty mapping.

    Raises:
        ConfigError: not YAML, a key twice, more than one document, or no mapping. No line is quoted: it may
            hold what is secret.
    """
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError("", f"{where}{error.problem or error.context or 'not YAML'}") from None
    except yaml.YAMLError:
        raise ConfigError("", "is not YAML: it holds a character that YAML does not allow") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError("", "must be a mapping of fields, such as `issuers:` and `ingress:`")
    return _without_nulls(found)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
