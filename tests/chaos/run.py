"""One run: the world, the load, two lanes of faults at once, the observer, and what is said of it at the end."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from chaos.hands import Hands
from chaos.load import Load, help_on
from chaos.observing import Broken, Observer
from chaos.parts import Parts
from chaos.plan import chance_of, drawn
from chaos.record import Record
from chaos.world import AWAY, Host, Size, World
from cluster import waiting
from cluster.errors import ClusterError
from cluster.handle import Cluster

#: The share of the faults that is done by hand; those of parts take longer.
_BY_HAND = 0.55
#: Seconds between two of a lane: those of parts are healed one after the other, those by hand beside each other.
_PAUSES = {"parts": (0.2, 2.0), "hands": (1.0, 9.0)}
#: Seconds that one renewal may take where nothing is amiss.
_RENEWED = 15.0


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
        renewals: that are asked for one after the other before the end, beside those of the load.
        start_patience: seconds until all is as declared at first.
        end_patience: the same after the last fault.
    """

    seed: int
    faults: int
    minutes: float
    size: Size = field(default_factory=Size)
    kinds: tuple[str, ...] = ()
    mutation: str = ""
    renewals: int = 0
    start_patience: float = 120.0
    end_patience: float = 240.0


@dataclass
class Outcome:
    """What came of it."""

    wish: Wish
    seen: Observer
    load: Load
    unfinished: list[str]
    seconds: float
    broken: list[Broken]
    refusals: list


def perform(cluster: Cluster, wish: Wish, say: Callable[[str], None]) -> Outcome:
    """Perform one run.

    Args:
        cluster: brought up as needed; stays up.
        wish: what it is to be.
        say: is told how it goes.
    """
    begun = time.monotonic()
    with World(cluster, wish.size, Record(), wish.mutation) as world:
        seen, load = Observer(world), Load(world, wish.seed)
        with seen:
            try:
                unfinished = _go_through(world, seen, load, wish, say)
            except SystemExit:  # a limit of time from outside; what was seen so far is told all the same
                unfinished = [f"it was ended before its time; then: {seen.missing()}"]
        return Outcome(wish, seen, load, unfinished, time.monotonic() - begun, seen.broken(), seen.refusals())


def _go_through(world: World, seen: Observer, load: Load, wish: Wish, say: Callable[[str], None]) -> list[str]:
    """From the first Domain to the last look; returns what was not done, or went wrong."""
    begun = time.monotonic()
    world.apply_all()
    for host in world.of():
        seen.meet(host)
    if not seen.until_converged(wish.start_patience) and not wish.mutation:
        raise AssertionError(f"the world was not ready before the first fault: {seen.broken()}")
    hosts = world.of()
    world.cluster.wait_for(
        lambda: all(seen.clients.shown(one.hostname).begun for one in hosts), 60, "clients everywhere"
    )
    say(f"{len(hosts)} Domains are served after {time.monotonic() - begun:.0f} s")
    with load:
        unfinished = _inject(world, seen, wish, say)
        for host in world.of()[: wish.renewals]:
            _renew(world, seen, host)
    say("no more faults; everything has to converge")
    ends = threading.Event()
    helper = threading.Thread(target=_keep_helping, args=(world, ends), daemon=True)
    helper.start()
    is_converged = seen.until_converged(wish.end_patience)
    ends.set()
    helper.join(90)
    say("converged" if is_converged else "NOT converged")
    return unfinished


def _renew(world: World, seen: Observer, host: Host) -> None:
    """Ask for another certificate, and wait a while for it; whether it comes is for the observer to judge."""
    before, begun = seen.secrets.serial(host.secret), time.time()
    world.refresh(host)

    def is_there() -> bool:
        return seen.secrets.serial(host.secret) not in (0, before) and seen.is_well(host, begun)

    with suppress(waiting.NotInTime):
        waiting.wait_for(is_there, _RENEWED, "another certificate")


def _keep_helping(world: World, ends: threading.Event) -> None:
    while not ends.wait(5):
        try:
            help_on(world)
        except AWAY:
            continue


def _inject(world: World, seen: Observer, wish: Wish, say: Callable[[str], None]) -> list[str]:
    """Both lanes, until their plans are done or the time is over; returns what was not done, or went wrong."""
    chances = {name: chance_of(wish.seed, name) for name in ("parts", "hands", "plan")}
    hands = Hands(world, seen, chances["hands"])
    lanes = {"parts": Parts(world, seen, chances["parts"]), "hands": hands}
    by_hand = round(wish.faults * _BY_HAND)
    counts = {"parts": wish.faults - by_hand, "hands": by_hand}
    limit, trouble = time.monotonic() + wish.minutes * 60, hands.trouble
    done = Counter[str]()
    lock, pause = threading.Lock(), threading.Event()

    def go(name: str, plan: list[str]) -> None:
        lane, chance = lanes[name], chances[name]
        for kind in plan:
            if time.monotonic() > limit:
                return
            try:
                lane.inject(kind)
            except (*AWAY, AssertionError, ClusterError) as error:
                trouble.append(f"{kind}: {error!r}"[:600])
            done[name] += 1
            with lock:
                say(f"{len(world.record.faults):4} {name}: {kind}")
            pause.wait(chance.uniform(*_PAUSES[name]))

    plans = {}
    for name, lane in lanes.items():
        kinds = [kind for kind in lane.kinds if not wish.kinds or kind in wish.kinds]
        plans[name] = drawn(kinds, counts[name], chances["plan"]) if kinds else []
    threads = [threading.Thread(target=go, args=one, daemon=True) for one in plans.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hands.close()
    trouble += [
        f"{name} ended after {done[name]} of {len(plan)} faults"
        for name, plan in plans.items()
        if done[name] < len(plan)
    ]
    return trouble
