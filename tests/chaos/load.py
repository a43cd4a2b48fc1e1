"""The work that goes on beside the faults: renewals that are asked for, policies that change, and an administrator."""

import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Self

from chaos.plan import chance_of
from chaos.world import AWAY, World
from integration import observer

_PROFILES = ("modern", "default", "legacy", "strict")
#: Seconds between two renewals that are asked for, two changes of a policy, two looks of the administrator.
_RENEWAL, _POLICY, _LOOK = 6.0, 12.0, 5.0
#: A failed validation is tried again after 1, 10, 100 minutes; for longer than this nobody would wait.
_PATIENCE = 60.0


class Load:
    """`with Load(world, seed)`: goes on until the end of the block."""

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._stop = world, threading.Event()
        self._chance = chance_of(seed, "load")
        self._threads = [
            threading.Thread(target=self._again, args=(every, act), daemon=True)
            for every, act in ((_RENEWAL, self._renew), (_POLICY, self._change_policy), (_LOOK, self._help))
        ]
        self.renewals = self.policies = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    def _again(self, every: float, act) -> None:
        while not self._stop.wait(every):
            with suppress(*AWAY):  # it stays away for longer than a person would try
                act()

    def _renew(self) -> None:
        self._world.refresh(self._chance.choice(self._world.of("steady", "policy", "rsa")))
        self.renewals += 1

    def _change_policy(self) -> None:
        namespace, self.policies = self._world.namespaces["policy"], self.policies + 1
        spec = {"profile": self._chance.choice(_PROFILES), "targetRefs": [{"kind": "App", "name": "shop"}]}
        body = {
            "apiVersion": observer.API_VERSION,
            "kind": "TLSPolicy",
            "metadata": {"name": "changing"},
            "spec": spec,
        }
        self._world.apply_object("tlspolicies", namespace, body)

    def _help(self) -> None:
        help_on(self._world)


def help_on(world: World) -> None:
    """Do what docs/reasons.md tells an administrator to do where a Domain waits for longer than a person would."""
    by_name = {(host.namespace, host.name): host for host in world.of()}
    for one in world.domains():
        told, meta = observer.status(one), one["metadata"]
        host, until = by_name.get((meta["namespace"], meta["name"])), (told.get("attempts") or {}).get("nextAttempt")
        # Only after a validation that failed: what a CA that is away, or its Retry-After, holds back goes on by itself.
        is_over = str(told.get("reason")).startswith(("Order", "Challenge", "DNS", "CAA"))
        if host and until and is_over and datetime.fromisoformat(until).timestamp() > time.time() + _PATIENCE:
            world.record.helped.append(f"{host.hostname}: {told.get('reason')}, until {until}")
            world.refresh(host, "an administrator's help")
