"""The standard Ingress object, as all dialects that write Ingresses have it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from certward.model.resources import App, Domain, ServiceRef
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE
from certward.render.manifests import Manifest, domain_meta


def ingress(
    domain: Domain,
    name: str,
    class_name: str,
    paths: Sequence[Manifest],
    *,
    annotations: Mapping[str, str] | None = None,
    tls: Sequence[Manifest] = (),
) -> Manifest:
    """An Ingress for one Domain.

    Args:
        domain: whose hostname it routes.
        name: of the object.
        class_name: its ingressClassName.
        paths: as `path` returns them.
        annotations: the controller's settings.
        tls: what it says of the certificate, as `Host.tls`; empty for plain HTTP.
    """
    spec: Manifest = {
        "ingressClassName": class_name,
        "rules": [{"host": domain.hostname, "http": {"paths": list(paths)}}],
    }
    if tls:
        spec["tls"] = list(tls)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": domain_meta(domain, name, annotations),
        "spec": spec,
    }


def challenge_path(port: int) -> Manifest:
    """The path of HTTP-01 challenges, to the challenge Service of the namespace."""
    return path(CHALLENGE_PATH, ServiceRef(CHALLENGE_SERVICE, port))


def app_paths(app: App) -> list[Manifest]:
    """The App's paths and the Services behind them, with everything else at its main Service."""
    return [path(prefix, service) for prefix, service in app_routes(app)]


def app_routes(app: App) -> list[tuple[str, ServiceRef]]:
    """The App's path prefixes and the Services behind them; "/" is among them."""
    routes = [(route.path, route.service) for route in app.paths]
    if not any(prefix == "/" for prefix, _ in routes):
        routes.append(("/", app.service))
    return routes


def path(prefix: str, service: ServiceRef) -> Manifest:
    """A path prefix and the Service behind it."""
    port: dict[str, Any] = {"number": service.port} if isinstance(service.port, int) else {"name": service.port}
    return {
        "path": prefix,
        "pathType": "Prefix",
        "backend": {"service": {"name": service.name, "port": port}},
    }


def digest(owner: App | Domain) -> str:
    """Twelve hex digits of SHA-256 over namespace/name: for names that no other App's or Domain's object may have."""
    name = owner.object_name if isinstance(owner, Domain) else owner.meta.name
    return hashlib.sha256(f"{owner.meta.namespace}/{name}".encode()).hexdigest()[:12]
