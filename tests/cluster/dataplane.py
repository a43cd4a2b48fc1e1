"""What a data plane is to the rest of the cluster, and where one listens."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.part import Part
from cluster.paths import State
from cluster.ports import Ports

#: The names of the two entries' ports; every data plane listens at the same two, each on an address of its own.
WEB, WEBSECURE = "web", "websecure"


@dataclass(frozen=True)
class Entry:
    """Where one data plane listens: plain HTTP and TLS at the same loopback address."""

    address: str
    web: int
    websecure: int

    @property
    def http(self) -> str:
        """The plain HTTP entry as host:port."""
        return f"{self.address}:{self.web}"

    @property
    def https(self) -> str:
        """The TLS entry as host:port."""
        return f"{self.address}:{self.websecure}"


def entry(number: int, ports: Ports) -> Entry:
    """Return where the data plane of this place in INGRESS listens: 127.0.0.1 for the first, 127.0.0.2, and so on."""
    return Entry(f"127.0.0.{1 + number}", ports.get(WEB), ports.get(WEBSECURE))


@dataclass(frozen=True)
class DataPlane:
    """How one data plane is run, and what it needs in the cluster beforehand.

    Attributes:
        name: what INGRESS calls it; the name of its IngressClass or GatewayClass, and of the operator's dialect.
        parts: its processes, of names that no other data plane's have; those that listen at the entry have `web` and
            `websecure` among their ports.
        objects: what is applied before it starts; of kinds that `files` define, too.
        files: functions that return files with definitions, fetched if need be.
        programs: names for `binaries.binary`; built or fetched before anything starts.
        wheels: functions that return programs of wheels, for the same.
        gateway: what the operator's configuration says of the class's Gateway, if it has one.
        contacts_endpoints: it sends requests to the addresses of EndpointSlices, not to ClusterIPs.
    """

    name: str
    parts: Callable[[State, Ports, Entry], list[Part]]
    objects: tuple[dict[str, Any], ...] = ()
    files: tuple[Callable[[], Path], ...] = ()
    programs: tuple[str, ...] = ()
    wheels: tuple[Callable[[], Path], ...] = ()
    gateway: Callable[[Entry], dict[str, Any]] | None = None
    contacts_endpoints: bool = False
