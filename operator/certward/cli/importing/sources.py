"""Reading: from the cluster with the user's rights, or from files without any cluster."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from certward.cli.api import Api, Object
from certward.cli.context import Session
from certward.cli.errors import CliError, Exit, not_found, usage
from certward.cli.importing import configuration, issuers, names, reading
from certward.cli.importing.findings import Body, SecretFound, Sources
from certward.cli.importing.kept import CONFIG_MAP, OperatorConfiguration
from certward.names import LABEL_DOMAIN, LABEL_MANAGED_BY, MANAGED_BY

#: Kinds that are read, with the groups that they may have.
_GROUPS = {
    "Certificate": ("cert-manager.io",),
    "Issuer": ("cert-manager.io",),
    "ClusterIssuer": ("cert-manager.io",),
    "Ingress": ("networking.k8s.io", "extensions"),
    "IngressClass": ("networking.k8s.io",),
    "Gateway": ("gateway.networking.k8s.io",),
    "HTTPRoute": ("gateway.networking.k8s.io",),
    "IngressRoute": ("traefik.io", "traefik.containo.us"),
    "IngressRouteTCP": ("traefik.io", "traefik.containo.us"),
    "HTTPProxy": ("projectcontour.io",),
    "App": ("certward.dev",),
    "Domain": ("certward.dev",),
    "Secret": ("",),
}
_CLUSTER_WIDE = ("ClusterIssuer", "IngressClass")
#: Without these there is nothing to do; the others may be left out where the user has no right to them.
_NEEDED = ("Certificate", "Ingress")
_SUFFIXES = (".yaml", ".yml", ".json")


def from_files(paths: Sequence[Path], namespace: str) -> Sources:
    """Read manifests.

    Args:
        paths: files, folders with .yaml, .yml and .json files at any depth, or "-" for the standard input.
        namespace: of objects that name none.

    Raises:
        CliError: something cannot be read.
    """
    found: dict[str, list[Body]] = defaultdict(list)
    for document in _documents(paths):
        kind, group = str(document.get("kind")), _group(document)
        if group in _GROUPS.get(kind, ()):
            found[kind].append(_placed(document, namespace))
    secrets = {(one["metadata"]["namespace"], one["metadata"]["name"]): _found(one) for one in found.pop("Secret", [])}
    return Sources(objects=found, apps=found.pop("App", []), domains=found.pop("Domain", []), secrets=secrets)


def from_cluster(session: Session, operator_namespace: str, default_issuer: str) -> Sources:
    """Read the cluster: cert-manager's objects and routes in scope, and what Certward has already."""
    api, unread = session.api, []
    groups = {str(one.get("name")) for one in (api.raw("GET", "/apis") or {}).get("groups") or ()}
    if "cert-manager.io" not in groups:
        raise not_found(
            "This cluster knows no Certificates: cert-manager is not installed there. To read manifests instead, name "
            "them by -f."
        )
    objects: dict[str, list[Object]] = {}
    for kind, known in _GROUPS.items():
        if kind in ("Secret", "App", "Domain") or known[0] not in groups:
            continue
        try:
            objects[kind] = api.list(kind, "" if kind in _CLUSTER_WIDE else session.scope)
        except CliError as error:
            if error.code is Exit.NO_RIGHTS and kind not in _NEEDED:
                unread.append(f"{kind}s were not read: {error.message}")
            elif error.code is not Exit.NO_CLUSTER or kind in _NEEDED:
                raise
    found = Sources(objects=objects, unread=tuple(unread))
    if session.scope:
        # Those of the whole cluster matter to one namespace only where it uses them.
        used = {wish.issuer for wish in reading.read(found, default_issuer).wishes.values()}
        objects["ClusterIssuer"] = [one for one in objects.get("ClusterIssuer", ()) if issuers.key_of(one) in used]
    return with_cluster(session, found, operator_namespace, default_issuer)


def with_cluster(session: Session, sources: Sources, operator_namespace: str, default_issuer: str) -> Sources:
    """Sources with what the cluster has of Certward's, and the Secrets that matter."""
    api, unread = session.api, list(sources.unread)
    config = operator_configuration(api, operator_namespace)
    if config.trouble and (sources.objects.get("Issuer") or sources.objects.get("ClusterIssuer")):
        unread.append(config.trouble)
    apps, domains = _ours(session, unread)
    return Sources(
        objects=sources.objects,
        apps=apps,
        domains=domains,
        secrets=_secrets(api, sources, default_issuer, unread),
        issuers=configuration.issuers_of(config.text),
        claims=configuration.claims_of(config.text),
        keeper=config.keeper,
        unread=tuple(unread),
    )


def operator_configuration(api: Api, operator_namespace: str) -> OperatorConfiguration:
    """Read the operator's configuration."""
    try:
        found = api.get("ConfigMap", operator_namespace, CONFIG_MAP)
    except CliError as error:
        if error.code is not Exit.NO_RIGHTS:
            raise
        return OperatorConfiguration({}, f"The operator's configuration was not read: {error.message}")
    if found is None:
        where = f"ConfigMap {CONFIG_MAP} in namespace {operator_namespace}"
        trouble = f"The operator's configuration was not found ({where}); see --operator-namespace."
        return OperatorConfiguration({}, trouble)
    return OperatorConfiguration(found)


def _ours(session: Session, unread: list[str]) -> tuple[list[Object], list[Object]]:
    """Apps in scope, and Domains of all namespaces, since a hostname belongs to one in the whole cluster."""
    api = session.api
    try:
        apps = api.list("App", session.scope)
        try:
            return apps, api.list("Domain")
        except CliError as error:
            if error.code is not Exit.NO_RIGHTS:
                raise
            unread.append("Domains of other namespaces were not read: whether hostnames are taken there is not known.")
            return apps, api.list("Domain", session.scope)
    except CliError as error:
        if error.code is not Exit.NO_CLUSTER:
            raise
        unread.append(
            "Certward's definitions (CRDs) are not in this cluster yet; install it before you apply anything."
        )
        return [], []


def _secrets(
    api: Api, sources: Sources, default_issuer: str, unread: list[str]
) -> dict[tuple[str, str], SecretFound | None]:
    """Look at the Secrets that are to be adopted, and at names that Domains could need until one is free."""
    found: dict[tuple[str, str], SecretFound | None] = {}
    refused: set[str] = set()

    def look(namespace: str, name: str) -> SecretFound | None:
        if namespace in refused:
            return None
        if (namespace, name) not in found:
            try:
                secret = api.get("Secret", namespace, name)
            except CliError as error:
                if error.code is not Exit.NO_RIGHTS:
                    raise
                refused.add(namespace)
                unread.append(f"Secrets of namespace {namespace} were not looked at: {error.message}")
                return None
            found[namespace, name] = _found(secret) if secret else None
        return found[namespace, name]

    adopted, hostnames = reading.to_look_at(sources, default_issuer)
    for namespace, name in sorted(adopted):
        look(namespace, name)
    for namespace, hostname in sorted(hostnames):
        for candidate in names.candidates(hostname):
            if all(look(namespace, secret) is None for secret in names.secrets_of(candidate)):
                break
    return found


def _found(secret: Body) -> SecretFound:
    """What is worth knowing of a Secret; the key goes no further than this."""
    from certward.cli.pem import read_secret

    meta = secret.get("metadata") or {}
    labels = meta.get("labels") or {}
    owner = next((one["name"] for one in meta.get("ownerReferences") or () if one.get("kind") == "Certificate"), "")
    domain = labels.get(LABEL_DOMAIN, "") if labels.get(LABEL_MANAGED_BY) == MANAGED_BY else ""
    if secret.get("type") != "kubernetes.io/tls":
        kind = secret.get("type") or "Opaque"
        return SecretFound(None, f"Its type is {kind} and has to be kubernetes.io/tls.", owner, domain)
    kept = read_secret(dict(secret), datetime.now(UTC))
    return SecretFound(kept.facts, kept.problem, owner, domain)


def _documents(paths: Iterable[Path]) -> Iterator[Object]:
    for path in paths:
        if str(path) == "-":
            yield from _parsed(sys.stdin.read(), "the standard input")
        elif path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
            if not files:
                raise usage(f"There is no .yaml, .yml or .json file in {path}.")
            for file in files:
                yield from _parsed(_text(file), str(file))
        else:
            yield from _parsed(_text(path), str(path))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise usage(f"{file} cannot be read: {why}.") from None


def _parsed(text: str, where: str) -> Iterator[Object]:
    try:
        documents: list[Any] = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}" if mark else ""
        hint = " It looks like a template: render it first (helm template)." if "{{" in text else ""
        raise usage(f"{where} is no YAML{at}.{hint}") from None
    for document in documents:
        if isinstance(document, dict):
            yield from _flat(document)


def _flat(document: Object) -> Iterator[Object]:
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            if isinstance(item, dict):
                yield from _flat(item)
    elif isinstance(document.get("metadata"), dict) and document["metadata"].get("name"):
        yield document


def _group(document: Object) -> str:
    version = str(document.get("apiVersion") or "")
    return version.rpartition("/")[0]


def _placed(document: Object, namespace: str) -> Object:
    """The object with a namespace, and with nothing in it that is no plain data."""
    plain: Object = json.loads(json.dumps(document, default=str))
    if plain["kind"] in _CLUSTER_WIDE:
        plain["metadata"].pop("namespace", None)
    else:
        plain["metadata"].setdefault("namespace", namespace)
    return plain
