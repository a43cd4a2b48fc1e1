"""What pages offer for Helm and for kustomize is the same, and does what they say; no cluster."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.rendering import MANIFESTS, ROOT, Object, by_name, helm, kustomize

WITHOUT: Object = {"crds": {"install": False}}


def offered(page: str, after: str) -> tuple[Object, Object]:
    """The values and the overlay of a page: the first two blocks of YAML behind a text."""
    _, found, rest = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(after)
    assert found
    values, overlay = (yaml.safe_load(block.partition("```")[0]) for block in rest.split("```yaml\n")[1:3])
    return values, overlay


def built(folder: Path, overlay: Object, *components: str) -> dict[str, Object]:
    """The objects of an overlay of somebody's over the base, as a page has it, with its own components or these."""
    there = os.path.relpath(MANIFESTS.resolve(), folder.resolve())
    named = [*components, *(name.removeprefix("../../") for name in overlay.get("components", ()))]
    whole = {**overlay, "resources": [f"{there}/base"], "components": [f"{there}/{name}" for name in named]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    found = by_name(kustomize(folder))
    del found["Namespace certward-system"]
    for each in found.values():
        if each["kind"].startswith("ValidatingAdmission"):  # unknown to kustomize, which gives it a namespace
            each["metadata"].pop("namespace", None)
    return found


def rendered(values: Object) -> dict[str, Object]:
    found = by_name(helm({**WITHOUT, **values}))
    del found["Deployment certward"]["spec"]["template"]["metadata"]["annotations"]
    return found


def as_the_container_sees_it(objects: dict[str, Object]) -> dict[str, Object]:
    """With the environment as the set that it is, where no variable refers to one of the container's own."""
    (container,) = objects["Deployment certward"]["spec"]["template"]["spec"]["containers"]
    container["env"] = sorted(container["env"], key=lambda each: str(each["name"]))
    return objects


PLACES = {
    "behind a proxy": ("install.md", "\n## Behind a proxy\n", ()),
    "on OpenShift": ("install.md", "\n## OpenShift\n", ()),
    "admission that only tells": ("restrict-hostnames.md", "**Turn it on without breaking anybody.**", ()),
    "monitoring with a label": ("metrics.md", "With the Helm chart:", ("monitoring",)),
}


@pytest.mark.parametrize(("page", "after", "components"), PLACES.values(), ids=PLACES)
def test_by_helm_and_by_kustomize_it_is_the_same_and_something_else_than_before(
    tmp_path: Path, page: str, after: str, components: tuple[str, ...]
) -> None:
    values, overlay = offered(page, after)
    by_helm = as_the_container_sees_it(rendered(values))
    assert by_helm == as_the_container_sees_it(built(tmp_path, overlay, *components))
    assert by_helm != as_the_container_sees_it(rendered({}))
    assert by_helm != as_the_container_sees_it(rendered({key: {"enabled": True} for key in components}))


def test_the_readers_of_the_defaults_can_be_others_and_by_kustomize_nobody(tmp_path: Path) -> None:
    values, overlay = offered("security.md", "**What everybody who is logged in may read**")
    (group,) = rendered(values)["RoleBinding certward-defaults"]["subjects"]
    assert group["name"] == "platform-users"
    assert built(tmp_path, overlay) == rendered({"defaultsReadableBy": []})


def test_what_everybody_may_read_is_one_configmap_and_no_more() -> None:
    found = rendered({})
    bound: list[Any] = [
        (each["kind"], each["metadata"]["name"], each["roleRef"]["name"])
        for each in found.values()
        if any(subject["kind"] != "ServiceAccount" for subject in each.get("subjects", ()))
    ]
    assert bound == [("RoleBinding", "certward-defaults", "certward-defaults")]
    assert found["Role certward-defaults"]["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["certward-defaults"], "verbs": ["get"]}
    ]
