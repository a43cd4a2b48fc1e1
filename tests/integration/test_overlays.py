"""The kustomize overlays: what each of them adds to the base, and that the API server takes all of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from certward.config import parse
from cluster.handle import Cluster
from generators import generator
from integration.rendering import MANIFESTS, ROOT, by_name, helm, kustomize

OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
#: The namespace of the overlay other-namespace.
ELSEWHERE = "platform-tls"


def test_two_replicas_by_kustomize_are_those_of_the_chart() -> None:
    by_helm = by_name(helm({"replicas": 2, "crds": {"install": False}}))
    del by_helm["Deployment certward"]["spec"]["template"]["metadata"]["annotations"]
    by_kustomize = by_name(kustomize(MANIFESTS / "overlays" / "two-replicas"))
    del by_kustomize["Namespace certward-system"]
    assert by_helm == by_kustomize


def test_another_namespace_by_kustomize_is_that_of_the_chart() -> None:
    by_helm = by_name(helm({"crds": {"install": False}}, namespace=ELSEWHERE))
    del by_helm["Deployment certward"]["spec"]["template"]["metadata"]["annotations"]
    by_kustomize = by_name(kustomize(MANIFESTS / "overlays" / "other-namespace"))
    del by_kustomize[f"Namespace {ELSEWHERE}"]
    assert by_helm == by_kustomize


@pytest.mark.parametrize("parts", [("operator",), ("hostnames",), ("operator", "hostnames")], ids=" and ".join)
@pytest.mark.parametrize("namespace", ["certward-system", ELSEWHERE])
def test_admission_policies_by_kustomize_are_those_of_the_chart(
    tmp_path: Path, namespace: str, parts: tuple[str, ...]
) -> None:
    values = {"crds": {"install": False}, "admission": dict.fromkeys(parts, True)}
    by_helm = by_name(helm(values, namespace=namespace))
    del by_helm["Deployment certward"]["spec"]["template"]["metadata"]["annotations"]
    there = os.path.relpath(MANIFESTS.resolve(), tmp_path.resolve())
    overlay = {
        "namespace": namespace,
        "resources": [f"{there}/base"],
        "components": [f"{there}/admission/{part}" for part in parts],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    by_kustomize = by_name(kustomize(tmp_path))
    del by_kustomize[f"Namespace {namespace}"]
    for each in by_kustomize.values():
        if each["kind"].startswith("ValidatingAdmission"):  # unknown to kustomize, which gives it a namespace;
            each["metadata"].pop("namespace")  # the API server takes it off again
    assert by_helm == by_kustomize
    bound = [each for each in by_kustomize.values() if each["kind"] == "ClusterRoleBinding"]
    assert [each["subjects"][0]["namespace"] for each in bound] == [namespace] * (1 + len(parts))


def test_the_overlay_with_admission_policies_is_the_chart_with_both() -> None:
    by_helm = by_name(helm({"crds": {"install": False}, "admission": {"operator": True, "hostnames": True}}))
    del by_helm["Deployment certward"]["spec"]["template"]["metadata"]["annotations"]
    by_kustomize = by_name(kustomize(MANIFESTS / "overlays" / "admission"))
    del by_kustomize["Namespace certward-system"]
    assert by_helm == by_kustomize


@pytest.mark.parametrize("namespace", ["certward-system", ELSEWHERE])
def test_network_policies_by_kustomize_are_those_of_the_chart(tmp_path: Path, namespace: str) -> None:
    by_helm = by_name(helm({"crds": {"install": False}, "networkPolicy": {"enabled": True}}, namespace=namespace))
    del by_helm["Deployment certward"]["spec"]["template"]["metadata"]["annotations"]
    there = os.path.relpath(MANIFESTS.resolve(), tmp_path.resolve())
    overlay = {"namespace": namespace, "resources": [f"{there}/base"], "components": [f"{there}/network"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    by_kustomize = by_name(kustomize(tmp_path))
    del by_kustomize[f"Namespace {namespace}"]
    assert by_helm == by_kustomize


def test_what_the_page_says_of_network_policies_is_the_same_by_kustomize_and_helm(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8").partition("\n## Network policies\n")[2]
    values, overlay = (yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:3])
    there = os.path.relpath(MANIFESTS.resolve(), tmp_path.resolve())
    assert overlay["components"] == ["../../network"]
    overlay |= {"resources": [f"{there}/base"], "components": [f"{there}/network"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    by_kustomize, by_helm = by_name(kustomize(tmp_path)), by_name(helm(values))
    for name in ("certward-nothing-else", "certward-in", "certward-out"):
        assert by_kustomize[f"NetworkPolicy {name}"] == by_helm[f"NetworkPolicy {name}"]
    assert (
        by_helm["NetworkPolicy certward-out"]
        != by_name(helm({"networkPolicy": {"enabled": True}}))["NetworkPolicy certward-out"]
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_fits_a_namespace_that_is_restricted(overlay: str) -> None:
    for each in kustomize(MANIFESTS / "overlays" / overlay):
        if each["kind"] == "Deployment":
            pod = each["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_configuration_is_valid(overlay: str, tmp_path: Path) -> None:
    found = kustomize(MANIFESTS / "overlays" / overlay)
    (config,) = (each for each in found if each["metadata"]["name"] == "certward-config")
    assert parse(config["data"]["config.yaml"], tmp_path).issuers


def test_the_overlay_of_the_page_on_gitops_makes_other_pods_for_another_configuration(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "gitops.md").read_text(encoding="utf-8").partition("## The operator's own configuration")[2]
    there = os.path.relpath(MANIFESTS.resolve(), tmp_path.resolve())
    text = page.partition("```yaml\n")[2].partition("```")[0].replace("../../base", f"{there}/base")
    (tmp_path / "kustomization.yaml").write_text(text, encoding="utf-8")
    mounted = {}
    for name in ("one", "two"):
        config = f"issuers:\n- {{name: {name}, directory: 'https://ca.example/dir'}}\n"
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
        found = by_name(kustomize(tmp_path))
        pod = found["Deployment certward"]["spec"]["template"]
        mounted[name] = pod["spec"]["volumes"][0]["configMap"]["name"]
        for each in ("certward-config", mounted[name]):
            data = found[f"ConfigMap {each}"]["data"]
            assert [issuer["name"] for issuer in data["config.yaml"]["issuers"]] == [name]
        assert pod["spec"]["containers"][0]["volumeMounts"][0]["name"] == pod["spec"]["volumes"][0]["name"]
    assert mounted["one"] != mounted["two"]


@pytest.fixture(scope="module")
def elsewhere(cluster: Cluster) -> Iterator[None]:
    """The namespace of one overlay, since a dry run makes none for what comes behind it."""
    cluster.kubectl("create", "namespace", ELSEWHERE)
    yield
    cluster.kubectl("delete", "namespace", ELSEWHERE)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.usefixtures("elsewhere")
def test_the_api_server_takes_it(cluster: Cluster, overlay: str) -> None:
    objects = kustomize(MANIFESTS / "overlays" / overlay)
    how = ("--server-side", "--force-conflicts", "--dry-run=server", "--warnings-as-errors")
    said = cluster.kubectl("apply", *how, "-f", "-", input=yaml.safe_dump_all(objects))
    assert said.count("serverside-applied (server dry run)") == len(objects), said


def test_a_release_is_the_base_and_the_definitions_with_the_image_by_its_digest(tmp_path: Path) -> None:
    image = f"registry.example.net:5000/certward@sha256:{'ab' * 32}"
    release = generator("release")
    files = {path.name: path for path in release.write(tmp_path, image)}

    version = release.versions()["pyproject.toml"]
    assert set(files) == {"certward.yaml", "crds.yaml", f"certward-{version}.tgz"}
    assert list(yaml.safe_load_all(files["crds.yaml"].read_text())) == kustomize(ROOT / "crds")
    expected = by_name(kustomize(MANIFESTS / "base"))
    (container,) = expected["Deployment certward"]["spec"]["template"]["spec"]["containers"]
    container["image"] = image
    assert by_name(list(yaml.safe_load_all(files["certward.yaml"].read_text()))) == expected
    packed = by_name(helm(chart=files[f"certward-{version}.tgz"]))
    assert packed["Deployment certward"]["spec"]["template"]["spec"]["containers"][0]["image"] == image


def test_all_that_has_a_version_has_the_same() -> None:
    assert len(set(generator("release").versions().values())) == 1
