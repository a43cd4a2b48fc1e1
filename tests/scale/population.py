"""The objects of a churn in the cluster: namespaces with Apps and Domains that come, change and go."""

import random
from collections.abc import Iterator
from typing import Any

from kubernetes import client

from certward.names import ANNOTATION_REFRESH
from cluster.handle import Cluster
from scale.declared import PORT, SERVICES, OneApp, OneDomain, Place
from scale.watching import API, Body

NAMESPACES, APPS, DOMAINS = 6, 2, 6
POLICY = "bench"
#: What a namespace's policy may say; the last is none at all, so the default of new Apps. None of them needs RSA keys.
PROFILES = (("modern", "2026-11"), ("legacy", "2026-11"), ("default", "2026-11"), ("modern", "2018-06"), ("", ""))
_PATIENCE = 30


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
        place = Place(namespace, [self._cluster.backend(namespace, name, PORT) for name in SERVICES])
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
        """What `empty` leaves, as namespace/Kind/name."""
        of_each = [each for name in SERVICES for each in (f"Service/{name}", f"EndpointSlice/{name}-local")]
        names = [place.namespace for place in self.places]
        return {f"Namespace/{name}" for name in names} | {f"{name}/{each}" for name in names for each in of_each}

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
