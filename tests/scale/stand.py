"""What a scenario runs on: the local cluster in the state that it needs, and the operator that is measured."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster import served, wish
from cluster.errors import ClusterError
from cluster.handle import Cluster
from scale import drivers
from scale.drivers import Driver
from scale.drivers.certward import Certward
from scale.handshakes import Prover
from scale.meter import Meter

NAMESPACES = 10


@dataclass
class Stand:
    """One run of the bench.

    Attributes:
        cluster: the local one.
        console: where figures go.
        operator: the driver's name.
        limit: seconds that a scenario may wait for one thing; 0: by its size.
        idle_seconds: how long an idle operator is watched where that is a figure of its own.
        quiet_seconds: how long it is watched before a load, to take off what it costs by itself.
        fresh: start the operator anew for each scenario, so that its memory tells of that one only, and begin with
            nothing left of the one before.
    """

    cluster: Cluster
    console: Console
    operator: str = "certward"
    limit: float = 0.0
    fresh: bool = True
    idle_seconds: float = 60.0
    quiet_seconds: float = 3.0
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def has_ingress(self) -> bool:
        """Whether what the operator obtains is served here, so that handshakes can prove it."""
        return self.operator == "certward"

    def patience(self, size: int) -> float:
        """How many seconds to wait at most for something that concerns so many Domains."""
        return self.limit or 120.0 + 1.5 * size

    def up(self, operators: int = 1, *, ingress: str = "", patch: Mapping[str, Any] | None = None) -> None:
        """Bring the cluster into this state, the operator started anew; `patch` as `Cluster.up`."""
        if not self.has_ingress:
            self.cluster.up(operators=0, ingress="none")
            return
        told = wish.from_environment()
        if not ingress and told.ingress == "none":
            raise ClusterError("this needs an ingress: unset INGRESS")
        changes = patch if patch is not None else told.patch
        if self.fresh:
            self.cluster.up(operators=0, ingress=ingress, patch=changes)
        self.cluster.up(operators=operators, ingress=ingress, patch=changes)

    def hostnames(self, count: int, what: str = "h") -> list[str]:
        """Return hostnames that the CA has never seen."""
        self.mark = uuid.uuid4().hex[:8]
        return [f"{what}{number}.{self.mark}.example.com" for number in range(count)]

    @contextmanager
    def driver(self, namespaces: int = NAMESPACES) -> Iterator[Driver]:
        """The operator with so many namespaces prepared; they are taken away afterwards."""
        driver = drivers.of(self.operator, self.cluster)
        if isinstance(driver, Certward):
            driver.is_patient = self.fresh
        try:
            driver.prepare(namespaces)
            yield driver
        finally:
            driver.close()
            self.cluster.close()  # what the driver has made through it

    @contextmanager
    def certward(self, namespaces: int = NAMESPACES) -> Iterator[Certward]:
        """As `driver`, for a scenario that only our own operator has; raises ClusterError for another one."""
        with self.driver(namespaces) as driver:
            if not isinstance(driver, Certward):
                raise ClusterError(f"{self.operator} has no such scenario; latency and burst are for every operator")
            yield driver

    @contextmanager
    def prover(self) -> Iterator[Prover]:
        """Handshakes with the ingress, trusting the CA."""
        env = self.cluster.env
        prover = Prover(env["CLUSTER_HTTPS"], served.trusting(Path(env["CLUSTER_CA"])))
        try:
            yield prover
        finally:
            prover.close()

    def meter(self, driver: Driver, *, may_end: bool = False) -> Meter:
        """What the operator spends from now on."""
        return Meter(self.cluster, driver.pids(), driver.api_user(), may_end=may_end)
