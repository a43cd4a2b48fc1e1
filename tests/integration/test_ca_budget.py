"""The budget of a CA, kept beforehand: who waits is told so, a kill forgets nothing, and urgent ones go first."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from integration import observer

ORDERS = 5
NAMES = [f"d{number}" for number in range(8)]


@pytest.fixture(scope="module")
def limited(cluster: Cluster) -> Iterator[None]:
    """Pebble, as a CA that takes five orders in three hours."""
    issuer = yaml.safe_load(Path(cluster.env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"][0]
    cluster.kubectl("-n", NAMESPACE, "delete", "configmap", f"certward-budget-{issuer['name']}", "--ignore-not-found")
    cluster.up(patch={"issuers": [issuer | {"limits": {"ordersPer3h": ORDERS}}]})
    yield
    observer.alone(cluster)  # those that wait would be served beside other tests
    cluster.up()
    cluster.kubectl("-n", NAMESPACE, "delete", "configmap", f"certward-budget-{issuer['name']}", "--ignore-not-found")


def orders(cluster: Cluster) -> int:
    log = Path(cluster.env["CLUSTER_LOGS"]) / "pebble.log"
    return log.read_text(errors="replace").count("Added order ")


def domains(cluster: Cluster, namespace: str) -> dict[str, dict[str, Any]]:
    told = json.loads(cluster.kubectl("-n", namespace, "get", "domains", "-o", "json"))["items"]
    return {each["metadata"]["name"]: each.get("status") or {} for each in told}


def told(cluster: Cluster, namespace: str, state: str) -> list[str]:
    return sorted(name for name, status in domains(cluster, namespace).items() if status.get("state") == state)


@pytest.mark.usefixtures("limited")
def test_who_is_beyond_the_budget_waits_and_is_told_so_whatever_happens_to_the_operator(cluster: Cluster) -> None:
    observer.alone(cluster)
    namespace = observer.new_shop(cluster, "budget")
    before = orders(cluster)
    made = [observer.domain(name, namespace, of="shop") for name in NAMES]
    observer.apply(cluster, namespace, observer.app("shop"), *made)
    cluster.wait_for(
        lambda: len(told(cluster, namespace, "CertIssued") + told(cluster, namespace, "Waiting")) == len(NAMES),
        60,
        "each is issued or waits",
    )
    issued = len(told(cluster, namespace, "CertIssued"))
    assert issued <= ORDERS  # what other Domains have ordered lately was found again, and counts
    assert orders(cluster) - before == issued

    for name in told(cluster, namespace, "Waiting"):
        status = domains(cluster, namespace)[name]
        assert status["reason"] == "WaitingForBudget"
        assert "CA" in status["message"]
        assert not any(character.isdigit() for character in status["message"].replace(namespace, "").replace(name, ""))
        expected = datetime.fromisoformat(status["attempts"]["nextAttempt"])
        assert timedelta(hours=1) < expected - datetime.now(UTC) < timedelta(days=2)
        assert status["attempts"]["failures"] == 0

    waiting = {name: domains(cluster, namespace)[name] for name in told(cluster, namespace, "Waiting")}
    cluster.kill("certward-0")
    cluster.up(patch=cluster_patch(cluster))
    cluster.wait_for(lambda: "leader" in cluster.operator_log(), 30, "the operator works again")
    # One more makes sure that the operator has looked at everything by now.
    observer.apply(cluster, namespace, observer.domain("late", namespace, of="shop"))
    cluster.wait_for(
        lambda: domains(cluster, namespace).get("late", {}).get("reason") == "WaitingForBudget", 30, "it waits, too"
    )
    assert orders(cluster) - before == issued, "a restart is no way around a CA's limits"
    assert {name: domains(cluster, namespace)[name] for name in waiting} == waiting
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def cluster_patch(cluster: Cluster) -> dict[str, Any]:
    """What makes the configuration in use out of the default one."""
    return {"issuers": yaml.safe_load(Path(cluster.env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"]}
