"""Writes dist/: crds.yaml, certward.yaml and the chart, as they are attached to a release.

    python docs/generate/release.py [--image registry.example.net/certward:0.1.0]

It needs kubectl and helm; without them on PATH, those of the local cluster's wheel. `--check VERSION` only says whether
project, operator, base and chart are of that version.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

from certward import __version__
from cluster import binaries

ROOT = Path(__file__).parents[2]
BASE, CHART = ROOT / "manifests" / "base", ROOT / "manifests" / "helm" / "certward"
#: A tag or a digest behind the name, whose registry may have a port.
_IMAGE = re.compile(r"(?P<name>[^@]+?)(:(?P<tag>[\w][\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))")


def versions() -> dict[str, str]:
    """Which version each of them says that it is."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    base = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "pyproject.toml": project["project"]["version"],
        "the operator": __version__,
        "manifests/base": base["images"][0]["newTag"],
        "the chart's version": chart["version"],
        "the chart's appVersion": chart["appVersion"],
    }


def write(dist: Path, image: str) -> list[Path]:
    """Write the files of a release that runs this image, and return them.

    Raises:
        ValueError: the image has neither tag nor digest.
    """
    named = _IMAGE.fullmatch(image)
    if not named:
        raise ValueError(f"{image} must be a name with a tag or a digest, such as registry.example.net/certward:0.1.0")
    dist.mkdir(parents=True, exist_ok=True)
    (dist / "crds.yaml").write_text(_run("kubectl", "kustomize", ROOT / "crds"), encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=dist) as folder:
        # An overlay over a copy, since kustomize takes no absolute paths and no image by an option.
        shutil.copytree(BASE, Path(folder) / "base")
        new = {key: value for key, value in (("newTag", named["tag"]), ("digest", named["digest"])) if value}
        images = [{"name": "certward", "newName": named["name"], **new}]
        overlay = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": ["base"]}
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump({**overlay, "images": images}))
        (dist / "certward.yaml").write_text(_run("kubectl", "kustomize", folder), encoding="utf-8")
        chart = Path(folder) / "chart"
        shutil.copytree(CHART, chart / "certward")
        values = chart / "certward" / "values.yaml"
        text = values.read_text(encoding="utf-8")
        for field, value in (("repository", named["name"]), ("tag", named["tag"]), ("digest", named["digest"])):
            text = re.sub(
                rf"^(  {field}: )\S+", lambda m, v=value: m[1] + json.dumps(v or ""), text, flags=re.MULTILINE
            )
        values.write_text(text, encoding="utf-8")
        _run("helm", "package", chart / "certward", "--destination", dist)
    return sorted(path for path in dist.iterdir() if path.is_file())


def _run(name: str, *arguments: str | Path) -> str:
    program = shutil.which(name) or binaries.binary(name)
    return subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Write the files, or compare the versions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", default=f"certward:{versions()['pyproject.toml']}")
    parser.add_argument("--check", metavar="VERSION")
    arguments = parser.parse_args()
    if arguments.check:
        others = {where: version for where, version in versions().items() if version != arguments.check}
        for where, version in others.items():
            sys.stderr.write(f"{where} is {version} and not {arguments.check}\n")
        return 1 if others else 0
    for path in write(ROOT / "dist", arguments.image):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
