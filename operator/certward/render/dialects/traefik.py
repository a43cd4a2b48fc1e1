"""Traefik 3: Ingresses for the routes, TLSOptions for the profiles, Middlewares for redirect and allow list.

For a host there are up to three Ingresses, because Traefik's annotations act on a whole Ingress: the challenge path,
which no redirect or allow list may touch; plain HTTP; HTTPS. Ingress and not IngressRoute, because the class of an
IngressRoute cannot be told reliably (its annotation is compared with a provider option that is usually unset).

What Traefik can enforce per host (3.7, Go crypto/tls): versions, TLS 1.0 to 1.2 suites, groups. What it cannot:
the order of suites and groups, the TLS 1.3 suites.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from certward.model.policy import HSTS
from certward.model.profiles import TABLE, Profile
from certward.model.resources import App, Domain, ServiceRef
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE, LABEL_APP
from certward.plan.enforcement import Capabilities
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
#: What Go's crypto/tls has for TLS 1.2 and below among the suites that profiles know. A name that Traefik does not
#: know would make it reject the whole TLSOption, and the host with it.
_SUITES = frozenset(
    {
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    }
)
_REDIRECT = "certward-redirect"
_CHALLENGE, _PLAIN, _SECURE = "challenge", "http", "https"


class Traefik:
    """The dialect of Traefik 3."""

    name = "traefik"
    capabilities = Capabilities(
        engine="Traefik",
        versions=frozenset(_VERSIONS),
        suites=_SUITES,
        groups=frozenset(_GROUPS),
        orders_suites=False,
        sets_tls13_suites=False,
        foreign_route="makes Traefik fall back to its default TLS options for the host",
    )

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
            header = _hsts(host.app, host.routes.hsts) if host.routes.hsts else None
            if header:
                shared.append(header)
            own.append(_secure(host, option, [*allowed, *([_reference(header)] if header else [])]))
        elif not host.routes.secret_name:
            unwanted.append(_ref(host.domain, _SECURE))

        if host.routes.redirect:
            redirect = _redirect(host.operator_namespace)
            shared.append(redirect)
            own.append(_plain(host, [*allowed, _reference(redirect)]))
        else:
            own.append(_plain(host, allowed))
        return Rendered(shared=tuple(shared), own=tuple(own), unwanted=tuple(unwanted))

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        return tuple(_ref(domain, role) for role in (_CHALLENGE, _PLAIN, _SECURE))

    def obsolete_of(self, app: App, *, has_hsts: bool) -> tuple[ObjectRef, ...]:
        """The allow list, when the App no longer has trusted ranges; the header, when no policy asks for it."""
        gone = [] if app.trusted_ranges else [_ranges_name(app)]
        if not has_hsts:
            gone.append(_hsts_name(app))
        return tuple(ObjectRef("Middleware", app.meta.namespace, name) for name in gone)


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
        "curvePreferences": [_GROUPS[group] for group in profile.groups if group in _GROUPS],
    }
    suites = [suite for suite in profile.suites if suite in _SUITES]
    if suites:
        spec["cipherSuites"] = suites
    is_cut = profile.min_version != TABLE[profile.revision, profile.name].min_version
    floor = f"-from-{profile.min_version.lower().replace('.', '')}" if is_cut else ""
    return {
        "apiVersion": _API,
        "kind": "TLSOption",
        "metadata": shared_meta(namespace, f"certward-{profile.revision}-{profile.name}{floor}"),
        "spec": spec,
    }


def _redirect(namespace: str) -> Manifest:
    return {
        "apiVersion": _API,
        "kind": "Middleware",
        "metadata": shared_meta(namespace, _REDIRECT),
        "spec": {"redirectScheme": {"scheme": "https", "permanent": True}},
    }


def _hsts_name(app: App) -> str:
    return _app_object(app, "hsts")


def _hsts(app: App, hsts: HSTS) -> Manifest:
    meta = shared_meta(app.meta.namespace, _hsts_name(app))
    meta["labels"][LABEL_APP] = app.meta.name
    meta["ownerReferences"] = [owner(app)]
    return {
        "apiVersion": _API,
        "kind": "Middleware",
        "metadata": meta,
        "spec": {
            "headers": {
                "stsSeconds": hsts.max_age,
                "stsIncludeSubdomains": hsts.include_subdomains,
                "stsPreload": hsts.preload,
            }
        },
    }


def _ranges_name(app: App) -> str:
    return _app_object(app, "ranges")


def _app_object(app: App, role: str) -> str:
    """A name for an object of one App that no other App's object can have in Traefik.

    Traefik joins namespace and name by a hyphen and makes dots hyphens, so `a/b-c` and `a-b/c` would be one object to
    it, the first one's settings those of both; the hash keeps them apart.
    """
    digest = hashlib.sha256(f"{app.meta.namespace}/{app.meta.name}".encode()).hexdigest()
    return f"certward-{role}-{digest[:12]}"


def _ranges(app: App) -> Manifest:
    meta = shared_meta(app.meta.namespace, _ranges_name(app))
    meta["labels"][LABEL_APP] = app.meta.name
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
