"""The ledger in ConfigMaps of the real API server, with the rights of the operator's own account and no more."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from kubernetes import client as kubernetes_client

from certward.config.models import Config
from certward.kube.client import Client
from certward.model.resources import Key
from certward.plan.turns import OrderRequest
from certward.runtime.ledger import Ledger
from certward.runtime.ledger_keeping import WRITE_SECONDS
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE


class World:
    """Ledgers of one issuer, on a clock that the test moves."""

    def __init__(self, cluster: Cluster, issuer: str) -> None:
        limits = {"ordersPer3h": 300, "certificatesPerRegisteredDomainPer7d": 50, "duplicatesPer7d": 5}
        given = {"name": issuer, "directory": "https://ca.example/dir", "limits": limits}
        self.config = Config.model_validate({"issuers": [given]})
        self.client = Client(cluster.operator_api)
        self.core = kubernetes_client.CoreV1Api(cluster.api)
        self.issuer = issuer
        self.name = f"certward-budget-{issuer}"
        self.now = datetime.now(UTC).timestamp()

    def ledger(self) -> Ledger:
        made = Ledger(self.config, self.client, NAMESPACE, clock=lambda: self.now, monotonic=lambda: self.now)
        made.load()
        return made

    def order(self, ledger: Ledger, name: str) -> None:
        asked = OrderRequest(Key("Domain", "team-a", name), (f"{name}.example.com",), datetime.now(UTC))
        assert ledger.ask(self.issuer, asked) is None
        ledger.placed(self.issuer, asked.key)
        ledger.issued(self.issuer, asked.key)

    def kept(self) -> dict[str, dict[str, dict[str, int]]]:
        found: dict[str, dict[str, dict[str, int]]] = json.loads(self.map().data["ledger.json"])
        return found

    def map(self) -> kubernetes_client.V1ConfigMap:
        return self.core.read_namespaced_config_map(self.name, NAMESPACE)


@pytest.fixture
def world(cluster: Cluster, request: pytest.FixtureRequest):
    made = World(cluster, f"t{abs(hash(request.node.name)) % 10**9}")
    yield made
    cluster.kubectl("--namespace", NAMESPACE, "delete", "configmap", "--ignore-not-found", made.name)


def test_it_is_created_updated_and_read_back(world: World) -> None:
    ledger = world.ledger()
    world.order(ledger, "x")
    ledger.flush()
    assert sum(world.kept()["orders"][""].values()) == 1
    first = world.map().metadata.resource_version
    world.order(ledger, "y")
    ledger.flush()
    assert world.map().metadata.resource_version == first  # not within the minute
    world.now += WRITE_SECONDS
    ledger.flush()
    assert sum(world.kept()["certificates"]["example.com"].values()) == 2
    world.now += 1
    ledger.flush(is_last=True)
    assert world.ledger().usage()[world.issuer].orders_left == 298


def test_two_replicas_that_both_think_they_lead_lose_nothing(world: World) -> None:
    first = world.ledger()
    world.order(first, "x")
    first.flush()
    second = world.ledger()
    world.order(second, "y")
    second.flush()
    world.now += WRITE_SECONDS
    world.order(first, "z")
    first.flush()
    assert sum(world.kept()["orders"][""].values()) == 3


def test_a_map_that_is_deleted_comes_back_whole(world: World) -> None:
    ledger = world.ledger()
    world.order(ledger, "x")
    ledger.flush()
    world.core.delete_namespaced_config_map(world.name, NAMESPACE)
    world.now += WRITE_SECONDS
    world.order(ledger, "y")
    ledger.flush()
    assert sum(world.kept()["orders"][""].values()) == 2


def test_a_map_of_somebody_else_is_left_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": world.name}, "data": {"mine": "x"}})
    ledger = world.ledger()
    assert "left untouched" in caplog.text
    world.order(ledger, "x")
    ledger.flush()
    ledger.flush(is_last=True)
    assert world.map().data == {"mine": "x"}


def test_what_somebody_has_spoilt_is_made_anew(world: World, caplog: pytest.LogCaptureFixture) -> None:
    ledger = world.ledger()
    world.order(ledger, "x")
    ledger.flush()
    world.core.patch_namespaced_config_map(world.name, NAMESPACE, {"data": {"ledger.json": "{"}})
    after = world.ledger()
    assert "starts anew" in caplog.text
    world.order(after, "y")
    after.flush()
    assert sum(world.kept()["orders"][""].values()) == 1


def test_the_fullest_ledger_fits_into_a_map(world: World) -> None:
    ledger = world.ledger()
    world.order(ledger, "x")
    account = ledger._parts[world.issuer].part(0)
    for number in range(20_000):
        asked = OrderRequest(Key("Domain", "n", str(number)), (f"www.registered-{number}.com",), datetime.now(UTC))
        account.budget.orders.recover(asked, world.now - number * 30)
    ledger.flush()
    assert len(world.map().data["ledger.json"]) > 800_000
    assert world.ledger().usage()[world.issuer].orders_left == 0
    held = datetime.fromtimestamp(world.now, UTC) + timedelta(hours=1)
    ledger.rate_limited(world.issuer, Key("Domain", "n", "1"), held)
    world.now += WRITE_SECONDS
    ledger.flush()
    assert world.ledger().usage()[world.issuer].held_until is not None
