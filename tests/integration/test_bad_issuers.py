"""Issuers that cannot be used: what the owner of a Domain and the administrator are told, and that others go on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from cluster import processes
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from cluster.paths import CHECKOUT
from integration import observer
from integration.pebble_world import directory_certificate, free_ports

UNREACHABLE = "The CA closed cannot be reached; it is tried again."
UNVERIFIED = (
    "The CA's own certificate could not be verified with the system's roots and the caBundle of issuer stranger: check"
    " caBundle and directory in the operator's configuration."
)
NO_DIRECTORY = "What answers for issuer {} is not an ACME directory: check `directory` in the operator's configuration."
#: Issuer -> what a Domain says that wants a certificate from it.
MESSAGES = {
    "closed": UNREACHABLE,
    "stranger": UNVERIFIED,
    "version": NO_DIRECTORY.format("version"),
    "nothing": NO_DIRECTORY.format("nothing"),
}


def issuers(cluster: Cluster) -> list[dict[str, Any]]:
    """The default issuer, and the bad ones."""
    env = cluster.env
    good = yaml.safe_load(Path(env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"][0]
    (closed,) = free_ports(1)
    server = cluster.api.configuration.host
    return [
        good,
        {"name": "closed", "directory": f"https://127.0.0.1:{closed}/dir"},
        {"name": "stranger", "directory": good["directory"], "caBundle": directory_certificate()[0].decode()},
        {"name": "version", "directory": f"{server}/version", "caBundle": good["caBundle"]},
        {"name": "nothing", "directory": f"{good['directory']}/nothing", "caBundle": good["caBundle"]},
    ]


@pytest.fixture(scope="module")
def log(cluster: Cluster) -> observer.Growing:
    """What the operator logs in this module."""
    return observer.Growing(processes.log_file(cluster.state, "certward-0"))


@pytest.fixture(scope="module")
def configured(cluster: Cluster, log: observer.Growing) -> Iterator[list[dict[str, Any]]]:
    """The operator with all these issuers."""
    assert log
    wanted = issuers(cluster)
    cluster.up(patch={"issuers": wanted})
    yield wanted
    cluster.up()
    core = client.CoreV1Api(cluster.api)
    for name in MESSAGES:
        core.delete_namespaced_secret(f"certward-account-{name}", NAMESPACE)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, configured: list[dict[str, Any]]) -> Iterator[str]:
    """An App and a Domain for each issuer, those that cannot issue first."""
    assert configured
    made = observer.new_shop(cluster, "issuers")
    names = [*MESSAGES, "unheard-of", "pebble"]
    apps = [observer.app(name, issuer=name) for name in names]
    domains = [observer.domain(name, made, of=name) for name in names]
    observer.apply(cluster, made, *apps, *domains)
    yield made
    cluster.kubectl("-n", made, "delete", "domains", "--all")  # they would be tried again beside other tests


def test_the_good_issuer_goes_on(cluster: Cluster, namespace: str) -> None:
    observer.until_settled(cluster, namespace, ["pebble"], 20)


@pytest.mark.parametrize("issuer", MESSAGES)
def test_a_bad_issuer_is_told_of_and_tried_again(cluster: Cluster, namespace: str, issuer: str) -> None:
    def told(failures: int) -> observer.Object:
        one = observer.status(observer.get(cluster, namespace, issuer))
        return one if (one.get("attempts") or {}).get("failures", 0) >= failures else {}

    first = cluster.wait_for(lambda: told(1), 20, "the first failure")
    later = cluster.wait_for(lambda: told(first["attempts"]["failures"] + 1), 20, "another failure")

    for one in (first, later):
        assert (one["state"], one["reason"], one["message"]) == ("Failing", "CAUnavailable", MESSAGES[issuer])
        assert "certificate" not in one
    assert later["attempts"]["nextAttempt"] > first["attempts"]["nextAttempt"]
    assert later["lastUpdated"] == first["lastUpdated"], "it is the same state all the time"
    conditions = {item["type"]: item["status"] for item in later["conditions"]}
    assert (conditions["Ready"], conditions["CertificateIssued"], conditions["Stalled"]) == ("False", "False", "False")


def test_an_issuer_that_is_not_configured_is_named(cluster: Cluster, namespace: str) -> None:
    def failed() -> observer.Object:
        one = observer.get(cluster, namespace, "unheard-of")
        return one if observer.status(one).get("state") == "Failed" else {}

    one = cluster.wait_for(failed, 20, "the refusal")
    assert observer.status(one)["reason"] == "CARejected"
    assert observer.status(one)["message"] == (
        "App unheard-of asks for issuer unheard-of, which is not configured; name a configured one or leave"
        " spec.certificates.issuer out."
    )
    assert observer.condition(one, "Stalled")["status"] == "True"


def test_nothing_counts_as_a_mistake_of_the_operator(cluster: Cluster, namespace: str, log: observer.Growing) -> None:
    assert namespace
    assert observer.metric(cluster, "certward_bugs_total") == 0
    assert [line for line in log.lines() if "Traceback" in line or " ERROR " in line] == []


def test_a_mended_issuer_is_used(cluster: Cluster, namespace: str, configured: list[dict[str, Any]]) -> None:
    good = configured[0]
    mended = [one | {"caBundle": good["caBundle"]} if one["name"] == "stranger" else one for one in configured]

    cluster.up(patch={"issuers": mended})

    observer.until_settled(cluster, namespace, ["stranger", "pebble"], 40)


BROKEN = {
    "unknown field": ("issuers: [{name: a, directory: 'https://ca.example/dir', mail: x}]", "issuers[0].mail: "),
    "no directory": ("issuers: [{name: a}]", "issuers[0].directory: "),
    "two mistakes": ("probe: {interval: soon}\ndns: {preflight: maybe}", "probe.interval: "),
    "caBundle that is not there": (
        "issuers: [{name: a, directory: 'https://ca.example/dir', caBundle: nowhere.pem}]",
        "issuers[0].caBundle: ",
    ),
    "no YAML": ("issuers: [", "line "),
}


def run_operator(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start the operator where it can reach no cluster."""
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    command = [sys.executable, "-m", "certward", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT / "operator", env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_configuration_stops_the_start(tmp_path: Path, mistake: str) -> None:
    text, expected = BROKEN[mistake]
    file = tmp_path / "certward.yaml"
    file.write_text(text)

    ended = run_operator("--config", str(file))

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"certward: {file}: ")
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_configuration_is_checked_without_a_cluster(tmp_path: Path) -> None:
    file, missing = tmp_path / "certward.yaml", tmp_path / "missing.yaml"
    file.write_text("probe: {interval: 10m}")

    good, bad = (run_operator("--check-config", "--config", str(path)) for path in (file, missing))

    assert (good.returncode, good.stdout, good.stderr) == (0, f"{file}: ok\n", "")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith(f"certward: {missing}: ")
