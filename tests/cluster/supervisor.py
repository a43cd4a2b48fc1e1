"""The difference between what runs and what should: start, keep, start anew, wait until ready."""

import time
from collections.abc import Callable, Sequence

from cluster import processes, progress
from cluster.errors import ClusterError
from cluster.part import Part
from cluster.paths import State

# A part that was kept, not started by this run, may be one that hangs; after so long it is started anew.
_PATIENCE_WITH_KEPT = 20.0
_UNWANTED_GRACE = 20.0


class Supervisor:
    """What one run does to the parts of a cluster; it remembers which ones it has started."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._started: set[str] = set()

    def end_unwanted(self, wanted: set[str]) -> None:
        """End every part that is not named here; the demo's application is a user's and stays."""
        unwanted = [
            process
            for process in processes.everything(self._state)
            if process.name not in wanted and not process.name.startswith("demo-")
        ]
        for process in unwanted:
            progress.say(f"ending {process.name} (process {process.pid})")
        processes.end(self._state, unwanted, grace=_UNWANTED_GRACE)

    def launch(self, parts: Sequence[Part]) -> None:
        """Start what does not run, and start anew what runs with other settings than it would get now."""
        now = processes.running(self._state)
        stale = [
            now[part.name]
            for part in parts
            if part.name in now and now[part.name].fingerprint != part.command.fingerprint()
        ]
        for process in stale:
            progress.say(f"ending {process.name} (process {process.pid}): it runs with other settings")
        processes.end(self._state, stale, grace=max((part.grace for part in parts), default=0))
        for part in parts:
            if part.name not in now or now[part.name] in stale:
                self._start(part)

    def settle(
        self,
        parts: Sequence[Part],
        *,
        until: Callable[[], bool] = lambda: True,
        what: str = "",
        timeout: float = 0,
    ) -> None:
        """Wait until all the parts are ready and `until` holds, at most `timeout` seconds (0: the parts' own).

        A part that was ending when it was found, and now is gone, is started again, and so is one that was
        found hanging. Raises ClusterError with the ends of their logs for a part that this run has started and
        that is gone, and when the time is over.
        """
        timeout = timeout or max((part.timeout for part in parts), default=0)
        begun = time.monotonic()
        while True:
            now = processes.running(self._state)
            for part in parts:
                if part.name not in now:
                    if part.name in self._started:
                        raise ClusterError(f"{part.name} ended\n{processes.tail(self._state, part.name)}")
                    self._start(part)
            unready = [part for part in parts if not part.ready()]
            if not unready and until():
                return
            waited = time.monotonic() - begun
            hanging = [part for part in unready if part.name not in self._started]
            if hanging and waited > _PATIENCE_WITH_KEPT:
                for part in hanging:
                    progress.say(f"{part.name} is not ready after {progress.human(waited)}: starting it anew")
                    self._start(part)
                begun = time.monotonic()
            elif waited > timeout:
                names = [part.name for part in unready or parts]
                tails = "\n".join(processes.tail(self._state, name) for name in names)
                missing = f"{', '.join(names)} not ready" if unready else f"no {what}"
                raise ClusterError(f"{missing} within {progress.human(timeout)}\n{tails}")
            time.sleep(0.05)

    def are_alive(self, parts: Sequence[Part]) -> bool:
        """Tell whether every part still runs; raises ClusterError if one that this run has started does not."""
        now = processes.running(self._state)
        dead = [part.name for part in parts if part.name not in now]
        fresh = [name for name in dead if name in self._started]
        if fresh:
            tails = "\n".join(processes.tail(self._state, name) for name in fresh)
            raise ClusterError(f"{', '.join(fresh)} ended\n{tails}")
        return not dead

    def _start(self, part: Part) -> None:
        # What is left of it: one that hangs, or children of a dead one, which would hold its ports.
        left = [process for process in processes.everything(self._state) if process.name == part.name]
        processes.end(self._state, left, grace=part.grace)
        process = processes.start(self._state, part.command)
        self._started.add(part.name)
        progress.say(f"started {part.name} (process {process.pid})")
