"""`doctor` on the real cluster: all is well, and parts of the installation that really are not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from e2e.local import Local
from e2e.planes import named
from e2e.world import World
from integration.pebble_world import free_ports
from integration.plugin import Plugin, kubeconfig_of_viewer, until_may

Checks = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    made = World(Local(cluster), named("traefik"))
    yield made
    made.close()


def doctor(cluster: Cluster, *arguments: str, plugin: Plugin | None = None) -> tuple[int, Checks]:
    """The exit code, and the checks by their names; of several with one name the worst."""
    typed = (plugin or Plugin(cluster)).run("doctor", "-o", "json", *arguments)
    data = typed.data
    order = ["ok", "not looked at", "warning", "broken"]
    checks = sorted(data["checks"], key=lambda check: order.index(check["verdict"]))
    assert data["isBroken"] == (checks[-1]["verdict"] == "broken") == (typed.code == 1)
    return typed.code, {check["check"]: check for check in checks}


def broken(checks: Checks) -> set[str]:
    return {name for name, check in checks.items() if check["verdict"] == "broken"}


def test_all_is_well(cluster: Cluster) -> None:
    code, checks = doctor(cluster)

    assert code == 0
    assert broken(checks) == set()
    # There are no pods here, and nobody has given Traefik a strict default.
    others = {name for name, check in checks.items() if check["verdict"] != "ok"} - {"Domains", "Renewals", "TLS floor"}
    assert others == {"Deployment", "Strict default"}
    assert "Kubernetes v1." in checks["Cluster"]["message"]
    assert "certward-0 works since 20" in checks["Lease"]["message"]
    assert "tls.floor" in checks["TLS floor"]["message"]
    assert "has every right that it needs" in checks["Rights"]["message"]
    assert checks["Default class"]["message"] == "Apps that name no class are routed by traefik."
    assert "Issuer pebble answers, from here." in checks["CA"]["message"]
    table = Plugin(cluster)("doctor")
    assert len(table.out.splitlines()) > len(checks)
    assert yaml.safe_load(Plugin(cluster)("doctor", "-o", "yaml").out)["checks"]


def test_what_a_user_with_few_rights_cannot_see(cluster: Cluster, world: World, tmp_path: Path) -> None:
    namespace = world.namespace()
    viewer = Plugin(cluster, namespace, kubeconfig_of_viewer(cluster, tmp_path, namespace))
    until_may(cluster, viewer, ["domains"])

    code, checks = doctor(cluster, plugin=viewer)

    assert code == 0
    unseen = {name for name, check in checks.items() if check["verdict"] == "not looked at"}
    assert unseen >= {"Lease", "Deployment", "Rights", "Configuration", "CA", "Ingress class"}
    assert all("has no right to" in checks[name]["message"] for name in unseen)
    assert checks["Definitions"]["verdict"] == "ok"
    assert "you may read Domains; not change Apps and Domains" in checks["Your rights"]["message"]
    assert "you may not look into others" in checks["Domains"]["message"]


def test_a_domain_in_trouble_is_named(cluster: Cluster, world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    world.kubectl("-n", namespace, "create", "secret", "generic", "aaa-tls", "--from-literal=a=b")
    domain = world.domain(namespace, "aaa")
    world.wait_state(domain, "Failed", "SecretInvalid", 30)

    code, checks = doctor(cluster, "-n", namespace)

    assert (code, checks["Domains"]["verdict"]) == (0, "warning")
    assert f"{namespace}/aaa" in checks["Domains"]["message"]
    world.delete("domain", namespace, "aaa")


def test_a_strict_default_is_seen(cluster: Cluster, world: World) -> None:
    namespace = world.namespace()
    meta = {"name": "default", "namespace": namespace}
    world.apply(
        {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "TLSOption",
            "metadata": meta,
            "spec": {"minVersion": "VersionTLS12"},
        }
    )
    try:
        _, checks = doctor(cluster)
    finally:
        world.kubectl("-n", namespace, "delete", "tlsoption", "default")
    assert checks["Strict default"]["verdict"] == "ok"
    assert f"TLSOption {namespace}/default, begins at TLS12" in checks["Strict default"]["message"]


def test_where_no_operator_is_installed(cluster: Cluster) -> None:
    code, checks = doctor(cluster, "--operator-namespace", "default")

    assert (code, broken(checks)) == (1, {"Lease", "Rights"})
    assert "Nobody holds the Lease" in checks["Lease"]["message"]
    assert "ServiceAccount default/certward may not " in checks["Rights"]["message"]
    assert "--operator-namespace" in checks["Deployment"]["advice"]
    assert checks["Configuration"]["verdict"] == "not looked at"


@pytest.fixture
def without_operator(cluster: Cluster) -> Iterator[None]:
    """No operator that could meet with what is spoilt; afterwards everything is applied again."""
    cluster.up(operators=0)
    yield
    cluster.up()


def without_a_right(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**rule, "verbs": ["get"]} if "secrets" in rule["resources"] else rule for rule in rules]


def changed(change: Callable[[dict[str, Any]], Any], cluster: Cluster) -> None:
    """Change the configuration as an administrator does."""
    live = json.loads(cluster.kubectl("-n", NAMESPACE, "get", "configmap", "certward-config", "-o", "json"))
    config = yaml.safe_load(live["data"]["config.yaml"])
    change(config)
    patch = json.dumps({"data": {"config.yaml": yaml.safe_dump(config)}})
    cluster.kubectl("-n", NAMESPACE, "patch", "configmap", "certward-config", "-p", patch)


@pytest.mark.usefixtures("without_operator")
def test_what_is_broken_is_found(cluster: Cluster) -> None:
    role = json.loads(cluster.kubectl("get", "clusterrole", "certward", "-o", "json"))
    patch = json.dumps({"rules": without_a_right(role["rules"])})
    cluster.kubectl("patch", "clusterrole", "certward", "-p", patch)
    (port,) = free_ports(1)

    def spoil(config: dict[str, Any]) -> None:
        config["ingress"] = {"defaultClass": "nothing"}
        config["issuers"][0]["directory"] = f"https://127.0.0.1:{port}/dir"

    changed(spoil, cluster)

    code, checks = doctor(cluster)

    assert (code, broken(checks)) == (1, {"Lease", "Rights", "Default class"})
    assert "Nobody holds the Lease certward" in checks["Lease"]["message"]
    assert "may not create secrets, patch secrets and delete secrets." in checks["Rights"]["message"]
    assert "no such IngressClass" in checks["Default class"]["message"]
    assert checks["CA"]["verdict"] == "warning"
    assert "does not answer (the connection is refused), from here." in checks["CA"]["message"]

    changed(lambda config: config.update(dns={"target": "not a name", "unknown": 1}), cluster)

    code, checks = doctor(cluster)

    assert (code, broken(checks)) == (1, {"Lease", "Rights", "Configuration"})
    assert "dns.target: must be one hostname, or IP addresses" in checks["Configuration"]["message"]
    assert "dns.unknown: is not a field" in checks["Configuration"]["message"]
    assert checks["CA"]["verdict"] == "not looked at"
