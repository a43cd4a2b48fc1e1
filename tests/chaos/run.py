"""One run: the world, the load, two lanes of faults at once, the observer, and what is said of it at the end."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.hands import Hands
from chaos.load import Load, help_on
from chaos.observing import Broken, Observer
from chaos.parts import Parts
from chaos.plan import drawn
from chaos.record import Record
from chaos.world import AWAY, Size, World
from cluster.handle import Cluster

#: Seconds until all is as declared at first; and after the last fault.
_START, CONVERGED = 120.0, 240.0
#: The share of the faults that is done by hand; those of parts take longer.
_BY_HAND = 0.5


@dataclass(frozen=True)
class Wish:
    """What a run is to be.

    Attributes:
        seed: all of the plan follows from it.
        faults: how many.
        minutes: after this no further one begins.
        size: how many Domains.
        kinds: only these kinds; all where it is empty.
        mutation: a mistake that the operators make on purpose.
        load: whether certificates are renewed and policies change beside it.
    """

    seed: int
    faults: int
    minutes: float
    size: Size = field(default_factory=Size)
    kinds: tuple[str, ...] = ()
    mutation: str = ""


@dataclass
class Outcome:
    """What came of it."""

    wish: Wish
    world: World
    seen: Observer
    load: Load
    broken: list[Broken]
    seconds: float
    unfinished: list[str]
    refusals: list = field(default_factory=list)


def perform(cluster: Cluster, wish: Wish, say: Callable[[str], None]) -> Outcome:
    """Perform one run.

    Args:
        cluster: brought up as needed; stays up.
        wish: what it is to be.
        say: is told how it goes.
    """
    begun = time.monotonic()
    with World(cluster, wish.size, Record(), wish.mutation) as world, Observer(world) as seen:
        world.apply_all()
        for host in world.of():
            seen.meet(host)
        if not seen.until_converged(_START):
            raise AssertionError(f"the world was not ready before the first fault: {seen.broken()}")
        hosts = world.of()
        cluster.wait_for(lambda: all(seen.clients.served_at(one.hostname) for one in hosts), 60, "clients everywhere")
        say(f"{len(hosts)} Domains are served after {time.monotonic() - begun:.0f} s; the faults begin")
        with Load(world, wish.seed) as load:
            unfinished = _inject(world, seen, wish, say)
        say("no more faults; everything has to converge")
        help_ends = threading.Event()
        helper = threading.Thread(target=_keep_helping, args=(world, help_ends), daemon=True)
        helper.start()
        is_converged = seen.until_converged(CONVERGED)
        help_ends.set()
        helper.join(90)
        say(f"converged: {is_converged}")
    seconds = time.monotonic() - begun
    return Outcome(wish, world, seen, load, seen.broken(), seconds, unfinished, seen.refusals())


def _keep_helping(world: World, ends: threading.Event) -> None:
    while not ends.wait(5):
        try:
            help_on(world)
        except AWAY:
            continue


def _inject(world: World, seen: Observer, wish: Wish, say: Callable[[str], None]) -> list[str]:
    """Both lanes, until their plans are done or the time is over; returns what was not done, or went wrong."""
    chances = {name: random.Random(f"{wish.seed} {name}") for name in ("parts", "hands", "plan")}  # noqa: S311
    lanes = {"parts": Parts(world, seen, chances["parts"]), "hands": Hands(world, seen, chances["hands"])}
    by_hand = round(wish.faults * _BY_HAND)
    counts = {"parts": wish.faults - by_hand, "hands": by_hand}
    limit, trouble = time.monotonic() + wish.minutes * 60, []
    lock = threading.Lock()

    def go(name: str) -> None:
        lane, chance = lanes[name], chances[name]
        kinds = [kind for kind in lane.kinds if not wish.kinds or kind in wish.kinds]
        plan = drawn(kinds, counts[name], chances["plan"]) if kinds else []
        for number, kind in enumerate(plan):
            if time.monotonic() > limit:
                trouble.append(f"{len(plan) - number} faults of {name} were left out: the time was over")
                return
            try:
                lane.inject(kind)
            except Exception as error:  # noqa: BLE001 - a lane that is broken is a broken run, and is told
                trouble.append(f"{kind}: {error!r}"[:600])
            with lock:
                say(f"{len(world.record.faults):4} {name}: {kind}")
            threading.Event().wait(chance.uniform(0.2, 2.0))

    threads = [threading.Thread(target=go, args=(name,)) for name in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return trouble
