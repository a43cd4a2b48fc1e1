"""Writes docs/reference/fields.md from the custom resource definitions in crds/.

Run by `make docs`; a test compares the page with what this would write.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "fields.md"
FILES = ("apps.yaml", "domains.yaml", "tlspolicies.yaml")

#: The same in all three kinds, so they are told of once.
_CONDITIONS = "status.conditions"
#: The object's own fields, which all kinds of Kubernetes have.
_OBJECT = ("apiVersion", "kind", "metadata")

Schema = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    kinds = [yaml.safe_load((ROOT / "crds" / name).read_text(encoding="utf-8")) for name in FILES]
    lines = [
        "# Fields",
        "",
        "<!-- Written by docs/generate/fields.py (`make docs`) from the definitions in crds/. -->",
        "",
        "Every field of the three kinds, from their definitions. `kubectl explain domain.spec` shows the same in the",
        "cluster. A field in **bold** has to be there where the one that it belongs to is. `[]` stands for each entry",
        "of a list. What you write is `spec`; `status` is written by the operator.",
    ]
    for kind in kinds:
        lines += ["", *_kind(kind["spec"])]
    lines += ["", *_conditions(_schema(kinds[0]["spec"]))]
    return "\n".join(lines) + "\n"


def _schema(spec: Schema) -> Schema:
    schema: Schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _kind(spec: Schema) -> Iterator[str]:
    names, version, schema = spec["names"], spec["versions"][0], _schema(spec)
    fields = list(_fields(schema))
    yield from (f"## {names['kind']}", "", _words(schema), "")
    yield f"- In a manifest: `apiVersion: {spec['group']}/{version['name']}`, `kind: {names['kind']}`."
    short = ", ".join(f"`{name}`" for name in (names["plural"], names["singular"], *names.get("shortNames", ())))
    yield f"- For kubectl: {short}."
    yield f"- `kubectl get {names['plural']}` shows {_columns(version)}."
    if selectable := version.get("selectableFields"):
        listed = " and ".join(f"`{each['jsonPath'].lstrip('.')}`" for each in selectable)
        yield f"- `--field-selector` takes {listed}."
    for part, title in (("spec", "What you write"), ("status", "What you read")):
        yield from ("", f"### {title}: {names['kind']} {part}", "")
        yield from _table([each for each in fields if each[0].startswith(f"{part}.") and each[1].get("description")])
    yield from ("", f"### What is refused: {names['kind']}", "")
    yield "The API server refuses what does not fit the types above, and what breaks one of these rules, with these"
    yield "words or more exact ones:"
    yield ""
    rules = [("", schema, False), *fields]
    for path, field, _ in rules:
        for rule in field.get("x-kubernetes-validations", ()):
            yield f"- {_code(path) if path else 'the object'}: {_escaped(rule['message'])}"


def _conditions(schema: Schema) -> Iterator[str]:
    entry = schema["properties"]["status"]["properties"]["conditions"]["items"]
    yield from (
        "## Conditions",
        "",
        "Those of all three kinds have these fields; a page has all [reasons](../reasons.md).",
        "",
    )
    yield from _table(list(_fields(entry, f"{_CONDITIONS}[]")))


def _columns(version: Schema) -> str:
    """The columns that kubectl prints; those of `-o wide` are named as such."""
    columns = version.get("additionalPrinterColumns", ())
    usual = ", ".join(column["name"] for column in columns if not column.get("priority"))
    wide = ", ".join(column["name"] for column in columns if column.get("priority"))
    return f"{usual}; with `-o wide` also {wide}" if wide else usual


def _fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """-> (path, schema, whether it has to be there), parents before children."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if not path and name in _OBJECT:
            continue
        here = f"{path}.{name}" if path else name
        yield here, field, name in required
        if here == _CONDITIONS:
            continue
        if "properties" in field:
            yield from _fields(field, here)
        items = field.get("items", {})
        if "properties" in items:
            yield from _fields(items, f"{here}[]")
        elif "x-kubernetes-validations" in items:
            yield f"{here}[]", items, False


def _table(fields: list[tuple[str, Schema, bool]]) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for path, field, is_required in fields:
        name = f"**{_code(path)}**" if is_required else _code(path)
        yield f"| {name} | {_type(field)} | {_escaped(_words(field))} |"


def _type(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        kind = "number or text"
    elif field.get("type") == "array":
        kind = f"list of {'objects' if 'properties' in field['items'] else 'texts'}"
    elif "additionalProperties" in field:
        kind = "texts by name"
    else:
        kind = _plain(field)
    limits = [f"one of {_codes(field['enum'])}"] if "enum" in field else []
    limits += [words.format(field[name]) for name, words in _LIMITS if name in field and "enum" not in field]
    if field.get("default") not in (None, {}):
        limits.append(f"default `{_value(field['default'])}`")
    return "; ".join([kind, *limits])


_LIMITS = (
    ("minimum", "{} or more"),
    ("maximum", "{} or less"),
    ("maxLength", "at most {} characters"),
    ("maxItems", "at most {} entries"),
    ("maxProperties", "at most {} entries"),
)


def _plain(field: Schema) -> str:
    kind = str(field.get("type", "object"))
    if kind == "string":
        return "time" if field.get("format") == "date-time" else "text"
    return {"integer": "number", "boolean": "`true` or `false`"}.get(kind, kind)


def _codes(values: list[Any]) -> str:
    return ", ".join(_code(_value(value)) for value in values if value != "")


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> str:
    return f"`{text}`"


def _words(field: Schema) -> str:
    return " ".join(str(field.get("description", "")).split())


def _escaped(text: str) -> str:
    """As Markdown shows it as it is, in a cell of a table too."""
    text = " ".join(text.split())
    for character in "\\`*_<>|[]":
        text = text.replace(character, f"\\{character}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
