"""Faults of parts that are killed: the replicas, the API server, etcd, the ingress, the DNS server."""

import base64
import json
import random
import time
from collections.abc import Callable

from chaos.lane import Lane
from chaos.record import Fault
from chaos.replicas import NAMES
from chaos.world import Host
from cluster import acme_ca, control_plane, processes, traefik, waiting, web
from cluster.dataplane import entry
from cluster.part import Part
from integration import observer

#: So long after the last renewal of its Lease another replica may take over.
_LEASE = 15.0


class Killing(Lane):
    """Kills parts, and starts them again."""

    @property
    def kinds(self) -> dict[str, Callable[[], object]]:
        """What it can do, by the name of the fault."""
        return {
            "leader killed": self.kill_leader,
            "standby killed": self.kill_standby,
            "objects changed while no operator ran": self.change_while_down,
            "API server restarted": self.restart_apiserver,
            "etcd restarted": self.restart_etcd,
            "history compacted while watches were away": self.compact,
            "DNS away": self.dns_away,
            "ingress restarted": self.restart_ingress,
        }

    def kill_leader(self) -> None:
        """SIGKILL; now and then it stays away until the other one has taken over."""
        world = self._world
        leader = world.replicas.leader() or NAMES[0]
        fault = world.record.begin("leader killed", leader)
        with world.record.trouble(fault.kind):
            # So that it has something on its way, at some step of it.
            world.refresh(self._chance.choice(world.idle()), "asked for just before a crash")
            self._sit(0, 0.4)
            world.replicas.down(leader)
            if self._chance.random() < 0.3:
                self._sit(0, 0.5)
                self._recover(fault, lambda: world.replicas.leader() not in ("", leader), _LEASE * 3)
                fault.healed = fault.at
                world.replicas.back(leader)
            else:
                self._sit(0, 2)
                world.replicas.back(leader)
                self._recover(fault)

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
        old = world.take(self._chance, "steady")
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
        world.give(old)

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
        fault = self._restart("ingress restarted", part, is_well=lambda: not self._unserved(world.idle()))
        if fault.recovered:
            window.ended = fault.recovered

    def dns_away(self) -> None:
        """SIGKILL of the DNS server that the CA and the operators ask."""
        self._restart("DNS away", acme_ca.challtestsrv(self._world.ports), least=1, most=6)

    def _unserved(self, hosts: list[Host]) -> bool:
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
            self._recover(fault, is_well)
        return fault

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
            self._recover(fault)

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


def _touched(chance: random.Random) -> dict:
    return {"metadata": {"annotations": {"chaos.example.com/touched": f"{chance.randrange(1 << 30)}"}}}
