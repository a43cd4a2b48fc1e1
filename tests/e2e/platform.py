"""What differs between the clusters that the end-to-end tests run on."""

from pathlib import Path
from typing import Any, Protocol

Address = tuple[str, int]


class Platform(Protocol):
    """A cluster with Certward, an ingress and an ACME server that reaches it."""

    #: The entries of the ingress, and the CA file for what it serves; None: the roots of this machine.
    http: Address
    https: Address
    ca: Path | None
    #: Test hostnames are made below this name.
    hostname_suffix: str
    #: The range from which these tests reach the ingress, as the ingress sees it.
    own_range: str
    #: The operator's probe interval, and how long a step such as an issuance may take; seconds.
    probe_interval: float
    patience: float

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        """Run kubectl and return what it prints; raises ClusterError with its complaint."""
        ...

    def namespace(self, name: str) -> None:
        """Make a namespace that `close()` deletes."""
        ...

    def backend(self, namespace: str, name: str) -> None:
        """Make a Service with port 8080, named http; it answers any path with JSON: {"backend": name, ...}."""
        ...

    def settings_of(self, class_name: str) -> dict[str, Any]:
        """Return what the operator's configuration says of an ingress class."""
        ...

    def orders(self) -> int | None:
        """Return how many orders the CA has taken; None where it cannot be asked."""
        ...

    def mistakes(self) -> list[str]:
        """Return the log lines in which the operator confesses a mistake of its own, where its log can be read."""
        ...

    def close(self) -> None:
        """Delete what was made."""
        ...


def address(text: str) -> Address:
    """Split host:port."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
