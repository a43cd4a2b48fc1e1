"""Who works on what: one replica at a time holds the Lease of a shard.

The holder is the replica's stable name, so that a restarted one goes on at once. While the API server is away nobody
can take a Lease over, so the holder only pauses; when it comes back to find another holder, the process ends.
"""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable

from certward.errors import Conflict, OperatorError
from certward.kube.client import Client
from certward.plan.shards import MOST_SHARDS, in_words, wishes
from certward.runtime.lease_record import Record, Records

log = logging.getLogger(__name__)


class Leadership:
    """Holds its part of the Leases `certward`, `certward-1`, ... as long as it can, in a thread of its own.

    Args:
        client: of the API server.
        namespace: the operator's own.
        replica: stable name of this replica.
        on_lost: called when another replica holds a Lease that this one did not give up; the process has to end.
        shards: how many there are.
        duration: of a Lease, in seconds.
        interval: seconds between two renewals.
    """

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        replica: str,
        on_lost: Callable[[], None],
        shards: int = 1,
        duration: float = 15.0,
        interval: float = 3.0,
    ) -> None:
        self._replica = replica
        self._on_lost = on_lost
        self._shards = shards
        self._duration = duration
        self._interval = interval
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._records = Records(client, namespace=namespace, replica=replica, duration=duration)
        self._renewed_at: dict[int, float] = {}
        self._leaving: set[int] = set()
        self._free_to_go: set[int] = set()
        self._settled_at = 0.0
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Begin to apply for Leases."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread goes on."""
        return self._thread.is_alive()

    def holds(self, shard: int) -> bool:
        """Whether this replica may work on a shard now. False also when its Lease could not be renewed in time."""
        now = time.monotonic()
        with self._lock:
            is_fresh = now - self._renewed_at.get(shard, -math.inf) < self._duration * 0.8
            return is_fresh and shard not in self._leaving and now >= self._settled_at

    def held(self) -> frozenset[int]:
        """The shards that this replica may work on now."""
        return frozenset(shard for shard in range(self._shards) if self.holds(shard))

    def is_leader(self) -> bool:
        """Whether this replica may do now what there is once in the cluster: it holds shard 0."""
        return self.holds(0)

    def leaving(self) -> frozenset[int]:
        """The shards that another replica is to get as soon as `let_go` says that nothing is done about them here."""
        with self._lock:
            return frozenset(self._leaving)

    def let_go(self, shard: int) -> None:
        """Nothing is done any more about a shard of `leaving`: its Lease may be given up."""
        with self._lock:
            if shard in self._free_to_go:
                return  # said before; that it could not be given up yet is no reason to hurry
            self._free_to_go.add(shard)
        self._wake.set()

    def age(self) -> float:
        """Seconds since this replica renewed the Lease that it renewed longest ago; infinite where it holds none."""
        with self._lock:
            oldest = min(self._renewed_at.values(), default=-math.inf)
        return time.monotonic() - oldest

    def stop(self) -> None:
        """Stop, and give all Leases up so that the other replicas need not wait for them to run out."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        for shard in list(self._renewed_at):
            try:
                with contextlib.suppress(Conflict):
                    self._give_up(shard)
                    continue
                self._give_up(shard)  # somebody has just put a wish into it
            except OperatorError as error:
                log.warning("could not give up the lease of %s: %s", in_words([shard]), error.message)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._try()
            known = (self._records.known(shard) for shard in range(self._shards))
            is_asking = any(each and each.wanted_by == self._replica for each in known)
            is_in_a_hurry = is_asking or not self._renewed_at
            self._wake.wait(min(1.0, self._interval) if is_in_a_hurry else self._interval)
            self._wake.clear()

    def _try(self) -> None:
        """Look at every Lease once. What is wrong with one holds up no other."""
        for shard in range(self._shards):
            try:
                self._look(shard)
            except Conflict:
                log.debug("lease of %s: somebody else was faster", in_words([shard]))
            except OperatorError as error:
                log.warning("lease of %s: %s", in_words([shard]), error.message)
            if self._stop.is_set():
                return
        if self._shards > 1:
            with contextlib.suppress(OperatorError):  # asked again at the next look
                self._balance()

    def _look(self, shard: int) -> None:
        if shard in self._free_to_go:
            self._give_up(shard)
        elif shard not in self._renewed_at:
            self._apply_for(self._records.read(shard))
        elif time.monotonic() - self._renewed_at[shard] >= self._interval * 0.9:
            self._renew(shard)

    def _renew(self, shard: int) -> None:
        """Renew at the version known; whatever somebody else has written since shows as a conflict."""
        asked_at, known = time.monotonic(), self._records.known(shard)
        try:
            record = self._hold(shard)
        except Conflict:
            record = self._records.read(shard)
            if record.holder != self._replica and known and record.was_with_another_since(known):
                self._lost(record)
                return
            record = self._hold(shard)
        self._won(record, asked_at)

    def _apply_for(self, record: Record) -> None:
        if not self._may_take(record):
            return
        asked_at = time.monotonic()
        record = self._hold(record.shard)
        log.info("%s is the leader" if self._shards == 1 else "%s works on shard %d", *self._told(record.shard))
        self._won(record, asked_at)

    def _told(self, shard: int) -> tuple[str | int, ...]:
        return (self._replica,) if self._shards == 1 else (self._replica, shard)

    def _may_take(self, record: Record) -> bool:
        if not self._records.is_free(record.shard) or self._records.is_kept_for_another(record.shard):
            return False
        is_of_another_division = record.is_there and record.shards != self._shards
        if record.shard:
            first = self._records.known(0)
            return first is not None and first.is_there and first.shards == self._shards
        return not is_of_another_division or self._is_deserted(record.shards)

    def _is_deserted(self, shards: int) -> bool:
        """Whether nobody works by another division of the namespaces any more: two would work on the same ones.

        Who has just taken a Lease by that other division sees at its next look that it is over. So whoever takes the
        first Lease by a new one does nothing for a while, and says until then that the division is about to change.
        """
        others = range(1, shards or MOST_SHARDS)
        for shard in others:
            self._records.read(shard)  # all of them: one that is not renewed is stale a while after its first sighting
        if not all(self._records.is_free(shard) for shard in others):
            return False
        log.info("the work is split into %d shards from now on, and no more into %d", self._shards, shards)
        if shards != 1:
            self._settled_at = time.monotonic() + self._duration
        return True

    def _balance(self) -> None:
        """Give up what goes by another division, and ask those for shards who hold more."""
        first = self._records.known(0)
        if first is None or not first.is_there or time.monotonic() < self._settled_at:
            return
        # Its own first Lease still says "about to change" for a moment after it has settled.
        if first.shards != self._shards and first.holder != self._replica:
            for shard in self._renewed_at:
                self._leave(shard, "whoever takes it")
            return
        known = {shard: self._records.known(shard) for shard in range(self._shards)}
        if not all(known.values()):
            return
        holders = {shard: self._records.live_holder(shard) for shard in known}
        wanted = {shard: each.wanted_by for shard, each in known.items() if each}
        for shard in wishes(self._replica, holders, wanted):
            record = self._records.wish_for(shard)
            log.info("%s asks %s for shard %d", self._replica, record.holder, shard)

    def _leave(self, shard: int, heir: str) -> None:
        with self._lock:
            if shard in self._leaving:
                return
            self._leaving.add(shard)
        log.info("%s hands shard %d over to %s", self._replica, shard, heir)

    def _lost(self, record: Record) -> None:
        holder = record.holder
        which = "lease" if self._shards == 1 else f"lease of shard {record.shard}"
        log.error(
            "the %s %s; this process ends", which, f"is held by {holder} now" if holder else "was held by another"
        )
        with self._lock:
            self._renewed_at.clear()
        self._stop.set()
        self._on_lost()

    def _hold(self, shard: int) -> Record:
        return self._records.hold(shard, 0 if time.monotonic() < self._settled_at else self._shards)

    def _won(self, record: Record, asked_at: float) -> None:
        with self._lock:
            self._renewed_at[record.shard] = asked_at
        if record.wanted_by not in ("", self._replica) and self._shards > 1:
            self._leave(record.shard, record.wanted_by)

    def _give_up(self, shard: int) -> None:
        self._records.give_up(shard)
        with self._lock:
            self._renewed_at.pop(shard, None)
            self._leaving.discard(shard)
            self._free_to_go.discard(shard)
