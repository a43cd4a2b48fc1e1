"""The work in shards: which one a namespace belongs to, what a shard may use, which Leases a replica wishes for."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from certward.model.resources import Key

#: How many shards there may be.
MOST_SHARDS: Final = 16
#: A replica that holds so many shards less than another one wishes for one of its.
_UNFAIR: Final = 2
_BYTES: Final = 8


def shard_of(namespace: str, shards: int) -> int:
    """The shard of a namespace, from 0; the same in every process and every version."""
    if shards == 1:
        return 0
    return int.from_bytes(hashlib.sha256(namespace.encode()).digest()[:_BYTES], "big") % shards


def namespace_of(key: Key) -> str:
    """The namespace that a key of the queue is about."""
    return key.name if key.kind == "Namespace" else key.namespace


def lease_name(shard: int) -> str:
    """The Lease by which it is settled who works on a shard."""
    return f"certward-{shard}" if shard else "certward"


def share(limit: int, shard: int, shards: int) -> int:
    """What one shard may use of a limit of the whole account; all shares together are the limit, 0 stays no limit."""
    return limit // shards + (shard < limit % shards)


def wishes(me: str, holders: Mapping[int, str], wanted: Mapping[int, str]) -> list[int]:
    """The shards that a replica asks others for, so that all come to hold about as many.

    A shard that is wanted counts as its wisher's already, so that two replicas that look at the same moment do not ask
    for more than is fair. Shard 0 is asked for last: what there is once in the cluster goes along with it.

    Args:
        me: the replica that looks.
        holders: shard -> the replica that holds it and is alive. A shard that nobody holds makes all wishes wait.
        wanted: shard -> the replica that has asked for it.
    """
    if not all(holders.values()):
        return []
    soon = {shard: wanted.get(shard) or holder for shard, holder in holders.items()}
    asked: list[int] = []
    while True:
        counts = Counter(soon.values())
        givers = [shard for shard, replica in soon.items() if _may_give(shard, replica, me, holders, wanted)]
        if not givers:
            return asked
        shard = max(givers, key=lambda each: (counts[soon[each]], each))
        if counts[soon[shard]] - counts[me] < _UNFAIR:
            return asked
        asked.append(shard)
        soon[shard] = me


def _may_give(shard: int, replica: str, me: str, holders: Mapping[int, str], wanted: Mapping[int, str]) -> bool:
    return replica != me and holders[shard] == replica and not wanted.get(shard)


def in_words(shards: Collection[int]) -> str:
    """Shards for people, as in "shards 0 and 3"."""
    names = [str(shard) for shard in sorted(shards)]
    if len(names) == 1:
        return f"shard {names[0]}"
    return f"shards {', '.join(names[:-1])} and {names[-1]}" if names else "no shard"
