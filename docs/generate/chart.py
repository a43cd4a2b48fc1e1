"""Writes what the Helm chart has in common with the rest: definitions, roles, policies, monitoring, and its schema.

The templates come from crds/, manifests/base, manifests/admission and manifests/monitoring, the schema of `config` from
the operator's own models, that of the other values from chart-values.yaml beside this file. Run by `make docs`, after
monitoring.py; a test compares the files with what this would write.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from certward.config.models import Config
from certward.plan.shards import MOST_SHARDS

ROOT = Path(__file__).parents[2]
BASE, ADMISSION, CRDS = ROOT / "manifests" / "base", ROOT / "manifests" / "admission", ROOT / "crds"
MONITORING = ROOT / "manifests" / "monitoring"
CHART = ROOT / "manifests" / "helm" / "certward"
TEMPLATES = CHART / "templates"

#: Stand in the objects until the text is written, each for what Helm is to put there.
_NAMESPACE, _ACCOUNT, _SUBJECTS, _INTERVAL = "@namespace", "@account", "@subjects", "@interval"
_RULES, _DASHBOARD, _LABELS = "@rules", "@dashboard", "@labels"
_PUT = {
    _NAMESPACE: "{{ .Release.Namespace }}",
    _ACCOUNT: '{{ include "certward.serviceAccountName" . | quote }}',
    _SUBJECTS: "{{ toJson .Values.defaultsReadableBy }}",
    _INTERVAL: "{{ .Values.monitoring.interval }}",
    _LABELS: '{{ merge (dict "app.kubernetes.io/name" "certward") (default dict .Values.monitoring.labels) | toJson }}',
    # What is in files is put in as it is: Prometheus has templates of its own, in braces like Helm's.
    _RULES: '{{- .Files.Get "files/rules.yaml" | fromYaml | toYaml | nindent 2 }}',
    _DASHBOARD: '{{ .Files.Get "files/grafana-dashboard.json" | toJson }}',
    **{f"@actions {part}": f"{{{{ toJson .Values.admission.{part}Actions }}}}" for part in ("operator", "hostnames")},
}
#: Annotations that are there where the values have some, by kind and name of the object.
_ANNOTATIONS = {
    ("ServiceAccount", "certward"): ".Values.serviceAccount.annotations",
    ("Service", "certward"): ".Values.service.annotations",
    ("Service", "certward-metrics"): "(merge (dict) (.Values.service.metricsAnnotations | default dict)"
    " (.Values.service.annotations | default dict))",
}
#: Objects that are there where the values say so.
_CONDITIONS = {
    ("ServiceAccount", "certward"): ".Values.serviceAccount.create",
    ("RoleBinding", "certward-defaults"): ".Values.defaultsReadableBy",
}
#: Without these no template can do; whoever takes one away is told.
_NEEDED = ["image", "replicas", "crds", "serviceAccount", "service", "admission", "monitoring", "config"]
_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
_CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", *_POLICIES)


def files() -> dict[Path, str]:
    """Each file that is made, and what it should hold."""
    made = {TEMPLATES / name: _template(name) for name in ("rbac.yaml", "user-roles.yaml", "services.yaml")}
    made |= {TEMPLATES / f"admission-{part}.yaml": _policies(part) for part in ("operator", "hostnames")}
    made |= {TEMPLATES / "monitoring.yaml": _monitoring(), **_copies()}
    return {**made, TEMPLATES / "crds.yaml": _definitions(), CHART / "values.schema.json": _schema()}


def _template(name: str) -> str:
    documents = _installed(BASE / name, BASE)
    return f"# Made from manifests/base/{name} by `make docs`; change that one.\n{_written(documents)}"


def _policies(part: str) -> str:
    folder = ADMISSION / part
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    documents = [document for name in resources for document in _installed(folder / name, folder)]
    for document in documents:
        if document["kind"] == "ValidatingAdmissionPolicyBinding":
            document["spec"]["validationActions"] = f"@actions {part}"
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
                subject |= {"name": _ACCOUNT, "namespace": _NAMESPACE}
        key = (document["kind"], metadata["name"])
        if key in _ANNOTATIONS:
            metadata["annotations"] = f"@with {' '.join(key)}"
        if document["kind"] == "ServiceAccount":
            metadata["name"] = _ACCOUNT
        if key == ("RoleBinding", "certward-defaults"):
            document["subjects"] = _SUBJECTS
        documents.append({"@if": _CONDITIONS[key], **document} if key in _CONDITIONS else document)
    return documents


def _monitoring() -> str:
    """The component of manifests/monitoring; what is long in it is read from the copies in the chart."""
    component = yaml.safe_load((MONITORING / "kustomization.yaml").read_text(encoding="utf-8"))
    documents = [yaml.safe_load((MONITORING / name).read_text(encoding="utf-8")) for name in component["resources"]]
    for document in documents:
        if document["metadata"]["labels"] != {"app.kubernetes.io/name": "certward"}:
            raise ValueError("the chart gives what is for the Prometheus Operator other labels than the component")
        document["metadata"] |= {"namespace": _NAMESPACE, "labels": _LABELS}
        if document["kind"] == "PrometheusRule":
            document["spec"] = _RULES
        for endpoint in document["spec"]["endpoints"] if document["kind"] == "ServiceMonitor" else ():
            endpoint["interval"] = _INTERVAL
    (generated,) = component["configMapGenerator"]
    (file,) = generated["files"]
    metadata = {"name": generated["name"], "namespace": _NAMESPACE, "labels": generated["options"]["labels"]}
    data = {file.partition("=")[0]: _DASHBOARD}
    documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    return (
        "# Made from manifests/monitoring by `make docs`; change those.\n"
        f"{{{{- if .Values.monitoring.enabled }}}}\n{_written(documents)}{{{{- end }}}}\n"
    )


def _copies() -> dict[Path, str]:
    """A chart reads no files but its own."""
    rules = (MONITORING / "rules.yaml").read_text(encoding="utf-8")
    return {
        CHART / "files" / "rules.yaml": f"# Copied from manifests/monitoring by `make docs`; change that one.\n{rules}",
        CHART / "files" / "grafana-dashboard.json": (MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"),
    }


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
    return "---\n".join(_one(document) for document in documents)


def _one(document: dict[str, Any]) -> str:
    condition = document.pop("@if", "")
    text = yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)
    if "{{" in text:  # none so far; Helm would take it for one of its own
        raise ValueError("there are braces in what a template is made from")
    text = re.sub(r"^  annotations: '@with (\S+) (\S+)'$", _annotations, text, flags=re.MULTILINE)
    text = re.sub(r"'(@[a-z ]+)'", lambda found: _PUT[found[1]], text)
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text


def _annotations(found: re.Match[str]) -> str:
    given = _ANNOTATIONS[found[1], found[2]]
    return f"  {{{{- with {given} }}}}\n  annotations: {{{{ toJson . }}}}\n  {{{{- end }}}}"


def _schema() -> str:
    config = _bare(Config.model_json_schema())
    definitions = config.pop("$defs")
    definitions["Ingress"].pop("required")  # one of `classes` is the default where there is one only
    own = yaml.safe_load((Path(__file__).parent / "chart-values.yaml").read_text(encoding="utf-8"))
    own["replicas"]["maximum"] = MOST_SHARDS
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the chart certward",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _closed(each) for name, each in own.items()} | {"config": config},
        "required": _NEEDED,
        "$defs": definitions,
    }
    return json.dumps(schema, indent=1) + "\n"


def _closed(node: object) -> object:
    """The schema with a refusal of what is not named, where it names what there is."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    is_open = closed.get("type") != "object" or "properties" not in closed or "additionalProperties" in closed
    return closed if is_open else {**closed, "additionalProperties": False}


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
