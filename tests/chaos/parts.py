"""Faults of parts, one after the other."""

import random

from chaos.disturbing import Disturbing
from chaos.killing import Killing
from chaos.observing import Observer
from chaos.world import World


class Parts:
    """Injects them. For one thread."""

    def __init__(self, world: World, seen: Observer, chance: random.Random) -> None:
        self.kinds = {**Killing(world, seen, chance).kinds, **Disturbing(world, seen, chance).kinds}

    def inject(self, kind: str) -> None:
        """Inject one, heal it, and wait until all is well, as long as that may take at most."""
        self.kinds[kind]()
