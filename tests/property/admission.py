"""What the API server lets in: the definitions' schemas and CEL rules, its own rules for names, labels, annotations.

The CEL rules are evaluated as they stand in crds/, but for two that use functions which only Kubernetes has.
"""

import functools
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cel
import yaml

CRDS = Path(__file__).parents[2] / "crds"
#: RFC 1123 as apimachinery's validation package has it. Python's `$` also matches before a newline at the end, which
#: Go's does not: hence fullmatch.
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
KEY_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
MOST_ANNOTATIONS = 256 * 1024
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}


def definitions() -> dict[str, dict[str, Any]]:
    """The schema of each kind."""
    found = {}
    for path in sorted(CRDS.glob("[!k]*.yaml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        found[spec["names"]["kind"]] = spec["versions"][0]["schema"]["openAPIV3Schema"]
    return found


SCHEMAS = definitions()


def refusals(body: Mapping[str, Any]) -> list[str]:
    """Why the API server does not take an object that is created; empty when it does."""
    schema = SCHEMAS[body["kind"]]
    spec = schema["properties"]["spec"]
    found = [*_of_metadata(body["metadata"]), *_of_value(spec, body.get("spec"), "spec")]
    rules = schema.get("x-kubernetes-validations", ())
    return found or list(_of_rules(rules, {"metadata": {"name": body["metadata"]["name"]}}, "object"))


def is_name(text: str) -> bool:
    """Whether an object can have this name."""
    return len(text) <= 253 and SUBDOMAIN.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Whether a label or an annotation can have this key."""
    prefix, slash, name = text.rpartition("/")
    return (not slash or is_name(prefix)) and len(name) <= 63 and KEY_NAME.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Whether a label can have this value."""
    return len(text) <= 63 and LABEL_VALUE.fullmatch(text) is not None


def is_range(text: str) -> bool:
    """What isCIDR takes and cidr().masked() leaves as it is: Go's netip.ParsePrefix is stricter than Python."""
    address, slash, bits = text.partition("/")
    if not slash or not re.fullmatch(r"0|[1-9][0-9]{0,2}", bits) or "%" in address:
        return False
    try:
        network = ipaddress.ip_network(text, strict=True)
    except ValueError:
        return False
    return not (network.version == 6 and network.network_address.ipv4_mapped)


def _of_metadata(meta: Mapping[str, Any]) -> Iterator[str]:
    if not is_name(meta["name"]):
        yield "metadata.name"
    if len(meta["namespace"]) > 63 or not LABEL.fullmatch(meta["namespace"]):
        yield "metadata.namespace"
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    if not all(is_label_key(key) and is_label_value(value) for key, value in labels.items()):
        yield "metadata.labels"
    size = sum(len(text.encode("utf-8", "surrogatepass")) for pair in annotations.items() for text in pair)
    if size > MOST_ANNOTATIONS or not all(is_label_key(key.lower()) for key in annotations):
        yield "metadata.annotations"


def _of_value(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    """Form first; rules are looked at only where the form is right, as in the API server."""
    complaints = list(_of_form(schema, value, at))
    yield from complaints or _of_rules(schema.get("x-kubernetes-validations", ()), value, at)


def _of_form(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    if not _is_of_type(schema, value):
        yield f"{at}: type"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: enum"
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{at}: length"
        if "pattern" in schema and not _go_pattern(schema["pattern"]).search(value):
            yield f"{at}: pattern"
    elif isinstance(value, list):
        yield from _of_list(schema, value, at)
    elif isinstance(value, dict):
        yield from _of_map(schema, value, at)
    elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: range"


def _is_of_type(schema: Mapping[str, Any], value: Any) -> bool:
    if isinstance(value, bool):
        return schema.get("type") == "boolean"
    return isinstance(value, (int, str) if schema.get("x-kubernetes-int-or-string") else _TYPES[schema["type"]])


def _of_list(schema: Mapping[str, Any], value: list[Any], at: str) -> Iterator[str]:
    if len(value) > schema.get("maxItems", len(value)):
        yield f"{at}: items"
    for each in value:
        yield from _of_value(schema["items"], each, f"{at}[]")
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set" and len({repr(each) for each in value}) < len(value):
        yield f"{at}: duplicates"
    if kind == "map" and all(isinstance(each, dict) for each in value):
        keys = [tuple(repr(each.get(key)) for key in schema["x-kubernetes-list-map-keys"]) for each in value]
        if len(set(keys)) < len(keys):
            yield f"{at}: duplicates"


def _of_map(schema: Mapping[str, Any], value: dict[str, Any], at: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{at}.{name}: required" for name in schema.get("required", ()) if name not in value)
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{at}: properties"
    for name, each in value.items():
        if name in properties:
            yield from _of_value(properties[name], each, f"{at}.{name}")
        elif "additionalProperties" in schema:
            yield from _of_value(schema["additionalProperties"], each, f"{at}.*")
        else:
            yield f"{at}.{name}: unknown"  # kubectl asks for strict validation


def _of_rules(rules: Any, value: Any, at: str) -> Iterator[str]:
    for rule in rules:
        if not _rule(rule["rule"].strip())(value):
            yield f"{at}: {rule['rule']}"


@functools.cache
def _rule(text: str) -> Callable[[Any], bool]:
    if "oldSelf" in text:
        return lambda _: True  # about changes; objects are created here
    if "isCIDR" in text:
        return is_range
    program = cel.compile(text)
    return lambda value: program.execute({"self": value}) is True


@functools.cache
def _go_pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", text))
