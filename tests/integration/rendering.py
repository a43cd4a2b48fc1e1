"""What Helm and kustomize make of the chart and of the folders of manifests/."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from cluster import binaries

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
CHART = MANIFESTS / "helm" / "certward"
NAMESPACE = "certward-system"


class Refused(Exception):
    """Helm or kustomize refused; the text is what it said."""


def kustomize(folder: Path) -> list[Object]:
    """The objects of a kustomization."""
    return _objects(binaries.binary("kubectl"), "kustomize", str(folder))


def helm(values: Object | None = None, *, namespace: str = NAMESPACE, chart: Path = CHART) -> list[Object]:
    """The objects of the chart with these values over its own."""
    arguments = ("template", "certward", str(chart), "--namespace", namespace, "--values", "-")
    return _objects(binaries.binary("helm"), *arguments, given=yaml.safe_dump(values or {}))


def run(program: Path, *arguments: str, given: str = "") -> str:
    """What a program prints; raises Refused with its complaint."""
    done = subprocess.run([program, *arguments], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def _objects(program: Path, *arguments: str, given: str = "") -> list[Object]:
    return [document for document in yaml.safe_load_all(run(program, *arguments, given=given)) if document]


def by_name(objects: list[Object]) -> dict[str, Object]:
    """Objects by kind and name, with the configuration as what it says and not as text."""
    named = {f"{each['kind']} {each['metadata']['name']}": each for each in objects}
    assert len(named) == len(objects), "an object is there twice"
    for each in named.values():
        if each["kind"] == "ConfigMap":
            each["data"] = {name: yaml.safe_load(text) for name, text in each["data"].items()}
    return named
