"""Every pod of the manifests is let into a restricted namespace by the API server's own Pod Security admission."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from kubernetes import client

from cluster.errors import ClusterError
from cluster.handle import Cluster
from integration.rendering import MANIFESTS, Object, helm, kustomize

RESTRICTED = "pod-security.kubernetes.io/enforce"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
VALUES: dict[str, Object] = {
    "the chart": {},
    "the chart with two replicas": {"replicas": 2},
    "the chart with everything": {
        "replicas": 2,
        "podLabels": {"team": "edge"},
        "extraArgs": ["--workers=4"],
        "networkPolicy": {"enabled": True},
        "admission": {"operator": True, "hostnames": True},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.net:3128"}],
        "extraVolumes": [{"name": "roots", "configMap": {"name": "roots"}}],
        "extraVolumeMounts": [{"name": "roots", "mountPath": "/etc/roots"}],
    },
    "the chart with user and groups left to the cluster": {
        "podSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup")),
    },
}
SOURCES: dict[str, Callable[[], list[Object]]] = {
    "the base": lambda: kustomize(MANIFESTS / "base"),
    **{f"the overlay {name}": lambda name=name: kustomize(MANIFESTS / "overlays" / name) for name in OVERLAYS},
    **{name: lambda values=values: helm(values) for name, values in VALUES.items()},
}


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A restricted namespace with the accounts that the pods run as."""
    made = cluster.namespace("restricted")
    cluster.kubectl(
        "label", "namespace", made, f"{RESTRICTED}=restricted", "pod-security.kubernetes.io/warn=restricted"
    )
    cluster.kubectl("-n", made, "create", "serviceaccount", "certward")

    def has_account() -> bool:
        return "serviceaccount/default" in cluster.kubectl("-n", made, "get", "serviceaccounts", "-o", "name")

    cluster.wait_for(has_account, 30, "the namespace has an account of its own")
    return made


def deployments(source: str) -> list[Object]:
    found = [each for each in SOURCES[source]() if each["kind"] == "Deployment"]
    assert found
    return found


def pod(deployment: Object) -> Object:
    template = deepcopy(deployment["spec"]["template"])
    meta = {"name": deployment["metadata"]["name"], "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def admit(cluster: Cluster, namespace: str, manifest: Object) -> None:
    """Have the API server judge an object as if it were made; raises ClusterError with its words."""
    manifest["metadata"].pop("namespace", None)
    how = ("--dry-run=server", "--warnings-as-errors", "-f", "-")
    cluster.kubectl("-n", namespace, "create", *how, input=yaml.safe_dump(manifest))


@pytest.mark.parametrize("source", SOURCES)
def test_its_pods_are_let_in(cluster: Cluster, namespace: str, source: str) -> None:
    for each in deployments(source):
        admit(cluster, namespace, pod(each))


@pytest.mark.parametrize("source", SOURCES)
def test_its_deployments_are_taken_without_a_warning(cluster: Cluster, namespace: str, source: str) -> None:
    for each in deployments(source):
        admit(cluster, namespace, each)


@pytest.mark.parametrize("source", [name for name in SOURCES if "chart" not in name])
def test_its_namespace_is_restricted(source: str) -> None:
    (made,) = (each for each in SOURCES[source]() if each["kind"] == "Namespace")
    assert made["metadata"]["labels"][RESTRICTED] == "restricted"


def test_the_namespace_in_which_the_operator_runs_here_is_restricted(cluster: Cluster) -> None:
    there = client.CoreV1Api(cluster.api).read_namespace("certward-system")
    assert there.metadata.labels[RESTRICTED] == "restricted"


def _container(**changes: Any) -> Callable[[Object], None]:
    return lambda spec: spec["containers"][0]["securityContext"].update(changes)


def _pod(**changes: Any) -> Callable[[Object], None]:
    return lambda spec: spec["securityContext"].update(changes)


#: What is changed of the pod's spec -> what the API server names in its refusal.
CHANGED: dict[str, tuple[Callable[[Object], None], str]] = {
    "as root": (_pod(runAsUser=0), "runAsUser=0"),
    "perhaps as root": (_pod(runAsNonRoot=None), "runAsNonRoot != true"),
    "the container as root": (_container(runAsNonRoot=False), "runAsNonRoot != true"),
    "may gain privileges": (_container(allowPrivilegeEscalation=None), "allowPrivilegeEscalation != false"),
    "with what capabilities there are": (_container(capabilities=None), "unrestricted capabilities"),
    "with one capability more": (
        _container(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        "unrestricted capabilities",
    ),
    "without seccomp": (_pod(seccompProfile=None), "seccompProfile"),
    "with seccomp off": (_pod(seccompProfile={"type": "Unconfined"}), "seccompProfile"),
    "in the node's network": (lambda spec: spec.update(hostNetwork=True), "host namespaces"),
    "among the node's processes": (lambda spec: spec.update(hostPID=True), "host namespaces"),
    "in the node's shared memory": (lambda spec: spec.update(hostIPC=True), "host namespaces"),
    "with a folder of the node": (
        lambda spec: spec["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
        "restricted volume types",
    ),
    "at a port of the node": (lambda spec: spec["containers"][0]["ports"][0].update(hostPort=8089), "hostPort"),
}


@pytest.mark.parametrize(("change", "words"), CHANGED.values(), ids=CHANGED)
def test_a_pod_with_more_is_kept_out(
    cluster: Cluster, namespace: str, change: Callable[[Object], None], words: str
) -> None:
    (deployment,) = deployments("the base")
    change(deployment["spec"]["template"]["spec"])
    with pytest.raises(ClusterError) as refused:
        admit(cluster, namespace, pod(deployment))
    assert 'violates PodSecurity "restricted:latest"' in str(refused.value)
    assert words in str(refused.value)
    with pytest.raises(ClusterError, match='would violate PodSecurity "restricted:latest"'):
        admit(cluster, namespace, deployment)
