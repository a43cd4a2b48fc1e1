"""Which Services answer for which hosts: read from Ingresses, and put together as an App can have them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from certward.cli.importing import annotations as asked
from certward.cli.importing.findings import Body, Note, Ref, lost, ref_of, risky, stops, told
from certward.model import hostnames
from certward.names import CHALLENGE_PATH, LABEL_MANAGED_BY, MANAGED_BY

_CLASS = "kubernetes.io/ingress.class"
_SOLVER = "acme.cert-manager.io/http01-solver"
_PLAIN = re.compile(r"(/[A-Za-z0-9._~!$&',;=:@%-]+)*/?")
KEEP = "Leave the host with cert-manager and its own route."
LOSS = "If that is all right, run again with --with-loss; else leave the host with cert-manager and its own route."


class Backend(NamedTuple):
    """A Service and one of its ports, by number or by name."""

    service: str
    port: int | str


class Path(NamedTuple):
    """A path and where it leads. `is_exact`: this path only, and nothing below it."""

    path: str
    backend: Backend
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What one object says of one host.

    Attributes:
        host: lower case.
        source: the Ingress or HTTPRoute.
        class_name: its class; empty for the cluster's default.
        paths: where requests lead.
        ranges: where clients may connect from; None: anywhere.
        redirect: whether plain HTTP is redirected; None: as the controller does it by itself.
        secret_name: with which it is served over HTTPS; empty where it is not.
        secret_namespace: where that Secret is.
        gateway: whose listener it is for; None for Ingresses.
        notes: what of it has no counterpart.
    """

    host: str
    source: Ref
    class_name: str
    paths: tuple[Path, ...]
    ranges: tuple[str, ...] | None = None
    redirect: bool | None = None
    secret_name: str = ""
    secret_namespace: str = ""
    gateway: Ref | None = None
    notes: tuple[Note, ...] = ()


def is_left_alone(body: Body) -> bool:
    """Whether a route is Certward's own, or one that cert-manager makes for a challenge."""
    labels = (body.get("metadata") or {}).get("labels") or {}
    return labels.get(LABEL_MANAGED_BY) == MANAGED_BY or _SOLVER in labels


def has_default(body: Body) -> bool:
    """Whether an Ingress answers for all hosts that no other one names."""
    spec = body.get("spec") or {}
    return bool(spec.get("defaultBackend")) or any(not rule.get("host") for rule in spec.get("rules") or ())


def secrets_by_host(body: Body) -> dict[str, str]:
    """The Secrets that an Ingress serves its hosts with; the first entry for a host counts.

    An entry without hosts is for all hosts of the Ingress that have none of their own.
    """
    spec = body.get("spec") or {}
    entries = list(spec.get("tls") or ())
    everybody = [rule.get("host") for rule in spec.get("rules") or () if rule.get("host")]
    found: dict[str, str] = {}
    for entry in sorted(entries, key=lambda one: not one.get("hosts")):
        for host in entry.get("hosts") or everybody:
            found.setdefault(str(host).lower(), str(entry.get("secretName") or ""))
    return found


def of_ingress(body: Body) -> tuple[list[Rule], list[Note]]:
    """The rules of an Ingress, and what is to be said of it as a whole."""
    ref, spec = ref_of(body), body.get("spec") or {}
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    class_name = str(spec.get("ingressClassName") or annotations.get(_CLASS) or "")
    wants = asked.read(annotations)
    secrets = secrets_by_host(body)
    notes: list[Note] = []
    if spec.get("defaultBackend"):
        notes.append(
            lost("defaultBackend: an App answers for hostnames, not for all others.", "Keep an Ingress for it.")
        )
    found: dict[str, tuple[list[Path], list[Note]]] = {}
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or "").lower()
        if not host:
            notes.append(
                lost("A rule without a host: an App answers for hostnames.", "Keep an Ingress for it, without TLS.")
            )
            continue
        paths, own = found.setdefault(host, ([], list(wants.notes)))
        for entry in (rule.get("http") or {}).get("paths") or ():
            _take(entry, host, paths, own)
    rules = [
        Rule(
            host,
            ref,
            class_name,
            tuple(paths),
            wants.ranges,
            wants.redirect,
            secret_name := secrets.get(host) or _by_wildcard(host, secrets),
            ref.namespace if secret_name else "",
            notes=tuple(own),
        )
        for host, (paths, own) in found.items()
    ]
    idle = [host for host in sorted(secrets) if not any(hostnames.covers(host, other) for other in found)]
    notes += [lost(f"{host} has a certificate and no rule.", "No request for it reaches an app.") for host in idle]
    return rules, notes


def _by_wildcard(host: str, secrets: Mapping[str, str]) -> str:
    return next((secret for name, secret in secrets.items() if hostnames.covers(name, host)), "")


def _take(entry: Body, host: str, paths: list[Path], notes: list[Note]) -> None:
    path, kind = str(entry.get("path") or "/"), str(entry.get("pathType") or "ImplementationSpecific")
    service = (entry.get("backend") or {}).get("service")
    if path.startswith(CHALLENGE_PATH.rstrip("/")):
        notes.append(told("The path of challenges is not taken over; Certward routes it by itself."))
        return
    if not isinstance(service, Mapping):
        notes.append(stops(f"{host}{path} leads to something that is no Service.", KEEP, host))
        return
    port = service.get("port") or {}
    if kind == "ImplementationSpecific":
        path = path.removesuffix("*")
    add(path, Backend(str(service.get("name")), port.get("number") or port.get("name") or 0), host, paths, notes)
    if kind == "Exact" and paths and paths[-1].path == _normal(path):
        paths[-1] = paths[-1]._replace(is_exact=True)


def add(path: str, backend: Backend, host: str, paths: list[Path], notes: list[Note]) -> None:
    """Add a path prefix to those of a host, or say why it cannot be one."""
    path = path or "/"
    if not path.startswith("/") or not _PLAIN.fullmatch(path):
        notes.append(stops(f"{host}{path}: an App's paths are prefixes, not patterns.", KEEP, host))
    elif not backend.port:
        notes.append(stops(f"{host}{path}: no port of the Service is named.", KEEP, host))
    else:
        paths.append(Path(_normal(path), backend))


def _normal(path: str) -> str:
    return path.rstrip("/") or "/"


def merged(all_paths: Iterable[Path], host: str) -> tuple[tuple[Path, ...], list[Note]]:
    """The paths of a host, from all its routes, as an App can have them: prefixes, "/" among them."""
    by_path: dict[tuple[str, bool], Backend] = {}
    notes: list[Note] = []
    for path in all_paths:
        first = by_path.setdefault((path.path, path.is_exact), path.backend)
        if first != path.backend:
            notes.append(
                risky(
                    f"{host}{path.path} leads to two Services, {first.service} and {path.backend.service}.", LOSS, host
                )
            )
    prefixes = {path: backend for (path, is_exact), backend in by_path.items() if not is_exact}
    for one, backend in sorted((path, backend) for (path, is_exact), backend in by_path.items() if is_exact):
        if _leads_to(prefixes, one) == backend:
            continue
        if one in prefixes:
            notes.append(risky(f"{host}{one} itself leads elsewhere than what is below it.", LOSS, host))
            continue
        words = "is exact; an App's paths are prefixes, so that it would take what is below as well."
        notes.append(risky(f"{host}{one} {words}", LOSS, host))
        prefixes[one] = backend
    if prefixes and "/" not in prefixes:
        shortest = min(prefixes, key=lambda path: (len(path), path))
        notes.append(
            risky(
                f"{host}: only {', '.join(sorted(prefixes))} is routed; an App answers for the whole host, so that the "
                f"rest would reach Service {prefixes[shortest].service}.",
                LOSS,
                host,
            )
        )
        prefixes["/"] = prefixes[shortest]
    return tuple(Path(path, backend) for path, backend in sorted(prefixes.items())), notes


def _leads_to(prefixes: Mapping[str, Backend], path: str) -> Backend | None:
    fitting = [one for one in prefixes if one in ("/", path) or path.startswith(f"{one}/")]
    return prefixes[max(fitting, key=len)] if fitting else None
