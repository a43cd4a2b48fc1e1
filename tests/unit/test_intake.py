"""What a replica takes up of what it hears: that which concerns its own shards, whoever has caused it."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from builders import body
from certward.kube.cache import Cache
from certward.kube.foreign import ForeignRoutes
from certward.model.resources import Key
from certward.names import PLATFORM
from certward.plan.shards import shard_of
from certward.runtime.holding import Holding
from certward.runtime.intake import _MOST_EMPTIED, Intake
from certward.runtime.memory import Memories
from certward.runtime.queue import WorkQueue

OWN = "certward-system"
SHARDS = 4
NAMESPACES = [f"team-{number}" for number in range(40)]
MINE = next(name for name in NAMESPACES if shard_of(name, SHARDS) == 1)
OTHERS = next(name for name in NAMESPACES if shard_of(name, SHARDS) == 2)


class World:
    """A replica that works on shard 1 of four; or stands by where the work is not split."""

    def __init__(self, shards=SHARDS):
        self.holding = Holding(SimpleNamespace(holds=lambda _: True, held=frozenset), shards)
        if shards > 1:
            self.holding.begin(1)
        self.memories = Memories(datetime.now(UTC))
        self.queue = WorkQueue(lambda: 0.0, keeps=self.holding.keeps)
        self.intake = Intake(
            SimpleNamespace(),
            Cache(),
            self.queue,
            foreign=ForeignRoutes(),
            memories=self.memories,
            holding=self.holding,
            namespace=OWN,
        )
        self.version = 0

    def tell(self, kind, name, namespace, spec, **status):
        self.version += 1
        told = body(kind, spec, name=name, namespace=namespace, resourceVersion=str(self.version), uid=f"{kind}/{name}")
        self.intake.changed({**told, "status": status})

    def app(self, namespace):
        self.tell("App", "shop", namespace, {"service": {"name": "shop", "port": 80}})

    def domain(self, namespace, name="www", hostname="", **status):
        spec = {"hostname": hostname or f"{name}.{namespace}.example.com", "appRef": {"name": "shop"}}
        self.tell("Domain", name, namespace, spec, **status)

    def due(self):
        """All keys that wait, which are forgotten."""
        keys = {*self.queue._due, *self.queue._since}
        self.queue.drop(lambda _: True)
        return keys


@pytest.fixture
def world():
    return World()


def test_keys_of_others_are_not_kept(world):
    for namespace in (MINE, OTHERS):
        world.app(namespace)
        world.domain(namespace)
    assert {key.namespace or key.name for key in world.due()} == {MINE}


def test_a_shard_that_is_won_is_looked_at_as_a_whole(world):
    world.app(OTHERS)
    world.domain(OTHERS)
    world.domain(MINE)
    world.due()
    world.holding.begin(2)
    world.intake.enqueue_shard(2)
    assert world.due() == {Key("App", OTHERS, "shop"), Key("Domain", OTHERS, "www"), Key("Namespace", "", OTHERS)}


def test_a_namespace_whose_last_domain_went_while_nobody_worked_on_it_is_tidied_up_by_who_does_next(world):
    world.domain(OTHERS)
    world.intake.deleted("Domain", OTHERS, "www", "Domain/www")
    assert world.due() == set()
    world.holding.begin(2)
    world.intake.enqueue_shard(2)
    assert world.due() == {Key("Namespace", "", OTHERS)}
    world.intake.enqueue_shard(2)
    assert world.due() == set()


def test_a_replica_that_stands_by_keeps_nothing_and_has_everything_looked_at_once_it_works():
    world = World(shards=1)
    for namespace in (MINE, OTHERS):
        world.app(namespace)
        world.domain(namespace)
    world.tell("TLSPolicy", "modern", MINE, {"profile": "modern"})
    world.domain(MINE, "gone")
    world.intake.deleted("Domain", MINE, "gone", "Domain/gone")
    world.domain("past", "last")
    world.intake.deleted("Domain", "past", "last", "Domain/last")
    assert world.due() == set()
    world.holding.begin(0)
    world.intake.enqueue_shard(0)
    assert world.due() == {
        Key("TLSPolicy", MINE, "modern"),
        Key("Namespace", "", "past"),
        *(Key("App", namespace, "shop") for namespace in (MINE, OTHERS)),
        *(Key("Domain", namespace, "www") for namespace in (MINE, OTHERS)),
        *(Key("Namespace", "", namespace) for namespace in (MINE, OTHERS)),
    }
    world.domain(MINE)
    assert Key("Domain", MINE, "www") in world.due(), "and from then on what comes"


def test_what_comes_and_goes_leaves_nothing_behind_on_a_replica_that_stands_by():
    world = World(shards=1)
    for number in range(_MOST_EMPTIED + 100):
        namespace, name = f"preview-{number}", f"www-{number}"
        key, hostname = Key("Domain", namespace, name), f"www.{namespace}.example.com"
        world.domain(namespace, name, hostname)
        world.intake.route_changed("Ingress", _ingress(hostname))
        assert world.memories.peek(key)
        world.intake.deleted("Domain", namespace, name, f"Domain/{name}")
        assert world.memories.peek(key) is None
    assert not world.due()
    assert len(world.intake._emptied) == _MOST_EMPTIED
    world.domain(namespace)
    assert Key("Namespace", "", namespace) not in world.intake._emptied, "it is told by what is in it"


def _ingress(hostname):
    made = {"name": "theirs", "namespace": "elsewhere", "uid": hostname, "resourceVersion": "1", "labels": {}}
    return {"metadata": made, "spec": {"rules": [{"host": hostname}]}}


def test_a_hostname_that_another_shard_gives_up_is_looked_at_here(world):
    world.domain(OTHERS, hostname="one.example.com")
    world.domain(MINE, hostname="one.example.com")
    world.due()
    world.intake.deleted("Domain", OTHERS, "www", "Domain/www")
    assert Key("Domain", MINE, "www") in world.due()


def test_another_certificate_of_the_platform_concerns_the_apps_here_whoever_has_stored_it(world):
    for namespace in (MINE, OTHERS):
        world.app(namespace)
    world.domain(OWN, PLATFORM, "*.apps.example.com", certificate={"serialNumber": "1"})
    world.due()
    world.domain(OWN, PLATFORM, "*.apps.example.com", certificate={"serialNumber": "1"}, state="CertIssued")
    assert world.due() == set()
    world.domain(OWN, PLATFORM, "*.apps.example.com", certificate={"serialNumber": "2"})
    assert world.due() == {Key("Builtin", MINE, "shop")}


def test_a_shard_that_is_left_leaves_nothing_behind_but_what_is_worked_on(world):
    world.domain(MINE)
    key = world.queue.take(0.0)
    is_meant = world.holding.in_shard(1)
    world.holding.end(1)
    assert not world.queue.drop(is_meant)
    world.queue.add(key, 5.0)
    world.queue.done(key)
    assert world.queue.drop(is_meant)
    assert world.due() == set()
