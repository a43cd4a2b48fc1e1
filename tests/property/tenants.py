"""Tenants of one cluster who write hostile objects, and what the operator renders for those that are let in."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from hypothesis import strategies as st

from builders import DEFAULT, body, domain
from certward.errors import Blocked, InvalidSpec, OperatorError
from certward.kube.cache import Cache
from certward.kube.ensure import marked
from certward.model import hostnames
from certward.model.policy import Rules, effective
from certward.model.profiles import REVISIONS, Profile
from certward.model.resources import App, Builtin, Domain, ServiceRef, TLSPolicy, builtin_hostname
from certward.names import PLATFORM
from certward.plan.observed import Routes
from certward.render.dialects import Dialect, GatewayRef, Host, Rendered
from certward.render.manifests import Manifest, certificate_secret, challenge_objects, next_key_secret
from certward.runtime import routable
from property.admission import refusals
from property.hostile import CHANGES, NAMESPACES, Change, put

Body = Mapping[str, Any]

SUFFIX = "apps.example.net"
OPERATOR_NAMESPACE = "certward-system"
GATEWAY = GatewayRef("gateways", "edge")
PLATFORM_DOMAIN = domain(PLATFORM, OPERATOR_NAMESPACE, hostname=f"*.{SUFFIX}", app=PLATFORM)
PLATFORM_SECRET = PLATFORM_DOMAIN.secret_name
PORT = 8089
ADDRESSES = ("192.0.2.7", "2001:db8::7")
RULES = Rules(REVISIONS[-1])
#: What a Service's named ports lead to where a dialect has to know; the others have no such port.
NAMED_PORTS = {"http": 8080, "a-b": 8081, "x": 8082, "1-2-3a": 8083}
SPECS: Mapping[str, Body] = {
    "App": {
        "service": {"name": "shop", "port": 8080},
        "paths": [{"path": "/api", "service": {"name": "shop-api", "port": "http"}}],
        "certificates": {"automatic": True, "manual": [{"secretName": "bought"}]},
        "network": {"trustedRanges": ["198.51.100.0/24"]},
    },
    "Domain": {"hostname": "www.example.com", "appRef": {"name": "shop"}},
    "TLSPolicy": {"profile": "default", "hsts": {"maxAge": 63072000}},
}


class Wish(NamedTuple):
    """What a tenant writes, and how far his host has come.

    Attributes:
        has: which optional parts of his App are there to begin with.
    """

    namespace: str
    changes: tuple[Change, ...]
    has: tuple[str, ...]
    stage: Routes
    is_manual: bool
    is_builtin: bool


class Written(NamedTuple):
    """The objects of a tenant, with the changes that are in them and those that were refused."""

    number: int
    bodies: Mapping[str, Body]
    taken: tuple[Change, ...]
    refused: tuple[Change, ...]


@dataclass(frozen=True)
class Told:
    """What the operator would have in the cluster for one host.

    Attributes:
        manifests: all of it, as it is applied.
        shared: how many of these at the beginning are other hosts' as well.
    """

    dialect: Dialect
    host: Host
    rendered: Rendered
    manifests: Sequence[Manifest] = field(repr=False)
    shared: int


def _stage(challenge: bool, secret: bool, redirect: bool, plain: bool, profile: Profile | None) -> Routes:
    return Routes(challenge=challenge, secret_name="x" * secret, redirect=redirect, profile=profile, plain=plain)


#: A host that is served, with everything that a host can have.
STAGED = _stage(challenge=True, secret=True, redirect=False, plain=True, profile=DEFAULT)
STAGES = st.builds(_stage, *[st.booleans()] * 4, st.sampled_from([DEFAULT, DEFAULT, DEFAULT, None]))
PAIRS = [*itertools.product(NAMESPACES, repeat=2), *[("team", "team-a"), ("a-b", "a"), ("team-certward", "team")] * 12]


def _wishes(namespace: str) -> st.SearchStrategy[Wish]:
    return st.builds(
        Wish,
        st.just(namespace),
        st.lists(CHANGES, min_size=1, max_size=4).map(tuple),
        st.sampled_from([(), ("paths",), ("paths",), ("network", "paths")]),
        STAGES,
        st.booleans(),
        st.sampled_from([False, False, False, True]),
    )


WORLDS = st.sampled_from(PAIRS).flatmap(lambda pair: st.tuples(*map(_wishes, pair)))


def first_bodies(wish: Wish, number: int) -> dict[str, Body]:
    """A tenant's objects before he does anything unusual."""
    spec = {name: value for name, value in SPECS["App"].items() if name not in {"paths", "network"} - set(wish.has)}
    named = {
        "App": ("shop", spec),
        "Domain": (f"www{number}", SPECS["Domain"]),
        "TLSPolicy": ("tls", SPECS["TLSPolicy"]),
    }
    bodies: dict[str, Body] = {
        kind: body(kind, of, name=name, namespace=wish.namespace, uid=f"uid-{number}-{kind}")
        for kind, (name, of) in named.items()
    }
    at = ("spec", "hostname")
    return bodies | {"Domain": put(bodies["Domain"], Change("Domain", at, f"www{number}.example.com"))}


def write(wish: Wish, number: int, *, is_checked: bool = True) -> Written:
    """Apply a tenant's changes one by one; what the API server refuses stays as it was.

    Args:
        wish: whose.
        number: his, for names that nobody else has.
        is_checked: False: of the schema only the types hold, as with an older one.
    """
    bodies, taken, refused = first_bodies(wish, number), [], []
    for change in wish.changes:
        changed = put(bodies[change.kind], change)
        refusal = refusals(changed)
        is_refused = any(is_checked or each.startswith("metadata") or each.endswith(": type") for each in refusal)
        (refused if is_refused else taken).append(change)
        bodies |= {} if is_refused else {change.kind: changed}
    of = Change("Domain", ("spec", "appRef", "name"), bodies["App"]["metadata"]["name"])
    return Written(number, bodies | {"Domain": put(bodies["Domain"], of)}, tuple(taken), tuple(refused))


def render_all(dialect: Dialect, wishes: Sequence[Wish], written: Sequence[Written]) -> list[Told | OperatorError]:
    """What is rendered for each tenant's host, or why nothing is."""
    cache = Cache()
    for each in written:
        with contextlib.suppress(InvalidSpec):
            cache.put(App.from_body(each.bodies["App"]))
    return [_render(dialect, wishes[each.number], each.bodies, cache) for each in written]


def _render(dialect: Dialect, wish: Wish, bodies: Mapping[str, Body], cache: Cache) -> Told | OperatorError:
    """As the operator does in a pass."""
    try:
        app, own = App.from_body(bodies["App"]), Domain.from_body(bodies["Domain"])
        policy = TLSPolicy.from_body(bodies["TLSPolicy"])
        app = cache.app(app.meta.namespace, app.meta.name) or app
        routable.check(dialect, app, cache, challenge_port=PORT)
        host = _host(dialect, wish, app, own, policy)
        rendered = dialect.render(host)
    except (Blocked, InvalidSpec) as refusal:
        return refusal
    secrets = [] if wish.is_builtin else [*_secrets(own)]
    shared = [*rendered.shared, *challenge_objects(wish.namespace, port=PORT, addresses=ADDRESSES)]
    manifests = [marked(each) for each in (*shared, *rendered.own, *secrets)]
    return Told(dialect, host, rendered, manifests, len(shared))


def _host(dialect: Dialect, wish: Wish, app: App, own: Domain, policy: TLSPolicy) -> Host:
    tls = effective(app, [policy], RULES)
    secret = app.manual_secrets[-1] if wish.is_manual and app.manual_secrets else own.secret_name
    secret = PLATFORM_SECRET if wish.is_builtin else secret
    routes = replace(
        wish.stage,
        secret_name=secret if wish.stage.secret_name else "",
        profile=tls.profile if wish.stage.profile and wish.stage.secret_name else None,
        hsts=tls.hsts,
    )
    builtin = Builtin(meta=app.meta, hostname=builtin_hostname(app, SUFFIX), app=app.meta.name, status={})
    return Host(
        domain=builtin if wish.is_builtin else own,
        app=app if dialect.knows_port_names else _numbered(app),
        routes=replace(routes, challenge=False) if wish.is_builtin else routes,
        class_name=app.ingress_class or "default-class",
        challenge_port=PORT,
        gateway=GATEWAY,
        platform=PLATFORM_DOMAIN if wish.is_builtin else None,
    )


def _numbered(app: App) -> App:
    def number(service: ServiceRef) -> ServiceRef:
        known = NAMED_PORTS.get(service.port) if isinstance(service.port, str) else None
        return replace(service, port=known or service.port)

    paths = tuple(replace(route, service=number(route.service)) for route in app.paths)
    return replace(app, service=number(app.service), paths=paths)


def _secrets(own: Domain) -> Iterator[Manifest]:
    yield certificate_secret(own, chain_pem=b"chain", key_pem=b"key", issuer="main")
    yield next_key_secret(own, key_pem=b"key")


def different(wishes: Sequence[Wish], written: Sequence[Written]) -> list[Written]:
    """The tenants without those whose host cannot be there beside an earlier one's.

    One object has one namespace and name, and one hostname one Domain. An App of the same name is the same App, with
    one built-in hostname.
    """
    kept: list[Written] = []
    for each in written:
        own = each.bodies["Domain"]
        rivals = [other.bodies["Domain"] for other in kept]
        if any(_ref(own) == _ref(other) or _conflict(own, other) for other in rivals):
            continue
        same = [other for other in kept if _ref(other.bodies["App"]) == _ref(each.bodies["App"])]
        if wishes[each.number].is_builtin and any(wishes[other.number].is_builtin for other in same):
            continue
        theirs = {kind: same[0].bodies[kind] for kind in ("App", "TLSPolicy")} if same else {}
        kept.append(each._replace(bodies={**each.bodies, **theirs}))
    return kept


def _ref(of: Body) -> tuple[str, str]:
    return of["metadata"]["namespace"], of["metadata"]["name"]


def _conflict(one: Body, other: Body) -> bool:
    return hostnames.conflicts(one["spec"]["hostname"], other["spec"]["hostname"])
