"""Routes that are not Certward's: of each only where it is and which hosts it names."""

import threading
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from certward.kube.routes import hosts_of
from certward.names import LABEL_MANAGED_BY, MANAGED_BY

#: What a watch or a list has to ask for so as to see others' routes only.
SELECTOR = f"{LABEL_MANAGED_BY}!={MANAGED_BY}"


class ForeignRoute(NamedTuple):
    """A route of somebody else."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class ForeignRoutes:
    """Who else routes a hostname. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[ForeignRoute, frozenset[str]] = {}
        self._listed: set[str] = set()
        self._by_host: dict[str, set[ForeignRoute]] = defaultdict(set)

    def put(self, kind: str, body: Mapping[str, Any]) -> frozenset[str]:
        """Take in a route as it is now.

        Args:
            kind: a key of ROUTE_KINDS.
            body: the object.

        Returns:
            The hostnames for which something has changed.
        """
        return self._set(*_read(kind, body))

    def drop(self, kind: str, namespace: str, name: str) -> frozenset[str]:
        """Forget a route that is gone.

        Returns:
            The hostnames for which something has changed.
        """
        return self._set(ForeignRoute(kind, namespace, name), None)

    def replace_all(self, kind: str, bodies: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Make this equal to a full LIST of one kind; the bodies are read one by one and none is kept.

        Returns:
            The hostnames for which something has changed.
        """
        listed = dict(_read(kind, body) for body in bodies)
        with self._lock:
            self._listed.add(kind)
            gone = [route for route in self._hosts if route.kind == kind and route not in listed]
        changed: set[str] = set()
        for route in gone:
            changed |= self._set(route, None)
        for route, hosts in listed.items():
            changed |= self._set(route, hosts)
        return frozenset(changed)

    def of(self, hostname: str, kinds: Container[str]) -> tuple[str, ...]:
        """The routes of others that name a hostname, sorted.

        Args:
            hostname: lower case.
            kinds: those that matter to the ingress of this host.
        """
        with self._lock:
            return tuple(sorted(str(route) for route in self._by_host.get(hostname, ()) if route.kind in kinds))

    def is_free(self, kind: str, namespace: str, name: str) -> bool:
        """Whether nobody else has an object of this name, as far as is known; False where it is not."""
        with self._lock:
            return kind in self._listed and ForeignRoute(kind, namespace, name) not in self._hosts

    def _set(self, route: ForeignRoute, now: frozenset[str] | None) -> frozenset[str]:
        hosts = now or frozenset()
        with self._lock:
            before = self._hosts.pop(route, frozenset())
            if now is not None:
                self._hosts[route] = hosts
            for host in before - hosts:
                self._by_host[host].discard(route)
                if not self._by_host[host]:
                    del self._by_host[host]
            for host in hosts - before:
                self._by_host[host].add(route)
            return before ^ hosts


def _read(kind: str, body: Mapping[str, Any]) -> tuple[ForeignRoute, frozenset[str] | None]:
    meta = body["metadata"]
    is_ours = (meta.get("labels") or {}).get(LABEL_MANAGED_BY) == MANAGED_BY
    hosts = None if is_ours else hosts_of(kind, body)
    return ForeignRoute(kind, meta.get("namespace", ""), meta["name"]), hosts
