"""What watches and full LISTs tell: into the cache, and whatever it concerns into the queue."""

import contextlib
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial

from certward.errors import InvalidSpec, Rejected
from certward.kube.cache import Cache
from certward.kube.client import Client, Object
from certward.kube.foreign import SELECTOR, ForeignRoutes
from certward.kube.routes import ROUTE_KINDS
from certward.model.resources import App, Domain, Key, Resource, TLSPolicy, key_of
from certward.names import PLATFORM
from certward.runtime.holding import Holding
from certward.runtime.memory import Memories
from certward.runtime.queue import WorkQueue
from certward.runtime.unseen import Unseen

log = logging.getLogger(__name__)

KINDS: tuple[type[App] | type[Domain] | type[TLSPolicy], ...] = (App, Domain, TLSPolicy)
RESYNC_SECONDS = 600.0
#: So many namespaces are remembered whose last Domain went while another replica worked there, or none: the latest.
_MOST_EMPTIED = 4096
#: A burst of changes to an App's Domains is summed up once, and a long one every so often.
_SUM_UP_SECONDS, _SUM_UP_EVERY = 0.4, 2.0


def read(body: Object) -> Resource | None:
    """An object of ours from its body; None when it cannot be read, which is logged."""
    by_kind = {kind.kind: kind for kind in KINDS}
    try:
        return by_kind[body["kind"]].from_body(body)
    except (InvalidSpec, KeyError, ValueError) as error:
        meta = body.get("metadata") or {}
        log.warning("%s %s/%s cannot be read: %s", body.get("kind"), meta.get("namespace"), meta.get("name"), error)
        return None


class Intake:
    """On every replica, whatever it works on. For many threads.

    Attributes:
        synced_at: monotonic time of the last full LIST; 0 before the first one.
        unseen: what has not been looked at since this replica began to work.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        queue: WorkQueue,
        *,
        foreign: ForeignRoutes,
        memories: Memories,
        holding: Holding,
        namespace: str,
    ) -> None:
        self._client = client
        self._cache = cache
        self._queue = queue
        self._foreign = foreign
        self._memories = memories
        self._holding = holding
        self._namespace = namespace
        self._lock = threading.Lock()
        self._emptied: OrderedDict[Key, None] = OrderedDict()
        self._summed_up: dict[Key, float] = {}
        self.unseen = Unseen()
        self.synced_at = 0.0

    def changed(self, body: Object) -> None:
        """A watch says that an object is so now."""
        meta = body.get("metadata") or {}
        if self._cache.knows(Key(str(body.get("kind")), meta.get("namespace", ""), str(meta.get("name"))), meta):
            return  # the echo of a status that was written here
        resource = read(body)
        if resource is not None:
            self._take_in([resource], lambda: self._cache.put(resource))

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """A watch says that an object is gone."""
        self._summed_up.pop(Key(kind, namespace, name), None)
        self._take_in([], lambda: self._cache.drop(Key(kind, namespace, name), uid))

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

    def sums_up(self, key: Key) -> None:
        """An App is summed up now; not again for a while. One that is gone comes here once more, and is forgotten."""
        if self._cache.app(key.namespace, key.name) is None:
            self._summed_up.pop(key, None)
        else:
            self._summed_up[key] = time.monotonic()

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
            listed, unchanged = [], []
            for body in self._client.list(kind.kind):
                meta = body["metadata"]
                key = Key(kind.kind, meta["namespace"], meta["name"])
                if self._cache.knows(key, meta):
                    unchanged.append(key)
                # A list leaves kind and apiVersion out of its items.
                elif (resource := read({**body, "kind": kind.kind})) is not None:
                    listed.append(resource)
            self._take_in(listed, partial(self._cache.replace_all, before, listed, unchanged))
        if not self.synced_at:
            self._list_routes()
        self.synced_at = time.monotonic()

    def _list_routes(self) -> None:
        """Know others' routes before the first host is judged; from then on each kind's watch lists anew by itself."""
        for kind in ROUTE_KINDS:
            with contextlib.suppress(Rejected):  # the watch says so when it stays like that
                self.routes_listed(kind, self._client.list(kind, labels=SELECTOR, may_be_absent=True))

    def _take_in(self, resources: Iterable[Resource], change: Callable[[], set[Key]]) -> None:
        """Change the cache and have looked at what that concerns here.

        All that follows from a change is derived from it on every replica: the one that made it may not be the one
        that works on what it concerns.
        """
        mine = Key("Domain", self._namespace, PLATFORM)
        is_platforms = any(key_of(each) == mine for each in resources)
        before = self._platforms_certificate() if is_platforms else None
        touched = change()
        if is_platforms and self._platforms_certificate() != before:
            touched |= {Key("Builtin", app.namespace, app.name) for app in self._cache.keys("App")}
        for key in touched:
            if not self._queue.keeps(key):
                self._pass_over(key)
        self.enqueue(touched)

    def _pass_over(self, key: Key) -> None:
        """Something has changed that this replica does not work on."""
        if key.kind == "Domain" and self._cache.domain(key.namespace, key.name) is None:
            self._memories.drop(key)
        if key.kind != "Namespace":
            return
        with self._lock:
            self._emptied.pop(key, None)
            if not self._cache.has_any("Domain", key.name):
                self._emptied[key] = None  # perhaps nobody works on its shard now, and no object is left to tell of it
            if len(self._emptied) > _MOST_EMPTIED:
                self._emptied.popitem(last=False)

    def _platforms_certificate(self) -> object:
        domain = self._cache.domain(self._namespace, PLATFORM)
        return domain.status.get("certificate") if domain else None

    def enqueue_shard(self, shard: int) -> None:
        """Have everything of a shard looked at: this replica works on it from now on."""
        is_meant = self._holding.in_shard(shard)
        there = {key for kind in KINDS for key in self._cache.keys(kind.kind) if is_meant(key)}
        there |= {Key("Namespace", "", key.namespace) for key in there if key.kind == "Domain"}
        with self._lock:
            emptied = set(filter(is_meant, self._emptied))
            for key in emptied:
                del self._emptied[key]
        self.unseen.begin(there)
        self.enqueue(there | emptied)
