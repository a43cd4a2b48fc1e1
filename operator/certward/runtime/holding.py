"""The shards that this replica works on: begun when it has won one, ended before it gives one up."""

import threading
from collections.abc import Callable

from certward.model.resources import Key
from certward.plan.shards import namespace_of, shard_of
from certward.runtime.lease import Leadership


class Holding:
    """For many threads.

    Args:
        lease: says which shards are this replica's, as the API server sees it.
        shards: how many there are.
    """

    def __init__(self, lease: Leadership, shards: int) -> None:
        self._lease = lease
        self.shards = shards
        self._lock = threading.Lock()
        self._begun: frozenset[int] = frozenset()

    @property
    def begun(self) -> frozenset[int]:
        """The shards that it has begun to work on and not ended, also while it pauses."""
        return self._begun

    def to_begin(self) -> frozenset[int]:
        """Shards that it has won."""
        return self._lease.held() - self._begun

    def begin(self, shard: int) -> None:
        """It works on a shard from now on."""
        with self._lock:
            self._begun |= {shard}

    def end(self, shard: int) -> None:
        """It takes nothing up any more in a shard."""
        with self._lock:
            self._begun -= {shard}

    def of(self, key: Key) -> int:
        """The shard of a key."""
        return shard_of(namespace_of(key), self.shards)

    def keeps(self, key: Key) -> bool:
        """Whether a key is to be kept until it can be worked on: where it works on its shard, also while it pauses.

        A replica that stands by keeps none, as it has everything of a shard looked at when it wins that; it would keep
        whatever has come and gone meanwhile.
        """
        return self.of(key) in self._begun

    def may_work(self) -> bool:
        """Whether this replica may work on anything now."""
        return any(self._lease.holds(shard) for shard in self._begun)

    def may_work_on(self, key: Key) -> bool:
        """Whether this replica may work on a key now."""
        shard = self.of(key)
        return shard in self._begun and self._lease.holds(shard)

    def has_first(self) -> bool:
        """Whether it works, or pauses, as the one that keeps what there is once in the cluster."""
        return 0 in self._begun

    def leads(self) -> bool:
        """Whether it may do now what there is once in the cluster."""
        return self.has_first() and self._lease.holds(0)

    def working_on(self) -> frozenset[int]:
        """The shards that it may work on now."""
        return frozenset(shard for shard in self._begun if self._lease.holds(shard))

    def in_shard(self, shard: int) -> Callable[[Key], bool]:
        """Tells of a key whether it is in a shard."""
        return lambda key: self.of(key) == shard
