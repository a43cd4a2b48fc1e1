"""What the faults are done to: the local cluster with two replicas, a CA behind a journal, Apps and their Domains."""

import itertools
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import urllib3
from kubernetes import client, config

from chaos.record import Record
from chaos.replicas import NAMES, Replicas
from chaos.way import Way
from cluster import control_plane, kube
from cluster.handle import Cluster
from cluster.ports import Ports
from faulty.proxy import Proxy
from integration import observer
from integration.own_ca import OwnPebble

T = TypeVar("T")
#: Seconds that the certificates live that are renewed by themselves; from the half of it on they are due.
BRIEF = 480
ISSUER = "chaos"
#: What a client meets while the API server is away.
AWAY = (client.ApiException, urllib3.exceptions.HTTPError, OSError)
_GROUP = ("certward.dev", "v1alpha1")


@dataclass(frozen=True)
class Host:
    """A Domain."""

    namespace: str
    name: str
    group: str

    @property
    def hostname(self) -> str:
        """Its hostname."""
        return observer.hostname(self.name, self.namespace)

    @property
    def secret(self) -> str:
        """Where its certificate is."""
        return f"{self.namespace}/{self.name}-tls"


@dataclass(frozen=True)
class Size:
    """How many Domains of each kind there are: long-lived, under changing policies, short-lived, with RSA keys."""

    steady: int = 14
    policy: int = 8
    brief: int = 8
    rsa: int = 2

    def groups(self) -> dict[str, int]:
        """Group -> number."""
        return {"steady": self.steady, "policy": self.policy, "brief": self.brief, "rsa": self.rsa}


_FIELDS = {"steady": {}, "policy": {}, "brief": {"profile": "brief"}, "rsa": {"keyType": "RSA-2048"}}


@dataclass
class World:
    """`with World(...) as world`: everything runs, and nothing has been applied yet.

    Attributes:
        hosts: the Domains that there are, by hostname.
        secrets: Secret as namespace/name -> hostname, also of those that are gone.
    """

    cluster: Cluster
    size: Size
    record: Record
    mutation: str = ""
    hosts: dict[str, Host] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stack, self.lock, self._numbers = ExitStack(), threading.RLock(), itertools.count()
        self._taken: set[str] = set()

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        cluster, stack = self.cluster, self._stack
        cluster.up(operators=0)
        self.ports = Ports(cluster.state.root / "ports.json")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="certward-chaos-")))
        profiles = {
            "default": {"description": "90 days", "validityPeriod": 90 * 86400},
            "brief": {"description": "for renewals", "validityPeriod": BRIEF + 1},  # Pebble takes a second off
        }
        self.pebble = stack.enter_context(OwnPebble(cluster, folder, ISSUER, profiles=profiles))
        self.says = self.pebble.says()
        keys = self.pebble._pki
        self.ca = stack.enter_context(
            Proxy(f"https://127.0.0.1:{self.pebble.port}", ca=keys.ca, certificate=keys.both("pebble"))
        )
        server = control_plane.server(self.ports)
        self.way = stack.enter_context(Way(server, ca=keys.ca, certificate=keys.both("apiserver")))
        issuer = self.pebble.issuer(directory=self.ca.directory, profile="default")
        cluster.up(operators=0, patch={"issuers": [issuer], "probe": {"interval": "5s"}})
        slices = kube.operator_endpoints(len(NAMES), self.ports.get("http01"), "")
        kube.apply(cluster.state, [slices])
        self.api = config.new_client_from_config(str(cluster.state.admin_kubeconfig))
        self.custom, self.core = client.CustomObjectsApi(self.api), client.CoreV1Api(self.api)
        self.net = client.NetworkingV1Api(self.api)
        self.namespaces = {group: cluster.namespace(group) for group in _FIELDS}
        for namespace in self.namespaces.values():
            cluster.backend(namespace, "shop")
        observer.alone(cluster)
        self.replicas = stack.enter_context(Replicas(cluster, self.way.url, self.mutation, self._ended))

    def _ended(self, name: str) -> None:
        with self.record.trouble(f"{name} ended by itself"):
            pass

    def apply_all(self) -> None:
        """Apply all Apps and Domains."""
        for group, count in self.size.groups().items():
            namespace = self.namespaces[group]
            hosts = [Host(namespace, f"{group}{number:02}", group) for number in range(count)]
            for host in hosts:
                self.adopt(host, "the first certificate")
            domains = (observer.domain(host.name, namespace) for host in hosts)
            observer.apply(self.cluster, namespace, observer.app(**_FIELDS[group]), *domains)

    def adopt(self, host: Host, why: str, *, inherits: bool = False) -> None:
        """A Domain comes, and with it a reason for an order."""
        with self.lock:
            self.hosts[host.hostname] = host
            self.secrets[host.secret] = host.hostname
        self.record.cause(host.hostname, why, inherits=inherits)

    def drop(self, host: Host) -> None:
        """A Domain goes."""
        with self.lock:
            self.hosts.pop(host.hostname, None)

    def fresh(self, group: str) -> Host:
        """A Domain that was never there."""
        return Host(self.namespaces[group], f"new{next(self._numbers):03}", group)

    def of(self, *groups: str) -> list[Host]:
        """The Domains of these groups, in order; of all, where none is named."""
        with self.lock:
            found = sorted(self.hosts.values(), key=lambda host: host.hostname)
        return [host for host in found if not groups or host.group in groups]

    def surely(self, act: Callable[[], T], *, patience: float = 60.0, gone: T | None = None) -> T | None:
        """Ask the API server until it answers; `gone` is the result where it knows no such object."""
        limit = time.monotonic() + patience
        while True:
            try:
                return act()
            except client.ApiException as error:
                if error.status == 404:
                    return gone
                if time.monotonic() > limit or (error.status or 500) in (400, 403, 422):
                    raise
            except (urllib3.exceptions.HTTPError, OSError):
                if time.monotonic() > limit:
                    raise
            threading.Event().wait(0.2)

    def take(self, chance: random.Random, *groups: str) -> Host:
        """A Domain of these groups by chance, or the next that nobody has taken; it is the caller's until `give`."""
        with self.lock:
            hosts = self.of(*groups)
            first = chance.randrange(len(hosts))
            found = next(one for one in hosts[first:] + hosts[:first] if one.hostname not in self._taken)
            self._taken.add(found.hostname)
        return found

    def give(self, host: Host) -> None:
        """It may be taken again."""
        with self.lock:
            self._taken.discard(host.hostname)

    def idle(self) -> list[Host]:
        """The Domains that nobody has taken."""
        with self.lock:
            return [host for host in self.of() if host.hostname not in self._taken]

    def patch_domain(self, host: Host, body: dict[str, Any]) -> None:
        """Change a Domain as a person does."""
        plural = "domains"
        self.surely(
            lambda: self.custom.patch_namespaced_custom_object(*_GROUP, host.namespace, plural, host.name, body)
        )

    def apply_object(self, plural: str, namespace: str, body: dict[str, Any]) -> None:
        """Apply one of our objects as a person does."""
        self.surely(
            lambda: self.custom.api_client.call_api(
                "PATCH",
                f"{self.api.configuration.host}/apis/certward.dev/v1alpha1/namespaces/{namespace}/{plural}/"
                f"{body['metadata']['name']}?fieldManager=chaos&force=true",
                {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
                body,
                _request_timeout=10,
            ).read()
        )

    def delete_domain(self, host: Host) -> None:
        """Delete a Domain as a person does."""
        self.surely(lambda: self.custom.delete_namespaced_custom_object(*_GROUP, host.namespace, "domains", host.name))

    def domains(self) -> list[dict[str, Any]]:
        """All Domains of this run, as they are now."""
        found: list[dict[str, Any]] = []
        for namespace in self.namespaces.values():
            found += self.custom.list_namespaced_custom_object(*_GROUP, namespace, "domains")["items"]
        return found

    def ca_orders(self) -> int:
        """How many orders the CA itself says that were placed."""
        return len(self.says.orders())

    def refresh(self, host: Host, why: str = "asked for") -> None:
        """Ask for another certificate; the cause is noted first."""
        cause = self.record.cause(host.hostname, why)
        self.patch_domain(host, {"metadata": {"annotations": {"certward.dev/refresh": f"{time.time():.3f}"}}})
        cause.done_at = time.time()
