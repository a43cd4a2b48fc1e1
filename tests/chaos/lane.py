"""What faults of parts have in common: how long they last, and when all is well again."""

import random
import threading
import time
from collections.abc import Callable

from chaos.observing import Observer
from chaos.record import Fault
from chaos.world import AWAY, World
from cluster import pki, waiting
from cluster.paths import service_network


class Lane:
    """For one thread; what a fault is aimed at, and for how long, is drawn from `chance`."""

    def __init__(self, world: World, seen: Observer, chance: random.Random) -> None:
        self._world, self._seen, self._chance = world, seen, chance
        self._state = world.cluster.state
        self._pki = pki.ensure(self._state.pki, service_network(self._state))
        self._pause = threading.Event()

    def _recover(self, fault: Fault, is_well: Callable[[], object] | None = None, patience: float = 60.0) -> None:
        """Note when a fault was healed and when all was well; if that takes longer, the verdict at the end tells.

        All is well once a certificate is there and served that is asked for now, unless `is_well` says otherwise.
        """
        fault.healed = begun = time.time()
        host = None if is_well else self._world.take(self._chance, "steady")
        if host:
            before = self._seen.secrets.serial(host.secret)
            self._world.refresh(host, "a look whether all is well")

        def is_renewed() -> bool:
            assert host is not None
            return self._seen.secrets.serial(host.secret) not in (0, before) and self._seen.is_well(host, begun)

        try:
            waiting.wait_for(is_well or is_renewed, patience, fault.kind, every=0.1, ignore=AWAY)
        except waiting.NotInTime:
            return
        finally:
            if host:
                self._world.give(host)
        fault.recovered = time.time()

    def _sit(self, least: float, most: float) -> None:
        """Leave it as it is for a while of chance."""
        self._pause.wait(self._chance.uniform(least, most))
