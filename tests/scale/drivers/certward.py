"""Certward, driven as a user does: Apps with automatic certificates, a Domain for each hostname."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kubernetes import client

from certward.names import ACCOUNT_SECRET
from cluster import operator_process, progress
from cluster.handle import Cluster
from cluster.proofs import condition
from scale import following
from scale.watching import API, Body, DomainWatch

APP = "bench"
#: Connections by which objects are created, so that the client is not what limits a burst.
_AT_ONCE = 8
_GONE_SECONDS = 600.0
_FIRST_SECONDS = 120.0


class Certward:
    """The operator of this checkout. What is beyond the Protocol is for the scenarios that only it has.

    Attributes:
        namespaces: what `prepare` has made.
        is_patient: `close` returns only when the namespaces are gone: what is being deleted costs as well.
    """

    name = "certward"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._custom = client.CustomObjectsApi(cluster.api)
        self._lock = threading.Lock()
        self._ready: dict[str, float] = {}
        self._bodies: dict[str, Body] = {}
        self._where: dict[str, tuple[str, str]] = {}
        self._listeners: list[Callable[[str, Body, float], None]] = []
        self._watch: DomainWatch | None = None
        self._made: set[str] = set()
        self.namespaces: list[str] = []
        self.is_patient = True

    def prepare(self, namespaces: int) -> None:
        """Make the namespaces, in each an App with a Service that answers; follow Domains from now on.

        Where an operator runs, it has its account at the CA afterwards: that comes once, not with each load.
        """
        for _ in range(namespaces):
            self.namespaces.append(self._cluster.namespace("bench"))
            self._made.add(self.namespaces[-1])
            self._cluster.backend(self.namespaces[-1], APP)
            spec = {"service": {"name": APP, "port": 8080}, "certificates": {"automatic": True}}
            self.create(self.namespaces[-1], "apps", "App", APP, spec)
        if self._watch is None:
            self._watch = DomainWatch(self._cluster.api, self._seen)
            self._watch.start()
            if self.pids():
                self._have_account()

    def request(self, hostnames: Sequence[str]) -> None:
        """Create a Domain for each."""
        first = len(self._where)
        for number, hostname in enumerate(hostnames, first):
            self._where[hostname] = (self.namespaces[number % len(self.namespaces)], f"d{number}")

        self._for_each(self._create_domain, hostnames)

    def ready(self) -> Mapping[str, float]:
        """When each hostname was first seen to be Ready."""
        with self._lock:
            return dict(self._ready)

    def trouble(self) -> str:
        """How many are not Ready for which reason, with one of each."""
        with self._lock:
            missing = [hostname for hostname in self._where if hostname not in self._ready]
            statuses = {hostname: (self._bodies.get(hostname) or {}).get("status") or {} for hostname in missing}
        return told(statuses)

    def pids(self) -> Sequence[int]:
        """Every replica."""
        return self._cluster.operator_pids()

    def api_user(self) -> str:
        """Its ServiceAccount."""
        return f"system:serviceaccount:{operator_process.NAMESPACE}:{operator_process.SERVICE_ACCOUNT}"

    def close(self) -> None:
        """Delete the Domains and their namespaces."""
        if self._watch is not None:
            self._watch.stop()
        made = self._made
        for namespace in made:
            self._custom.delete_collection_namespaced_custom_object(*API, namespace, "domains")
        self._cluster.close()
        core = client.CoreV1Api(self._cluster.api)

        def is_gone() -> bool:
            return made.isdisjoint(each.metadata.name for each in core.list_namespace().items if each.metadata)

        if made and self.is_patient:
            try:
                following.until(is_gone, "what was made is deleted", _GONE_SECONDS + len(self._where) / 2, every=0.5)
            except following.TooLate as error:  # the figures are there and true; those of the next scenario may not be
                progress.say(f"{error} What is measured next may be slower for it.")

    # For scenarios of our own.

    def on_change(self, listener: Callable[[str, Body, float], None]) -> None:
        """Have each change of a requested Domain told: hostname, body, time.monotonic(). In the watch's thread."""
        self._listeners.append(listener)

    def request_in(self, namespace: str, hostname: str) -> None:
        """Create a Domain in a namespace of one's choice."""
        self._where[hostname] = (namespace, f"d{len(self._where)}")
        self._create_domain(hostname)

    def has_seen(self, hostname: str) -> bool:
        """Tell whether the watch has shown the Domain."""
        with self._lock:
            return hostname in self._bodies

    def body(self, hostname: str) -> Body:
        """The Domain as last seen."""
        with self._lock:
            return self._bodies[hostname]

    def annotate(self, hostnames: Sequence[str], name: str, value: str) -> None:
        """Set an annotation on the Domain of each."""

        def patch(hostname: str) -> None:
            namespace, domain = self._where[hostname]
            body = {"metadata": {"annotations": {name: value}}}
            self._custom.patch_namespaced_custom_object(*API, namespace, "domains", domain, body, _request_timeout=30)

        self._for_each(patch, hostnames)

    def create(self, namespace: str, plural: str, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """Create one of the operator's own objects."""
        body = {"apiVersion": "/".join(API), "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
        self._custom.create_namespaced_custom_object(*API, namespace, plural, body, _request_timeout=30)

    def _have_account(self) -> None:
        secrets = client.CoreV1Api(self._cluster.api).list_namespaced_secret(operator_process.NAMESPACE).items
        if any(each.metadata and (each.metadata.name or "").startswith(ACCOUNT_SECRET) for each in secrets):
            return
        hostname = f"first.{self.namespaces[0]}.example.com"
        self._where[hostname] = (self.namespaces[0], "first")
        self._create_domain(hostname)
        following.until(lambda: hostname in self.ready(), "the first certificate, with the account", _FIRST_SECONDS)
        with self._lock:
            del self._where[hostname], self._ready[hostname], self._bodies[hostname]

    def _create_domain(self, hostname: str) -> None:
        namespace, name = self._where[hostname]
        self.create(namespace, "domains", "Domain", name, {"hostname": hostname, "appRef": {"name": APP}})

    @staticmethod
    def _for_each(do: Callable[[str], None], hostnames: Sequence[str]) -> None:
        with ThreadPoolExecutor(min(_AT_ONCE, max(len(hostnames), 1))) as pool:
            for _ in pool.map(do, hostnames):
                pass

    def _seen(self, body: Body, at: float) -> None:
        hostname = body["spec"]["hostname"]
        if self._where.get(hostname) != (body["metadata"]["namespace"], body["metadata"]["name"]):
            return
        with self._lock:
            self._bodies[hostname] = body
            if condition(body, "Ready").get("status") == "True":
                self._ready.setdefault(hostname, at)
        for listener in self._listeners:
            listener(hostname, body, at)


def told(statuses: Mapping[str, Mapping[str, Any]]) -> str:
    """Say how many of these statuses have which state and reason, with one hostname and message of each."""
    states = {
        hostname: (str(status.get("state") or "no status"), str(status.get("reason") or ""))
        for hostname, status in statuses.items()
    }
    parts = []
    for (state, reason), count in Counter(states.values()).most_common():
        example = next(hostname for hostname, it in states.items() if it == (state, reason))
        message = statuses[example].get("message") or condition({"status": statuses[example]}, "Ready").get("message")
        parts.append(f"{count} {state}{f' ({reason})' if reason else ''}, as {example}: {message or 'no message'}")
    return "; ".join(parts)
