"""Everything that `explain` judges by: what the API server tells this user, and what is seen from here."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from certward.acme.directory import look_at_directory
from certward.cli.api import Api, Object
from certward.cli.context import Session, read, read_one
from certward.cli.errors import not_found, usage
from certward.cli.explain import looks
from certward.cli.explain.facts import CAALook, Event, Facts
from certward.cli.explain.looks import Eyes
from certward.cli.explain.outside import policy_of
from certward.cli.explain.routes import look_at_routes
from certward.cli.explain.secret_state import state_of
from certward.cli.findings import Unseen
from certward.cli.seeing import read_configuration, see
from certward.config import Config, IssuerConfig
from certward.errors import ConfigError
from certward.model import hostnames
from certward.model.ownership import Claims
from certward.model.resources import App, Domain, TLSPolicy, format_time, parse_time
from certward.plan.checks import SecretState

_EVENTS: Final = 5


def gather(session: Session, asked: str, seeing: Eyes, operator_namespace: str) -> Facts:
    """Find the Domain that is meant, and look at everything that concerns it.

    Raises:
        CliError: there is no such Domain and it is no hostname; or the user may not even read Domains.
    """
    now = datetime.now(UTC)
    everywhere = see(lambda: session.api.list("Domain", ""))
    is_blind = isinstance(everywhere, Unseen)
    listed = session.api.list("Domain", session.namespace) if isinstance(everywhere, Unseen) else everywhere
    domains = read(Domain, listed)
    domain = _meant(session, asked, domains)
    if domain is None:
        _refuse_builtin(session, asked.lower().rstrip("."))
        searched = f" in namespace {session.namespace}, and you may not look into others" if is_blind else ""
        return Facts(asked.lower().rstrip("."), now, searched=searched)
    hostname = domain.hostname
    if hostnames.is_wildcard(hostname) and hostnames.covers(hostname, asked):
        hostname = asked
    meta = domain.meta
    owner = _owner_of(domain, domains)
    facts = Facts(
        hostname,
        now,
        domain=domain,
        owner="" if owner is domain else f"{owner.meta.namespace}/{owner.meta.name}",
        app_flag=f" -n {meta.namespace} -a {domain.app}",
    )
    return _seen(session.api, facts, domain, seeing, operator_namespace)


def _meant(session: Session, asked: str, domains: Sequence[Domain]) -> Domain | None:
    """The Domain that has a hostname, or the name; None: it is a hostname that no Domain has.

    Raises:
        CliError: it is neither.
    """
    namespace, _, name = asked.rpartition("/")
    if namespace:
        body = session.api.get("Domain", namespace, name)
        if body is None:
            raise not_found(f"There is no Domain {name} in namespace {namespace}.")
        return read_one(Domain, body)
    host = asked.lower().rstrip(".")
    of_host = [each for each in domains if each.hostname == host]
    chosen = session.flags.namespace
    here = [each for each in of_host if each.meta.namespace == chosen]
    if found := here or of_host:
        return min(found, key=lambda each: each.meta.age_order)
    for each in domains:
        if each.meta.name == asked and each.meta.namespace == session.namespace:
            return each
    wildcards = [each for each in domains if hostnames.covers(each.hostname, host)]
    if wildcards:
        return min(wildcards, key=lambda each: each.meta.age_order)
    if problem := hostnames.problem(host):
        raise not_found(
            f"There is no Domain {asked} in namespace {session.namespace}, and it is no hostname: {problem}"
        )
    return None


def _refuse_builtin(session: Session, hostname: str) -> None:
    """Say of the built-in hostname of an App what it is; it has no Domain and must not get one.

    Raises:
        CliError: it is one.
    """
    everywhere = see(lambda: session.api.list("App", ""))
    listed = see(lambda: session.api.list("App", session.namespace)) if isinstance(everywhere, Unseen) else everywhere
    for app in read(App, () if isinstance(listed, Unseen) else listed):
        if app.status.get("hostname") == hostname:
            raise usage(
                f"{hostname} is the built-in hostname of App {app.meta.namespace}/{app.meta.name}. It has no Domain, "
                "since the platform serves it with a certificate of its own; the App's status says how that goes."
            )


def _owner_of(domain: Domain, domains: Sequence[Domain]) -> Domain:
    """The Domain that keeps one from its hostname, or itself; as the operator finds out, but for rules of its own."""
    claims = Claims()
    for each in domains:
        if hostnames.parent(each.hostname) == hostnames.parent(domain.hostname):
            claims.put(each)
    return claims.owner_of(domain)


def _seen(api: Api, facts: Facts, domain: Domain, seeing: Eyes, operator_namespace: str) -> Facts:
    meta = domain.meta
    with ThreadPoolExecutor(8) as pool:
        asked_names = pool.submit(looks.look_up, seeing, facts.hostname, _targets(domain))
        app_body = pool.submit(see, lambda: api.get("App", meta.namespace, domain.app))
        policies_read = pool.submit(see, lambda: api.list("TLSPolicy", meta.namespace))
        events = pool.submit(_events, api, domain)
        config_read = pool.submit(_configuration, api, operator_namespace)
        app = _app(app_body.result())
        policies = policies_read.result()
        config = config_read.result()
        secret_name, secret = _secret(api, facts, domain, app)
        facts = replace(
            facts,
            app=app,
            names=asked_names.result(),
            secret=secret,
            secret_name=secret_name,
            policies=policies if isinstance(policies, Unseen) else tuple(read(TLSPolicy, policies)),
            has_dns_challenges=isinstance(config, Config) and _has_dns_challenges(config),
            events=events.result(),
        )
        path = pool.submit(looks.look_at_path, seeing, facts.hostname, facts.names)
        served = pool.submit(looks.look_at_served, seeing, facts.hostname, facts.names, facts.now)
        caa = pool.submit(_caa, facts, seeing, config)
        if isinstance(app, App):
            known = policies if not isinstance(policies, Unseen) else []
            routes = look_at_routes(
                api,
                domain,
                app,
                read(TLSPolicy, known),
                config if isinstance(config, Config) else None,
                secret_name=secret_name if facts.good_until is not None else "",
            )
            facts = replace(facts, routes=routes, missing_service=see(lambda: _missing_service(api, app)))
        return replace(facts, path=path.result(), served=served.result(), caa=caa.result())


def _has_dns_challenges(config: Config) -> bool:
    return config.challenge.dns01.rfc2136 is not None or config.challenge.dns_persist01


def _app(body: Object | Unseen | None) -> App | Unseen | None:
    return read_one(App, body) if isinstance(body, dict) else body


def _secret(api: Api, facts: Facts, domain: Domain, app: App | Unseen | None) -> tuple[str, SecretState | Unseen]:
    """-> (name, state) of the Secret that the hostname is served from, or will be: then the best of several."""
    named = str(facts.certificate.get("secretName") or "")
    of_app = app.manual_secrets if isinstance(app, App) and not app.is_automatic else ()
    candidates = [named] if named else [*of_app, domain.secret_name]
    found: list[tuple[str, SecretState | Unseen]] = []
    for name in candidates:
        body = see(partial(api.get, "Secret", domain.meta.namespace, name))
        found.append((name, body if isinstance(body, Unseen) else state_of(body, domain, facts.now)))
    good = [each for each in found if isinstance(each[1], SecretState) and each[1].facts]
    return (good or found)[0]


def _missing_service(api: Api, app: App) -> str:
    names = [service.name for service in app.services]
    return next((name for name in names if api.get("Service", app.meta.namespace, name) is None), "")


def _targets(domain: Domain) -> tuple[str, ...]:
    """What the hostname should point at, as the operator says."""
    told = str((domain.status.get("dns") or {}).get("target") or "")
    return tuple(each.strip() for each in told.split(",") if each.strip())


def _configuration(api: Api, namespace: str) -> Config | Unseen:
    try:
        return read_configuration(api, namespace)
    except ConfigError as error:
        return Unseen(f"the operator's configuration has a mistake: {error}")


def _caa(facts: Facts, seeing: Eyes, config: Config | Unseen) -> CAALook | Unseen:
    """The CAA records, and the CA that they have to allow."""
    issuer = config if isinstance(config, Unseen) else _issuer(facts, config)
    identities: tuple[str, ...] = ()
    if isinstance(issuer, Unseen):
        unknown = f"which CA it is cannot be told here, since {issuer.why}"
    else:
        directory = look_at_directory(issuer.directory, issuer.ca_bundle)
        identities, unknown = directory.caa_identities, ""
        if directory.problem:
            unknown = f"the directory of {issuer.name}, which names it, {directory.problem} from here"
    hostname = facts.domain.hostname if facts.domain else facts.hostname
    return looks.look_at_caa(seeing, hostname, policy_of(identities, facts), unknown)


def _issuer(facts: Facts, config: Config) -> IssuerConfig | Unseen:
    """The issuer that is, or will be, asked."""
    ordered = (facts.status.get("order") or {}).get("issuer")
    wanted = facts.app.issuer if isinstance(facts.app, App) else None
    named = ordered or wanted
    found = config.issuer(str(named)) if named else next(iter(config.issuers), None)
    return found or Unseen(f"no issuer{f' {named}' if named else ''} is configured")


def _events(api: Api, domain: Domain) -> tuple[Event, ...]:
    """The last Events about a Domain; none where they may not be read."""
    listed = see(lambda: api.list("Event", domain.meta.namespace))
    about = [
        body
        for body in (() if isinstance(listed, Unseen) else listed)
        if (body.get("regarding") or {}).get("kind") == "Domain"
        and (body.get("regarding") or {}).get("name") == domain.meta.name
    ]
    found = [
        Event(_at(body), str(body.get("type") or ""), str(body.get("reason") or ""), str(body.get("note") or ""))
        for body in about
    ]
    return tuple(sorted(found, key=lambda event: event.at)[-_EVENTS:])


def _at(body: Mapping[str, Any]) -> str:
    series = body.get("series") or {}
    at = series.get("lastObservedTime") or body.get("deprecatedLastTimestamp") or body.get("eventTime")
    told = str(at or body["metadata"].get("creationTimestamp") or "")
    return format_time(parse_time(told)) if told else ""
