"""The workers: take a key, have it worked on, deal with what goes wrong; and the periodic full LIST."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from certward.errors import Conflict, InvalidSpec, OperatorError, Rejected
from certward.kube.cache import Cache
from certward.kube.client import Client, Object
from certward.kube.foreign import SELECTOR, ForeignRoutes
from certward.kube.routes import ROUTE_KINDS
from certward.logs import say
from certward.model.resources import App, Domain, Key, Resource, TLSPolicy, key_of
from certward.runtime.apps import Apps
from certward.runtime.builtin import Builtins
from certward.runtime.domains import Domains
from certward.runtime.memory import Memories
from certward.runtime.metrics import BUGS, RECONCILE_SECONDS, RECONCILES
from certward.runtime.namespaces import Namespaces
from certward.runtime.policies import Policies
from certward.runtime.queue import WorkQueue
from certward.stages import stage

log = logging.getLogger(__name__)

KINDS: tuple[type[App] | type[Domain] | type[TLSPolicy], ...] = (App, Domain, TLSPolicy)
RESYNC_SECONDS = 600.0
#: A burst of changes to an App's Domains is summed up once, and a long one every so often.
_SUM_UP_SECONDS, _SUM_UP_EVERY = 0.4, 2.0
_BACKOFF_FIRST, _BACKOFF_MAX = 0.5, 300.0


def read(body: Object) -> Resource | None:
    """An object of ours from its body; None when it cannot be read, which is logged."""
    by_kind = {kind.kind: kind for kind in KINDS}
    try:
        return by_kind[body["kind"]].from_body(body)
    except (InvalidSpec, KeyError, ValueError) as error:
        meta = body.get("metadata") or {}
        log.warning("%s %s/%s cannot be read: %s", body.get("kind"), meta.get("namespace"), meta.get("name"), error)
        return None


class Reconciler:
    """Runs while this replica is the leader; the cache is kept up on every replica."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        queue: WorkQueue,
        *,
        domains: Domains,
        apps: Apps,
        builtins: Builtins,
        namespaces: Namespaces,
        policies: Policies,
        foreign: ForeignRoutes,
        memories: Memories,
        may_work: Callable[[], bool],
        workers: int = 8,
    ) -> None:
        self._client = client
        self._cache = cache
        self._queue = queue
        self._domains = domains
        self._apps = apps
        self._builtins = builtins
        self._namespaces = namespaces
        self._policies = policies
        self._foreign = foreign
        self._memories = memories
        self._may_work = may_work
        self._failures: dict[Key, int] = {}
        self._summed_up: dict[Key, float] = {}
        self._stop = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(workers)
        ]
        self.synced_at = 0.0
        self._unseen: set[Key] = set()
        self._unseen_lock = threading.Lock()
        self._began = 0.0

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

    def changed(self, body: Object) -> None:
        """A watch says that an object is so now."""
        meta = body.get("metadata") or {}
        if self._cache.knows(Key(str(body.get("kind")), meta.get("namespace", ""), meta["name"]), meta):
            return  # the echo of a status that was written here
        resource = read(body)
        if resource is not None:
            self.enqueue(self._cache.put(resource))

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """A watch says that an object is gone."""
        self._summed_up.pop(Key(kind, namespace, name), None)
        self.enqueue(self._cache.drop(Key(kind, namespace, name), uid))

    def route_changed(self, kind: str, body: Object) -> None:
        """A watch says that somebody else's route is so now."""
        self._disturb(self._foreign.put(kind, body))

    def route_deleted(self, kind: str, namespace: str, name: str) -> None:
        """A watch says that somebody else's route is gone."""
        self._disturb(self._foreign.drop(kind, namespace, name))

    def routes_listed(self, kind: str, bodies: Iterable[Object]) -> None:
        """A full LIST says that these are all routes of a kind that are not ours."""
        self._disturb(self._foreign.replace_all(kind, bodies))

    def _disturb(self, hostnames: Iterable[str]) -> None:
        """Have the hosts looked at closely whose ingress may have been told something else."""
        for hostname in hostnames:
            domain = self._cache.domain_for(hostname)
            if domain is None:
                continue
            memory = self._memories.of(key_of(domain), domain.meta.uid)
            memory.disturbed_at = time.monotonic()
            self._queue.add(key_of(domain))

    def enqueue(self, keys: Iterable[Key]) -> None:
        """Have keys looked at soon."""
        for key in keys:
            self._queue.add(key, self._summing_up(key) if key.kind in ("App", "Namespace") else 0.0)

    def _summing_up(self, key: Key) -> float:
        """How long to wait with an App or a namespace for what else may change there, in seconds."""
        since = time.monotonic() - self._summed_up.get(key, -math.inf)
        return max(_SUM_UP_SECONDS, _SUM_UP_EVERY - since)

    def resync(self) -> None:
        """Make the cache equal to full LISTs and have all that changed looked at.

        Raises:
            OperatorError: the API server could not be asked.
        """
        for kind in KINDS:
            before = self._cache.versions(kind.kind)
            listed = []
            for body in self._client.list(kind.kind):
                # A list leaves kind and apiVersion out of its items.
                resource = read({**body, "kind": kind.kind})
                if resource is not None:
                    listed.append(resource)
            self.enqueue(self._cache.replace_all(before, listed))
        if not self.synced_at:
            self._list_routes()
        self.synced_at = time.monotonic()

    def _list_routes(self) -> None:
        """Know others' routes before the first host is judged; from then on each kind's watch lists anew by itself."""
        for kind in ROUTE_KINDS:
            with contextlib.suppress(Rejected):  # the watch says so when it stays like that
                self.routes_listed(kind, self._client.list(kind, labels=SELECTOR, may_be_absent=True))

    def enqueue_all(self) -> None:
        """Have everything looked at: this replica has become the leader."""
        keys = {key for kind in KINDS for key in self._cache.keys(kind.kind)}
        keys |= {Key("Namespace", "", key.namespace) for key in keys if key.kind == "Domain"}
        with self._unseen_lock:
            self._unseen, self._began = set(keys), time.monotonic()
        self.enqueue(keys)

    def unseen(self) -> int:
        """How many of the objects that were there when this replica began to work have not been looked at since."""
        return len(self._unseen)

    def _saw(self, key: Key) -> None:
        """All that belongs to an object has been compared with what there is, and written where it differed."""
        with self._unseen_lock:
            is_last = self._unseen == {key}
            self._unseen.discard(key)
        if is_last:
            log.info("all objects have been looked at, %.1f s after the start of work", time.monotonic() - self._began)

    def _work(self) -> None:
        while not self._stop.is_set():
            if not self._may_work():
                self._stop.wait(0.1)  # what changes meanwhile waits in the queue, each key once
                continue
            key = self._queue.take(timeout=1.0)
            if key is None:
                continue
            try:
                self._reconcile(key)
            finally:
                self._queue.done(key)

    def _reconcile(self, key: Key) -> None:
        started = time.monotonic()
        outcome = "done"
        try:
            with stage(f"pass of {key.kind}"):
                self._dispatch(key)
            self._failures.pop(key, None)
            self._saw(key)
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
        if key.kind == "Domain":
            again, touched = self._domains.reconcile(key)
            if again is not None:
                self._queue.add(key, again / timedelta(seconds=1), is_news=False)
            self.enqueue(touched)
        elif key.kind == "App":
            self._summed_up[key] = time.monotonic()
            is_waiting, touched = self._apps.reconcile(key)
            if is_waiting:
                self._queue.add(key, 10.0)
            self.enqueue(touched)
        elif key.kind == "Builtin":
            again, touched = self._builtins.reconcile(key)
            if again is not None:
                self._queue.add(key, again / timedelta(seconds=1), is_news=False)
            self.enqueue(touched)
        elif key.kind == "Namespace":
            self._namespaces.ensure(key.name)
        elif key.kind == "TLSPolicy":
            self._policies.reconcile(key)

    def _back_off(self, key: Key) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return float(min(_BACKOFF_FIRST * 2 ** min(failures, 12), _BACKOFF_MAX))
