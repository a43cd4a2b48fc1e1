"""What the annotations of a route ask of its ingress controller: carried over, harmless, or without a counterpart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from certward.cli.importing.findings import Note, lost, risky, told
from certward.cli.words import listed

_TRUE = ("true", "1", "on", "yes")
_CONTROLLERS = (
    "nginx.ingress.kubernetes.io/",
    "traefik.ingress.kubernetes.io/",
    "haproxy-ingress.github.io/",
    "haproxy.org/",
    "projectcontour.io/",
    "contour.heptio.com/",
    "ingress.kubernetes.io/",
    "konghq.com/",
    "nginx.org/",
    "nginx.com/",
    "alb.ingress.kubernetes.io/",
    "networking.gke.io/",
    "appgw.ingress.kubernetes.io/",
)
_RANGES = ("whitelist-source-range", "allowlist-source-range")
_REDIRECTS = ("ssl-redirect", "force-ssl-redirect")
_ROUTER = "traefik.ingress.kubernetes.io/router."
_TLS = ("ssl-ciphers", "ssl-prefer-server-ciphers", "ssl-options", "tls-minimum-protocol-version")
_MIDDLEWARES = (
    "Keep this host's Ingress, or have what the middlewares do done by the app; ranges of addresses are "
    "spec.network.trustedRanges of the App, the redirect is spec.httpsRedirect."
)
_PROFILE = "Choose one by a TLSPolicy: kubectl certward tls set PROFILE -a APP."
_KEEP = "If the app does without, run again with --with-loss; else leave the host with cert-manager and its Ingress."
#: Controllers that redirect hosts with a certificate to HTTPS unless told otherwise.
_REDIRECTING = ("nginx", "haproxy")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an App can be told of it.

    Attributes:
        ranges: where clients may connect from; None: anywhere.
        redirect: whether plain HTTP is redirected; None where that is as the controller does it.
        notes: what has no counterpart.
    """

    ranges: tuple[str, ...] | None
    redirect: bool | None
    notes: tuple[Note, ...]


def read(annotations: Mapping[str, str]) -> Asked:
    """Read the annotations of an Ingress."""
    ranges: tuple[str, ...] | None = None
    redirect: bool | None = None
    notes: list[Note] = []
    unknown: list[str] = []
    for key, value in sorted(annotations.items()):
        prefix, _, name = key.rpartition("/")
        if key == f"{_ROUTER}entrypoints":
            # Without plain HTTP there is nothing that a redirect could break, and nothing is to be had in the clear.
            redirect = "web" not in [one.strip() for one in value.split(",")]
        elif not f"{prefix}/".startswith(_CONTROLLERS):
            notes += _other(key)
        elif name in _REDIRECTS:
            redirect = redirect or value.lower() in _TRUE
        elif name in _RANGES:
            found, bad = _networks(value)
            ranges = (*(ranges or ()), *found)
            notes += [risky(f"{key}: {one} is no range of addresses.", _KEEP) for one in bad]
        elif key == f"{_ROUTER}tls.options" or name in _TLS:
            notes.append(lost(f"{key}: the TLS that an App is served with is a profile.", _PROFILE))
        elif key == f"{_ROUTER}middlewares":
            notes.append(risky(f"{key}: Certward writes middlewares of its own only.", _MIDDLEWARES))
        elif key not in (f"{_ROUTER}tls", f"{_ROUTER}priority"):
            unknown.append(key)
    if unknown:
        notes.append(risky(f"{listed(unknown, 30)}: Certward cannot write this for a host.", _KEEP))
    return Asked(ranges, redirect, tuple(notes))


def redirects_by_itself(controller: str) -> bool:
    """Whether a controller, by its name or its class's, redirects hosts with a certificate without being asked to."""
    return any(name in controller for name in _REDIRECTING) and "nginx.org" not in controller


def _other(key: str) -> Iterator[Note]:
    if key.startswith("external-dns.alpha.kubernetes.io/"):
        yield lost(
            f"{key}: external-dns reads this from the Ingress, and Certward's own Ingresses do not carry it.",
            "Before you delete the Ingress, give the record another source (a DNSEndpoint, or the annotation on the "
            "Service).",
        )
    elif key == "acme.cert-manager.io/http01-edit-in-place":
        yield told("http01-edit-in-place is not needed: the challenge has a route of its own.")


def _networks(value: str) -> tuple[list[str], list[str]]:
    found, bad = [], []
    for part in filter(None, (part.strip() for part in value.split(","))):
        try:
            found.append(str(ip_network(part, strict=False)))
        except ValueError:
            bad.append(part)
    return found, bad
