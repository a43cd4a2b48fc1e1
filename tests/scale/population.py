"""The objects of a churn: namespaces with Apps and Domains that come, change and go; and what each Domain should be."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client

from certward.names import ANNOTATION_REFRESH
from cluster.backend import Backend
from cluster.handle import Cluster
from scale.watching import API, Body

NAMESPACES, APPS, DOMAINS = 6, 2, 6
SERVICES = ("a", "b")
POLICY = "bench"
#: What a namespace's policy may say; the last is none at all, so the default of new Apps. None of them needs RSA keys.
PROFILES = (("modern", "2026-11"), ("legacy", "2026-11"), ("default", "2026-11"), ("modern", "2018-06"), ("", ""))
_UNSAID = ("default", "2026-11")
_PORT = 8080
_PATIENCE = 30


@dataclass(eq=False)
class Place:
    """A namespace; `policy`: profile and revision of its TLSPolicy, empty without one."""

    namespace: str
    backends: list[Backend]
    policy: tuple[str, str] = ("", "")
    apps: list["OneApp"] = field(default_factory=list)

    @property
    def profile(self) -> tuple[str, str]:
        """Profile and revision that are in force."""
        return self.policy if self.policy[0] else _UNSAID


@dataclass(eq=False)
class OneApp:
    """An App; `behind_api`: the Service of the path /api, empty: that of the rest."""

    place: Place
    name: str
    service: str = SERVICES[0]
    behind_api: str = ""
    is_automatic: bool = True
    domains: list["OneDomain"] = field(default_factory=list)

    @property
    def spec(self) -> Body:
        """What is declared."""
        paths = [{"path": "/api", "service": {"name": self.behind_api, "port": _PORT}}] if self.behind_api else []
        return {
            "service": {"name": self.service, "port": _PORT},
            "paths": paths,
            "certificates": {"automatic": self.is_automatic},
        }

    @property
    def is_settled(self) -> bool:
        """Whether all its Domains are as declared."""
        return all(domain.is_settled for domain in self.domains)


@dataclass(eq=False)
class OneDomain:
    """A Domain.

    Attributes:
        before: fingerprint of a certificate that is not good enough any more; empty: any is.
        fingerprint: of the certificate that was last seen.
        cause: the operation that it last had to follow.
        changed_at: time.monotonic() of that.
        is_settled: it was seen to have followed.
        is_late: it did not within its bound.
    """

    app: OneApp
    name: str
    hostname: str
    before: str = ""
    fingerprint: str = ""
    cause: str = "create"
    changed_at: float = field(default_factory=time.monotonic)
    is_settled: bool = False
    is_late: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.app.place.namespace, self.name

    def has_to_follow(self, cause: str) -> None:
        """Something was changed: it is not as declared until it is seen again to be."""
        self.cause, self.changed_at, self.is_settled, self.is_late = cause, time.monotonic(), False, False


class Population:
    """Everything that was declared and is not taken back; its methods ask the API server for it at once.

    Args:
        cluster: where.
        mark: a text that all names hold, so that what is left of them can be found.
        rng: chooses what a change is.
    """

    def __init__(self, cluster: Cluster, mark: str, rng: random.Random) -> None:
        self._cluster, self._mark, self._rng = cluster, mark, rng
        self._custom = client.CustomObjectsApi(cluster.api)
        self._core = client.CoreV1Api(cluster.api)
        self._count = 0
        self.places: list[Place] = []

    @property
    def apps(self) -> Iterator[OneApp]:
        """All Apps."""
        return (app for place in self.places for app in place.apps)

    @property
    def domains(self) -> list[OneDomain]:
        """All Domains."""
        return [domain for app in self.apps for domain in app.domains]

    def bodies(self) -> dict[tuple[str, str], Body]:
        """-> namespace and name: the Domain as the API server's own cache has it."""
        found: Any = self._custom.list_cluster_custom_object(
            *API, "domains", resource_version="0", _request_timeout=_PATIENCE
        )
        return {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in found["items"]}

    def add_place(self) -> int:
        """A namespace with Services that answer, Apps and Domains.

        Returns:
            How many Domains were made, deleted or asked anew; so do all below.
        """
        namespace = self._cluster.namespace(f"churn-{self._mark}")
        place = Place(namespace, [self._cluster.backend(namespace, name, _PORT) for name in SERVICES])
        self.places.append(place)
        return sum(self.add_app(place) for _ in range(APPS))

    def drop_place(self, place: Place) -> int:
        """Delete a namespace with all that is in it."""
        self.places.remove(place)
        for backend in place.backends:
            backend.stop()
        self._core.delete_namespace(place.namespace, _request_timeout=_PATIENCE)
        return sum(len(app.domains) for app in place.apps)

    def add_app(self, place: Place) -> int:
        """An App with Domains."""
        app = OneApp(place, self._name("app"))
        self._create(place.namespace, "apps", "App", app.name, app.spec)
        place.apps.append(app)
        return sum(self.add_domain(app) for _ in range(DOMAINS))

    def drop_app(self, app: OneApp) -> int:
        """Delete an App, and then its Domains."""
        self._delete(app.place.namespace, "apps", app.name)
        count = sum(self.drop_domain(domain) for domain in list(app.domains))
        app.place.apps.remove(app)
        return count

    def add_domain(self, app: OneApp) -> int:
        """A Domain."""
        name = self._name("d")
        domain = OneDomain(app, name, f"{name}.{self._mark}.example.com")
        spec = {"hostname": domain.hostname, "appRef": {"name": app.name}}
        self._create(app.place.namespace, "domains", "Domain", name, spec)
        app.domains.append(domain)
        return 1

    def drop_domain(self, domain: OneDomain) -> int:
        """Delete a Domain."""
        domain.app.domains.remove(domain)
        self._delete(domain.app.place.namespace, "domains", domain.name)
        return 1

    def empty(self) -> None:
        """Delete all Apps, Domains and policies; namespaces and Services stay."""
        for place in self.places:
            for app in list(place.apps):
                self.drop_app(app)
            if place.policy[0]:
                self._delete(place.namespace, "tlspolicies", POLICY)
                place.policy = ("", "")

    def own(self) -> set[str]:
        """What `empty` leaves, as namespace/kind/name."""
        of_each = [f"{kind}/{name}" for kind in ("services", "endpointslices") for name in SERVICES]
        return {f"namespaces/{place.namespace}" for place in self.places} | {
            f"{place.namespace}/{each}" for place in self.places for each in of_each
        }

    def refresh(self, domain: OneDomain) -> int:
        """Ask for another certificate."""
        domain.before = domain.fingerprint
        domain.has_to_follow("renew")
        self._patch(*domain.key, "domains", {"metadata": {"annotations": {ANNOTATION_REFRESH: self._name("r")}}})
        return 1

    def set_policy(self, place: Place) -> int:
        """Another profile for a namespace, or none of its own."""
        before, after = place.policy, self._rng.choice([each for each in PROFILES if each != place.policy])
        place.policy = after
        self._follow(place.apps, "policy")
        spec = {"profile": after[0], "revision": after[1]}
        if not after[0]:
            self._delete(place.namespace, "tlspolicies", POLICY)
        elif before[0]:
            self._patch(place.namespace, POLICY, "tlspolicies", {"spec": spec})
        else:
            self._create(place.namespace, "tlspolicies", "TLSPolicy", POLICY, spec)
        return 0

    def set_routes(self, app: OneApp) -> int:
        """Another Service for an App, or for a path of it."""
        if self._rng.random() < 0.5:
            app.service = SERVICES[app.service == SERVICES[0]]
        else:
            app.behind_api = "" if app.behind_api else self._rng.choice(SERVICES)
        return self._declare(app, "routes")

    def set_automatic(self, app: OneApp, *, is_on: bool) -> int:
        """Automatic certificates off or on."""
        app.is_automatic = is_on
        return self._declare(app, "automatic")

    def _declare(self, app: OneApp, cause: str) -> int:
        self._follow([app], cause)
        self._patch(app.place.namespace, app.name, "apps", {"spec": app.spec})
        return 0

    @staticmethod
    def _follow(apps: list[OneApp], cause: str) -> None:
        for app in apps:
            for domain in app.domains:
                domain.has_to_follow(cause)

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{what}{self._count}"

    def _create(self, namespace: str, plural: str, kind: str, name: str, spec: Body) -> None:
        body = {"apiVersion": "/".join(API), "kind": kind, "metadata": {"name": name}, "spec": spec}
        self._custom.create_namespaced_custom_object(*API, namespace, plural, body, _request_timeout=_PATIENCE)

    def _patch(self, namespace: str, name: str, plural: str, body: Body) -> None:
        self._custom.patch_namespaced_custom_object(*API, namespace, plural, name, body, _request_timeout=_PATIENCE)

    def _delete(self, namespace: str, plural: str, name: str) -> None:
        self._custom.delete_namespaced_custom_object(*API, namespace, plural, name, _request_timeout=_PATIENCE)
