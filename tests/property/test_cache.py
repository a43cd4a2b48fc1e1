"""The cache's look-ups, held against a model that looks at everything each time."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from builders import NOW, app, domain
from certward.kube.cache import Cache
from certward.model.hostnames import conflicts, covers
from certward.model.resources import App, Domain, Key, key_of

NAMESPACES = ["a", "a-b", "c"]
NAMES = ["b-www", "www", "x"]
#: A name that the configuration does not let a Domain of that namespace have.
REFUSED = ("c", "www.example.com")
HOSTNAMES = ["example.com", "www.example.com", "*.example.com", "a.www.example.com", "*.www.example.com"]
DOMAINS = st.builds(
    lambda namespace, name, hostname, of, age, is_deleting: domain(
        name,
        namespace,
        hostname=hostname,
        app=of,
        created_at=NOW - timedelta(days=age),
        is_deleting=is_deleting,
    ),
    st.sampled_from(NAMESPACES),
    st.sampled_from(NAMES),
    st.sampled_from(HOSTNAMES),
    st.sampled_from(["shop", "blog"]),
    st.integers(1, 3),
    st.booleans(),
)
APPS = st.builds(lambda namespace, name: app(name, namespace), st.sampled_from(NAMESPACES), st.just("shop"))


def may_claim(of):
    return (of.meta.namespace, of.hostname) != REFUSED


class CacheMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.cache = Cache(may_claim)
        self.model: dict[Key, App | Domain] = {}
        self.version = 0

    def _newer(self, resource):
        self.version += 1
        meta = type(resource.meta)(
            **{
                name: getattr(resource.meta, name)
                for name in ("namespace", "name", "created_at", "annotations", "labels", "is_deleting")
            },
            uid=f"uid-{self.version}",  # a deleted object never comes back; one of its name is another
            generation=self.version,
            resource_version=self.version,
        )
        return type(resource)(
            **{name: getattr(resource, name) for name in resource.__dataclass_fields__ if name != "meta"}, meta=meta
        )

    @rule(resource=DOMAINS | APPS)
    def put(self, resource):
        resource = self._newer(resource)
        told = self.cache.put(resource)
        self.model[key_of(resource)] = resource
        assert key_of(resource) in told
        if isinstance(resource, Domain):
            assert {key_of(other) for other in self._conflicting(resource)} <= told

    @rule(resource=DOMAINS)
    def put_what_is_old(self, resource):
        if key_of(resource) in self.model:
            assert self.cache.put(resource) == set()

    @rule(namespace=st.sampled_from(NAMESPACES), name=st.sampled_from(NAMES))
    def drop(self, namespace, name):
        gone = self.model.pop(Key("Domain", namespace, name), None)
        told = self.cache.drop(Key("Domain", namespace, name))
        assert bool(told) == (gone is not None)
        if gone is not None:
            assert {key_of(other) for other in self._conflicting(gone)} <= told

    @rule(resources=st.lists(DOMAINS, max_size=4), data=st.data())
    def replace_all(self, resources, data):
        known = {key: value for key, value in self.model.items() if key.kind == "Domain"}
        kept = {key for key in sorted(known) if data.draw(st.booleans(), "is listed as it is known")}
        listed = {key_of(resource): self._newer(resource) for resource in resources}
        kept -= listed.keys()
        told = self.cache.replace_all(self.cache.versions("Domain"), listed.values(), kept)
        assert (known.keys() - listed.keys() - kept) | set(listed) <= told
        others = {key: value for key, value in self.model.items() if key.kind != "Domain"}
        self.model = others | {key: known[key] for key in kept} | listed

    def _domains(self):
        return [value for value in self.model.values() if isinstance(value, Domain)]

    def _conflicting(self, of):
        return [
            other for other in self._domains() if key_of(other) != key_of(of) and conflicts(other.hostname, of.hostname)
        ]

    def _rivals(self, of):
        return [
            other
            for other in self._conflicting(of)
            if not other.meta.is_deleting
            and (other.hostname == of.hostname or other.meta.namespace != of.meta.namespace)
            and may_claim(other)
        ]

    def _owner_elsewhere(self, names, namespace):
        owners = [
            f"{other.meta.namespace}/{other.meta.name}"
            for other in self._domains()
            if other.meta.namespace != namespace
            and not other.meta.is_deleting
            and may_claim(other)
            and any(conflicts(name, other.hostname) for name in names)
            and all(other.meta.age_order < rival.meta.age_order for rival in self._rivals(other))
        ]
        return min(owners, default="")

    @invariant()
    def agrees_with_the_model(self):
        assert set(self.cache.keys("Domain")) | set(self.cache.keys("App")) == set(self.model)
        for one in self._domains():
            rivals = self._rivals(one)
            assert sorted(self.cache.rivals(one), key=key_of) == sorted(rivals, key=key_of)
            assert self.cache.owner_of(one) == min([one, *rivals], key=lambda d: d.meta.age_order)
            same = [
                other
                for other in self._domains()
                if f"{other.meta.namespace}-{other.meta.name}" == f"{one.meta.namespace}-{one.meta.name}"
                and other != one
                and not other.meta.is_deleting
            ]
            assert sorted(self.cache.same_secret_id(one), key=key_of) == sorted(same, key=key_of)
        for namespace in NAMESPACES:
            mine = [d for d in self._domains() if d.meta.namespace == namespace]
            assert sorted(self.cache.all(Domain, namespace), key=key_of) == sorted(mine, key=key_of)
            for name in ("shop", "blog"):
                wanted = sorted((d for d in mine if d.app == name), key=lambda d: d.meta.name)
                assert self.cache.domains_of(namespace, name) == wanted
            for names in ([HOSTNAMES[1]], [HOSTNAMES[2]], ["Other.Example.com", HOSTNAMES[4]]):
                owner = self._owner_elsewhere([name.lower() for name in names], namespace)
                assert self.cache.owner_elsewhere(names, namespace) == owner
                there = [d for d in mine if any(covers(name, d.hostname) for name in names)]
                assert self.cache.covered_by(names, namespace) == sorted(there, key=lambda d: d.meta.name)
        for hostname in HOSTNAMES:
            owner = self.cache.domain_for(hostname)
            claims = [d for d in self._domains() if d.hostname == hostname and not d.meta.is_deleting and may_claim(d)]
            oldest = min(claims, key=lambda d: d.meta.age_order, default=None)
            is_beaten = oldest and any(r.meta.age_order < oldest.meta.age_order for r in self._rivals(oldest))
            assert owner == (None if is_beaten else oldest)


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
