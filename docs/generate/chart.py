"""Writes what the Helm chart has in common with the rest: definitions, roles, policies, and the schema of its values.

The templates come from crds/, manifests/base and manifests/admission, the schema of `config` from the operator's own
models. Run by `make docs`; a test compares the files with what this would write.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from certward.config.models import Config

ROOT = Path(__file__).parents[2]
BASE, ADMISSION, CRDS = ROOT / "manifests" / "base", ROOT / "manifests" / "admission", ROOT / "crds"
CHART = ROOT / "manifests" / "helm" / "certward"
TEMPLATES = CHART / "templates"

#: In the place of the namespace until the text is written.
_NAMESPACE = "{{ .Release.Namespace }}"
_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
_CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", *_POLICIES)


def files() -> dict[Path, str]:
    """Each file that is made, and what it should hold."""
    made = {TEMPLATES / name: _template(name) for name in ("rbac.yaml", "user-roles.yaml", "services.yaml")}
    made |= {TEMPLATES / f"admission-{part}.yaml": _policies(part) for part in ("operator", "hostnames")}
    return {**made, TEMPLATES / "crds.yaml": _definitions(), CHART / "values.schema.json": _schema()}


def _template(name: str) -> str:
    documents = _installed(BASE / name, BASE)
    return f"# Made from manifests/base/{name} by `make docs`; change that one.\n{_written(documents)}"


def _policies(part: str) -> str:
    folder = ADMISSION / part
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    documents = [document for name in resources for document in _installed(folder / name, folder)]
    return (
        f"# Made from manifests/admission/{part} by `make docs`; change those.\n"
        f"{{{{- if .Values.admission.{part} }}}}\n{_written(documents)}{{{{- end }}}}\n"
    )


def _installed(path: Path, folder: Path) -> list[dict[str, Any]]:
    """The objects of a file as an installation has them: with the labels of its folder and the release's namespace."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    (labels,) = kustomization["labels"]
    documents = []
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        metadata = document["metadata"]
        metadata["labels"] = labels["pairs"] | metadata.get("labels", {})
        if document["kind"] not in _CLUSTER_WIDE:
            metadata["namespace"] = _NAMESPACE
        for subject in document.get("subjects", ()):
            if subject["kind"] == "ServiceAccount":
                subject["namespace"] = _NAMESPACE
        documents.append(document)
    return documents


def _definitions() -> str:
    documents = []
    for path in sorted(CRDS.glob("[!k]*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
        documents.append(document)
    # As templates, since Helm installs what is in a folder crds/ once and upgrades it never.
    return (
        "# Made from crds by `make docs`; change those.\n{{- if .Values.crds.install }}\n"
        f"{_written(documents)}{{{{- end }}}}\n"
    )


def _written(documents: list[dict[str, Any]]) -> str:
    text = yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True)
    kept = text.replace(f"'{_NAMESPACE}'", "\0")
    if "{{" in kept:  # none so far; Helm would take it for one of its own
        raise ValueError("there are braces in what a template is made from")
    return kept.replace("\0", _NAMESPACE)


def _schema() -> str:
    config = _bare(Config.model_json_schema())
    definitions = config.pop("$defs")
    definitions["Ingress"].pop("required")  # one of `classes` is the default where there is one only
    text, texts = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
    objects = {"type": "array", "items": {"type": "object"}}
    label = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
    properties = {
        "image": _mapping(
            {
                "repository": {"type": "string", "minLength": 1, "pattern": "^[^:@]+(:[0-9]+/[^:@]+)?$"},
                "tag": {"type": "string", "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"},
                "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                "pullPolicy": {"enum": ["", "Always", "IfNotPresent", "Never"]},
            },
            required=["repository"],
        ),
        "imagePullSecrets": {
            "type": "array",
            "items": _mapping({"name": {"type": "string", "minLength": 1}}, required=["name"]),
        },
        "replicas": {"type": "integer", "minimum": 0, "maximum": 5},
        "crds": _mapping({"install": {"type": "boolean"}}),
        "admission": _mapping({"operator": {"type": "boolean"}, "hostnames": {"type": "boolean"}}),
        "networkPolicy": _mapping(
            {
                "enabled": {"type": "boolean"},
                "ingressNamespaces": {"type": "array", "items": label, "minItems": 1},
                "metricsNamespaces": {"type": "array", "items": label},
                "extraIngress": objects,
                "extraEgress": objects,
            }
        ),
        "logLevel": {"enum": ["debug", "info", "warning", "error"]},
        "logFormat": {"enum": ["text", "json"]},
        "extraArgs": {"type": "array", "items": text},
        "resources": {"type": "object"},
        "podAnnotations": texts,
        "podLabels": texts,
        "nodeSelector": texts,
        "tolerations": objects,
        "priorityClassName": text,
        "config": config,
        "global": {"type": "object"},  # Helm puts it there when the chart is part of another one
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the chart certward",
        **_mapping(properties, required=["image", "replicas", "config"]),
        "$defs": definitions,
    }
    return json.dumps(schema, indent=1) + "\n"


def _mapping(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    needed = {"required": required} if required else {}
    return {"type": "object", "additionalProperties": False, "properties": properties, **needed}


def _bare(node: dict[str, Any]) -> dict[str, Any]:
    """Without titles and defaults, which are Python's, and with the first sentence of descriptions."""
    kept = {key: value for key, value in node.items() if key not in ("title", "default") or isinstance(value, dict)}
    if isinstance(kept.get("description"), str):
        kept["description"] = kept["description"].partition("\n")[0]
    if "properties" in kept:
        names = kept.pop("properties")
        return {**_bare(kept), "properties": {name: _bare_value(value) for name, value in names.items()}}
    kept.pop("default", None)
    return {key: _bare_value(value) for key, value in kept.items()}


def _bare_value(value: object) -> object:
    if isinstance(value, list):
        return [_bare_value(each) for each in value]
    return _bare(value) if isinstance(value, dict) else value


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
