"""Certificates by DNS-PERSIST-01: the owner sets a record once, and no credentials for the DNS are needed."""

from collections.abc import Iterator

import pytest

from cluster.handle import Cluster
from integration import observer
from integration.dns01_world import ZONE, DnsWorld

ELSEWHERE = "203.0.113.7"


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory) -> Iterator[DnsWorld]:
    with DnsWorld(cluster, tmp_path_factory.mktemp("dns-persist"), persist=True, dns01=False) as made:
        yield made


def set_record(world: DnsWorld, record: observer.Object, value: str = "") -> None:
    world.front.set(record["name"], record["type"], f'"{value or record["value"]}"')


def test_a_wildcard(world: DnsWorld) -> None:
    shop = world.shop()
    base = f"{shop}.{ZONE}"
    log = world.pebble.says()
    world.add(shop, wild=f"*.{base}")
    told = world.told(shop, "wild", "DNSNotFound")
    record = told["dns"]["validationRecord"]
    assert record["name"] == f"_validation-persist.{base}"
    assert record["value"].startswith("pebble.letsencrypt.org; accounturi=https://127.0.0.1:")
    assert record["value"].endswith("; policy=wildcard")
    assert f'set a TXT record at {record["name"]} with the value "{record["value"]}"' in told["message"]
    assert told["state"] == "Failing"
    set_record(world, record, record["value"].removesuffix("; policy=wildcard"))
    assert log.orders() == []
    set_record(world, record)
    world.refresh(shop, "wild")
    found = world.settled(shop, ["wild"], 90)
    assert observer.https_status(world.cluster, f"any.{base}", world.pebble.roots()) == 200
    assert observer.status(found["wild"])["dns"]["validationRecord"] == record
    assert log.refuted() == []


def test_a_host_that_http_01_cannot_reach(world: DnsWorld) -> None:
    shop = world.shop()
    host = f"www.{shop}.{ZONE}"
    log = world.pebble.says()
    world.front.set(host, "A", ELSEWHERE)
    world.add(shop, www=host)
    told = world.told(shop, "www", "DNSNotFound")
    assert f"{host} points to {ELSEWHERE}, but it has to point to 127.0.0.1." in told["message"]
    assert f"set a TXT record at _validation-persist.{host} with the value" in told["message"]
    assert log.orders() == []
    value = told["message"].rpartition('value "')[2].removesuffix('".')
    assert "policy" not in value
    set_record(world, {"name": f"_validation-persist.{host}", "type": "TXT", "value": value})
    world.refresh(shop, "www")
    world.settled(shop, ["www"], 90)
    assert observer.https_status(world.cluster, host, world.pebble.roots()) == 200
    assert log.refuted() == []


def test_a_host_that_http_01_reaches_is_told_of_no_record(world: DnsWorld) -> None:
    shop = world.shop()
    world.add(shop, www=f"www.{shop}.{ZONE}")
    found = world.settled(shop, ["www"])
    assert "validationRecord" not in observer.status(found["www"])["dns"]
