"""Traefik 3: Ingresses for the routes, TLSOptions for the profiles, Middlewares for redirect and allow list.

For a host there are up to three Ingresses, because Traefik's annotations act on a whole Ingress: the challenge path,
which no redirect or allow list may touch; plain HTTP; HTTPS. Ingress and not IngressRoute, because the class of an
IngressRoute cannot be told reliably (its annotation is compared with a provider option that is usually unset).

What Traefik can enforce per host (3.7, Go crypto/tls): versions, TLS 1.0 to 1.2 suites, groups. What it cannot:
the order of suites and groups, the TLS 1.3 suites.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from certward.errors import Blocked
from certward.model.hostnames import is_wildcard
from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.resources import App, Domain
from certward.names import LABEL_APP
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect, Host, ObjectRef, Rendered
from certward.render.ingress import app_paths, challenge_path, digest, ingress
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
#: How many paths of a wildcard may begin with each other.
_DEPTHS = 4


class Traefik(Dialect):
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
        version="3.7",
        source="its documentation (TLS options) and sources (pkg/tls, pkg/server/aggregator.go), Go 1.26's crypto/tls",
        tried="All of it, on Traefik 3.7.15: every profile of every revision side by side on one port.",
    )
    kinds = ("Ingress", "TLSOption", "Middleware")
    reads = ("Ingress", "IngressRoute", "IngressRouteTCP", "HTTPRoute")
    controllers = ("traefik.io/ingress-controller",)
    #: pkg/tls/certificate_store.go: among those that match a name the one whose list of names sorts highest.
    has_one_store = True
    #: pkg/provider/kubernetes/ingress/kubernetes.go: of two backends of a name the one that is read last.
    joins_backends = True

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname."""
        chains = _chains(host.app, host.routes.hsts)
        own: list[Manifest] = []
        unwanted: list[ObjectRef] = []
        if host.routes.challenge:
            own.append(_challenge(host))
        else:
            unwanted.append(_ref(host.domain, _CHALLENGE))
        is_secure = bool(host.routes.secret_name) and host.routes.profile is not None
        if is_secure and host.routes.profile is not None:
            option = _tls_option(host.domain, host.routes.profile)
            own += [option, *_secure(host, option, chains.secure)]
        elif not host.routes.secret_name:
            unwanted += [*_refs(host.domain, _SECURE), ObjectRef("TLSOption", *_beside(host.domain))]
        if host.routes.plain:
            own += _plain(host, chains.redirect if host.routes.redirect else chains.plain)
        there = {manifest["metadata"]["name"] for manifest in own}
        roles = [*([_PLAIN] if host.routes.plain else []), *([_SECURE] if is_secure else [])]
        unwanted += [ref for role in roles for ref in _refs(host.domain, role) if ref.name not in there]
        return Rendered(shared=chains.all, own=tuple(own), unwanted=tuple(unwanted))

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        routes = [_ref(domain, _CHALLENGE), *_refs(domain, _PLAIN), *_refs(domain, _SECURE)]
        return (*routes, ObjectRef("TLSOption", *_beside(domain)))

    def leftovers_in(self, namespace: str) -> tuple[ObjectRef, ...]:
        """The redirect."""
        return (ObjectRef("Middleware", namespace, _REDIRECT),)


def _name(domain: Domain, role: str) -> str:
    """An Ingress's name: readable, and with a hash where Traefik could take its routes for another's.

    Traefik names a router by namespace, Ingress, host and path, all but letters and digits made single hyphens. So
    Domains that are named for their hosts, `a.b.com` and `a-b.com`, would have one router between them.
    """
    is_plain = not re.search(r"\.|--|certward|http|challenge", f"{domain.meta.namespace}/{domain.object_name}")
    return f"certward-{domain.object_name}{'' if is_plain else f'-{digest(domain)}'}-{role}"


def _ref(domain: Domain, role: str) -> ObjectRef:
    return ObjectRef("Ingress", domain.meta.namespace, _name(domain, role))


def _refs(domain: Domain, role: str) -> list[ObjectRef]:
    """All Ingresses that a role may have: one, and for wildcards one for each depth of paths."""
    deeper = range(1, _DEPTHS) if is_wildcard(domain.hostname) else ()
    return [_ref(domain, role), *(_ref(domain, f"{role}-{depth}") for depth in deeper)]


def _beside(domain: Domain) -> tuple[str, str]:
    """Namespace and name of a host's TLSOption; they never change."""
    return domain.meta.namespace, _object_name(domain, _SECURE)


class _Chains(NamedTuple):
    """What stands before an App, for the routes of all its hosts: one chain of middlewares for each kind of route.

    Traefik reads Ingresses and its own kinds with two providers, each of which may be held back for a while
    (providers.providersThrottleDuration), and a route that refers to a middleware that is not there (yet, or any more)
    is answered with 404. So every chain is there, perhaps empty, from the App's first host on, and changes are made
    behind it.

    Attributes:
        plain: for plain HTTP without a redirect.
        redirect: for plain HTTP with one.
        secure: for HTTPS.
        all: these and what they refer to, in the order in which they have to come.
    """

    plain: Manifest
    redirect: Manifest
    secure: Manifest
    all: tuple[Manifest, ...]


def _chains(app: App, hsts: HSTS | None) -> _Chains:
    allowed = [_ranges(app)] if app.trusted_ranges else []
    header = [_hsts(app, hsts)] if hsts else []
    redirect = _redirect(app.meta.namespace)
    plain = _chain(app, _PLAIN, allowed)
    redirecting = _chain(app, "redirect", [*allowed, redirect])
    secure = _chain(app, _SECURE, [*allowed, *header])
    return _Chains(plain, redirecting, secure, (*allowed, *header, redirect, plain, redirecting, secure))


def _chain(app: App, role: str, middlewares: Sequence[Manifest]) -> Manifest:
    return _of_app(app, role, {"chain": {"middlewares": [{"name": each["metadata"]["name"]} for each in middlewares]}})


def _of_app(app: App, role: str, spec: Manifest) -> Manifest:
    """A Middleware that goes with an App."""
    meta = shared_meta(app.meta.namespace, _object_name(app, role))
    meta["labels"][LABEL_APP] = app.meta.name
    meta["ownerReferences"] = [owner(app)]
    return {"apiVersion": _API, "kind": "Middleware", "metadata": meta, "spec": spec}


def _challenge(host: Host) -> Manifest:
    return _ingress(host, _CHALLENGE, {f"{_ROUTER}.entrypoints": "web"}, [challenge_path(host.challenge_port)])


def _plain(host: Host, chain: Manifest) -> list[Manifest]:
    annotations = {f"{_ROUTER}.entrypoints": "web", f"{_ROUTER}.middlewares": _reference(chain)}
    return list(_routes(host, _PLAIN, annotations))


def _secure(host: Host, option: Manifest, chain: Manifest) -> list[Manifest]:
    annotations = {
        f"{_ROUTER}.entrypoints": "websecure",
        f"{_ROUTER}.middlewares": _reference(chain),
        f"{_ROUTER}.tls": "true",
        f"{_ROUTER}.tls.options": _reference(option),
    }
    return list(_routes(host, _SECURE, annotations, host.tls))


def _routes(host: Host, role: str, annotations: dict[str, str], tls: Sequence[Manifest] = ()) -> Iterator[Manifest]:
    """The Ingress with the App's paths, or several of them for a wildcard.

    To Traefik the longer of two rules is the more specific one, so a path of `*.d` would go before the host `a.d`. The
    routes of a wildcard therefore get priorities below those of any rule. Priorities are an Ingress's as a whole, so
    paths of which one begins with the other are in Ingresses of their own.
    """
    if not is_wildcard(host.domain.hostname):
        yield _ingress(host, role, annotations, app_paths(host.app), tls)
        return
    by_depth: dict[int, list[Manifest]] = {}
    paths = app_paths(host.app)
    for path in paths:
        depth = sum(path["path"].startswith(other["path"]) for other in paths) - 1
        by_depth.setdefault(depth, []).append(path)
    if len(by_depth) > _DEPTHS:
        raise Blocked(
            "TooManyPaths",
            f"On Traefik at most {_DEPTHS} paths of a wildcard hostname, / among them, may begin with each other; use "
            "fewer in spec.paths of the App.",
        )
    for depth, group in sorted(by_depth.items()):
        name = f"{role}-{depth}" if depth else role
        yield _ingress(host, name, {**annotations, f"{_ROUTER}.priority": str(depth + 1)}, group, tls)


def _ingress(
    host: Host, role: str, annotations: dict[str, str], paths: list[Manifest], tls: Sequence[Manifest] = ()
) -> Manifest:
    name = _name(host.domain, role)
    return ingress(host.domain, name, host.class_name, paths, annotations=annotations, tls=tls)


def _tls_option(domain: Domain, profile: Profile) -> Manifest:
    """The profile as Traefik knows it, in an object of the host's own.

    Traefik 3.7 remembers for each connection under which option *name* its handshake was made, and answers 421 to every
    request on it once the router has another name (traefik/traefik issue 13745). So a change of profile changes what
    the object says, never the name that the route refers to.
    """
    return {
        "apiVersion": _API,
        "kind": "TLSOption",
        "metadata": domain_meta(domain, _object_name(domain, _SECURE)),
        "spec": {
            "minVersion": _VERSIONS[profile.min_version],
            "maxVersion": _VERSIONS[profile.max_version],
            "cipherSuites": [suite for suite in profile.suites if suite in _SUITES],
            "curvePreferences": [_GROUPS[group] for group in profile.groups if group in _GROUPS],
        },
    }


def _redirect(namespace: str) -> Manifest:
    return {
        "apiVersion": _API,
        "kind": "Middleware",
        "metadata": shared_meta(namespace, _REDIRECT),
        "spec": {"redirectScheme": {"scheme": "https", "permanent": True}},
    }


def _hsts(app: App, hsts: HSTS) -> Manifest:
    header = {
        "stsSeconds": hsts.max_age,
        "stsIncludeSubdomains": hsts.include_subdomains,
        "stsPreload": hsts.preload,
    }
    return _of_app(app, "hsts", {"headers": header})


def _ranges(app: App) -> Manifest:
    return _of_app(app, "ranges", {"ipAllowList": {"sourceRange": list(app.trusted_ranges)}})


def _object_name(owner_: App | Domain, role: str) -> str:
    """A name for an object of one App or Domain that no other one's object can have in Traefik.

    Traefik joins namespace and name by a hyphen and makes dots hyphens, so `a/b-c` and `a-b/c` would be one object to
    it, the first one's settings those of both; the hash keeps them apart.
    """
    return f"certward-{role}-{digest(owner_)}"


def _reference(manifest: Manifest) -> str:
    """How an annotation names an object of Traefik's CRD provider, which flattens the names of Middlewares alone."""
    name = f"{manifest['metadata']['namespace']}-{manifest['metadata']['name']}"
    return f"{re.sub('-+', '-', name) if manifest['kind'] == 'Middleware' else name}@kubernetescrd"
