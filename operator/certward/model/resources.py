"""App, Domain and TLSPolicy as frozen values, read from the bodies that the API server sends.

The CRDs guarantee form (schema and CEL), so reading trusts them and raises InvalidSpec only where an object
lacks what cannot be done without (an older schema, a CRD changed by hand).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self

from certward.errors import InvalidSpec
from certward.model.sharing import shared

Body = Mapping[str, Any]

#: `status.observedGeneration` of a new object, by default.
_NOT_LOOKED_AT: Final = -1


class Key(NamedTuple):
    """What the queue and the cache are keyed by."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time as Kubernetes writes it -> aware UTC datetime.

    Raises:
        ValueError: it is not one.
    """
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(at: datetime) -> str:
    """Aware datetime -> RFC 3339 with seconds, as metav1.Time writes it."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


@dataclass(frozen=True, slots=True)
class Meta:
    """The part of metadata that decisions need."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: int
    created_at: datetime
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    is_deleting: bool = False

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Read `metadata` of an object that the API server sent."""
        raw = body["metadata"]
        return cls(
            namespace=shared(raw.get("namespace", "")),
            name=shared(raw["name"]),
            uid=shared(raw["uid"]),
            generation=raw.get("generation", 0),
            resource_version=int(raw["resourceVersion"]),
            created_at=parse_time(raw["creationTimestamp"]),
            annotations=shared(raw.get("annotations") or {}),
            labels=shared(raw.get("labels") or {}),
            is_deleting="deletionTimestamp" in raw,
        )

    @property
    def age_order(self) -> tuple[datetime, str, str]:
        """Oldest first, then namespace/name: the order in which claims are settled."""
        return (self.created_at, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A Service and one of its ports, by number or by name."""

    name: str
    port: int | str


@dataclass(frozen=True, slots=True)
class PathRoute:
    """A path prefix and the Service behind it."""

    path: str
    service: ServiceRef


@dataclass(frozen=True, slots=True)
class App:
    """An application and how it may be reached. None means: not asked for, the operator decides."""

    meta: Meta
    service: ServiceRef
    paths: tuple[PathRoute, ...]
    is_automatic: bool
    issuer: str | None
    acme_profile: str | None
    key_type: str | None
    manual_secrets: tuple[str, ...]
    trusted_ranges: tuple[str, ...]
    ingress_class: str | None
    https_redirect: bool
    status: Body

    kind = "App"

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Read an App.

        Raises:
            InvalidSpec: spec.service is missing.
        """
        spec = body.get("spec") or {}
        certificates = spec.get("certificates") or {}
        return cls(
            meta=Meta.from_body(body),
            service=_service(spec.get("service"), "spec.service"),
            paths=tuple(
                PathRoute(path=entry["path"], service=_service(entry.get("service"), "spec.paths[].service"))
                for entry in spec.get("paths") or ()
            ),
            is_automatic=bool(certificates.get("automatic", False)),
            issuer=certificates.get("issuer") or None,
            acme_profile=certificates.get("profile") or None,
            key_type=certificates.get("keyType") or None,
            manual_secrets=tuple(entry["secretName"] for entry in certificates.get("manual") or ()),
            trusted_ranges=tuple((spec.get("network") or {}).get("trustedRanges") or ()),
            ingress_class=spec.get("ingressClassName") or None,
            https_redirect=bool(spec.get("httpsRedirect", True)),
            status=_status(body),
        )

    @property
    def services(self) -> tuple[ServiceRef, ...]:
        """Every Service that the App names."""
        return (self.service, *(route.service for route in self.paths))

    @property
    def held_backends(self) -> frozenset[str]:
        """Those of its `backend_ids` that are its own, as its status says; the operator alone writes that."""
        return frozenset(self.status.get("backends") or ())


@dataclass(frozen=True, slots=True)
class Domain:
    """One hostname of an App."""

    meta: Meta
    hostname: str
    app: str
    status: Body

    kind = "Domain"

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Read a Domain.

        Raises:
            InvalidSpec: hostname or appRef is missing.
        """
        spec = body.get("spec") or {}
        hostname, app = spec.get("hostname"), (spec.get("appRef") or {}).get("name")
        if not hostname or not app:
            raise InvalidSpec("InvalidSpec", "spec.hostname and spec.appRef.name are required")
        return cls(meta=Meta.from_body(body), hostname=shared(hostname), app=shared(app), status=_status(body))

    @property
    def secret_name(self) -> str:
        """The Secret that holds the certificate obtained for this Domain."""
        return secret_name(self.meta.name)

    @property
    def object_name(self) -> str:
        """What the names of its routes are made of."""
        return self.meta.name

    @property
    def next_secret_name(self) -> str:
        """The Secret that holds the key of an open order."""
        return f"{self.meta.name}-tls-next"


@dataclass(frozen=True, slots=True)
class Builtin(Domain):
    """The hostname that the platform gives an App: routed as a Domain is, without an object of its own.

    Its metadata are the App's, which owns its routes.
    """

    kind = "App"

    @property
    def object_name(self) -> str:
        """What the names of its routes are made of: longer than any Domain's name, so that none can have it."""
        return f"{self.meta.name}-builtin-{_digest(self.meta.namespace, self.meta.name)}"


@dataclass(frozen=True, slots=True)
class TLSPolicy:
    """The TLS that Apps are to be served with."""

    meta: Meta
    targets: tuple[str, ...] | None
    selector: Body | None
    profile: str
    revision: str | None
    hsts: Body | None
    status: Body

    kind = "TLSPolicy"

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Read a TLSPolicy.

        Raises:
            InvalidSpec: spec.profile is missing.
        """
        spec = body.get("spec") or {}
        if not spec.get("profile"):
            raise InvalidSpec("InvalidSpec", "spec.profile is required")
        targets = spec.get("targetRefs")
        return cls(
            meta=Meta.from_body(body),
            targets=None if targets is None else tuple(ref["name"] for ref in targets),
            selector=spec.get("selector"),
            profile=spec["profile"],
            revision=spec.get("revision") or None,
            hsts=spec.get("hsts"),
            status=_status(body),
        )


Resource = App | Domain | TLSPolicy


def secret_name(domain: str) -> str:
    """The Secret of a Domain, by the Domain's name."""
    return f"{domain}-tls"


def name_hash(namespace: str, name: str) -> str:
    """Eight hex digits of SHA-256 over namespace/name."""
    return _digest(namespace, name)[:8]


def builtin_hostname(app: App, suffix: str) -> str:
    """The hostname that the platform gives an App: app, namespace and a hash in one label of 63 characters at most.

    Args:
        app: the App.
        suffix: the platform's domain.
    """
    front = f"{app.meta.name}-{app.meta.namespace}".replace(".", "-")[:54].rstrip("-")
    return f"{front}-{name_hash(app.meta.namespace, app.meta.name)}.{suffix}"


def backend_ids(app: App) -> dict[str, str]:
    """An App's backends as a controller knows them that joins namespace, Service and port by hyphens.

    Returns:
        The Service's name by each. Traefik makes several hyphens one (provider.Normalize), which can only join more.
    """
    namespace = app.meta.namespace
    return {re.sub("-+", "-", f"{namespace}-{each.name}-{each.port}"): each.name for each in app.services}


def key_of(resource: Resource) -> Key:
    """The key of a resource."""
    return Key(resource.kind, resource.meta.namespace, resource.meta.name)


def _digest(namespace: str, name: str) -> str:
    return hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()


def _status(body: Body) -> Mapping[str, Any]:
    """The status; empty before the operator has looked, which the definitions' default says by the generation -1."""
    status = body.get("status") or {}
    kept: Mapping[str, Any] = {} if status.get("observedGeneration") == _NOT_LOOKED_AT else shared(status)
    return kept


def _service(raw: Body | None, path: str) -> ServiceRef:
    if not raw or "name" not in raw or "port" not in raw:
        raise InvalidSpec("InvalidSpec", f"{path} needs a name and a port")
    return ServiceRef(name=raw["name"], port=raw["port"])
