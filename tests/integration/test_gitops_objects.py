"""Objects that Argo CD or Flux has applied: the operator changes nothing of theirs, and they go in any order."""

import json
from typing import Any

import pytest
from kubernetes import client

from cluster.errors import ClusterError
from cluster.handle import Cluster
from gitops import rules
from integration import observer
from integration.observer import Object

PLURALS = {"App": "apps", "Domain": "domains", "TLSPolicy": "tlspolicies"}
OWN_ANNOTATION = "certward.dev/tls-default-revision"
MANAGER = "argocd-controller"


def policy(name: str = "modern") -> Object:
    spec = {"profile": "modern", "targetRefs": [{"kind": "App", "name": "shop"}]}
    return {"apiVersion": observer.API_VERSION, "kind": "TLSPolicy", "metadata": {"name": name}, "spec": spec}


def tool(cluster: Cluster, namespace: str, command: str, objects: list[Object], *options: str) -> str:
    """Run `apply` or `diff` as a tool that has no business to force anything."""
    bundle = {"apiVersion": "v1", "kind": "List", "items": objects}
    given = json.dumps(bundle)
    manager = ("--server-side", f"--field-manager={MANAGER}")
    return cluster.kubectl("-n", namespace, command, *manager, *options, "-f", "-", input=given)


def live(cluster: Cluster, namespace: str, one: Object) -> Object:
    return observer.get(cluster, namespace, one["metadata"]["name"], PLURALS[one["kind"]])


def owned(one: Object, manager: str) -> list[tuple[str, Any]]:
    """What a manager owns of an object: (subresource, fields)."""
    return [
        (entry.get("subresource", ""), entry["fieldsV1"])
        for entry in one["metadata"]["managedFields"]
        if entry["manager"] == manager
    ]


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    made = cluster.namespace("gitops")
    cluster.backend(made, "shop")
    return made


def test_the_operator_owns_the_status_and_one_annotation_and_no_tool_finds_a_difference(
    cluster: Cluster, namespace: str
) -> None:
    objects = [observer.app(), observer.domain("www", namespace), policy()]
    tool(cluster, namespace, "apply", objects)
    declared = [live(cluster, namespace, one) for one in objects]
    observer.until_settled(cluster, namespace, ["www"])
    cluster.wait_for(lambda: rules.flux(live(cluster, namespace, policy())) == "Current", 60, "the policy is shown")

    for before in declared:
        after = live(cluster, namespace, before)
        assert after["spec"] == before["spec"]
        assert after["metadata"]["generation"] == before["metadata"]["generation"]
        assert after["metadata"].get("labels") == before["metadata"].get("labels")
        assert after["metadata"].get("finalizers") is None
        assert after["metadata"].get("ownerReferences") is None
        assert set(after["metadata"].get("annotations", {})) <= {OWN_ANNOTATION}
        for subresource, fields in owned(after, "certward"):
            if subresource:
                assert subresource == "status"
                assert set(fields) == {"f:status"}
            else:
                assert after["kind"] == "App"
                assert fields == {"f:metadata": {"f:annotations": {f"f:{OWN_ANNOTATION}": {}}}}
        assert {entry["manager"] for entry in after["metadata"]["managedFields"]} == {MANAGER, "certward"}

    assert tool(cluster, namespace, "diff", objects) == ""
    versions = [live(cluster, namespace, one)["metadata"]["resourceVersion"] for one in objects]
    tool(cluster, namespace, "apply", objects)
    assert versions == [live(cluster, namespace, one)["metadata"]["resourceVersion"] for one in objects]
    assert live(cluster, namespace, objects[0])["metadata"]["annotations"][OWN_ANNOTATION]


def test_a_difference_is_found_where_there_is_one(cluster: Cluster, namespace: str) -> None:
    tool(cluster, namespace, "apply", [observer.app()])
    changed = observer.app()
    changed["spec"]["httpsRedirect"] = False
    with pytest.raises(ClusterError, match="httpsRedirect"):
        tool(cluster, namespace, "diff", [changed])


def test_the_tools_read_objects_of_the_running_cluster(cluster: Cluster, namespace: str) -> None:
    off = observer.app("off")
    off["spec"]["certificates"] = {"automatic": False}
    taken = observer.domain("younger", namespace)
    taken["spec"]["hostname"] = observer.hostname("www", namespace)
    lost = observer.domain("lost", namespace, of="nowhere")
    wrong = policy("wrong")
    wrong["spec"] = {"profile": "modern", "revision": "2017-09", "targetRefs": [{"kind": "App", "name": "off"}]}
    quiet = observer.domain("quiet", namespace, of="off")
    first = [observer.app(), observer.domain("www", namespace), policy()]
    tool(cluster, namespace, "apply", [*first, off, quiet, lost, wrong])
    observer.until_settled(cluster, namespace, ["www"])
    tool(cluster, namespace, "apply", [taken])

    expected = [
        (observer.domain("www", namespace), "Healthy", "Current"),
        (quiet, "Healthy", "Current"),
        (taken, "Suspended", "InProgress"),
        (lost, "Suspended", "InProgress"),
        (policy(), "Healthy", "Current"),
        (wrong, "Degraded", "Failed"),
        (off, "Healthy", "Current"),
        (observer.app(), "Suspended", "InProgress"),
    ]

    def seen() -> list[tuple[str, str]]:
        found = [live(cluster, namespace, one) for one, _, _ in expected]
        return [(rules.argocd(one)[0], rules.flux(one)) for one in found]

    cluster.wait_for(lambda: seen() == [(argo, flux) for _, argo, flux in expected], 60, "all are as the tools say")


def test_a_new_object_is_in_progress_until_the_operator_has_looked(cluster: Cluster, namespace: str) -> None:
    """By a dry run, which the operator never sees."""
    said = cluster.kubectl(
        "-n", namespace, "create", "--dry-run=server", "-o", "json", "-f", "-",
        input=json.dumps(observer.domain("new", namespace)),
    )  # fmt: skip
    new = json.loads(said)
    assert new["status"] == {"observedGeneration": -1}
    assert (rules.argocd(new)[0], rules.flux(new), rules.kstatus(new)) == ("Progressing", "InProgress", "InProgress")


@pytest.mark.parametrize(
    "order",
    [("App", "Domain", "TLSPolicy"), ("Domain", "TLSPolicy", "App"), ("TLSPolicy", "App", "Domain"), ()],
    ids=["the App first", "the Domains first", "the policy first", "all at once"],
)
def test_pruning_in_any_order_is_clean(cluster: Cluster, namespace: str, order: tuple[str, ...]) -> None:
    tool(cluster, namespace, "apply", [observer.app(), observer.domain("www", namespace), policy()])
    observer.until_settled(cluster, namespace, ["www"])
    assert leftovers(cluster, namespace)

    for kind in order:
        cluster.kubectl("-n", namespace, "delete", PLURALS[kind] + ".certward.dev", "--all", "--timeout=30s")
    if not order:
        every = ",".join(f"{plural}.certward.dev" for plural in PLURALS.values())
        cluster.kubectl("-n", namespace, "delete", every, "--all", "--timeout=30s")

    cluster.wait_for(lambda: not leftovers(cluster, namespace), 60, "nothing of Certward's is left")
    assert client.CoreV1Api(cluster.api).read_namespaced_service("shop", namespace).metadata.name == "shop"


def leftovers(cluster: Cluster, namespace: str) -> list[str]:
    """What Certward has made in a namespace and is there still."""
    kinds = "secrets,services,endpointslices,ingresses,middlewares.traefik.io,tlsoptions.traefik.io"
    selector = "app.kubernetes.io/managed-by=certward"
    return cluster.kubectl("-n", namespace, "get", kinds, "-l", selector, "-o", "name").split()
