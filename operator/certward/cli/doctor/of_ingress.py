"""What is said of the ingress classes, from what was found of them. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from certward.cli.findings import Finding, Unseen, broken, not_looked_at, ok, warning
from certward.cli.words import listed
from certward.plan.enforcement import Capabilities

Body = Mapping[str, Any]
_VERSIONS: Final = ("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")


def engine(name: str, capabilities: Capabilities, *, is_used: bool) -> Finding:
    """What the controller of an ingress class can set for one host.

    Args:
        name: of the class.
        capabilities: of its controller.
        is_used: the class is the default one, or an App names it.
    """
    parts = {
        "protocol versions": bool(capabilities.versions),
        "suites up to TLS 1.2": bool(capabilities.suites),
        "their order": capabilities.orders_suites,
        "TLS 1.3 suites": capabilities.sets_tls13_suites,
        "groups": bool(capabilities.groups),
        "HSTS": capabilities.sends_hsts,
        "redirects": capabilities.redirects,
        "trusted ranges": capabilities.restricts_ranges,
    }
    able = [part for part, is_able in parts.items() if is_able]
    unable = [part for part, is_able in parts.items() if not is_able]
    words = f"Class {name} ({capabilities.engine}) can be told, for each host: {', '.join(able) or 'nothing'}"
    words += f"; not: {', '.join(unable)}." if unable else "."
    if not capabilities.versions and is_used:
        how = capabilities.cluster_wide or "Choose another class for Apps that need a TLS policy."
        return warning(
            f"{words} A TLS policy is not kept there unless the controller's own settings happen to fit.", how
        )
    return ok(words)


def default_class(name: str | Unseen, known: Collection[str]) -> Finding:
    """Whether the class of Apps that name none is there.

    Args:
        name: as configured.
        known: the classes in the cluster and in the configuration.
    """
    if isinstance(name, Unseen):
        return not_looked_at(f"Which class is the default one: {name.why}.")
    if name in known:
        return ok(f"Apps that name no class are routed by {name}.")
    return broken(
        f"Apps that name no class are to be routed by {name}, but there is no such IngressClass or GatewayClass.",
        f"Install it, or set ingress.defaultClass to one of: {', '.join(sorted(known)) or 'none is there'}.",
    )


def strict_default(options: Sequence[Body] | Unseen | None, stores: Sequence[Body] | Unseen | None) -> Finding:
    """Traefik's settings for what no host's own settings apply to.

    Args:
        options: all TLSOptions; None: the cluster has no such kind.
        stores: all TLSStores.
    """
    if isinstance(options, Unseen):
        return not_looked_at(f"Traefik's default TLSOption: {options.why}.")
    named = [body for body in options or () if body["metadata"]["name"] == "default"]
    advice = (
        "Apply one TLSOption of the name default with minVersion: VersionTLS12; and with sniStrict: true, unless hosts "
        "live on Traefik's default certificate."
    )
    if len(named) > 1:
        where = listed([body["metadata"]["namespace"] for body in named])
        return warning(
            f"TLSOptions of the name default are in the namespaces {where}; Traefik then takes none.", advice
        )
    if not named:
        return warning(
            "Traefik has no strict default: to unknown names, and to hosts that somebody else's route interferes with, "
            "it applies its built-in one (TLS 1.2 and later, a self-signed certificate).",
            advice,
        )
    spec = named[0].get("spec") or {}
    lowest = str(spec.get("minVersion") or "VersionTLS12")
    where = f"TLSOption {named[0]['metadata']['namespace']}/default"
    if lowest in _VERSIONS and _VERSIONS.index(lowest) < _VERSIONS.index("VersionTLS12"):
        return warning(f"Traefik's default, {where}, admits {lowest.removeprefix('Version')}.", advice)
    is_strict = bool(spec.get("sniStrict"))
    store = [
        body for body in (() if isinstance(stores, Unseen) else stores or ()) if body["metadata"]["name"] == "default"
    ]
    unknown = (
        "refuses names that it has no certificate for"
        if is_strict
        else f"serves unknown names with {'the certificate of its TLSStore' if store else 'a self-signed certificate'}"
    )
    return ok(f"Traefik's default, {where}, begins at {lowest.removeprefix('Version')} and {unknown}.")
