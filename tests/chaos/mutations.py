"""Operators that make one mistake each: each has to break its invariant in the observer's eyes, and no other."""

from collections.abc import Callable
from typing import Any

from chaos import report
from chaos.observing import CERTIFICATES, CONVERGED, HTTPS, KEYS, ORDERS
from chaos.run import Wish, perform
from chaos.world import Size
from cluster.handle import Cluster

#: Mistake -> the invariant that it breaks; the first one is none, so that it is seen that nothing else does.
EXPECTED = {
    "": "",
    "secret-dropped-first": CERTIFICATES,
    "route-taken-away": HTTPS,
    "key-used-again": KEYS,
    "one-key-for-all": KEYS,
    "key-logged": KEYS,
    "ordered-twice": ORDERS,
    "never-cleaned-up": CONVERGED,
}
#: What follows by itself: an ingress takes up that a Secret is gone, be it for a moment.
FOLLOWS = {"secret-dropped-first": {HTTPS}}
_SIZE = Size(steady=4, policy=1, brief=0, rsa=1)
#: Seconds; nothing that is as it ought to be takes as long, so what is not then is not going to be.
_PATIENCE = 25.0
#: Renewals that are asked for, one after the other.
_RENEWALS = 6


def try_one(cluster: Cluster, mistake: str, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Run operators that make a mistake; returns the figures of the run."""
    wish = Wish(
        seed, 0, 1, _SIZE, mutation=mistake, renewals=_RENEWALS, start_patience=_PATIENCE, end_patience=_PATIENCE
    )
    return report.facts(perform(cluster, wish, say))


def verdict(mistake: str, told: dict[str, Any]) -> str:
    """What is not as it ought to be; empty where the expected invariant was broken, and no other by itself."""
    expected, found = EXPECTED[mistake], set(told["broken"])
    if found - FOLLOWS.get(mistake, set()) == ({expected} if expected else set()):
        return ""
    return f"{mistake or 'no mistake'} ought to break {expected or 'nothing'}, and broke {told['broken'] or 'nothing'}"
