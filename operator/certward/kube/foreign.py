"""Routes that are not Certward's: of each only where it is and which hosts it names."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

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
        self._by_host: dict[str, set[ForeignRoute]] = defaultdict(set)

    def put(self, body: Mapping[str, Any]) -> frozenset[str]:
        """Take in a route as it is now.

        Returns:
            The hostnames for which something has changed.
        """
        meta = body["metadata"]
        labels = meta.get("labels") or {}
        is_ours = labels.get(LABEL_MANAGED_BY) == MANAGED_BY
        hosts = frozenset() if is_ours else _hosts_of(body)
        return self._set(ForeignRoute("Ingress", meta["namespace"], meta["name"]), hosts)

    def drop(self, namespace: str, name: str) -> frozenset[str]:
        """Forget a route that is gone.

        Returns:
            The hostnames for which something has changed.
        """
        return self._set(ForeignRoute("Ingress", namespace, name), frozenset())

    def replace_all(self, bodies: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Make this equal to a full LIST.

        Returns:
            The hostnames for which something has changed.
        """
        listed = list(bodies)
        there = {(body["metadata"]["namespace"], body["metadata"]["name"]) for body in listed}
        changed: set[str] = set()
        with self._lock:
            gone = [route for route in self._hosts if (route.namespace, route.name) not in there]
        for route in gone:
            changed |= self.drop(route.namespace, route.name)
        for body in listed:
            changed |= self.put(body)
        return frozenset(changed)

    def of(self, hostname: str) -> tuple[str, ...]:
        """The routes of others that name a hostname, sorted."""
        with self._lock:
            return tuple(sorted(str(route) for route in self._by_host.get(hostname, ())))

    def _set(self, route: ForeignRoute, hosts: frozenset[str]) -> frozenset[str]:
        with self._lock:
            before = self._hosts.pop(route, frozenset())
            if hosts:
                self._hosts[route] = hosts
            for host in before - hosts:
                self._by_host[host].discard(route)
                if not self._by_host[host]:
                    del self._by_host[host]
            for host in hosts - before:
                self._by_host[host].add(route)
            return before ^ hosts


def _hosts_of(body: Mapping[str, Any]) -> frozenset[str]:
    spec = body.get("spec") or {}
    named = {rule.get("host") for rule in spec.get("rules") or ()}
    for entry in spec.get("tls") or ():
        named.update(entry.get("hosts") or ())
    return frozenset(host.lower() for host in named if host)
