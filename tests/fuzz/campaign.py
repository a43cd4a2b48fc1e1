"""A campaign against one server: good clients, bad ones and slow ones at the same time, and what came of it."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from fuzz import judging
from fuzz.cases import cases
from fuzz.crowd import Crowd
from fuzz.surfaces import Running
from fuzz.wire import Exchange, ask, exchange

#: Seconds in which a good request has to be answered, whatever else goes on.
PROMPT = 2.0
#: Seconds beyond its patience in which a server has to have cut a slow client. Some of them are answered for a while.
GRACE = 8.0
#: KiB by which the server's resident memory may grow.
GROWTH = 48 << 10
#: Descriptors that may be left: of what the server itself keeps open.
LEFT = 3
_AT_A_TIME = 8


@dataclass
class Result:
    """What came of it; `wrong` is what should not be, once for each kind, with an example."""

    surface: str
    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    closed: int = 0
    unanswered: int = 0
    good: int = 0
    slowest: float = 0.0
    slow_clients: int = 0
    longest_held: float = 0.0
    memory: tuple[int, int] = (0, 0)
    descriptors: tuple[int, int, int] = (0, 0, 0)
    lines: int = 0
    seconds: float = 0.0
    wrong: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, wrong: str, example: str = "") -> None:
        """Something is wrong."""
        self.counts[wrong] += 1
        self.wrong.setdefault(wrong, example)

    def told(self) -> str:
        return "\n".join(f"- {self.counts[wrong]} x {wrong}  {example}" for wrong, example in self.wrong.items())


class Probe:
    """A good client, who asks again and again."""

    def __init__(self, server: Running, result: Result) -> None:
        self._server = server
        self._result = result
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.phase = "before"
        self.most = 0

    def __enter__(self) -> Self:
        for _ in range(5):
            self.once()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.phase = "after"
        for _ in range(5):
            self.once()

    def once(self) -> None:
        """Ask once."""
        surface = self._server.surface
        try:
            answer, seconds = ask(self._server.address, surface.good, 2 * PROMPT)
        except ValueError as error:
            self._result.note(f"a good request is answered with nonsense {self.phase}", str(error))
            return
        self._result.good += 1
        self.most = max(self.most, self._server.descriptors())
        self._result.slowest = max(self._result.slowest, seconds)
        if answer is None or answer.status != 200 or surface.proof not in answer.body:
            self._result.note(f"a good request is not answered {self.phase}", f"{answer and answer.status}")
        elif seconds > PROMPT:
            self._result.note(f"a good request waits for long {self.phase}", f"{seconds:.1f} s")

    def _run(self) -> None:
        self.phase = "meanwhile"
        while not self._stop.wait(0.05):
            self.once()


def run(
    server: Running,
    *,
    seed: str,
    number: int,
    slow: int,
    patience: float = 10.0,
    grace: float = GRACE,
    families: tuple[str, ...] = (),
) -> Result:
    """Send so many cases while so many slow clients hold connections; look at everything that may not be.

    Args:
        server: that it is about.
        seed: chooses the cases.
        number: of cases, at least.
        slow: how many slow clients there are.
        patience: seconds after which the server means to cut them.
        grace: seconds more that it may take.
        families: of the known tricks, those that are tried; all by default.
    """
    result, begun = Result(server.surface.name), time.monotonic()
    surface = server.surface
    with Probe(server, result) as probe:
        base = server.descriptors()
        memory = server.resident()
        crowd = Crowd(server.address, surface, slow)
        crowd.start()
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            for done in pool.map(lambda case: exchange(server.address, case), cases(surface, seed, number, families)):
                _count(done, result, server)
        crowd.wait(time.monotonic() + patience + grace)
        if uncut := crowd.uncut(patience + grace):
            result.note("slow clients are not cut", f"{uncut}")
        result.slow_clients, result.longest_held = len(crowd.held), crowd.longest()
        crowd.close()
    left = _descriptors_left(server, base, grace)
    if left > base + LEFT:
        result.note("descriptors are left open", f"{base} -> {left}")
    result.descriptors, result.memory = (base, probe.most, left), (memory, server.resident())
    if result.memory[1] - memory > GROWTH:
        result.note("memory has grown", f"{memory} -> {result.memory[1]} KiB")
    if not server.is_alive:
        result.note("the server has ended", f"{server.process.returncode}: {server.logged()[-500:]}")
    logged = server.logged()
    result.lines = len(logged.splitlines())
    for wrong in judging.of_log(logged, surface, result.cases + result.good + slow):
        result.note(*_apart(wrong))
    result.seconds = time.monotonic() - begun
    return result


def _count(done: Exchange, result: Result, server: Running) -> None:
    result.cases += 1
    for wrong in judging.of_exchange(done, server.surface):
        result.note(*_apart(wrong, f"[{done.case.family}] {done.case.sent[:300]!r} -> {done.received[:300]!r}"))
    try:
        answers = judging.answers_of(done)
    except ValueError:
        answers = []
    result.statuses.update(answer.status for answer in answers)
    result.closed += done.is_closed
    result.unanswered += not answers


def _apart(wrong: str, example: str = "") -> tuple[str, str]:
    """What it is, and the example: what differs from one to the next stands behind a colon."""
    kind, _, rest = wrong.partition(": ")
    return kind, f"{rest} {example}".strip()


def _descriptors_left(server: Running, base: int, seconds: float) -> int:
    limit = time.monotonic() + seconds
    while (left := server.descriptors()) > base + LEFT and time.monotonic() < limit:
        time.sleep(0.1)
    return left
