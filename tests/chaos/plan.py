"""Which faults come in which order: all of it follows from a seed."""

import random
from collections.abc import Mapping, Sequence

#: How often a kind comes, beside the others of its lane; 1 where nothing is said.
WEIGHTS: Mapping[str, float] = {
    "leader killed": 2,
    "standby killed": 2,
    "API server restarted": 0.7,
    "etcd restarted": 0.7,
    "history compacted while watches were away": 0.5,
    "CA away for an hour": 0.5,
    "objects changed while no operator ran": 0.7,
    "others write the same objects": 1.5,
}


def chance_of(seed: int, what: str) -> random.Random:
    """Chances of their own for a part of a run, the same each time."""
    return random.Random(f"{seed} {what}")  # noqa: S311 - they need not be hard to guess


def drawn(kinds: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """So many faults in an order of chance: each kind at least once where there is room, the rest by weight."""
    once = chance.sample(list(kinds), min(len(kinds), count))
    weights = [WEIGHTS.get(kind, 1.0) for kind in kinds]
    rest = chance.choices(list(kinds), weights, k=max(count - len(once), 0))
    chance.shuffle(rest)
    return once + rest
