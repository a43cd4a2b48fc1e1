"""Traefik 3: Ingresses for the routes, TLSOptions for the profiles, Middlewares for redirect and allow list.

For a host there are up to three Ingresses, because Traefik's annotations act on a whole Ingress: the challenge path,
which no redirect or allow list may touch; plain HTTP; HTTPS. Ingress and not IngressRoute, because the class of an
IngressRoute cannot be told reliably (its annotation is compared with a provider option that is usually unset).

What Traefik can enforce per host (3.7, Go crypto/tls): versions, TLS 1.0 to 1.2 suites, groups. What it cannot:
the order of suites and groups, the TLS 1.3 suites.
"""

from collections.abc import Sequence
from typing import Any

from certward.model.profiles import Profile
from certward.model.resources import App, Domain, ServiceRef
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE
from certward.render.dialects import Host, ObjectRef, Rendered
from certward.render.manifests import Manifest, domain_meta, owner, shared_meta

_ROUTER = "traefik.ingress.kubernetes.io/router"
_API = "traefik.io/v1alpha1"
_VERSIONS = {
    "TLSv1.0": "VersionTLS10",
    "TLSv1.1": "VersionTLS11",
    "TLSv1.2": "VersionTLS12",
    "TLSv1.3": "VersionTLS13",
}
_GROUPS = {
    "X25519MLKEM768": "X25519MLKEM768",
    "X25519": "X25519",
    "P-256": "CurveP256",
    "P-384": "CurveP384",
    "P-521": "CurveP521",
}
_REDIRECT = "certward-redirect"
_CHALLENGE, _PLAIN, _SECURE = "challenge", "http", "https"


class Traefik:
    """The dialect of Traefik 3."""

    name = "traefik"

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname."""
        shared: list[Manifest] = []
        own: list[Manifest] = []
        unwanted: list[ObjectRef] = []
        ranges = _ranges(host.app) if host.app.trusted_ranges else None
        if ranges:
            shared.append(ranges)
        allowed = [_reference(ranges)] if ranges else []

        if host.routes.challenge:
            own.append(_challenge(host))
        else:
            unwanted.append(_ref(host.domain, _CHALLENGE))

        if host.routes.secret_name and host.routes.profile is not None:
            option = _tls_option(host.operator_namespace, host.routes.profile)
            shared.append(option)
            own.append(_secure(host, option, allowed))
        elif not host.routes.secret_name:
            unwanted.append(_ref(host.domain, _SECURE))

        if host.routes.redirect:
            redirect = _redirect(host.operator_namespace)
            shared.append(redirect)
            own.append(_plain(host, [_reference(redirect)]))
        else:
            own.append(_plain(host, allowed))
        return Rendered(shared=tuple(shared), own=tuple(own), unwanted=tuple(unwanted))

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        return tuple(_ref(domain, role) for role in (_CHALLENGE, _PLAIN, _SECURE))

    def obsolete_of(self, app: App) -> tuple[ObjectRef, ...]:
        """The allow list, when the App no longer has trusted ranges."""
        if app.trusted_ranges:
            return ()
        return (ObjectRef("Middleware", app.meta.namespace, _ranges_name(app)),)


def _name(domain: Domain, role: str) -> str:
    return f"certward-{domain.meta.name}-{role}"


def _ref(domain: Domain, role: str) -> ObjectRef:
    return ObjectRef("Ingress", domain.meta.namespace, _name(domain, role))


def _challenge(host: Host) -> Manifest:
    backend = ServiceRef(CHALLENGE_SERVICE, host.challenge_port)
    return _ingress(host, _CHALLENGE, {f"{_ROUTER}.entrypoints": "web"}, [_path(CHALLENGE_PATH, backend)])


def _plain(host: Host, middlewares: Sequence[str]) -> Manifest:
    annotations = {f"{_ROUTER}.entrypoints": "web"}
    if middlewares:
        annotations[f"{_ROUTER}.middlewares"] = ",".join(middlewares)
    return _ingress(host, _PLAIN, annotations, _app_paths(host.app))


def _secure(host: Host, option: Manifest, middlewares: Sequence[str]) -> Manifest:
    annotations = {
        f"{_ROUTER}.entrypoints": "websecure",
        f"{_ROUTER}.tls": "true",
        f"{_ROUTER}.tls.options": _reference(option),
    }
    if middlewares:
        annotations[f"{_ROUTER}.middlewares"] = ",".join(middlewares)
    manifest = _ingress(host, _SECURE, annotations, _app_paths(host.app))
    manifest["spec"]["tls"] = [{"hosts": [host.domain.hostname], "secretName": host.routes.secret_name}]
    return manifest


def _ingress(host: Host, role: str, annotations: dict[str, str], paths: list[Manifest]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": domain_meta(host.domain, _name(host.domain, role), annotations),
        "spec": {
            "ingressClassName": host.class_name,
            "rules": [{"host": host.domain.hostname, "http": {"paths": paths}}],
        },
    }


def _app_paths(app: App) -> list[Manifest]:
    routes = [_path(route.path, route.service) for route in app.paths]
    if not any(route.path == "/" for route in app.paths):
        routes.append(_path("/", app.service))
    return routes


def _path(path: str, service: ServiceRef) -> Manifest:
    port: dict[str, Any] = {"number": service.port} if isinstance(service.port, int) else {"name": service.port}
    return {
        "path": path,
        "pathType": "Prefix",
        "backend": {"service": {"name": service.name, "port": port}},
    }


def _tls_option(namespace: str, profile: Profile) -> Manifest:
    """The profile as Traefik knows it. Each revision's is an object of its own, so it never changes either."""
    spec: dict[str, Any] = {
        "minVersion": _VERSIONS[profile.min_version],
        "maxVersion": _VERSIONS[profile.max_version],
        "curvePreferences": [_GROUPS[group] for group in profile.groups],
    }
    if profile.suites:
        spec["cipherSuites"] = list(profile.suites)
    return {
        "apiVersion": _API,
        "kind": "TLSOption",
        "metadata": shared_meta(namespace, f"certward-{profile.revision}-{profile.name}"),
        "spec": spec,
    }


def _redirect(namespace: str) -> Manifest:
    return {
        "apiVersion": _API,
        "kind": "Middleware",
        "metadata": shared_meta(namespace, _REDIRECT),
        "spec": {"redirectScheme": {"scheme": "https", "permanent": True}},
    }


def _ranges_name(app: App) -> str:
    return f"certward-{app.meta.name}-ranges"


def _ranges(app: App) -> Manifest:
    meta = shared_meta(app.meta.namespace, _ranges_name(app))
    meta["ownerReferences"] = [owner(app)]
    return {
        "apiVersion": _API,
        "kind": "Middleware",
        "metadata": meta,
        "spec": {"ipAllowList": {"sourceRange": list(app.trusted_ranges)}},
    }


def _reference(manifest: Manifest) -> str:
    """How an annotation names an object of Traefik's CRD provider, from any namespace."""
    meta = manifest["metadata"]
    return f"{meta['namespace']}-{meta['name']}@kubernetescrd"
