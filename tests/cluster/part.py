"""One part of the cluster: what is run, where it listens, how one sees that it is ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.processes import Command


@dataclass(frozen=True)
class Part:
    """A process of the cluster; `ports` are names in Ports, `grace` the seconds to end after SIGTERM."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    ports: tuple[str, ...] = ()
    timeout: float = 60.0
    grace: float = 5.0

    @property
    def command(self) -> Command:
        """What is started."""
        return Command(self.name, self.argv, self.env, self.inputs)
