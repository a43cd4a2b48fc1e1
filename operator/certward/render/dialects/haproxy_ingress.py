"""HAProxy Ingress (jcmoraisjr): Ingresses and their annotations.

A host has two Ingresses: the challenge path, which no redirect or allow list may touch, and the app. The app's cannot
be divided further: since 0.17 the controller serves a path over HTTPS only if the path's own Ingress has the
certificate. Its annotations have scopes: TLS keys are the host's, redirect, allow list and header are the path's,
snippets are those of the backend, which is a Service and so common to all hosts of an App.

What it can enforce per host (0.14 to 0.17, HAProxy with OpenSSL): versions and suites of all versions, in the order
given. What it cannot: groups; OpenSSL takes those of the first certificate of the port. HAProxy itself does not care
whether a request is for the host that its connection was made for, so a strict host could be had over the lax
handshake of another one; a snippet answers such a request with 421 (RFC 9110, 15.5.20). An administrator who keeps
snippets out of annotations (--disable-config-keywords) has to put it into the ConfigMap, as config-frontend. Redirects
are temporary (302) unless the ConfigMap has ssl-redirect-code.
"""

from collections.abc import Mapping, Sequence

from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.resources import Domain
from certward.model.suites import SUITES
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect, Host, ObjectRef, Rendered
from certward.render.ingress import app_paths, challenge_path, ingress
from certward.render.manifests import Manifest

_PREFIX = "haproxy-ingress.github.io"
_APP, _CHALLENGE = "app", "challenge"
#: `ssl-options-host` is copied into HAProxy's certificate list as it stands, and one word that HAProxy does not know
#: there makes it refuse its whole configuration; so versions come from this table alone.
_VERSIONS = {"TLSv1.0": "TLSv1.0", "TLSv1.1": "TLSv1.1", "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}
#: Beneath TLS 1.2 OpenSSL signs handshakes with SHA-1, which it does at security level 0 only.
_WEAK_VERSIONS = frozenset({"TLSv1.0", "TLSv1.1"})
#: OpenSSL leaves 3DES out unless it is built with weak ciphers; DHE needs parameters that are the same for all hosts.
_SUITES = {
    suite.iana: suite.openssl
    for suite in SUITES.values()
    if not suite.tls13 and suite.kx != "DHE" and suite.enc != "3DES-CBC"
}
#: A suite that OpenSSL knows and no handshake can end with, because there are no pre-shared keys. A list without any
#: that OpenSSL knows would make HAProxy refuse its whole configuration; without a list the controller's own holds.
_NO_SUITE = "PSK-AES128-GCM-SHA256"
_SUITES13 = {suite.iana: suite.openssl for suite in SUITES.values() if suite.tls13}
#: Nothing of a tenant's is in it: it compares what the request itself says. It is the same for all hosts, so that the
#: Ingresses that share a backend agree. A client that names no host in its handshake was served by the rules of none.
_GUARD = """\
http-request set-var(txn.certward_host) req.hdr(host),field(1,:),lower
http-request return status 421 if { ssl_fc } !{ ssl_fc_sni,lower,strcmp(txn.certward_host) eq 0 }
"""
_EVERYBODY = "0.0.0.0/0,::/0"


class HAProxyIngress(Dialect):
    """The dialect of HAProxy Ingress."""

    name = "haproxy-ingress"
    capabilities = Capabilities(
        engine="HAProxy Ingress",
        versions=frozenset(_VERSIONS),
        suites=frozenset(_SUITES),
        groups=frozenset(),
        orders_suites=True,
        sets_tls13_suites=True,
        foreign_route="makes HAProxy Ingress go by the older one's certificate and TLS keys wherever the two differ",
        cluster_wide=(
            "In the controller's ConfigMap, config-global with the line `ssl-default-bind-curves X25519:P-256` sets the"
            " groups of all hosts."
        ),
        version="0.14 to 0.17",
        source=(
            "its documentation (configuration keys) and sources (haproxy.tmpl, pkg/converters/ingress), HAProxy's"
            " documentation (crt-list)"
        ),
        tried=(
            "The configuration that the controller would write was tried on HAProxy 2.8.25 with OpenSSL 3.0: every"
            " profile of every revision side by side on one port. The controller itself was not."
        ),
    )
    kinds = ("Ingress",)
    # With --controller-class=X it has /X at the end.
    controllers = ("haproxy-ingress.github.io/controller*",)

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname."""
        own: list[Manifest] = []
        unwanted: list[ObjectRef] = []
        if host.routes.challenge:
            own.append(_challenge(host))
        else:
            unwanted.append(_ref(host.domain, _CHALLENGE))
        if not host.routes.secret_name or host.routes.profile is not None:
            own.append(_app(host))
        return Rendered(shared=(), own=tuple(own), unwanted=tuple(unwanted))

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        return (_ref(domain, _CHALLENGE), _ref(domain, _APP))


def _name(domain: Domain, role: str) -> str:
    """An Ingress's name. The role and the dialect's word stand at the end, so that no two Domains can have it."""
    return f"certward-{domain.object_name}-{role}-haproxy"


def _ref(domain: Domain, role: str) -> ObjectRef:
    return ObjectRef("Ingress", domain.meta.namespace, _name(domain, role))


def _challenge(host: Host) -> Manifest:
    """Open to everybody and without redirect, also where the class's own defaults (its ConfigMap) say otherwise."""
    keys = {"ssl-redirect": "false", "hsts": "false", "allowlist-source-range": _EVERYBODY}
    return _ingress(host, _CHALLENGE, keys, [challenge_path(host.challenge_port)])


def _app(host: Host) -> Manifest:
    keys = {
        "ssl-redirect": _flag(host.routes.redirect),
        **_hsts(host.routes.hsts if host.routes.secret_name else None),
        "config-backend": _GUARD,
    }
    if host.app.trusted_ranges:
        keys["allowlist-source-range"] = ",".join(host.app.trusted_ranges)
    if host.routes.secret_name and host.routes.profile is not None:
        keys |= _tls(host.routes.profile)
    return _ingress(host, _APP, keys, app_paths(host.app), host.tls)


def _ingress(
    host: Host, role: str, keys: Mapping[str, str], paths: Sequence[Manifest], tls: Sequence[Manifest] = ()
) -> Manifest:
    annotations = {f"{_PREFIX}/{key}": value for key, value in keys.items()}
    name = _name(host.domain, role)
    return ingress(host.domain, name, host.class_name, paths, annotations=annotations, tls=tls)


def _hsts(hsts: HSTS | None) -> dict[str, str]:
    """The header; it has to be refused, because the controller sends one of its own (half a year) if not told."""
    if hsts is None:
        return {"hsts": "false"}
    return {
        "hsts": "true",
        "hsts-max-age": str(hsts.max_age),
        "hsts-include-subdomains": _flag(hsts.include_subdomains),
        "hsts-preload": _flag(hsts.preload),
    }


def _tls(profile: Profile) -> dict[str, str]:
    """The profile in the host's own keys."""
    lowest, highest = _VERSIONS[profile.min_version], _VERSIONS[profile.max_version]
    keys = {"ssl-options-host": f"ssl-min-ver {lowest} ssl-max-ver {highest}"}
    if lowest != "TLSv1.3":
        suites = [_SUITES[suite] for suite in profile.suites if suite in _SUITES] or [_NO_SUITE]
        keys["ssl-ciphers"] = ":".join([*suites, *(["@SECLEVEL=0"] if lowest in _WEAK_VERSIONS else [])])
    if suites13 := [_SUITES13[suite] for suite in profile.suites13 if suite in _SUITES13]:
        keys["ssl-cipher-suites"] = ":".join(suites13)
    return keys


def _flag(value: bool) -> str:
    return "true" if value else "false"
