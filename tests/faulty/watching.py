"""Every status that the Domains of a namespace ever have, as a watch delivers them."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from kubernetes import client, watch

from cluster.handle import Cluster


@dataclass(frozen=True)
class Told:
    """A status as it read at a time, in seconds since the epoch."""

    at: float
    state: str
    reason: str
    message: str
    failures: int
    next_attempt: float | None


class Statuses:
    """Collects within `with`."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._api = client.CustomObjectsApi(cluster.api)
        self._namespace = namespace
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._told: dict[str, list[Told]] = {}
        self._last: dict[str, dict] = {}
        self._thread = threading.Thread(target=self._collect, name="statuses")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def of(self, name: str) -> list[Told]:
        """All statuses of a Domain, in order."""
        with self._lock:
            return list(self._told.get(name, ()))

    def last(self) -> dict[str, dict]:
        """All Domains by name as they are now."""
        with self._lock:
            return dict(self._last)

    def _collect(self) -> None:
        what = ("certward.dev", "v1alpha1", self._namespace, "domains")
        watching = watch.Watch()
        while not self._stop.is_set():
            stream = watching.stream(
                self._api.list_namespaced_custom_object,
                *what,
                resource_version=watching.resource_version,
                timeout_seconds=1,
                _request_timeout=10,
            )
            for event in stream:
                self._note(event["object"])

    def _note(self, one: dict) -> None:
        status = one.get("status") or {}
        attempts = status.get("attempts") or {}
        told = Told(
            time.time(),
            status.get("state", ""),
            status.get("reason", ""),
            status.get("message", ""),
            int(attempts.get("failures") or 0),
            _seconds(attempts.get("nextAttempt")),
        )
        with self._lock:
            self._told.setdefault(one["metadata"]["name"], []).append(told)
            self._last[one["metadata"]["name"]] = one


def _seconds(moment: str | None) -> float | None:
    return datetime.fromisoformat(moment).timestamp() if moment else None
