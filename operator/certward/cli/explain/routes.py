"""The objects that route a hostname: whether all are there, as the operator wrote them, and no others beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from certward.cli import classes
from certward.cli.api import Api, Object
from certward.cli.classes import Class
from certward.cli.explain.facts import NOT_ASKED, RouteLook
from certward.cli.findings import Unseen
from certward.cli.seeing import get_any, list_any, see
from certward.config import Config
from certward.errors import Blocked
from certward.kube.ensure import holds, is_managed, marked, ref_of
from certward.kube.routes import ROUTE_KINDS, hosts_of
from certward.model import profiles
from certward.model.hostnames import is_wildcard
from certward.model.policy import claiming, hsts_of
from certward.model.profiles import Profile
from certward.model.resources import App, Domain, ServiceRef, TLSPolicy
from certward.names import ANNOTATION_RENDERED
from certward.plan.observed import Routes
from certward.render.dialects import GatewayRef, Host, ObjectRef
from certward.render.manifests import Manifest
from certward.render.registry import DIALECTS

_CHALLENGE_PORT = 8089
#: Where it cannot be told; the names of the objects do not depend on it.
_UNKNOWN_GATEWAY = GatewayRef("unknown", "unknown")


def look_at_routes(
    api: Api, domain: Domain, app: App, policies: Sequence[TLSPolicy], config: Config | None, *, secret_name: str
) -> RouteLook | Unseen:
    """Read the objects that route a Domain.

    Args:
        api: as the user.
        domain: whose.
        app: its App.
        policies: of the namespace, for what is sent with HTTPS.
        config: the operator's configuration, where it may be read.
        secret_name: with the certificate that is to be served; empty: there is none, so there is no HTTPS.
    """
    name = classes.name_for(domain, app, config)
    found = classes.find(api, name, config)
    if found is None and config is None:
        found = Unseen(f"there is no class {name} in the cluster, and the configuration cannot be read")
    class_ = _by_objects(api, domain, name) if isinstance(found, Unseen) else found
    if class_ is None:
        if isinstance(found, Unseen):
            return Unseen(f"{found.why}, and nothing in the namespace shows which ingress controller it is")
        return RouteLook(name, "", obstacle=f"There is no ingress class {name}; name another in the App.")
    look = RouteLook(name, class_.dialect.capabilities.engine)
    numbered = app if class_.dialect.knows_port_names else _numbered(api, app)
    try:
        rendered = [
            class_.dialect.render(
                Host(
                    domain=domain,
                    app=numbered,
                    routes=_routes(domain, app, policies, secret_name, redirect=redirect),
                    class_name=name,
                    challenge_port=config.challenge.http01.port if config else _CHALLENGE_PORT,
                    gateway=class_.gateway or _UNKNOWN_GATEWAY,
                )
            )
            for redirect in (True, False)
        ]
    except Blocked as blocked:
        return RouteLook(name, look.engine, obstacle=blocked.message)
    return _compared(api, domain, class_, [(*each.shared, *each.own) for each in rendered])


def _compared(api: Api, domain: Domain, class_: Class, candidates: Sequence[Sequence[Manifest]]) -> RouteLook:
    present, missing, changed, unseen = [], [], [], []
    reports: list[Object] = []
    told = set(class_.dialect.reports(domain))
    for manifests in zip(*candidates, strict=True):
        ref = ObjectRef(*ref_of(manifests[0]))
        live = see(partial(get_any, api, *ref))
        label = f"{ref.kind} {ref.name}"
        if isinstance(live, Unseen):
            unseen.append(label)
        elif live is None:
            missing.append(label)
        elif _is_changed(domain, ref.kind, live, manifests):
            changed.append(label)
        else:
            present.append(label)
        if isinstance(live, dict) and ref in told:
            reports.append(live)
    foreign, blind = _foreign(api, domain, class_)
    if blind:
        unseen.append(blind)
    capabilities = class_.dialect.capabilities
    return RouteLook(
        class_.name,
        capabilities.engine,
        tuple(present),
        tuple(missing),
        tuple(changed),
        foreign,
        f"{', '.join(unseen)}, for want of rights" if unseen else "",
        class_.dialect.complaint(reports),
        foreign_route=capabilities.foreign_route,
    )


def _is_changed(domain: Domain, kind: str, live: Object, candidates: Sequence[Manifest]) -> bool:
    """Whether an object is not as the operator wrote it.

    What is rendered here may differ from what the operator renders, whose configuration need not be known. By the
    digest that it leaves on each object it is seen whether both are the same; only then can it be held against that.
    """
    digest = (live["metadata"].get("annotations") or {}).get(ANNOTATION_RENDERED)
    written = [marked(each) for each in candidates]
    same = [each for each in written if each["metadata"]["annotations"][ANNOTATION_RENDERED] == digest]
    if same:
        return not any(holds(live, each) for each in same)
    names_host = kind in ROUTE_KINDS and bool(hosts_of(kind, candidates[0]))
    return names_host and domain.hostname not in hosts_of(kind, live)


def _foreign(api: Api, domain: Domain, class_: Class) -> tuple[tuple[str, ...], str]:
    """Routes of others for the hostname, and where none could be looked for."""
    found: list[str] = []
    blind = ""
    for kind in class_.dialect.reads:
        listed = see(partial(list_any, api, kind))
        if isinstance(listed, Unseen):
            blind = "routes in other namespaces"
            listed = see(partial(list_any, api, kind, domain.meta.namespace))
        for body in () if isinstance(listed, Unseen) else listed or ():
            meta = body["metadata"]
            if not is_managed(body) and domain.hostname in hosts_of(kind, body):
                found.append(f"{kind} {meta['namespace']}/{meta['name']}")
    return tuple(sorted(found)), blind


def _by_objects(api: Api, domain: Domain, name: str) -> Class | None:
    """The dialect in which something has been written for the Domain."""
    for dialect in DIALECTS.values():
        for ref in dialect.all_of(domain):
            live = see(partial(get_any, api, *ref))
            if isinstance(live, dict):
                return Class(name, dialect)
    return None


def _routes(domain: Domain, app: App, policies: Sequence[TLSPolicy], secret_name: str, *, redirect: bool) -> Routes:
    policy = claiming(app, policies)
    is_refused = domain.status.get("reason") in NOT_ASKED
    return Routes(
        challenge=app.is_automatic and not is_wildcard(domain.hostname) and not is_refused,
        secret_name=secret_name,
        redirect=redirect,
        profile=_profile(app) if secret_name else None,
        hsts=hsts_of(policy) if policy else None,
    )


def _profile(app: App) -> Profile:
    """The profile that the App's status says it is served with."""
    told: Any = app.status.get("tls") or {}
    known = profiles.TABLE.get((told.get("revision", ""), told.get("profile", "")))
    fallback = known or profiles.profile(profiles.REVISIONS[-1], "default")
    return profiles.cut_to_floor(fallback, str(told.get("minVersion") or "")) or fallback


def _numbered(api: Api, app: App) -> App:
    """The App with the ports of its Services as numbers, for controllers that know no names."""

    def ports() -> Iterator[tuple[str, dict[int | str, int]]]:
        for name in {service.name for service in app.services}:
            live = see(partial(api.get, "Service", app.meta.namespace, name))
            spec = live.get("spec") or {} if isinstance(live, dict) else {}
            yield name, {port["name"]: port["port"] for port in spec.get("ports") or () if "name" in port}

    known = dict(ports())

    def number(service: ServiceRef) -> ServiceRef:
        return replace(service, port=known[service.name].get(service.port, service.port))

    paths = tuple(replace(route, service=number(route.service)) for route in app.paths)
    return replace(app, service=number(app.service), paths=paths)
