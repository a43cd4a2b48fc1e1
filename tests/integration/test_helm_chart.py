"""The Helm chart: the same as the kustomize base, checked against its schema, taken by the API server."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from certward.config import parse
from cluster import binaries
from cluster.handle import Cluster
from integration import rendering
from integration.rendering import MANIFESTS, ROOT, Object, Refused, by_name, helm, kustomize

KEEP = {"helm.sh/resource-policy": "keep"}
WITH_REGISTRY = {"image": {"repository": "registry.example.net:5000/certward"}}


def like_kustomize(objects: list[Object]) -> dict[str, Object]:
    """What the chart renders, without the two things that Helm needs and kustomize does not."""
    found = by_name(objects)
    for each in found.values():
        if each["kind"] == "CustomResourceDefinition":
            assert each["metadata"].pop("annotations") == KEEP
        if each["kind"] == "Deployment":
            assert list(each["spec"]["template"]["metadata"].pop("annotations")) == ["checksum/config"]
    return found


def without_namespace(objects: list[Object]) -> dict[str, Object]:
    """What kustomize renders, but for the Namespace: a chart that had it would delete the accounts' keys with it."""
    found = by_name(objects)
    assert found.pop("Namespace certward-system")
    return found


def test_the_defaults_are_the_base_with_the_definitions() -> None:
    assert like_kustomize(helm()) == without_namespace([*kustomize(MANIFESTS / "base"), *kustomize(ROOT / "crds")])


def test_without_the_definitions_it_is_the_base() -> None:
    assert like_kustomize(helm({"crds": {"install": False}})) == without_namespace(kustomize(MANIFESTS / "base"))


def test_another_namespace_is_everywhere() -> None:
    objects = helm(namespace="edge")
    assert "certward-system" not in yaml.safe_dump_all(objects)
    (binding,) = (each for each in objects if each["kind"] == "ClusterRoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "certward", "namespace": "edge"}]


def test_what_is_configured_reaches_the_operator(tmp_path: Path) -> None:
    values = {
        "replicas": 2,
        "image": {"repository": "registry.example.net:5000/certward", "digest": f"sha256:{'ab' * 32}"},
        "imagePullSecrets": [{"name": "pull"}],
        "logFormat": "json",
        "podLabels": {"team": "edge", "app.kubernetes.io/name": "other"},
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "config": {
            "issuers": [{"name": "own", "directory": "https://ca.example/dir"}],
            "challenge": {"http01": {"port": 9000}},
            "ingress": {"defaultClass": "nginx", "classes": {"nginx": {"dialect": "ingress-nginx"}, "traefik": None}},
            "probe": {"interval": "30s"},
        },
    }
    found = by_name(helm(values))
    pod = found["Deployment certward"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == f"registry.example.net:5000/certward@sha256:{'ab' * 32}"
    assert container["args"][-1] == "--log-format=json"
    assert container["ports"][0] == {"name": "http01", "containerPort": 9000}
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "certward", "the Service selects by it"
    assert pod["metadata"]["labels"]["team"] == "edge"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    config = parse(yaml.safe_dump(found["ConfigMap certward-config"]["data"]["config.yaml"]), tmp_path)
    assert [issuer.name for issuer in config.issuers] == ["own"]
    assert list(config.ingress.classes) == ["nginx"]


def test_network_policies_name_the_namespaces_and_rules_that_are_given() -> None:
    more_in, more_out = {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}, {"ports": [{"port": 14000}]}
    given = {"enabled": True, "ingressNamespaces": ["edge"], "metricsNamespaces": []}
    found = by_name(helm({"networkPolicy": {**given, "extraIngress": [more_in], "extraEgress": [more_out]}}))
    asked, extra_in = found["NetworkPolicy certward-in"]["spec"]["ingress"]
    *_, entries, extra_out = found["NetworkPolicy certward-out"]["spec"]["egress"]
    assert (extra_in, extra_out) == (more_in, more_out)
    assert [port["port"] for port in asked["ports"]] == ["http01"], "nobody is to scrape"
    for peer in (*asked["from"], *entries["to"]):
        assert [each["values"] for each in peer["namespaceSelector"]["matchExpressions"]] == [["edge"]]


def test_a_change_of_the_configuration_restarts_the_operator() -> None:
    def checksum(values: Object) -> Any:
        pod = by_name(helm(values))["Deployment certward"]["spec"]["template"]
        return pod["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({"logLevel": "debug"})
    assert checksum({}) != checksum({"config": {"hostnamesDefault": "deny"}})
    assert checksum({}) != checksum({"admission": {"hostnames": True}}), "the rules are written at the start"


BAD: dict[str, tuple[Object, str, str]] = {
    "a word for a number": ({"replicas": "two"}, "/replicas", "got string, want integer"),
    "too many": ({"replicas": 50}, "/replicas", "maximum"),
    "a field that is not there": ({"replica": 2}, "", "'replica' not allowed"),
    "an image with its tag in the name": (
        {"image": {"repository": "certward:1"}},
        "/image/repository",
        "does not match",
    ),
    "a level that is not there": ({"logLevel": "loud"}, "/logLevel", "must be one of"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "/image/digest", "does not match"),
    "tag and digest": (
        {"image": {"tag": "1", "digest": f"sha256:{'ab' * 32}"}},
        "image",
        "set tag or digest, not both",
    ),
    "an issuer without a directory": (
        {"config": {"issuers": [{"name": "a"}]}},
        "/config/issuers/0",
        "missing property 'directory'",
    ),
    "an issuer without TLS": (
        {"config": {"issuers": [{"name": "a", "directory": "http://ca.example/dir"}]}},
        "/config/issuers/0/directory",
        "does not match",
    ),
    "a dialect that is not there": (
        {"config": {"ingress": {"classes": {"x": {"dialect": "apache"}}}}},
        "/config/ingress/classes/x/dialect",
        "'traefik'",
    ),
    "a misspelt field of the configuration": (
        {"config": {"dns": {"targets": "edge.example.net"}}},
        "/config/dns",
        "'targets' not allowed",
    ),
    "an interval without a unit": (
        {"config": {"probe": {"interval": "30"}}},
        "/config/probe/interval",
        "does not match",
    ),
    "a policy that is not there": ({"admission": {"tenants": True}}, "/admission", "'tenants' not allowed"),
    "network policies without a namespace": (
        {"networkPolicy": {"enabled": True, "ingressNamespaces": []}},
        "/networkPolicy/ingressNamespaces",
        "minItems",
    ),
    "a switch that is a text": ({"crds": {"install": "no"}}, "/crds/install", "got string, want boolean"),
}


@pytest.mark.parametrize(("values", "where", "words"), BAD.values(), ids=BAD)
def test_bad_values_are_refused_with_the_place_and_what_is_wrong(values: Object, where: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        helm(values)
    assert where in str(refused.value)
    assert words in str(refused.value)


def test_the_schema_takes_every_field_that_the_page_of_the_configuration_shows() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = page.partition("## A full example")[2].partition("```yaml\n")[2].partition("```")[0]
    config = yaml.safe_load(example)
    assert len(config) > 5
    assert (
        by_name(helm({"config": config}))["ConfigMap certward-config"]["data"]["config.yaml"]["issuers"]
        == config["issuers"]
    )


def test_it_is_linted_strictly() -> None:
    done = rendering.run(binaries.binary("helm"), "lint", "--strict", str(rendering.CHART))
    assert "1 chart(s) linted, 0 chart(s) failed" in done


RENDERS: dict[str, Object] = {
    "as it is": {},
    "two replicas": {**WITH_REGISTRY, "replicas": 2},
    "admission policies": {**WITH_REGISTRY, "admission": {"operator": True, "hostnames": True}},
    "network policies": {**WITH_REGISTRY, "networkPolicy": {"enabled": True}},
    "everything set": {
        **WITH_REGISTRY,
        "imagePullSecrets": [{"name": "pull"}],
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "podLabels": {"team": "edge"},
        "extraArgs": ["--workers=4"],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.net:3128"}],
        "extraVolumes": [{"name": "roots", "configMap": {"name": "roots", "optional": True}}],
        "extraVolumeMounts": [{"name": "roots", "mountPath": "/etc/roots", "readOnly": True}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "podSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup")),
        "serviceAccount": {"name": "tls-operator", "annotations": {"team": "edge"}},
        "service": {"annotations": {"team": "edge"}, "metricsAnnotations": {"prometheus.io/scrape": "true"}},
        "defaultsReadableBy": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "staff"}],
        "admission": {
            "operator": True,
            "operatorActions": ["Deny", "Audit"],
            "hostnames": True,
            "hostnamesActions": ["Warn", "Audit"],
        },
    },
}


@pytest.mark.parametrize("values", RENDERS.values(), ids=RENDERS)
def test_the_api_server_takes_it(cluster: Cluster, values: Object) -> None:
    objects = helm(values)
    said = cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", input=yaml.safe_dump_all(objects)
    )
    assert said.count("serverside-applied (server dry run)") == len(objects), said


@pytest.mark.parametrize("controller", ["traefik", "ingress-nginx", "envoy-gateway"])
def test_the_values_for_each_controller_are_a_configuration_for_it(controller: str, tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "examples" / "install" / f"{controller}.yaml").read_text(encoding="utf-8"))
    config = by_name(helm(values))["ConfigMap certward-config"]["data"]["config.yaml"]
    parsed = parse(yaml.safe_dump(config), tmp_path)
    assert {name: one.dialect for name, one in parsed.ingress.classes.items()} == {
        parsed.ingress.default_class: controller
    }
    assert "acme-staging" in parsed.issuers[0].directory
