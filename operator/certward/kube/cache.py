"""Snapshots of our three kinds with the look-ups that decisions need. Thread-safe; holds frozen values only."""

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from certward.model.ownership import Claims
from certward.model.policy import rank
from certward.model.resources import App, Domain, Key, Resource, TLSPolicy, backend_ids, key_of, name_hash

T = TypeVar("T", App, Domain, TLSPolicy)
I = TypeVar("I")  # noqa: E741 - what an index is keyed by


#: How many deleted objects are remembered, by uid.
_GRAVES = 4096


class Cache:
    """What the API server last said about Apps, Domains and TLSPolicies.

    Args:
        may_claim: whether a Domain may have its hostname at all; one that may not keeps nobody else from it.
    """

    def __init__(self, may_claim: Callable[[Domain], bool] = lambda _: True) -> None:
        self._claims = Claims(may_claim)
        self._lock = threading.RLock()
        self._objects: dict[Key, Resource] = {}
        self._graves: OrderedDict[str, None] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._by_app: dict[Key, set[Key]] = defaultdict(set)
        self._by_secret: dict[str, set[Key]] = defaultdict(set)
        self._by_backend: dict[str, set[Key]] = defaultdict(set)
        self._by_hash: dict[str, set[Key]] = defaultdict(set)
        self._by_namespace: dict[tuple[str, str], set[Key]] = defaultdict(set)

    def put(self, resource: Resource) -> set[Key]:
        """Take in an object, unless what is known is as new.

        Returns:
            The keys that may have to be looked at again because of it; empty when nothing is new.
        """
        key = key_of(resource)
        with self._lock:
            known = self._objects.get(key)
            if resource.meta.uid in self._graves:
                return set()  # an older word, of a list that began before it was deleted
            if known is not None and known.meta.resource_version >= resource.meta.resource_version:
                return set()  # also when it was made anew since: versions of a kind grow over all its objects
            touched = self._related(known) if known is not None else set()
            if known is not None:
                self._unlink(known)
            self._objects[key] = resource
            self._link(resource)
            touched |= self._settle(known, resource)
            if known is not None and not _is_redeclared(known, resource):
                return {key} | self._watching(known, resource)
            return touched | self._related(resource)

    def knows(self, key: Key, meta: Mapping[str, Any]) -> bool:
        """Whether exactly this version of an object is in the cache.

        Args:
            key: of the object.
            meta: its metadata.
        """
        known = self._objects.get(key)
        return known is not None and str(known.meta.resource_version) == meta.get("resourceVersion")

    def drop(self, key: Key, uid: str = "") -> set[Key]:
        """Forget an object, if it is this one.

        Returns:
            The keys that may have to be looked at again because of it.
        """
        with self._lock:
            known = self._objects.get(key)
            if known is None or (uid and known.meta.uid != uid):
                return set()
            touched = self._related(known)
            self._unlink(known)
            del self._objects[key]
            touched |= self._settle(known, None)
            self._graves[known.meta.uid] = None
            if len(self._graves) > _GRAVES:
                self._graves.popitem(last=False)
            return touched

    def versions(self, kind: str) -> dict[Key, int]:
        """The resourceVersion of every object of a kind, as known now; for `replace_all`."""
        with self._lock:
            return {key: known.meta.resource_version for key, known in self._objects.items() if key.kind == kind}

    def replace_all(
        self, before: Mapping[Key, int], resources: Iterable[Resource], unchanged: Iterable[Key] = ()
    ) -> set[Key]:
        """Make the snapshot of a kind equal to a full LIST.

        Watches say nothing of objects that vanish while they are expired, so this is what makes the snapshot true.

        Args:
            before: `versions` of the kind from before the LIST; what has come or changed since is newer than it.
            resources: the objects that were listed.
            unchanged: the keys of those that were listed as they are known.

        Returns:
            The keys that may have to be looked at again.
        """
        with self._lock:
            touched: set[Key] = set()
            listed = {key_of(resource): resource for resource in resources}
            there = listed.keys() | set(unchanged)
            for key, version in before.items():
                known = self._objects.get(key)
                if key not in there and known is not None and known.meta.resource_version == version:
                    touched |= self.drop(key)
            for resource in listed.values():
                touched |= self.put(resource)
            return touched

    def app(self, namespace: str, name: str) -> App | None:
        """An App."""
        found = self._objects.get(Key("App", namespace, name))
        return found if isinstance(found, App) else None

    def domain(self, namespace: str, name: str) -> Domain | None:
        """A Domain."""
        found = self._objects.get(Key("Domain", namespace, name))
        return found if isinstance(found, Domain) else None

    def policy(self, namespace: str, name: str) -> TLSPolicy | None:
        """A TLSPolicy."""
        found = self._objects.get(Key("TLSPolicy", namespace, name))
        return found if isinstance(found, TLSPolicy) else None

    def keys(self, kind: str) -> list[Key]:
        """The keys of all objects of a kind."""
        with self._lock:
            return [key for key in self._objects if key.kind == kind]

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return self._counts[kind]

    def has_any(self, kind: str, namespace: str) -> bool:
        """Whether there is an object of a kind in a namespace."""
        return (kind, namespace) in self._by_namespace

    def all(self, kind: type[T], namespace: str = "") -> list[T]:
        """All objects of a kind, or those of a namespace."""
        with self._lock:
            if namespace:
                found = [self._objects[key] for key in self._by_namespace.get((kind.kind, namespace), ())]
            else:
                found = list(self._objects.values())
        return [resource for resource in found if isinstance(resource, kind)]

    def domains_of(self, namespace: str, app: str) -> list[Domain]:
        """The Domains that refer to an App, by name."""
        with self._lock:
            found = [self._objects[key] for key in self._by_app.get(Key("App", namespace, app), ())]
        return sorted((d for d in found if isinstance(d, Domain)), key=lambda d: d.meta.name)

    def owner_of(self, domain: Domain) -> Domain:
        """The oldest Domain that keeps this one from its hostname, by a claim that holds; itself when none does."""
        with self._lock:
            return self._claims.owner_of(domain)

    def domain_for(self, hostname: str) -> Domain | None:
        """The Domain that owns exactly this hostname."""
        with self._lock:
            return self._claims.holder(hostname)

    def same_secret_id(self, domain: Domain, secret: str = "") -> list[Domain]:
        """Domains of other namespaces with a Secret whose `<namespace>-<name>` reads the same (Traefik's store key).

        Args:
            domain: whose namespace it is.
            secret: the Secret; that of its automatic certificate where none is given.
        """
        namespace, secret = domain.meta.namespace, secret or domain.secret_name
        with self._lock:
            keys = self._by_secret.get(f"{namespace}-{secret}", set())
            found = [self._objects[key] for key in keys if key.namespace != namespace]
        return [d for d in found if isinstance(d, Domain) and not d.meta.is_deleting]

    def with_backend(self, backend: str) -> list[App]:
        """Apps of any namespace with a Service and port that read as this one of `backend_ids`.

        Those that are being deleted as well: until they are gone, there are routes of theirs.
        """
        with self._lock:
            found = [self._objects[key] for key in self._by_backend.get(backend, ())]
        return [app for app in found if isinstance(app, App)]

    def same_hash(self, app: App) -> list[App]:
        """Other Apps with the hash that is in this one's built-in hostname: it is short enough to be met on purpose."""
        with self._lock:
            keys = self._by_hash.get(name_hash(app.meta.namespace, app.meta.name), set())
            found = [self._objects[key] for key in keys if key != key_of(app)]
        return [other for other in found if isinstance(other, App) and not other.meta.is_deleting]

    def served_with(self, namespace: str, secret: str) -> list[Domain]:
        """The Domains of a namespace that are served with a Secret, as their statuses say; by name."""
        with self._lock:
            keys = self._by_secret.get(f"{namespace}-{secret}", ())
            found = [self._objects[key] for key in keys if key.namespace == namespace]
        served = [d for d in found if isinstance(d, Domain) and _served_secret(d) == secret]
        return sorted(served, key=lambda d: d.meta.name)

    def covered_by(self, names: Iterable[str], namespace: str) -> list[Domain]:
        """The Domains of a namespace for whose hostnames a certificate with these names is; by name."""
        with self._lock:
            found = {key_of(d): d for name in names for d in self._claims.covered(name.lower())}
        return sorted((d for d in found.values() if d.meta.namespace == namespace), key=lambda d: d.meta.name)

    def owner_elsewhere(self, names: Iterable[str], namespace: str, *, before: Domain | None = None) -> str:
        """Who else owns a hostname that a certificate is for: "namespace/name" of a Domain elsewhere, or empty.

        Args:
            names: those that the certificate is for.
            namespace: the one that has the certificate.
            before: leaves out Domains that are younger than this one.
        """
        with self._lock:
            # A name below a wildcard of somebody else's is theirs as well, and goes before it at an ingress.
            found = [d for name in names for d in self._claims.conflicting(name.lower())]
            owners = [d for d in found if d.meta.namespace != namespace and self._claims.holder(d.hostname) is d]
        return min(
            (
                f"{d.meta.namespace}/{d.meta.name}"
                for d in owners
                if before is None or d.meta.age_order < before.meta.age_order
            ),
            default="",
        )

    def _settle(self, known: Resource | None, new: Resource | None) -> set[Key]:
        """Settle the claims to hostnames anew. Returns whom it concerns beside those of `_related`."""
        touched: set[Key] = set()
        if isinstance(known, Domain) and (not isinstance(new, Domain) or new.hostname != known.hostname):
            touched |= self._claims.drop(known)
        if isinstance(new, Domain):
            touched |= self._claims.put(new)
        return touched

    def _related(self, resource: Resource) -> set[Key]:
        """The object itself and those whose decisions read it."""
        namespace, name = resource.meta.namespace, resource.meta.name
        if isinstance(resource, Domain):
            related = {key_of(resource), Key("App", namespace, resource.app), Key("Namespace", "", namespace)}
            related.update(map(key_of, self._claims.conflicting(resource.hostname)))
            return related.union(*(self._by_secret.get(one, set()) for one in _secret_ids(resource)))
        policies = self._by_namespace.get(("TLSPolicy", namespace), set())
        if isinstance(resource, App):
            mine = {key_of(resource), Key("Namespace", "", namespace)}
            mine = mine.union(*map(self._routed_for, self._sharing_a_backend(resource)))
            return mine | policies | self._by_app.get(Key("App", namespace, name), set())
        related = {key_of(resource)} | policies
        for app in self.all(App, namespace):
            if rank(resource, app) is not None:
                related |= {key_of(app)} | self._by_app.get(key_of(app), set())
        return related

    def _sharing_a_backend(self, app: App) -> set[Key]:
        """The Apps that have a backend which reads the same as one of this one's, where two namespaces do."""
        found: set[Key] = set().union(*(self._by_backend.get(one, ()) for one in backend_ids(app)))
        return found if any(key.namespace != app.meta.namespace for key in found) else set()

    def _routed_for(self, app: Key) -> set[Key]:
        """An App, and what is routed to it."""
        return {app, *self._by_app.get(app, ()), Key("Builtin", app.namespace, app.name)}

    def _watching(self, known: Resource, new: Resource) -> set[Key]:
        """Whoever reads this object's status, when what they read there has changed."""
        namespace = new.meta.namespace
        if isinstance(known, Domain) and isinstance(new, Domain):
            colliding = self._colliding(namespace, _secret_ids(known) ^ _secret_ids(new))
            return colliding | ({Key("App", namespace, new.app)} if _summary(known) != _summary(new) else set())
        found: set[Key] = set()
        if isinstance(known, App) and isinstance(new, App):
            if _tls_summary(known) != _tls_summary(new):
                found |= self._by_namespace.get(("TLSPolicy", namespace), set())
            if known.held_backends != new.held_backends and (others := self._sharing_a_backend(new)):
                found = found.union(*map(self._routed_for, (key_of(new), *others)))
        return found

    def _colliding(self, namespace: str, secret_ids: Iterable[str]) -> set[Key]:
        """The Domains of other namespaces with one of these Secrets, as the ingress knows them."""
        found: set[Key] = set().union(*(self._by_secret.get(one, ()) for one in secret_ids))
        return {key for key in found if key.namespace != namespace}

    def _link(self, resource: Resource) -> None:
        key = key_of(resource)
        self._by_namespace[key.kind, key.namespace].add(key)
        self._counts[key.kind] += 1
        if isinstance(resource, App):
            self._by_hash[name_hash(key.namespace, key.name)].add(key)
            for backend in backend_ids(resource):
                self._by_backend[backend].add(key)
        if isinstance(resource, Domain):
            self._by_app[Key("App", key.namespace, resource.app)].add(key)
            for one in _secret_ids(resource):
                self._by_secret[one].add(key)

    def _unlink(self, resource: Resource) -> None:
        key = key_of(resource)
        _discard(self._by_namespace, (key.kind, key.namespace), key)
        self._counts[key.kind] -= 1
        if isinstance(resource, App):
            _discard(self._by_hash, name_hash(key.namespace, key.name), key)
            for backend in backend_ids(resource):
                _discard(self._by_backend, backend, key)
        if isinstance(resource, Domain):
            _discard(self._by_app, Key("App", key.namespace, resource.app), key)
            for one in _secret_ids(resource):
                _discard(self._by_secret, one, key)


def _secret_ids(domain: Domain) -> set[str]:
    """How Traefik's store knows a Domain's own Secret and the one that is served; two that read the same are one."""
    served = _served_secret(domain) or domain.secret_name
    return {f"{domain.meta.namespace}-{name}" for name in (domain.secret_name, served)}


def _served_secret(domain: Domain) -> str:
    return str((domain.status.get("certificate") or {}).get("secretName") or "")


def _is_redeclared(known: Resource, new: Resource) -> bool:
    """Whether what users declare has changed: spec, labels, annotations, or that it is to go."""
    before, after = known.meta, new.meta
    return (
        before.uid != after.uid
        or before.generation != after.generation
        or before.annotations != after.annotations
        or before.labels != after.labels
        or before.is_deleting != after.is_deleting
    )


def _tls_summary(app: App) -> tuple[object, ...]:
    conditions = app.status.get("conditions") or ()
    shown: dict[str, Any] = next((c for c in conditions if c.get("type") == "PolicyEnforced"), {})
    return app.status.get("tls"), shown.get("status"), shown.get("reason"), shown.get("message")


def _summary(domain: Domain) -> tuple[object, ...]:
    conditions = domain.status.get("conditions") or ()
    return (domain.status.get("state"), *((c.get("type"), c.get("status")) for c in conditions))


def _discard(index: dict[I, set[Key]], at: I, key: Key) -> None:
    keys = index.get(at)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[at]
