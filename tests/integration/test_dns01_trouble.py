"""DNS-01 when things go wrong in the middle: crashes, Domains that go, servers that are away. Nothing is left over."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from cluster.handle import Cluster
from integration import observer
from integration.dns01_world import ZONE, DnsWorld
from integration.name_servers import NSUPDATE_KEY, Silent
from integration.preflight_cluster import answered


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory) -> Iterator[DnsWorld]:
    with DnsWorld(cluster, tmp_path_factory.mktemp("dns-trouble")) as made:
        yield made


class Held:
    """A wildcard whose record has been written and that no server shows, so that its order cannot go on."""

    def __init__(self, world: DnsWorld) -> None:
        self.world, self.shop = world, world.shop()
        self.base = f"{self.shop}.{ZONE}"
        self.name = f"_acme-challenge.{self.base}"
        self.log = world.pebble.says()
        world.primary.odd[self.name] = answered()
        world.add(self.shop, wild=f"*.{self.base}")
        world.cluster.wait_for(lambda: world.primary.txt(self.name), 30, "the record is written")

    def show(self) -> None:
        """Let the servers show it."""
        self.world.primary.odd.pop(self.name)

    def status(self) -> observer.Object:
        return observer.status(observer.get(self.world.cluster, self.shop, "wild"))


def test_the_ca_is_not_asked_before_the_record_is_seen(world: DnsWorld) -> None:
    held = Held(world)
    assert [entry["name"] for entry in world.journal()] == [held.name]
    assert held.status()["state"] == "DNSVerified"
    assert held.log.refuted() == []
    held.show()
    world.settled(held.shop, ["wild"])
    world.until_clean(held.name)


def test_a_killed_operator_goes_on_with_its_order_and_cleans_up(world: DnsWorld) -> None:
    held = Held(world)
    world.cluster.kill("certward-0")
    held.show()
    world.configure()
    world.settled(held.shop, ["wild"])
    assert len(held.log.orders()) == 1
    assert held.log.refuted() == []
    world.until_clean(held.name)


def test_a_domain_that_goes_while_the_operator_is_dead_leaves_nothing(world: DnsWorld) -> None:
    held = Held(world)
    world.cluster.kill("certward-0")
    world.cluster.kubectl("-n", held.shop, "delete", "domain", "wild")
    assert world.primary.txt(held.name)
    world.primary.stops.set()  # and the name server is away, too, when the next operator comes
    try:
        world.configure()
        world.cluster.wait_for(
            lambda: "cannot be taken out yet" in world.cluster.operator_log(), 30, "the operator has tried"
        )
        assert [entry["name"] for entry in world.journal()] == [held.name]
    finally:
        world.primary.stops.clear()
    world.until_clean(held.name, 60)


def test_a_domain_that_goes_while_its_record_is_on_its_way(world: DnsWorld) -> None:
    held = Held(world)
    world.cluster.kubectl("-n", held.shop, "delete", "domain", "wild")
    world.until_clean(held.name)


def test_records_of_others_stay(world: DnsWorld) -> None:
    held = Held(world)
    world.primary.set(held.name, "TXT", *world.primary.txt(held.name), "of-somebody-else")
    held.show()
    world.settled(held.shop, ["wild"])
    world.cluster.wait_for(lambda: world.primary.txt(held.name) == {"of-somebody-else"}, 30, "ours is taken out")


def test_a_server_that_never_answers(world: DnsWorld) -> None:
    shop = world.shop()
    log = world.pebble.says()
    with closing(Silent()) as silent:
        world.configure(server=f"127.0.0.1:{silent.server[1]}")
        world.add(shop, wild=f"*.{shop}.{ZONE}", www=f"www.{shop}.{ZONE}")
        told = world.told(shop, "wild", "ChallengeUnreachable")
        assert "that records of DNS-01 are written to does not answer" in told["message"]
        assert told["state"] == "Failing"
        world.settled(shop, ["www"])  # whom it does not concern
        assert len(log.orders()) == 1
    world.configure()
    world.refresh(shop, "wild")
    world.settled(shop, ["wild"], 60)


def test_a_secret_that_is_not_there(world: DnsWorld) -> None:
    shop = world.shop()
    world.cluster.kubectl("-n", "certward-system", "delete", "secret", "tsig")
    try:
        world.add(shop, wild=f"*.{shop}.{ZONE}")
        told = world.told(shop, "wild", "ChallengeUnreachable")
        assert "has to put it into Secret tsig in the operator's namespace, key key" in told["message"]
    finally:
        world.write_key(NSUPDATE_KEY)
    world.settled(shop, ["wild"], 60)


def test_caa_that_allows_http_01_only(world: DnsWorld) -> None:
    shop = world.shop()
    base = f"{shop}.{ZONE}"
    log = world.pebble.says()
    world.front.set(base, "CAA", '0 issuewild "pebble.letsencrypt.org; validationmethods=http-01"')
    world.add(shop, wild=f"*.{base}")
    told = world.told(shop, "wild", "CAAForbids")
    assert "do not let pebble.letsencrypt.org issue" in told["message"]
    assert "Add dns-01 to validationmethods" in told["message"]
    assert log.orders() == []
    world.front.set(base, "CAA", '0 issuewild "pebble.letsencrypt.org; validationmethods=dns-01"')
    world.refresh(shop, "wild")
    world.settled(shop, ["wild"], 90)
