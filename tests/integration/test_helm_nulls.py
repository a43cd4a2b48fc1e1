"""Null takes a key away from the values of the Helm chart, which does without it or says that it is needed."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from certward.config import parse
from integration.rendering import CHART, Object, Refused, by_name, helm

VALUES: Object = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
#: All that can be turned on; the definitions are long and have no values in them.
EVERYTHING: Object = {
    "admission": {"operator": True, "hostnames": True},
    "monitoring": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "crds": {"install": False},
}


def paths(values: Object, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Each key of the values, with those above it."""
    for key, value in values.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from paths(value, (*before, key))


def is_needed(path: tuple[str, ...]) -> bool:
    """Whether the schema requires what is there."""
    node = SCHEMA
    for key in path[:-1]:
        node = node["properties"][key] if key in node.get("properties", {}) else node.get("additionalProperties", {})
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return path[-1] in node.get("required", ())


def without(path: tuple[str, ...]) -> Object:
    """The values that take a key away."""
    values = deepcopy(EVERYTHING)
    node: Any = values
    for key in path[:-1]:
        node = node.setdefault(key, {})
    node[path[-1]] = None
    return values


def leaves(node: object) -> Iterator[object]:
    """What is at the ends of an object."""
    if isinstance(node, dict | list):
        for each in node.values() if isinstance(node, dict) else node:
            yield from leaves(each)
    else:
        yield node


ALL = list(paths(VALUES))
NEEDED = [path for path in ALL if is_needed(path)]
OTHERS = [path for path in ALL if not is_needed(path)]


def test_nothing_in_the_configuration_is_needed() -> None:
    assert NEEDED
    assert [path for path in NEEDED if path[0] == "config"] == [("config",)]


@pytest.mark.parametrize("path", NEEDED, ids=".".join)
def test_what_is_needed_is_told_by_its_name(path: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        helm(without(path))
    assert "values don't meet the specifications of the schema" in str(refused.value)
    assert f"missing property '{path[-1]}'" in str(refused.value)


@pytest.mark.parametrize("path", OTHERS, ids=".".join)
def test_without_any_other_key_the_chart_is_whole(path: tuple[str, ...], tmp_path: Path) -> None:
    found = by_name(helm(without(path)))
    assert not [name for name, each in found.items() if each["kind"] != "ConfigMap" and None in leaves(each)]
    (operator,) = found["Deployment certward"]["spec"]["template"]["spec"]["containers"]
    assert not [each for each in operator["args"] if each.endswith("=")]
    config = found["ConfigMap certward-config"]["data"]["config.yaml"]
    assert parse(yaml.safe_dump(config), tmp_path)
    if path[0] == "config":
        assert path[1:] not in list(paths(config))
