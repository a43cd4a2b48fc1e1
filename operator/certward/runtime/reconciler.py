"""The workers: take a key, have it worked on, deal with what goes wrong."""

import logging
import threading
import time
from datetime import timedelta

from certward.errors import Conflict, OperatorError
from certward.logs import say
from certward.model.resources import Key
from certward.runtime.apps import Apps
from certward.runtime.builtin import Builtins
from certward.runtime.domains import Domains
from certward.runtime.holding import Holding
from certward.runtime.intake import Intake
from certward.runtime.metrics import BUGS, RECONCILE_SECONDS, RECONCILES
from certward.runtime.namespaces import Namespaces
from certward.runtime.policies import Policies
from certward.runtime.queue import WorkQueue
from certward.stages import stage

log = logging.getLogger(__name__)

#: How soon a key is looked at again whose shard this replica holds and may not work on at the moment.
_PAUSE_SECONDS = 0.5
_BACKOFF_FIRST, _BACKOFF_MAX = 0.5, 300.0


class Reconciler:
    """Works on the shards that this replica holds."""

    def __init__(
        self,
        queue: WorkQueue,
        *,
        domains: Domains,
        apps: Apps,
        builtins: Builtins,
        namespaces: Namespaces,
        policies: Policies,
        intake: Intake,
        holding: Holding,
        workers: int = 16,
    ) -> None:
        self._queue = queue
        self._domains = domains
        self._apps = apps
        self._builtins = builtins
        self._namespaces = namespaces
        self._policies = policies
        self._intake = intake
        self._holding = holding
        self._failures: dict[Key, int] = {}
        self._stop = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(workers)
        ]

    def start(self) -> None:
        """Start the workers."""
        for worker in self._workers:
            worker.start()

    def is_alive(self) -> bool:
        """Whether the workers run."""
        return all(worker.is_alive() for worker in self._workers)

    def stop(self, timeout: float) -> None:
        """Let the workers finish what they are at.

        Args:
            timeout: seconds for all together.
        """
        self._stop.set()
        self._queue.close()
        deadline = time.monotonic() + timeout
        for worker in self._workers:
            if worker.is_alive():
                worker.join(max(deadline - time.monotonic(), 0.0))

    def leave_shard(self, shard: int) -> bool:
        """Drop all keys of a shard that wait; another replica works on it soon.

        Returns:
            Whether none of it is worked on any more.
        """
        is_meant = self._holding.in_shard(shard)
        is_idle = self._queue.drop(is_meant)
        self._failures = {key: times for key, times in self._failures.copy().items() if not is_meant(key)}
        self._intake.unseen.leave(is_meant)
        return is_idle

    def _work(self) -> None:
        while not self._stop.is_set():
            if not self._holding.may_work():
                self._stop.wait(0.1)  # while it only pauses, what changes waits in the queue, each key once
                continue
            key = self._queue.take(timeout=1.0)
            if key is None:
                continue
            try:
                if self._holding.may_work_on(key):
                    self._reconcile(key)
                else:
                    self._queue.add(key, _PAUSE_SECONDS)  # kept only where it will be this replica's again
            finally:
                self._queue.done(key)

    def _reconcile(self, key: Key) -> None:
        started = time.monotonic()
        outcome = "done"
        try:
            with stage(f"pass of {key.kind}"):
                self._dispatch(key)
            self._failures.pop(key, None)
            self._intake.unseen.saw(key)
        except Conflict:
            outcome = "conflict"
            self._queue.add(key, 0.05)
        except OperatorError as error:
            outcome = error.reason
            pause = self._back_off(key)
            say(log, logging.WARNING, key, f"{error}; again in {pause:.1f} s", reason=error.reason)
            self._queue.add(key, pause)
        except Exception:  # a mistake in one object's path must not stop the others
            outcome = "bug"
            BUGS.inc()
            pause = self._back_off(key)
            log.exception("%s: this is a mistake in Certward, please report it; again in %.1f s", key, pause)
            self._queue.add(key, pause)
        finally:
            RECONCILES.labels(key.kind, outcome).inc()
            RECONCILE_SECONDS.labels(key.kind).observe(time.monotonic() - started)

    def _dispatch(self, key: Key) -> None:
        touched: set[Key] = set()
        failed = {key}  # when it is its turn again is said where it has failed
        try:
            self._work_on(key, touched)
            failed = set()
        finally:
            # What has been written is written, and no watch tells of it any more, whatever became of the rest.
            self._intake.enqueue(touched - failed)

    def _work_on(self, key: Key, touched: set[Key]) -> None:
        if key.kind == "Domain":
            again = self._domains.reconcile(key, touched, is_news=self._queue.is_news(key))
            if again is not None:
                self._queue.add(key, again / timedelta(seconds=1), is_news=False)
        elif key.kind == "App":
            self._intake.sums_up(key)
            if self._apps.reconcile(key, touched):
                self._queue.add(key, 10.0)
        elif key.kind == "Builtin":
            again = self._builtins.reconcile(key, touched)
            if again is not None:
                self._queue.add(key, again / timedelta(seconds=1), is_news=False)
        elif key.kind == "Namespace":
            self._namespaces.ensure(key.name)
        elif key.kind == "TLSPolicy":
            self._policies.reconcile(key)

    def _back_off(self, key: Key) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return float(min(_BACKOFF_FIRST * 2 ** min(failures, 12), _BACKOFF_MAX))
