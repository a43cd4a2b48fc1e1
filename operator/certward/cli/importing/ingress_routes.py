"""Which Services answer for which hosts: read from Traefik's IngressRoutes, as far as they are simple."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from certward.cli.importing.findings import Body, Note, lost, ref_of, risky, stops
from certward.cli.importing.rules import KEEP, LOSS, Backend, Path, Rule, add

_HOSTS = re.compile(r"Host\(([^()]*)\)")
_PATH = re.compile(r"(PathPrefix|Path)\(\s*[`\"]([^`\"]*)[`\"]\s*\)")
_QUOTED = re.compile(r"[`\"]([^`\"]*)[`\"]")
_SEPARATORS = re.compile(r"[\s()|]*")


def of_ingress_route(body: Body, class_name: str) -> list[Rule]:
    """The rules of an IngressRoute that serves its hosts with a Secret; none for others.

    Args:
        body: the IngressRoute.
        class_name: the IngressClass of Traefik, which an IngressRoute does not name.
    """
    ref, spec = ref_of(body), body.get("spec") or {}
    tls = spec.get("tls") or {}
    if not tls.get("secretName"):
        return []
    entries: Sequence[Any] = spec.get("entryPoints") or ("web", "websecure")
    found: dict[str, tuple[list[Path], list[Note]]] = {}
    for route in spec.get("routes") or ():
        for host in dict.fromkeys(_hosts_of(str(route.get("match") or ""))):
            paths, notes = found.setdefault(host, ([], []))
            _take(route, host, ref.namespace, paths, notes)
            if tls.get("options"):
                notes.append(
                    lost(
                        "tls.options: the TLS that an App is served with is a profile.",
                        "Choose one by a TLSPolicy: kubectl certward tls set PROFILE -a APP.",
                    )
                )
    return [
        Rule(
            host,
            ref,
            class_name,
            tuple(paths),
            redirect="web" not in entries,
            secret_name=str(tls["secretName"]),
            secret_namespace=ref.namespace,
            notes=tuple(notes),
        )
        for host, (paths, notes) in found.items()
    ]


def _hosts_of(match: str) -> Iterator[str]:
    for arguments in _HOSTS.findall(match):
        yield from (host.lower() for host in _QUOTED.findall(arguments))


def _take(route: Body, host: str, namespace: str, paths: list[Path], notes: list[Note]) -> None:
    match = str(route.get("match") or "")
    terms = [term.strip() for term in match.split("&&")]
    where = [found for term in terms if (found := _PATH.fullmatch(term))]
    of_hosts = [term for term in terms if _SEPARATORS.fullmatch(_HOSTS.sub("", term))]
    if len(where) > 1 or len(where) + len(of_hosts) != len(terms) or len(of_hosts) != 1:
        notes.append(stops(f"{host}: the rule {match} looks at more than host and path.", KEEP, host))
        return
    if route.get("middlewares"):
        names = ", ".join(str(one.get("name")) for one in route["middlewares"])
        notes.append(risky(f"{host}: Certward writes middlewares of its own only, not {names}.", LOSS, host))
    services: Sequence[Any] = route.get("services") or ()
    if len(services) != 1:
        notes.append(
            stops(f"{host}: a rule leads to {len(services)} Services; an App's path leads to one.", KEEP, host)
        )
        return
    service = services[0]
    is_plain = service.get("kind", "Service") == "Service" and service.get("namespace", namespace) == namespace
    if not is_plain or service.get("scheme", "http") != "http" or service.get("serversTransport"):
        notes.append(
            stops(f"{host}: it leads to something that is no plain Service of namespace {namespace}.", KEEP, host)
        )
        return
    kind, path = (where[0][1], where[0][2]) if where else ("PathPrefix", "/")
    before = len(paths)
    add(path, Backend(str(service.get("name")), service.get("port") or 0), host, paths, notes)
    if kind == "Path" and len(paths) > before:
        paths[-1] = paths[-1]._replace(is_exact=True)
