"""What the bench asks of an operator that it measures, so that it measures each in the same way."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from cluster.errors import ClusterError
from cluster.handle import Cluster

#: Where each operator's driver is; its class takes the cluster, and the settings that the operator runs with.
_DRIVERS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "certward": ("scale.drivers.certward", "Certward", ()),
    "cert-manager": ("scale.drivers.cert_manager", "CertManager", ("defaults",)),
    "cert-manager-raised": ("scale.drivers.cert_manager", "CertManager", ("raised",)),
    "cert-manager-unchecked": ("scale.drivers.cert_manager", "CertManager", ("unchecked",)),
}
OPERATORS = tuple(_DRIVERS)


class Driver(Protocol):
    """An operator on the local cluster, from outside."""

    name: str

    def prepare(self, namespaces: int) -> None:
        """Have there what is there before the load: so many namespaces, and in each what a certificate needs."""

    def request(self, hostnames: Sequence[str]) -> None:
        """Ask for one certificate for each, spread round-robin over the namespaces; returns when all have been taken.

        It is as fast as the API server takes them.
        """

    def ready(self) -> Mapping[str, float]:
        """-> hostname: the time.monotonic() at which a watch has first shown Ready=True."""

    def trouble(self) -> str:
        """One line about those that are not ready, for the message of a time-out; empty when there are none."""

    def pids(self) -> Sequence[int]:
        """The processes whose CPU and memory are the operator's."""

    def api_user(self) -> str:
        """Its user name in the audit log."""

    def close(self) -> None:
        """Take away what `prepare` and `request` have made."""


def of(name: str, cluster: Cluster) -> Driver:
    """Return the driver of this operator; raises ClusterError where there is none."""
    module, kind, settings = _DRIVERS[name]
    try:
        return cast("Driver", getattr(importlib.import_module(module), kind)(cluster, *settings))
    except ModuleNotFoundError as error:
        raise ClusterError(f"there is no driver for {name}: {error}") from error
