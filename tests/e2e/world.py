"""What the tests do as a user: apply Apps and Domains, read what is told, look from outside."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from cluster.errors import ClusterError
from cluster.waiting import NotInTime, wait_for
from e2e import planes
from e2e.outside import Outside, Watch, key_type
from e2e.platform import Platform

T = TypeVar("T")
Status = dict[str, Any]
CHALLENGE = "/.well-known/acme-challenge/"


@dataclass(frozen=True)
class Domain:
    """A Domain that was applied."""

    namespace: str
    name: str
    hostname: str

    @property
    def secret(self) -> str:
        """The Secret of its certificate."""
        return f"{self.name}-tls"


class World:
    """A cluster with Certward in it."""

    def __init__(self, platform: Platform, plane: planes.Plane | None = None) -> None:
        self.platform = platform
        self.plane = plane or planes.chosen()
        self.kubectl = platform.kubectl
        self.outside = Outside(platform.http, platform.https, platform.ca)
        self.http_get = self.outside.http_get
        self.https_get = self.outside.https_get
        self.served_leaf = self.outside.served_leaf
        self.is_served = self.outside.is_served
        self.protocols = self.outside.protocols
        self.orders = platform.orders

    def close(self) -> None:
        """Delete what was made."""
        self.platform.close()

    def namespace(self, name: str = "") -> str:
        """Make a namespace; without a name, one that was never there."""
        name = name or f"e2e-{uuid.uuid4().hex[:8]}"
        self.platform.namespace(name)
        return name

    def shop(self, name: str = "") -> str:
        """Make a namespace in which the backend `shop` answers, and return it."""
        namespace = self.namespace(name)
        self.backend(namespace, "shop")
        return namespace

    def backend(self, namespace: str, name: str) -> None:
        """Make a Service whose server tells the backend's name."""
        self.platform.backend(namespace, name)

    def hostname(self, first: str = "") -> str:
        """Return a hostname that nobody has claimed."""
        return f"{first or 'h'}-{uuid.uuid4().hex[:8]}.{self.platform.hostname_suffix}"

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """Apply objects as a user does."""
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(documents))

    def app(
        self,
        namespace: str,
        name: str = "shop",
        *,
        automatic: bool = False,
        annotations: Mapping[str, str] | None = None,
        certificates: Mapping[str, Any] | None = None,
        service: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """Apply an App, whole: what is not named here is not in its spec."""
        self.apply(
            {
                "apiVersion": "certward.dev/v1alpha1",
                "kind": "App",
                "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations or {})},
                "spec": {
                    "service": dict(service or {"name": "shop", "port": 8080}),
                    "certificates": {"automatic": automatic, **(certificates or {})},
                    **spec,
                },
            }
        )

    def domain(self, namespace: str, name: str = "www", *, app: str = "shop", hostname: str = "") -> Domain:
        """Apply a Domain."""
        hostname = hostname or self.hostname(name)
        self.apply(
            {
                "apiVersion": "certward.dev/v1alpha1",
                "kind": "Domain",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"hostname": hostname, "appRef": {"name": app}},
            }
        )
        return Domain(namespace, name, hostname)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; what follows from it is not waited for."""
        self.kubectl("delete", kind, name, f"--namespace={namespace}", "--wait=false")

    def annotate(self, kind: str, namespace: str, name: str, annotation: str) -> None:
        """Set an annotation, written as key=value."""
        self.kubectl("annotate", kind, name, annotation, f"--namespace={namespace}", "--overwrite")

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Return an object; empty when it is not there."""
        told = self.kubectl("get", kind, name, f"--namespace={namespace}", "--ignore-not-found", "-o", "json")
        return json.loads(told) if told.strip() else {}

    def names(self, kinds: str, namespace: str, selector: str = "") -> set[str]:
        """Return kind/name of all objects of some kinds in a namespace."""
        chosen = [f"--selector={selector}"] if selector else []
        return set(self.kubectl("get", kinds, f"--namespace={namespace}", "-o", "name", *chosen).split())

    def routes(self, namespace: str, selector: str = "") -> set[str]:
        """Return kind/name of the routes in a namespace, of the kinds that the ingress goes by."""
        return self.names(self.plane.routes, namespace, selector)

    def status(self, domain: Domain) -> Status:
        """Return a Domain's status."""
        return dict(self.get("domain", domain.namespace, domain.name).get("status") or {})

    def secret(self, domain: Domain) -> dict[str, Any]:
        """Return the Secret of a Domain's certificate; empty when there is none."""
        return self.get("secret", domain.namespace, domain.secret)

    def until(self, predicate: Callable[[], T], what: str, timeout: float = 0.0) -> T:
        """Return the predicate's first true value; an ingress that does not answer rightly yet is asked again."""
        return wait_for(predicate, timeout or self.platform.patience, what, every=0.1, ignore=(OSError,))

    def until_dated(self, kind: str, namespace: str, name: str) -> None:
        """Wait until what is made is younger than this object: the API server dates objects in whole seconds."""
        created = self.get(kind, namespace, name)["metadata"]["creationTimestamp"]
        told = ("create", "configmap", "what-time-is-it", "--dry-run=server", "--namespace=default")
        at = ("-o", "jsonpath={.metadata.creationTimestamp}")
        self.until(lambda: self.kubectl(*told, *at).strip() > created, "the next second begins")

    def wait_state(self, domain: Domain, state: str, reason: str = "", timeout: float = 0.0) -> Status:
        """Return a Domain's status once it says this state and reason."""

        def told() -> bool:
            nonlocal status
            status = self.status(domain)
            return (status.get("state"), status.get("reason") or "") == (state, reason)

        status: Status = {}
        try:
            self.until(told, f"{domain}: {state}/{reason}", timeout)
        except NotInTime as late:
            raise NotInTime(f"{late}\nits status is\n{yaml.safe_dump(status)}") from None
        return status

    def wait_issued(self, *domains: Domain, not_serial: int | str = 0, timeout: float = 0.0) -> Status:
        """Wait until Domains are issued and Ready, all of it consistent inside and outside.

        `not_serial`, a number or as a status writes it, is that of a certificate which is to be replaced first.
        Returns the last one's status.
        """
        replaced = int(not_serial, 16) if isinstance(not_serial, str) else not_serial

        def told(domain: Domain) -> Status | None:
            status = self.status(domain)
            is_done = status.get("state") == "CertIssued" and not status.get("reason")
            is_new = serial(status) not in (0, replaced)
            return status if is_done and is_new and condition(status, "Ready") == "True" else None

        status: Status = {}
        for domain in domains:
            try:
                status = self.until(lambda one=domain: told(one), f"{domain} is issued and Ready", timeout) or {}
            except NotInTime as late:
                raise NotInTime(f"{late}\nits status is\n{yaml.safe_dump(self.status(domain))}") from None
            # Ready says that it is served: so it has to be, at once.
            leaf = self.served_leaf(domain.hostname)
            assert serial(status) == leaf.serial_number
            assert status["certificate"]["keyType"] == key_type(leaf)
            assert status["certificate"]["source"] == "Automatic"
            assert "order" not in status
        return status

    def watch(self, domain: Domain) -> Watch:
        """Ask a Domain over HTTPS all the time: `with world.watch(domain) as watch`."""
        return Watch(self.outside, domain.hostname)


def condition(status: Mapping[str, Any], name: str, *, field: str = "status") -> str:
    """Return a field of a condition; empty when there is no such condition."""
    return next((str(c[field]) for c in status.get("conditions") or () if c["type"] == name), "")


def serial(status: Mapping[str, Any]) -> int:
    """Return the serial number of the certificate that a status tells of; 0 when it tells of none."""
    return int((status.get("certificate") or {}).get("serialNumber") or "0", 16)


__all__ = ["CHALLENGE", "ClusterError", "Domain", "Status", "World", "condition", "serial"]
