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
NAMES = ["b-www", "www", "x", "y"]
#: A name that the configuration does not let a Domain of that namespace have.
REFUSED = ("c", "www.example.com")
HOSTNAMES = [
    "example.com",
    "www.example.com",
    "*.example.com",
    "a.www.example.com",
    "*.www.example.com",
    "api.example.com",
]
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
    st.integers(1, 5),
    st.sampled_from([False, False, False, True]),
)
APPS = st.builds(lambda namespace, name: app(name, namespace), st.sampled_from(NAMESPACES), st.just("shop"))


def may_claim(of):
    return (of.meta.namespace, of.hostname) != REFUSED


def excludes(one, other):
    is_near = one.hostname == other.hostname or one.meta.namespace != other.meta.namespace
    return is_near and conflicts(one.hostname, other.hostname)


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
        before = self._owners()
        told = self.cache.put(resource)
        self.model[key_of(resource)] = resource
        assert self._whose_owner_changed(before) <= told
        assert key_of(resource) in told
        if isinstance(resource, Domain):
            assert {key_of(other) for other in self._conflicting(resource)} <= told

    @rule(resource=DOMAINS)
    def put_what_is_old(self, resource):
        if key_of(resource) in self.model:
            assert self.cache.put(resource) == set()

    @rule(namespace=st.sampled_from(NAMESPACES), name=st.sampled_from(NAMES))
    def drop(self, namespace, name):
        before = self._owners()
        gone = self.model.pop(Key("Domain", namespace, name), None)
        told = self.cache.drop(Key("Domain", namespace, name))
        assert self._whose_owner_changed(before) <= told
        assert bool(told) == (gone is not None)
        if gone is not None:
            assert {key_of(other) for other in self._conflicting(gone)} <= told

    @rule(resources=st.lists(DOMAINS, max_size=4), data=st.data())
    def replace_all(self, resources, data):
        known = {key: value for key, value in self.model.items() if key.kind == "Domain"}
        kept = {key for key in sorted(known) if data.draw(st.booleans(), "is listed as it is known")}
        listed = {key_of(resource): self._newer(resource) for resource in resources}
        kept -= listed.keys()
        before = self._owners()
        told = self.cache.replace_all(self.cache.versions("Domain"), listed.values(), kept)
        assert (known.keys() - listed.keys() - kept) | set(listed) <= told
        others = {key: value for key, value in self.model.items() if key.kind != "Domain"}
        self.model = others | {key: known[key] for key in kept} | listed
        assert self._whose_owner_changed(before) <= told

    def _domains(self):
        return [value for value in self.model.values() if isinstance(value, Domain)]

    def _conflicting(self, of):
        return [
            other for other in self._domains() if key_of(other) != key_of(of) and conflicts(other.hostname, of.hostname)
        ]

    def _holding(self):
        """The Domains that have their hostnames: one after the other, as long as no earlier one is against it."""
        holding = []
        for one in sorted(self._domains(), key=lambda d: d.meta.age_order):
            may = may_claim(one) and not one.meta.is_deleting
            if may and not any(excludes(other, one) for other in holding):
                holding.append(one)
        return holding

    def _owners(self):
        """Who keeps each Domain from its hostname: the oldest of those that have theirs; itself where none does."""
        holding, owners = self._holding(), {}
        for one in self._domains():
            older = (other for other in holding if other.meta.age_order < one.meta.age_order)
            owners[key_of(one)] = next((other for other in older if excludes(other, one)), one)
        return owners

    def _whose_owner_changed(self, before):
        now = self._owners()
        return {key for key in before.keys() & now.keys() if key_of(before[key]) != key_of(now[key])}

    def _owner_elsewhere(self, names, namespace):
        owners = [
            f"{other.meta.namespace}/{other.meta.name}"
            for other in self._holding()
            if other.meta.namespace != namespace and any(conflicts(name, other.hostname) for name in names)
        ]
        return min(owners, default="")

    @invariant()
    def agrees_with_the_model(self):
        assert set(self.cache.keys("Domain")) | set(self.cache.keys("App")) == set(self.model)
        owners = self._owners()
        for one in self._domains():
            assert self.cache.owner_of(one) == owners[key_of(one)]
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
            owner = next((one for one in self._holding() if one.hostname == hostname), None)
            assert self.cache.domain_for(hostname) == owner


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
