"""Renderers that are broken on purpose, one mistake each: what would be wrong if a dialect made it."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from certward.render.dialects import Host
from certward.render.manifests import Manifest
from property.hostile import VICTIM, VICTIM_SERVICE, VICTIM_TLS, Change

Breakage = Callable[[Host, Manifest], Manifest]

SNIPPET = "nginx.ingress.kubernetes.io/server-snippet"
#: What the tenant has written, and what a broken renderer would take up.
TAUNTS = (
    Change("App", ("metadata", "annotations", "*"), (SNIPPET, "return 200;")),
    Change("Domain", ("metadata", "annotations", "*"), (SNIPPET, "return 200;")),
    Change("Domain", ("metadata", "annotations", "*"), ("certward.dev/namespace", "victim")),
    Change("Domain", ("metadata", "labels", "*"), ("tier", "public")),
    Change("App", ("spec", "certificates", "profile"), f"x`) || Host(`{VICTIM}"),
)
_HOSTS = ("host", "hostname", "fqdn")


def unmarked(manifest: Manifest) -> Manifest:
    """Without the digest, so that another one can be put there and only the mistake itself is seen."""
    annotations = {k: v for k, v in manifest["metadata"]["annotations"].items() if k != "certward.dev/rendered"}
    rest = {key: value for key, value in manifest["metadata"].items() if key != "annotations"}
    return {**manifest, "metadata": rest | ({"annotations": annotations} if annotations else {})}


def _changed(manifest: Manifest, change: Callable[[dict[str, Any]], None]) -> Manifest:
    made = copy.deepcopy(manifest)
    change(made)
    return made


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _maps(each)
    elif isinstance(value, list):
        for each in value:
            yield from _maps(each)


def hostname_of_another(host: Host, manifest: Manifest) -> Manifest:
    def change(made: dict[str, Any]) -> None:
        for each in _maps(made.get("spec", {})):
            each.update({key: VICTIM for key in _HOSTS if each.get(key) == host.domain.hostname})
            if each.get("hostnames"):
                each["hostnames"] = [*each["hostnames"], VICTIM]

    return _changed(manifest, change)


def hostname_in_a_rule(host: Host, manifest: Manifest) -> Manifest:
    """As text in a rule, with the tenant's words behind it."""

    def change(made: dict[str, Any]) -> None:
        for each in _maps(made.get("spec", {})):
            told = {key: f"{each[key]}{host.app.acme_profile}" for key in _HOSTS if key in each}
            each.update(told)
            if "hostnames" in each:
                each["hostnames"] = [f"{name}{host.app.acme_profile}" for name in each["hostnames"]]

    return _changed(manifest, change)


def namespace_from_the_tenant(host: Host, manifest: Manifest) -> Manifest:
    namespace = host.domain.meta.annotations["certward.dev/namespace"]
    return _changed(manifest, lambda made: made["metadata"].update(namespace=namespace))


def annotations_copied(host: Host, manifest: Manifest) -> Manifest:
    return _changed(manifest, lambda made: made["metadata"]["annotations"].update(host.domain.meta.annotations))


def snippet_of_the_app(host: Host, manifest: Manifest) -> Manifest:
    snippet = {SNIPPET: host.app.meta.annotations[SNIPPET]}
    return _changed(manifest, lambda made: made["metadata"]["annotations"].update(snippet))


def words_in_a_known_annotation(host: Host, manifest: Manifest) -> Manifest:
    def change(made: dict[str, Any]) -> None:
        annotations = made["metadata"]["annotations"]
        annotations.update({key: f"{value},{host.app.acme_profile}" for key, value in annotations.items()})
        annotations.setdefault("traefik.ingress.kubernetes.io/router.middlewares", host.app.acme_profile)

    return _changed(manifest, change)


def labels_copied(host: Host, manifest: Manifest) -> Manifest:
    return _changed(manifest, lambda made: made["metadata"]["labels"].update(host.domain.meta.labels))


def owned_by_another(_: Host, manifest: Manifest) -> Manifest:
    owner = {"apiVersion": "certward.dev/v1alpha1", "kind": "Domain", "name": "other", "uid": "0", "controller": True}
    return _changed(manifest, lambda made: made["metadata"].update(ownerReferences=[owner]))


def named_like_another(_: Host, manifest: Manifest) -> Manifest:
    return _changed(manifest, lambda made: made["metadata"].update(name=f"certward-{VICTIM_SERVICE}"))


def backend_of_another(_: Host, manifest: Manifest) -> Manifest:
    def change(made: dict[str, Any]) -> None:
        for each in _maps(made.get("spec", {})):
            for key in ("backendRefs", "services"):
                each.update({key: [{**ref, "namespace": "victim"} for ref in each[key]]} if key in each else {})
            if "backend" in each:
                each["backend"] = {"service": {**each["backend"]["service"], "name": VICTIM_SERVICE}}

    return _changed(manifest, change)


def secret_of_another(_: Host, manifest: Manifest) -> Manifest:
    def change(made: dict[str, Any]) -> None:
        for each in _maps(made.get("spec", {})):
            if "secretName" in each:
                each["secretName"] = VICTIM_TLS
            if "certificateRefs" in each:
                each["certificateRefs"] = [{"name": VICTIM_TLS}]

    return _changed(manifest, change)


def paths_swapped(_: Host, manifest: Manifest) -> Manifest:
    """Every path leads to another of the App's own Services."""

    def change(made: dict[str, Any]) -> None:
        for each in _maps(made.get("spec", {})):
            if each.get("name") in ("shop", "shop-api"):
                each["name"] = "shop" if each["name"] == "shop-api" else "shop-api"

    return _changed(manifest, change)


def a_field_more(_: Host, manifest: Manifest) -> Manifest:
    return _changed(manifest, lambda made: made.update(spec={**made.get("spec", {}), "more": "words"}))


BREAKAGES: tuple[Breakage, ...] = (
    hostname_of_another,
    hostname_in_a_rule,
    namespace_from_the_tenant,
    annotations_copied,
    snippet_of_the_app,
    words_in_a_known_annotation,
    labels_copied,
    owned_by_another,
    named_like_another,
    backend_of_another,
    secret_of_another,
    paths_swapped,
    a_field_more,
)
