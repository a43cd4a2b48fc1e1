"""Whatever is wrong with what was rendered for a host of hostile tenants, in words; nothing is where all is well."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE
from certward.render.dialects import Host, ObjectRef
from certward.render.manifests import Manifest
from certward.render.registry import DIALECTS
from property.admission import is_label_value, is_name
from property.annotations import ANNOTATIONS, SECRET_ANNOTATIONS
from property.fields import FIELDS, leaves
from property.names import backends, digest, traefik_names
from property.tenants import Told

_MARK = "certward.dev/rendered"
_MANAGED = {"app.kubernetes.io/managed-by": "certward"}
_META = {"name", "namespace", "labels", "annotations", "ownerReferences"}
#: What ends a word, a string, a line or a block in the languages of the controllers, or is not what it looks like.
_BREAKS = frozenset('"`\\{}<>#|^[] ')
#: Fields that controllers paste into rules, maps and configurations.
_PASTED = (
    *(".host", ".hosts[]", ".hostname", ".hostnames[]", ".fqdn", ".name", ".secretName"),
    *(".path", ".path.value", ".prefix", "conditions[].exact"),
)
_CHAINS = ("http", "redirect", "https", "ranges", "hsts")


def violations(told: Told) -> list[str]:
    """What is wrong with the objects of one host."""
    found = []
    for number, manifest in enumerate(told.manifests):
        is_shared = number < told.shared
        at = f"{told.dialect.name}: {manifest['kind']} {manifest['metadata'].get('name')}"
        found += [f"{at}: {words}" for words in _of_manifest(told, manifest, is_shared=is_shared)]
    refs = set(told.dialect.all_of(told.host.domain))
    found += [f"{told.dialect.name}: takes {ref} away" for ref in told.rendered.unwanted if ref not in refs]
    return found + _unled(told)


def collisions(one: Told, other: Told) -> list[str]:
    """Objects that two different hosts would write over each other, in the cluster or in Traefik."""
    found = []
    theirs = {_ref(each): each for each in other.manifests}
    for number, manifest in enumerate(one.manifests):
        rival = theirs.get(_ref(manifest))
        if rival is not None and (number >= one.shared or rival != manifest):
            found.append(f"both write {_ref(manifest)}")
    mine, its = ({ref for each in DIALECTS.values() for ref in each.all_of(told.host.domain)} for told in (one, other))
    found += [f"both take {ref} for their own" for ref in sorted(mine & its)]
    if one.dialect.joins_backends and one.host.app.meta.namespace != other.host.app.meta.namespace:
        found += [f"both lead to {name}" for name in sorted(backends(one.host) & backends(other.host))]
    if one.dialect.name == other.dialect.name == "traefik":
        found += [f"Traefik has one {name} for both" for name in sorted(_traefik(one) & _traefik(other))]
    return found


def _traefik(told: Told) -> set[tuple[str, str]]:
    """But for what is an object of both."""
    own = [each for number, each in enumerate(told.manifests) if number >= told.shared]
    return {name for each in own for name in traefik_names(each)}


def _of_manifest(told: Told, manifest: Manifest, *, is_shared: bool) -> Iterator[str]:
    host, meta = told.host, manifest["metadata"]
    if meta.get("namespace") != host.domain.meta.namespace:
        yield f"is in namespace {meta.get('namespace')}"
    if not is_name(meta["name"]) or _ref(manifest) not in _refs(told):
        yield "has a name that is not this host's"
    if extra := set(meta) - _META:
        yield f"has {extra} in its metadata"
    if meta["labels"] != _labels(host, manifest, is_shared=is_shared):
        yield f"has labels {meta['labels']}"
    if not all(is_label_value(value) for value in meta["labels"].values()):
        yield "has a label that the API server refuses"
    if meta.get("ownerReferences", []) != _owners(host, manifest, is_shared=is_shared):
        yield f"belongs to {meta.get('ownerReferences')}"
    yield from _of_annotations(host, manifest)
    yield from _of_fields(host, manifest)


def _of_fields(host: Host, manifest: Manifest) -> Iterator[str]:
    rules = FIELDS.get(manifest["kind"], {})
    body = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    for at, value in leaves(body):
        if at not in rules:
            yield f"has a field {at}"
        elif not rules[at](host, value):
            yield f"says {at}: {value!r}"
        elif isinstance(value, str) and f".{at}".endswith(_PASTED) and not _is_plain(value):
            yield f"has {value!r} in {at}, where a controller could take it for more than a value"


def _of_annotations(host: Host, manifest: Manifest) -> Iterator[str]:
    found = dict(manifest["metadata"].get("annotations", {}))
    mark = found.pop(_MARK, "")
    if mark != _mark(manifest):
        yield f"has the digest {mark!r}"
    by_kind = {"Ingress": ANNOTATIONS, "Secret": SECRET_ANNOTATIONS}
    rules = by_kind.get(manifest["kind"], {})
    for key, value in found.items():
        if key not in rules:
            yield f"has an annotation {key}"
        elif not isinstance(value, str) or not rules[key](host, value):
            yield f"has {key}: {value!r}"


def _mark(manifest: Manifest) -> str:
    """A digest of the manifest as it was before the mark came into it."""
    meta = dict(manifest["metadata"])
    rest = {key: value for key, value in meta.get("annotations", {}).items() if key != _MARK}
    without = {key: value for key, value in meta.items() if key != "annotations"} | (
        {"annotations": rest} if rest else {}
    )
    text = json.dumps({**manifest, "metadata": without}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and not _BREAKS & set(text)


def _refs(told: Told) -> set[ObjectRef]:
    """What may be written for a host: its own objects, and those that its App or its namespace has once."""
    domain, app = told.host.domain, told.host.app
    namespace = domain.meta.namespace
    own = {*told.dialect.all_of(domain), *told.dialect.leftovers_in(namespace)}
    chains = {("Middleware", f"certward-{role}-{digest(app)}") for role in _CHAINS}
    others = {("Service", CHALLENGE_SERVICE), *(("EndpointSlice", f"{CHALLENGE_SERVICE}-ipv{n}") for n in (4, 6))}
    if told.host.platform is None:
        others |= {("Secret", domain.secret_name), ("Secret", domain.next_secret_name)}
    return own | {ObjectRef(kind, namespace, name) for kind, name in chains | others}


def _labels(host: Host, manifest: Manifest, *, is_shared: bool) -> Mapping[str, str]:
    if not is_shared:
        own = {} if host.platform else {"certward.dev/domain": host.domain.meta.name}
        return {**_MANAGED, **own, "certward.dev/app": host.app.meta.name}
    if manifest["kind"] == "Middleware" and "redirectScheme" not in manifest["spec"]:
        return {**_MANAGED, "certward.dev/app": host.app.meta.name}
    if manifest["kind"] == "EndpointSlice":
        slices = {"kubernetes.io/service-name": CHALLENGE_SERVICE, "endpointslice.kubernetes.io/managed-by": "certward"}
        return _MANAGED | slices
    return _MANAGED


def _owners(host: Host, manifest: Manifest, *, is_shared: bool) -> list[Mapping[str, Any]]:
    is_of_app = is_shared or bool(host.platform)
    if is_shared and (manifest["kind"] != "Middleware" or "redirectScheme" in manifest["spec"]):
        return []
    kind, meta = ("App", host.app.meta) if is_of_app else ("Domain", host.domain.meta)
    whose = {"apiVersion": "certward.dev/v1alpha1", "kind": kind, "name": meta.name, "uid": meta.uid}
    return [{**whose, "controller": True}]


def _unled(told: Told) -> list[str]:
    """Paths that lead elsewhere than the App says."""
    host = told.host
    wanted = {(_prefix(route.path), route.service.name, route.service.port) for route in host.app.paths}
    wanted |= {("/", host.app.service.name, host.app.service.port)}
    if host.routes.challenge:
        wanted.add((_prefix(CHALLENGE_PATH), CHALLENGE_SERVICE, host.challenge_port))
    led = {way for manifest in told.manifests for way in _ways(manifest)}
    return [f"{told.dialect.name}: leads {way}" for way in sorted(led - wanted, key=str)]


def _ways(manifest: Manifest) -> Iterator[tuple[str, str, object]]:
    spec, kind = manifest.get("spec", {}), manifest["kind"]
    if kind == "Ingress":
        for path in _each(spec["rules"], "http", "paths"):
            service = path["backend"]["service"]
            yield _prefix(path["path"]), service["name"], next(iter(service["port"].values()))
    elif kind == "HTTPRoute":
        for rule in spec["rules"]:
            for match in rule["matches"]:
                for backend in rule.get("backendRefs", ()):
                    yield _prefix(match["path"]["value"]), backend["name"], backend["port"]
    elif kind == "HTTPProxy":
        for route in spec["routes"]:
            way = next(
                value for kind in ("exact", "prefix") for each in route["conditions"] if (value := each.get(kind))
            )
            for service in route["services"]:
                yield _prefix(way), service["name"], service["port"]


def _each(rules: Sequence[Mapping[str, Any]], *way: str) -> Iterator[Any]:
    for rule in rules:
        found: Any = rule
        for step in way:
            found = found.get(step, {})
        yield from found


def _prefix(path: str) -> str:
    return path.rstrip("/") or "/"


def _ref(manifest: Manifest) -> ObjectRef:
    return ObjectRef(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])
