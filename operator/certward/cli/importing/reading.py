"""What the objects say before anything is decided: what is asked for, and which hosts are routed where."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from certward.cli.importing import certificates, gateways, ingress_routes, rules
from certward.cli.importing.certificates import Wish
from certward.cli.importing.findings import Body, Note, Ref, Sources, lost, ref_of
from certward.cli.importing.gateways import Listener
from certward.cli.importing.rules import Rule

#: A Secret, by namespace and name.
SecretKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the objects say before anything is decided.

    Attributes:
        wishes: what is asked for, by the Secret that it is for.
        rules: all rules, by namespace and host.
        notes: of whole objects.
        routes: the Ingresses and HTTPRoutes that were read, and the annotated Gateways.
        with_default: Ingresses that answer for all other hosts, too.
    """

    wishes: Mapping[SecretKey, Wish]
    rules: Mapping[tuple[str, str], Sequence[Rule]]
    notes: Mapping[Ref, Sequence[Note]]
    routes: tuple[Ref, ...]
    with_default: frozenset[Ref] = frozenset()

    def secrets_named(self, namespace: str) -> set[str]:
        """The Secrets that objects of a namespace name."""
        of_wishes = {name for space, name in self.wishes if space == namespace}
        return of_wishes | {
            r.secret_name for (space, _), some in self.rules.items() if space == namespace for r in some
        }


def read(sources: Sources, default_issuer: str) -> Reading:
    """Read wishes and rules out of the objects."""
    wanted = map(certificates.of_certificate, sources.of("Certificate"))
    wishes = {(wish.source.namespace, wish.secret_name): wish for wish in wanted}
    found: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    notes: dict[Ref, list[Note]] = {}
    routes: list[Ref] = []
    for body in sources.of("Ingress"):
        if rules.is_left_alone(body):
            continue
        ref = ref_of(body)
        its, whole = rules.of_ingress(body)
        notes[ref] = whole + _annotated(body, rules.secrets_by_host(body).items(), wishes, default_issuer)
        routes.append(ref)
        for rule in its:
            found[ref.namespace, rule.host].append(rule)
    listeners: list[Listener] = []
    for body in sources.of("Gateway"):
        if certificates.is_annotated(_annotations(body)) and not rules.is_left_alone(body):
            own = list(gateways.listeners_of(body))
            pairs = [(one.hostname, one.secret_name) for one in own]
            notes[ref_of(body)] = _annotated(body, pairs, wishes, default_issuer)
            routes.append(ref_of(body))
            listeners += own
    for rule in _further_rules(sources, listeners):
        routes.append(rule.source)
        found[rule.source.namespace, rule.host].append(rule)
    defaults = frozenset(ref_of(body) for body in sources.of("Ingress") if rules.has_default(body))
    return Reading(wishes, found, notes, tuple(dict.fromkeys(routes)), defaults)


def _further_rules(sources: Sources, listeners: Sequence[Listener]) -> Iterator[Rule]:
    """The rules of routes that cert-manager makes no Certificates for by itself."""
    for body in sources.of("HTTPRoute"):
        if not rules.is_left_alone(body):
            yield from gateways.of_http_route(body, listeners)
    class_name = _class_of_traefik(sources)
    for body in sources.of("IngressRoute"):
        yield from ingress_routes.of_ingress_route(body, class_name)


def _class_of_traefik(sources: Sources) -> str:
    """The class whose controller is Traefik; empty, which is the operator's default, where that is not one."""
    classes = sources.of("IngressClass")
    mine = [one for one in classes if str((one.get("spec") or {}).get("controller") or "").startswith("traefik.io/")]
    return str(mine[0]["metadata"]["name"]) if len(mine) == 1 else ""


def _annotations(body: Body) -> Mapping[str, str]:
    return (body.get("metadata") or {}).get("annotations") or {}


def _annotated(
    body: Body, pairs: Iterable[tuple[str, str]], wishes: dict[SecretKey, Wish], default_issuer: str
) -> list[Note]:
    """Add what cert-manager makes of an annotated object, where that is not there as a Certificate.

    Args:
        body: the Ingress or Gateway.
        pairs: its hosts and the Secrets that they are served with.
        wishes: to which it is added.
        default_issuer: of objects that name none.
    """
    ref, annotations = ref_of(body), _annotations(body)
    if not certificates.is_annotated(annotations):
        return []
    hosts_of: dict[str, list[str]] = defaultdict(list)
    for host, secret in pairs:
        hosts_of[secret].append(host)
    issuer = certificates.issuer_of(annotations, ref.namespace, default_issuer)
    made = []
    for secret, hosts in hosts_of.items():
        if not secret:
            continue
        wish = wishes.setdefault(
            (ref.namespace, secret),
            replace(certificates.of_annotations(ref, annotations, secret, hosts), issuer=issuer),
        )
        made += list(wish.notes) if wish.source == ref else []
    if issuer is None and any(wishes[ref.namespace, secret].source == ref for secret in hosts_of if secret):
        made.append(
            lost(
                "kubernetes.io/tls-acme names no issuer; which one it means is an option of cert-manager's.",
                "Run again with --default-issuer NAME, so that the App names it.",
            )
        )
    return made


def to_look_at(sources: Sources, default_issuer: str) -> tuple[set[SecretKey], set[tuple[str, str]]]:
    """The Secrets that are to be adopted, and the hosts for whose Domains names are to be found.

    Returns:
        Secrets by namespace and name; hosts by namespace and hostname.
    """
    reading = read(sources, default_issuer)
    secrets, found = set(), set()
    for (namespace, hostname), some in reading.rules.items():
        used = {(rule.secret_namespace, rule.secret_name) for rule in some} & set(reading.wishes)
        if used:
            secrets |= used
            found.add((namespace, hostname))
    return secrets, found
