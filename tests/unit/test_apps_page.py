"""The examples of docs/apps.md: the API server takes each of them, and each option of an App and a Domain has one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from property.admission import SCHEMAS, refusals

PAGE = Path(__file__).parents[2] / "docs" / "apps.md"
EXAMPLES = [
    body
    for block in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    for body in yaml.safe_load_all(block.partition("```")[0])
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda body: f"{body['kind']} {sorted(body['spec'])}")
def test_an_example_is_taken_as_it_stands(example: dict[str, Any]) -> None:
    assert example["apiVersion"] == "certward.dev/v1alpha1"
    assert refusals(example) == []


@pytest.mark.parametrize("kind", ["App", "Domain"])
def test_each_option_has_an_example(kind: str) -> None:
    shown = {path for body in EXAMPLES if body["kind"] == kind for path in written(body["spec"])}
    assert set(options(SCHEMAS[kind]["properties"]["spec"])) <= shown


def options(schema: Mapping[str, Any], at: str = "spec") -> Iterator[str]:
    """The path of each field that can be written."""
    yield at
    for name, child in schema.get("properties", {}).items():
        yield from options(child, f"{at}.{name}")
    if "items" in schema:
        yield from options(schema["items"], f"{at}[]")


def written(value: Any, at: str = "spec") -> Iterator[str]:
    """The path of each field that is written."""
    yield at
    for name, child in value.items() if isinstance(value, dict) else ():
        yield from written(child, f"{at}.{name}")
    for child in value if isinstance(value, list) else ():
        yield from written(child, f"{at}[]")
