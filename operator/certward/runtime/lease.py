"""Who works: one replica at a time holds a Lease.

The holder is the replica's stable name, so that a restarted one goes on at once. While the API server is away nobody
can take the Lease over, so the holder only pauses; when it comes back to find another holder, the process ends.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from certward.errors import Conflict, OperatorError
from certward.kube.client import Client, Object

log = logging.getLogger(__name__)

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class Leadership:
    """Holds the Lease `certward` as long as it can, in a thread of its own."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        replica: str,
        on_lost: Callable[[], None],
        name: str = "certward",
        duration: float = 15.0,
        interval: float = 3.0,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._replica = replica
        self._on_lost = on_lost
        self._name = name
        self._duration = duration
        self._interval = interval
        self._stop = threading.Event()
        self._leading = threading.Event()
        self._renewed_at = 0.0
        self._seen: tuple[object, float] = (None, 0.0)
        self._has_led = False
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Begin to apply for the Lease."""
        self._thread.start()

    def is_leader(self) -> bool:
        """Whether this replica may work now. False also when the Lease could not be renewed in time."""
        return self._leading.is_set() and time.monotonic() - self._renewed_at < self._duration * 0.8

    def age(self) -> float:
        """Seconds since this replica last renewed the Lease; infinite where it does not hold it."""
        return time.monotonic() - self._renewed_at if self._leading.is_set() else math.inf

    def stop(self) -> None:
        """Stop, and give the Lease up so that the other replica need not wait for it to run out."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if not self._leading.is_set():
            return
        self._leading.clear()
        try:
            lease = self._client.get("Lease", self._namespace, self._name)
            if lease and lease["spec"].get("holderIdentity") == self._replica:
                lease["spec"]["holderIdentity"] = ""
                lease["spec"]["leaseDurationSeconds"] = 1
                self._client.replace(lease)
        except OperatorError as error:
            log.warning("could not give up the lease: %s", error.message)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._try()
            except Conflict:
                log.debug("lease: somebody else was faster")
            except OperatorError as error:
                log.warning("lease: %s", error.message)
            self._stop.wait(self._interval if self._leading.is_set() else min(1.0, self._interval))

    def _try(self) -> None:
        asked_at = time.monotonic()
        lease = self._client.get("Lease", self._namespace, self._name)
        if lease is None:
            self._client.create(self._render(None))
            self._won(asked_at)
            return
        holder = lease["spec"].get("holderIdentity") or ""
        if holder not in ("", self._replica):
            if self._has_led:
                log.error("the lease is held by %s now; this process ends", holder)
                self._leading.clear()
                self._stop.set()
                self._on_lost()
                return
            if not self._is_stale(lease):
                return
        self._client.replace(self._render(lease))
        self._won(asked_at)

    def _is_stale(self, lease: Object) -> bool:
        """Whether the holder has not renewed for the Lease's duration, by this machine's monotonic clock alone."""
        now = time.monotonic()
        mark = (lease["spec"].get("holderIdentity"), lease["spec"].get("renewTime"))
        if mark != self._seen[0]:
            self._seen = (mark, now)
        return now - self._seen[1] > float(lease["spec"].get("leaseDurationSeconds") or self._duration)

    def _won(self, asked_at: float) -> None:
        self._renewed_at = asked_at
        if not self._leading.is_set():
            log.info("%s is the leader", self._replica)
            self._has_led = True
            self._leading.set()

    def _render(self, lease: Object | None) -> Object:
        now = datetime.now(UTC).strftime(_TIME)
        if lease is None:
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "namespace": self._namespace},
                "spec": {},
            }
        spec = lease["spec"]
        if spec.get("holderIdentity") != self._replica:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        spec["holderIdentity"] = self._replica
        spec["leaseDurationSeconds"] = int(self._duration)
        spec["renewTime"] = now
        return lease
