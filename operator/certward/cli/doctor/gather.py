"""Looks at every part of an installation, as far as this user may."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from certward.acme.directory import DirectoryLook, look_at_directory
from certward.cli import classes, defaults
from certward.cli.api import Api, Object
from certward.cli.context import Session, read
from certward.cli.doctor import of_ingress, of_operator, of_outside
from certward.cli.doctor.rights import NEEDS, Need, in_words
from certward.cli.findings import Finding, Unseen, broken, not_looked_at, ok
from certward.cli.seeing import CONFIG_MAP, configuration_text, is_file, list_any, see, without_files
from certward.config import Config, IssuerConfig, parse
from certward.errors import ConfigError
from certward.model.resources import App, Domain, parse_time
from certward.names import DEFAULTS_CONFIGMAP, GROUP, VERSION
from certward.plan.shards import lease_name

_PLURALS: Final = ("apps", "domains", "tlspolicies")
_ACCOUNT: Final = "certward"
_USER_ROLES: Final = ("certward-view", "certward-edit", "certward-admin")
_SYSTEM: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Check(NamedTuple):
    """One thing that was looked at, and what came of it."""

    name: str
    finding: Finding


def examine(session: Session, namespace: str) -> Iterator[Check]:
    """Look at one thing after the other.

    Args:
        session: as the user.
        namespace: the operator's.

    Raises:
        CliError: the cluster does not answer.
    """
    api = session.api
    asked_at = datetime.now(UTC)
    version = api.raw("GET", "/version") or {}
    at, date = _middle(asked_at), _date(api.date)
    now = datetime.now(UTC) + (date - at if date else timedelta())  # by the API server's clock, as the Lease goes
    yield Check(
        "Cluster", ok(f"{api.server} answers: Kubernetes {version.get('gitVersion', 'of an unknown version')}.")
    )
    yield Check("Definitions", of_operator.definitions(see(lambda: _definitions(api)), _served(api)))
    deployment = see(lambda: _of_operator(api, "deployments", namespace, "certward"))
    pods = see(lambda: _pods(api, namespace))
    text, config, problem = _configuration(api, namespace)
    shards = 1 if isinstance(config, Unseen) else config.shards
    yield Check("Lease", of_operator.leases(see(lambda: _leases(api, namespace, shards)), now))
    yield Check("Deployment", of_operator.deployment(deployment, pods, namespace))
    account = _account(deployment)
    yield Check(
        "Rights", of_operator.rights(_missing_rights(api, namespace, account), f"ServiceAccount {namespace}/{account}")
    )
    changed_at = _changed_at(api, namespace) if isinstance(text, str) else None
    dangers = () if isinstance(config, Unseen) else config.warnings()
    yield Check("Configuration", of_operator.configuration(text, problem, changed_at, _started_at(pods), dangers))
    yield Check("TLS floor", _floor(session, namespace))
    yield from _classes(session, config)
    yield from _issuers(config, text)
    yield Check("Clock", of_outside.clock("the API server", date, at))
    yield Check("Your rights", _user_roles(session))
    domains = see(lambda: api.list("Domain", ""))
    where = "in all namespaces"
    if isinstance(domains, Unseen):
        where = f"in namespace {session.namespace} (you may not look into others)"
        domains = see(lambda: api.list("Domain", session.namespace))
    if isinstance(domains, Unseen):
        yield Check("Domains", not_looked_at(f"Domains: {domains.why}."))
        return
    found = read(Domain, domains)
    yield Check("Domains", of_outside.domains(found, where))
    yield Check("Renewals", of_outside.overdue(found, now))


def _definitions(api: Api) -> dict[str, Object | None]:
    names = [f"{plural}.{GROUP}" for plural in _PLURALS]
    return {name: api.raw("GET", f"{_SYSTEM}/{name}") for name in names}


def _served(api: Api) -> list[str] | None:
    listed = api.raw("GET", f"/apis/{GROUP}/{VERSION}")
    return None if listed is None else [each["name"] for each in listed["resources"] if "/" not in each["name"]]


def _leases(api: Api, namespace: str, shards: int) -> dict[int, Object | None]:
    return {shard: api.get("Lease", namespace, lease_name(shard)) for shard in range(shards)}


def _of_operator(api: Api, plural: str, namespace: str, name: str) -> Object | None:
    return api.raw("GET", f"/apis/apps/v1/namespaces/{namespace}/{plural}/{name}")


def _pods(api: Api, namespace: str) -> list[Object]:
    listed = api.raw("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io/name%3Dcertward")
    return list((listed or {}).get("items") or ())


def _account(deployment: Object | Unseen | None) -> str:
    spec: Any = deployment.get("spec") if isinstance(deployment, dict) else {}
    return str(((spec.get("template") or {}).get("spec") or {}).get("serviceAccountName") or _ACCOUNT)


def _missing_rights(api: Api, namespace: str, account: str) -> list[str] | Unseen:
    """What the operator's account is not allowed, by SubjectAccessReviews, which take an administrator."""
    user = f"system:serviceaccount:{namespace}:{account}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    probing = see(lambda: _is_allowed(api, user, groups, NEEDS[0], "get", "apps", namespace))
    if isinstance(probing, Unseen):
        return probing
    paths = {need.api for need in NEEDS if need.api}
    with ThreadPoolExecutor(8) as pool:
        has = dict(zip(paths, pool.map(lambda path: api.raw("GET", path) is not None, paths), strict=True))
        asked = [
            (need, verb, resource)
            for need in NEEDS
            if not need.api or has[need.api]
            for resource in need.resources
            for verb in need.verbs
        ]
        allowed = pool.map(lambda each: _is_allowed(api, user, groups, each[0], each[1], each[2], namespace), asked)
        return [
            in_words(verb, resource, need.group)
            + (f" of {need.name}" if need.name else "")
            + (f" in namespace {namespace}" if need.is_own else "")
            for (need, verb, resource), is_allowed in zip(asked, allowed, strict=True)
            if not is_allowed
        ]


def _is_allowed(api: Api, user: str, groups: list[str], need: Need, verb: str, resource: str, namespace: str) -> bool:
    plural, _, sub = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": need.group,
        "resource": plural,
        "subresource": sub,
        "name": need.name,
        "namespace": namespace if need.is_own else "",
    }
    answer = api.raw(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": {k: v for k, v in attributes.items() if v}},
        },
    )
    return bool(((answer or {}).get("status") or {}).get("allowed"))


def _configuration(api: Api, namespace: str) -> tuple[str | Unseen, Config | Unseen, str]:
    """-> (the text, what it says, the mistakes in it)."""
    text = configuration_text(api, namespace)
    if isinstance(text, Unseen):
        return text, text, ""
    try:
        return text, parse(without_files(text), Path("/nonexistent")), ""
    except ConfigError as error:
        return text, Unseen("the configuration has mistakes"), str(error)


def _changed_at(api: Api, namespace: str) -> datetime | None:
    """When the ConfigMap was last written, by whoever manages its data."""
    body = api.get("ConfigMap", namespace, CONFIG_MAP) or {}
    times = [
        parse_time(entry["time"])
        for entry in (body.get("metadata") or {}).get("managedFields") or ()
        if "f:data" in (entry.get("fieldsV1") or {}) and entry.get("time")
    ]
    return max(times, default=None)


def _started_at(pods: Sequence[Object] | Unseen) -> datetime | None:
    """When the newest container of the operator started."""
    if isinstance(pods, Unseen):
        return None
    times = [
        parse_time(container["state"]["running"]["startedAt"])
        for pod in pods
        for container in (pod.get("status") or {}).get("containerStatuses") or ()
        if (container.get("state") or {}).get("running")
    ]
    return min(times, default=None)


def _floor(session: Session, namespace: str) -> Finding:
    known = defaults.read(session, namespace)
    unread = Unseen(f"ConfigMap {DEFAULTS_CONFIGMAP} in namespace {namespace} cannot be read")
    apps, where = see(lambda: session.api.list("App", "")), "in all namespaces"
    if isinstance(apps, Unseen):
        apps, where = see(lambda: session.api.list("App", session.namespace)), f"in namespace {session.namespace}"
    if isinstance(apps, Unseen):
        return not_looked_at(f"Apps: {apps.why}.")
    return of_operator.floor(known.rules if known.is_known else unread, read(App, apps), where)


def _classes(session: Session, config: Config | Unseen) -> Iterator[Check]:
    api = session.api
    configured = set() if isinstance(config, Unseen) else set(config.ingress.classes)
    there: set[str] = set()
    unseen: Unseen | None = None
    for kind in ("IngressClass", "GatewayClass"):
        listed = see(partial(list_any, api, kind))
        if isinstance(listed, Unseen):
            unseen = listed
        else:
            there |= {str(body["metadata"]["name"]) for body in listed or ()}
    default = config if isinstance(config, Unseen) else config.ingress.default_class
    used = _used_classes(session) | ({default} if isinstance(default, str) else set())
    dialects = set()
    for name in sorted(there | configured):
        found = classes.find(api, name, None if isinstance(config, Unseen) else config)
        if isinstance(found, classes.Class):
            if name in used or isinstance(default, Unseen):
                dialects.add(found.dialect.name)
            yield Check("Ingress class", of_ingress.engine(name, found.dialect.capabilities, is_used=name in used))
    if unseen and not (there | configured):
        yield Check("Ingress class", not_looked_at(f"Ingress classes: {unseen.why}."))
    elif not there | configured:
        yield Check("Ingress class", broken("There is no ingress class at all.", "Install an ingress controller."))
    else:
        yield Check("Default class", of_ingress.default_class(default, there | configured))
    if "traefik" in dialects:
        options = see(lambda: list_any(api, "TLSOption"))
        stores = see(lambda: api.raw("GET", "/apis/traefik.io/v1alpha1/tlsstores"))
        items = stores if isinstance(stores, Unseen) else list((stores or {}).get("items") or ())
        yield Check("Strict default", of_ingress.strict_default(options, items))


def _used_classes(session: Session) -> set[str]:
    listed = see(lambda: session.api.list("App", ""))
    apps = read(App, () if isinstance(listed, Unseen) else listed)
    return {app.ingress_class for app in apps if app.ingress_class}


def _issuers(config: Config | Unseen, text: str | Unseen) -> Iterator[Check]:
    if isinstance(config, Unseen):
        yield Check("CA", not_looked_at(f"Which CAs are asked: {config.why}."))
        return
    if not config.issuers:
        yield Check("CA", ok("No issuer is configured; only manual certificates are served."))
    unknown = _with_files(text)
    for issuer in config.issuers:
        look, at = _look(issuer, is_unknown=issuer.name in unknown)
        yield Check("CA", of_outside.directory(issuer.name, look))
        if isinstance(look, DirectoryLook) and look.date:
            yield Check("Clock", of_outside.clock(f"issuer {issuer.name}", look.date, at))


def _look(issuer: IssuerConfig, *, is_unknown: bool) -> tuple[DirectoryLook | Unseen, datetime]:
    asked_at = datetime.now(UTC)
    if is_unknown:
        return Unseen("its roots (caBundle) are in a file of the operator's pod"), asked_at
    return look_at_directory(issuer.directory, issuer.ca_bundle), _middle(asked_at)


def _with_files(text: str | Unseen) -> set[str]:
    """The issuers whose roots are in files."""
    raw: Any = {} if isinstance(text, Unseen) else yaml.safe_load(text)
    return {each["name"] for each in raw.get("issuers") or () if is_file(each.get("caBundle"))}


def _user_roles(session: Session) -> Finding:
    api, namespace = session.api, session.namespace

    def missing() -> list[str]:
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        return [name for name in _USER_ROLES if api.raw("GET", f"{path}/{name}") is None]

    may = {
        "read Domains": api.may("list", "domains", namespace, group=GROUP),
        "change Apps and Domains": api.may("create", "domains", namespace, group=GROUP),
        "change TLSPolicies": api.may("create", "tlspolicies", namespace, group=GROUP),
        "read certificates (Secrets)": api.may("get", "secrets", namespace),
    }
    return of_outside.user_roles(see(missing), may, namespace)


def _middle(asked_at: datetime) -> datetime:
    """When the answer that has just come was made, about."""
    return asked_at + (datetime.now(UTC) - asked_at) / 2


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
