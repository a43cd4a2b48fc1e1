"""What the ingress of these tests can do, and what is its own: the one place where the tests tell one from another.

What can be enforced per host comes from the operator's own tables (its dialects' capabilities), so that a controller
is held to what Certward says of it. What a foreign route looks like and does there is written down here.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect
from certward.render.registry import DIALECTS

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Foreign:
    """A route of somebody else for a host that has one of ours.

    Attributes:
        make: the object `intruder` of a namespace, for a hostname, with a Service `intruder` behind it; the last
            argument is the operator's configuration of the class, where a Gateway's name is.
        spoils: what the host's status says while it is there, as conditions with their status and reason; empty
            where the controller lets the older route be.
        words: what the message of the first of them has, besides the name of the object.
        keeps_out: its words in the status of a host that comes later; empty where that is served all the same.
    """

    make: Callable[[str, str, Mapping[str, Any]], Manifest]
    spoils: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    words: str = ""
    keeps_out: str = ""


@dataclass(frozen=True)
class Plane:
    """An ingress controller as these tests see it.

    Attributes:
        dialect: Certward's.
        secure: (kind, what its name ends with) of the object without which a host has no HTTPS.
        hostname_at: the path of the hostname in that object, as JSON Patch writes it.
        foreign: by the kind of the object.
        own_suites: for TLS 1.2 and below where none can be chosen per host; IANA names.
        own_groups: the same for groups.
        redirects_strangers: plain HTTP of a host with a redirect and an allow list sends everybody on to HTTPS, where
            strangers are refused.
        without_routes: what a client meets at a host that has no routes: a status, or 0 for no answer at all.
    """

    dialect: Dialect
    secure: tuple[str, str]
    hostname_at: str
    foreign: Mapping[str, Foreign]
    own_suites: frozenset[str] = frozenset()
    own_groups: frozenset[str] = frozenset()
    redirects_strangers: bool = False

    @property
    def name(self) -> str:
        """What INGRESS calls it; the name of its class and of its dialect, too."""
        return self.dialect.name

    @property
    def can(self) -> Capabilities:
        """What Certward says that it can enforce for one host."""
        return self.dialect.capabilities

    @property
    def routes(self) -> str:
        """The kinds of routes that are written for a host, as kubectl takes them."""
        return ",".join(kind.lower() for kind in self.dialect.kinds if kind in self.dialect.reads)

    def accepts(self, suites: Mapping[str, set[str]], key: str) -> dict[str, set[str]]:
        """What clients are accepted with at a host whose profile has these suites, by version.

        Args:
            suites: those that its key can be used with.
            key: of its certificate, in the words of the API.
        """
        algorithm = f"_{key.partition('-')[0]}_"
        own = {suite for suite in self.own_suites if algorithm in suite}
        return {
            version: set(suites[version])
            if version == "TLSv1.3"
            else suites[version] & self.can.suites
            if self.can.suites
            else own
            for version in self.offers(set(suites))
        }

    def groups(self, groups: set[str], versions: set[str]) -> set[str]:
        """The groups that a host accepts whose profile has these groups and versions."""
        found = groups & self.can.groups if self.can.groups else set(self.own_groups)
        return found if "TLSv1.3" in self.offers(versions) else found - {"X25519MLKEM768"}

    def is_able(self, versions: set[str]) -> bool:
        """Whether it can be told to offer these versions, all of them."""
        return versions <= self.can.versions

    def offers(self, versions: set[str]) -> set[str]:
        """The versions that a host accepts whose profile has these: all that are possible, else the nearest."""
        possible = versions & self.can.versions
        return possible or {min(self.can.versions)}


def chosen() -> Plane:
    """The plane that INGRESS names first; Traefik by default."""
    name = (os.environ.get("INGRESS") or "traefik").partition(",")[0].strip()
    return named(name)


def named(name: str) -> Plane:
    """The plane that INGRESS calls so."""
    return _PLANES[name]


def _object(api: str, kind: str, namespace: str, spec: Manifest, **meta: Any) -> Manifest:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": "intruder", "namespace": namespace, **meta},
        "spec": spec,
    }


def _ingress(namespace: str, hostname: str, _settings: Mapping[str, Any]) -> Manifest:
    """An Ingress over HTTPS that names no TLS options."""
    router = "traefik.ingress.kubernetes.io/router"
    annotations = {f"{router}.entrypoints": "websecure", f"{router}.tls": "true"}
    backend = {"service": {"name": "intruder", "port": {"number": 8080}}}
    path = {"path": "/intruder", "pathType": "Prefix", "backend": backend}
    spec = {"ingressClassName": "traefik", "rules": [{"host": hostname, "http": {"paths": [path]}}]}
    return _object("networking.k8s.io/v1", "Ingress", namespace, spec, annotations=annotations)


def _ingress_route(namespace: str, hostname: str, _settings: Mapping[str, Any]) -> Manifest:
    """An IngressRoute over HTTPS that names no TLS options."""
    route = {
        "kind": "Rule",
        "match": f"Host(`{hostname}`) && PathPrefix(`/intruder`)",
        "services": [{"name": "intruder", "port": 8080}],
    }
    spec = {"entryPoints": ["websecure"], "routes": [route], "tls": {}}
    return _object("traefik.io/v1alpha1", "IngressRoute", namespace, spec)


def _http_proxy(namespace: str, hostname: str, _settings: Mapping[str, Any]) -> Manifest:
    """A second root for the host."""
    route = {"conditions": [{"prefix": "/intruder"}], "services": [{"name": "intruder", "port": 8080}]}
    spec = {"ingressClassName": "contour", "virtualhost": {"fqdn": hostname}, "routes": [route]}
    return _object("projectcontour.io/v1", "HTTPProxy", namespace, spec)


def _http_route(namespace: str, hostname: str, settings: Mapping[str, Any]) -> Manifest:
    """A route of the whole Gateway: of its own listeners, not of those that ListenerSets add."""
    gateway = settings["gateway"]
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/intruder"}}],
        "backendRefs": [{"name": "intruder", "port": 8080}],
    }
    parent = {"namespace": gateway["namespace"], "name": gateway["name"]}
    spec = {"parentRefs": [parent], "hostnames": [hostname], "rules": [rule]}
    return _object("gateway.networking.k8s.io/v1", "HTTPRoute", namespace, spec)


def listener_set(namespace: str, hostname: str, settings: Mapping[str, Any]) -> Manifest:
    """A listener for the host on the port that ours has, with a Secret `intruder`."""
    gateway = settings["gateway"]
    listener = {
        "name": "https",
        "hostname": hostname,
        "port": gateway["httpsPort"],
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "intruder"}]},
    }
    parent = {"namespace": gateway["namespace"], "name": gateway["name"]}
    spec = {"parentRef": parent, "listeners": [listener]}
    return _object("gateway.networking.k8s.io/v1", "ListenerSet", namespace, spec)


_LAXER = {"PolicyEnforced": ("False", "NotServed")}
_AEAD = ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
_PLANES = {
    plane.name: plane
    for plane in (
        Plane(
            DIALECTS["traefik"],
            secure=("ingress", "https"),
            hostname_at="/spec/rules/0/host",
            foreign={"Ingress": Foreign(_ingress, _LAXER), "IngressRoute": Foreign(_ingress_route, _LAXER)},
        ),
        Plane(
            DIALECTS["contour"],
            secure=("httpproxy", "contour"),
            hostname_at="/spec/virtualhost/fqdn",
            foreign={
                "HTTPProxy": Foreign(
                    _http_proxy,
                    {"Served": ("False", "NotServed"), "PolicyEnforced": ("Unknown", "NotProbed")},
                    words="is used in multiple HTTPProxies",
                    keeps_out="is used in multiple httpproxies",
                )
            },
            # What Contour asks for where nothing is configured, and what Envoy has by itself.
            own_suites=frozenset(f"TLS_ECDHE_{key}_WITH_{suite}" for key in ("ECDSA", "RSA") for suite in _AEAD),
            own_groups=frozenset({"X25519MLKEM768", "X25519", "P-256"}),
            redirects_strangers=True,
        ),
        Plane(
            DIALECTS["envoy-gateway"],
            secure=("listenerset", "envoy-https"),
            hostname_at="/spec/listeners/0/hostname",
            foreign={"HTTPRoute": Foreign(_http_route), "ListenerSet": Foreign(listener_set, _LAXER)},
        ),
    )
}
