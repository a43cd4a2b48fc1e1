"""Faults of parts: what runs is killed, away, slow, or wrong about the time."""

import base64
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from chaos.observing import Observer
from chaos.record import Fault
from chaos.replicas import NAMES
from chaos.world import World
from cluster import acme_ca, control_plane, pki, processes, traefik, waiting, web
from cluster.dataplane import entry
from cluster.part import Part
from cluster.paths import service_network
from faulty.faults import Chance, Kind
from faulty.faults import Fault as Spoilt
from integration import observer

HOUR = 3600.0
#: So long after the last renewal of its Lease another replica may take over.
_LEASE = 15.0


class Outage:
    """The CA answers nothing."""

    def choose(self, _kind: Kind, _hostname: str) -> Spoilt | None:
        """Have each request end without an answer."""
        return Spoilt.RESET_BEFORE


class Parts:
    """Injects the faults of this module, each until it is healed. For one thread."""

    def __init__(self, world: World, seen: Observer, chance: random.Random) -> None:
        self._world, self._seen, self._chance = world, seen, chance
        state = world.cluster.state
        self._pki = pki.ensure(state.pki, service_network(state))
        self._pause = threading.Event()
        self.kinds: dict[str, Callable[[], None]] = {
            "leader killed": self.kill_leader,
            "standby killed": self.kill_standby,
            "objects changed while no operator ran": self.change_while_down,
            "API server restarted": self.restart_apiserver,
            "etcd restarted": self.restart_etcd,
            "watches expired (410)": self.expire_watches,
            "history compacted while watches were away": self.compact,
            "watches lag (stale reads)": self.lag,
            "slow API server": self.slow,
            "CA away for an hour": self.ca_away,
            "CA on a bad day": self.ca_faulty,
            "DNS away": self.dns_away,
            "ingress restarted": self.restart_ingress,
            "clock jumps": self.jump,
            "no space for the log": self.full_disk,
        }

    def inject(self, kind: str) -> None:
        """Inject one, heal it, and wait until somebody leads again."""
        self.kinds[kind]()

    def _recover(self, fault: Fault, is_well: Callable[[], object], patience: float = 60.0) -> None:
        """Note when a fault was healed and when all was well; if that takes longer, the verdict at the end tells."""
        fault.healed = time.time()
        try:
            waiting.wait_for(is_well, patience, fault.kind, every=0.1)
        except waiting.NotInTime:
            return
        fault.recovered = time.time()

    def _sit(self, least: float, most: float) -> None:
        """Leave it as it is for a while of chance."""
        self._pause.wait(self._chance.uniform(least, most))

    def kill_leader(self) -> None:
        """SIGKILL; now and then it stays away until the other one has taken over."""
        world = self._world
        leader = world.replicas.leader() or NAMES[0]
        fault = world.record.begin("leader killed", leader)
        with world.record.trouble(fault.kind):
            world.replicas.down(leader)
            if self._chance.random() < 0.3:
                self._sit(0, 0.5)
                self._recover(fault, lambda: world.replicas.leader() not in ("", leader), _LEASE * 3)
                fault.healed = fault.at
                world.replicas.back(leader)
            else:
                self._sit(0, 2)
                world.replicas.back(leader)
                self._recover(fault, world.replicas.leader)

    def kill_standby(self) -> None:
        """SIGKILL."""
        world = self._world
        standby = world.replicas.standby()
        fault = world.record.begin("standby killed", standby)
        with world.record.trouble(fault.kind):  # it may be asked for a challenge
            world.replicas.down(standby)
            self._sit(0, 3)
            world.replicas.back(standby)
            self._recover(fault, lambda: standby in world.replicas.synced())

    def change_while_down(self) -> None:
        """A Domain is deleted, or deleted and made again, and another comes, while no replica runs."""
        world = self._world
        old = self._chance.choice(world.of("steady"))
        is_same = self._chance.random() < 0.4
        fault = world.record.begin("objects changed while no operator ran", old.hostname)
        with world.record.trouble(fault.kind):
            world.replicas.down(*NAMES)
            for subject in (old.secret, old.hostname):
                world.record.window(fault.kind, subject)
            self._seen.leave(old)
            world.drop(old)
            world.delete_domain(old)
            new = old if is_same else world.fresh("steady")
            world.adopt(new, "a new Domain", inherits=is_same)
            world.apply_object("domains", new.namespace, observer.domain(new.name, new.namespace))
            self._sit(0, 2)
            world.replicas.back(*NAMES)
            self._seen.meet(new)
            begun = time.time()
        self._recover(fault, lambda: self._seen.is_well(new, begun))

    def restart_apiserver(self) -> None:
        """SIGKILL, and a new one after a while."""
        self._restart("API server restarted", control_plane.apiserver(self._state, self._world.ports, self._pki))

    def restart_etcd(self) -> None:
        """SIGKILL, and a new one on the same data."""
        self._restart("etcd restarted", control_plane.etcd(self._state, self._world.ports))

    def restart_ingress(self) -> None:
        """SIGKILL; hosts are without HTTPS until it is back and has read its routes."""
        world = self._world
        window = world.record.window("ingress restarted", "*", 60)
        part = traefik.DATA_PLANE.parts(self._state, world.ports, entry(0, world.ports))[0]
        hosts = world.of()
        fault = self._restart("ingress restarted", part, is_well=lambda: not self._unserved(hosts))
        if fault.recovered:
            window.ended = fault.recovered

    def dns_away(self) -> None:
        """SIGKILL of the DNS server that the CA and the operators ask."""
        self._restart("DNS away", acme_ca.challtestsrv(self._world.ports), least=1, most=6)

    @property
    def _state(self):
        return self._world.cluster.state

    def _unserved(self, hosts) -> bool:
        return any(self._seen.clients.problem(host.hostname) for host in hosts[:: max(len(hosts) // 4, 1)])

    def _restart(
        self, kind: str, part: Part, *, least: float = 0, most: float = 3, is_well: Callable[[], object] | None = None
    ) -> Fault:
        world = self._world
        fault = world.record.begin(kind, part.name)
        with world.record.trouble(kind):
            world.cluster.kill(part.name)
            self._sit(least, most)
            processes.start(self._state, part.command)
            waiting.wait_for(part.ready, part.timeout, f"{part.name} is ready", every=0.1)
            self._recover(fault, is_well or world.replicas.leader)
        return fault

    def expire_watches(self) -> None:
        """All watches end, and their successors begin at a version that the API server no longer has."""
        world = self._world
        fault = world.record.begin("watches expired (410)", "all watches of the operators")
        before = world.way.gone
        world.way.expire(is_on=True)
        try:
            waiting.wait_for(lambda: world.way.gone - before >= 3, 10, "the API server says 410", every=0.1)
        finally:
            world.way.expire(is_on=False)
        self._recover(fault, world.replicas.leader)

    def compact(self) -> None:
        """While no watch is through, objects change, etcd forgets its history, and the API server starts anew."""
        world = self._world
        fault = world.record.begin("history compacted while watches were away", "etcd")
        with world.record.trouble(fault.kind):
            world.way.shut(is_on=True)
            try:
                for host in self._chance.sample(world.of(), 3):
                    world.patch_domain(host, _touched(self._chance))
                self._forget_history()
                self._cycle_apiserver()
            finally:
                world.way.shut(is_on=False)
            self._recover(fault, world.replicas.leader)

    def _forget_history(self) -> None:
        url = f"http://127.0.0.1:{self._world.ports.get('etcd')}/v3/kv"
        _, told = web.post(f"{url}/range", {"key": base64.b64encode(b"a").decode()})
        revision = json.loads(told)["header"]["revision"]
        status, told = web.post(f"{url}/compaction", {"revision": revision, "physical": True})
        assert status == 200, (status, told)

    def _cycle_apiserver(self) -> None:
        part = control_plane.apiserver(self._state, self._world.ports, self._pki)
        self._world.cluster.kill(part.name)
        processes.start(self._state, part.command)
        waiting.wait_for(part.ready, part.timeout, "the API server is ready", every=0.1)

    def lag(self) -> None:
        """What watches tell comes late, so that the operators' caches are older than what they read and write."""
        world = self._world
        fault = world.record.begin("watches lag (stale reads)", "all watches of the operators")
        world.way.lag(is_on=True)
        try:
            host = self._chance.choice(world.of("steady", "policy"))
            world.refresh(host, "asked for while watches lag")
            self._sit(2, 6)
        finally:
            world.way.lag(is_on=False)
        self._recover(fault, world.replicas.leader)

    def slow(self) -> None:
        """Each request of the operators to the API server takes up to 2 s longer."""
        world, delay = self._world, self._chance.uniform(0.2, 2)
        fault = world.record.begin("slow API server", f"{delay:.1f} s a request")
        with world.record.trouble(fault.kind):
            world.way.delay = delay
            try:
                self._sit(3, 8)
            finally:
                world.way.delay = 0.0
            self._recover(fault, world.replicas.leader)

    def ca_away(self) -> None:
        """The CA answers nothing for an hour of the operators' clock, which is then set right, as by NTP."""
        world = self._world
        fault = world.record.begin("CA away for an hour", "the CA")
        with world.record.trouble(fault.kind), ExitStack() as stack:
            stack.callback(self._set_clock, 0)
            world.ca.plan, before = Outage(), world.ca.plan
            try:
                host = self._chance.choice(world.of("steady", "policy"))
                world.refresh(host, "asked for while the CA was away")
                for step in range(1, 7):
                    self._set_clock(HOUR / 6 * step)
                    self._sit(0.8, 1.6)
                self._set_clock(0)
            finally:
                world.ca.plan = before
            asked = time.time()
            journal = world.ca.journal
            self._recover(fault, lambda: any(one.status == 200 and one.at > asked for one in journal.requests()))

    def ca_faulty(self) -> None:
        """Each third request to the CA meets one of its faults, but for those that end orders."""
        world = self._world
        fault = world.record.begin("CA on a bad day", "the CA")
        with world.record.trouble(fault.kind):
            world.ca.plan, before = Chance(self._chance.randrange(1 << 30), 0.33, ends=0), world.ca.plan
            try:
                for host in self._chance.sample(world.of("steady", "policy"), 2):
                    world.refresh(host, "asked for on a bad day")
                self._sit(3, 6)
            finally:
                world.ca.plan = before
        self._recover(fault, world.replicas.leader)

    def jump(self) -> None:
        """The clock of one replica, or of both, jumps, and back after a while."""
        world = self._world
        seconds = self._chance.choice([-90, -30, 15, 30, 60, 90])
        names = self._chance.choice([NAMES, NAMES[:1], NAMES[1:]])
        fault = world.record.begin("clock jumps", f"{seconds:+} s for {', '.join(names)}")
        with world.record.trouble(fault.kind):
            self._set_clock(seconds, *names)
            try:
                self._sit(3, 8)
            finally:
                self._set_clock(0)
            self._recover(fault, world.replicas.leader)

    def _set_clock(self, seconds: float, *names: str) -> None:
        self._world.record.skew(seconds)
        self._world.replicas.set_clock(seconds, *names)

    def full_disk(self) -> None:
        """Writing to the log fails with ENOSPC."""
        world = self._world
        names = self._chance.choice([NAMES, NAMES[:1], NAMES[1:]])
        fault = world.record.begin("no space for the log", ", ".join(names))
        world.replicas.fill_disk(*names, is_full=True)
        try:
            self._sit(2, 6)
        finally:
            world.replicas.fill_disk(*names, is_full=False)
        self._recover(fault, world.replicas.leader)


def _touched(chance: random.Random) -> dict:
    return {"metadata": {"annotations": {"chaos.example.com/touched": f"{chance.randrange(1 << 30)}"}}}
