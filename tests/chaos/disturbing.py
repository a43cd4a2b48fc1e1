"""Faults of parts that go on running: watches that are too old or late, slow answers, a bad CA, clocks, a full disk."""

from collections.abc import Callable
from contextlib import ExitStack

from chaos.lane import Lane
from chaos.replicas import NAMES
from cluster import waiting
from faulty.faults import Chance, Kind
from faulty.faults import Fault as Spoilt

HOUR = 3600.0


class Outage:
    """The CA answers nothing."""

    def choose(self, _kind: Kind, _hostname: str) -> Spoilt | None:
        """Have each request end without an answer."""
        return Spoilt.RESET_BEFORE


class Disturbing(Lane):
    """Disturbs parts, and lets them be again."""

    @property
    def kinds(self) -> dict[str, Callable[[], object]]:
        """What it can do, by the name of the fault."""
        return {
            "watches expired (410)": self.expire_watches,
            "watches lag (stale reads)": self.lag,
            "slow API server": self.slow,
            "CA away for an hour": self.ca_away,
            "CA on a bad day": self.ca_faulty,
            "clock jumps": self.jump,
            "no space for the log": self.full_disk,
        }

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
        self._recover(fault)

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
        self._recover(fault)

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
            self._recover(fault)

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
            self._recover(fault)

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
        self._recover(fault)

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
            self._recover(fault)

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
        self._recover(fault)
