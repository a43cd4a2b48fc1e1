"""Which Services answer for which hosts: read from HTTPRoutes at annotated Gateways."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from certward.cli.importing.findings import Body, Note, Ref, ref_of, risky, stops, told
from certward.cli.importing.rules import KEEP, LOSS, Backend, Path, Rule, add
from certward.model import hostnames


class Listener(NamedTuple):
    """An HTTPS listener of a Gateway with one hostname and one Secret."""

    gateway: Ref
    name: str
    class_name: str
    hostname: str
    secret_name: str


def listeners_of(body: Body) -> Iterator[Listener]:
    """The HTTPS listeners of a Gateway for which cert-manager makes Certificates."""
    ref, spec = ref_of(body), body.get("spec") or {}
    for one in spec.get("listeners") or ():
        tls = one.get("tls") or {}
        refs = tls.get("certificateRefs") or ()
        if one.get("hostname") and refs and tls.get("mode", "Terminate") == "Terminate":
            yield Listener(
                ref,
                str(one.get("name") or ""),
                str(spec.get("gatewayClassName") or ""),
                str(one["hostname"]).lower(),
                str(refs[0].get("name") or ""),
            )


def of_http_route(body: Body, listeners: Sequence[Listener]) -> list[Rule]:
    """The rules of an HTTPRoute for hosts of these listeners."""
    ref, spec = ref_of(body), body.get("spec") or {}
    mine = [one for one in listeners if _is_parent(one, ref, spec.get("parentRefs") or ())]
    names = [str(name).lower() for name in spec.get("hostnames") or ()]
    rules = []
    for listener in mine:
        for host in names or [listener.hostname]:
            if not hostnames.covers(listener.hostname, host):
                continue
            paths: list[Path] = []
            notes: list[Note] = []
            for rule in spec.get("rules") or ():
                _take_rule(rule, host, ref.namespace, paths, notes)
            if ref.namespace != listener.gateway.namespace:
                notes.append(told(f"The certificate is in namespace {listener.gateway.namespace}, at the Gateway."))
            rules.append(
                Rule(
                    host,
                    ref,
                    listener.class_name,
                    tuple(paths),
                    secret_name=listener.secret_name,
                    secret_namespace=listener.gateway.namespace,
                    gateway=listener.gateway,
                    notes=tuple(notes),
                )
            )
    return rules


def _is_parent(listener: Listener, route: Ref, parents: Iterable[Body]) -> bool:
    return any(
        parent.get("kind", "Gateway") == "Gateway"
        and parent.get("name") == listener.gateway.name
        and parent.get("namespace", route.namespace) == listener.gateway.namespace
        and parent.get("sectionName", listener.name) == listener.name
        for parent in parents
    )


def _take_rule(rule: Body, host: str, namespace: str, paths: list[Path], notes: list[Note]) -> None:
    backends: Sequence[Any] = rule.get("backendRefs") or ()
    filters = [str(one.get("type")) for one in rule.get("filters") or ()]
    if filters == ["RequestRedirect"] and not backends:
        notes.append(told("A redirect: Apps redirect plain HTTP to HTTPS unless spec.httpsRedirect is false."))
        return
    if filters:
        notes.append(risky(f"{host}: filters {', '.join(filters)} of an HTTPRoute cannot be carried over.", LOSS, host))
    if len(backends) != 1:
        notes.append(
            stops(f"{host}: a rule leads to {len(backends)} backends; an App's path leads to one.", KEEP, host)
        )
        return
    backend = backends[0]
    if backend.get("kind", "Service") != "Service" or backend.get("namespace", namespace) != namespace:
        notes.append(stops(f"{host}: a backend is no Service of namespace {namespace}.", KEEP, host))
        return
    matches: Sequence[Body] = rule.get("matches") or ({},)
    for match in matches:
        path = match.get("path") or {}
        if set(match) - {"path"}:
            notes.append(stops(f"{host}: a rule looks at more than the path.", KEEP, host))
            continue
        if path.get("type") == "RegularExpression":
            notes.append(stops(f"{host}{path.get('value')}: an App's paths are prefixes, not patterns.", KEEP, host))
            continue
        to = Backend(str(backend.get("name")), backend.get("port") or 0)
        add(str(path.get("value") or "/"), to, host, paths, notes)
        if path.get("type") == "Exact" and paths:
            paths[-1] = paths[-1]._replace(is_exact=True)
