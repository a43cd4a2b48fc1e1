"""What ingress-nginx's ConfigMap says for all hosts at once, held against what one host is to be served with.

Keys and defaults: docs/user-guide/nginx-configuration/configmap.md and internal/ingress/controller/config/config.go of
v1.15; what they do to a request: rootfs/etc/nginx/lua/lua_ingress.lua.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from certward.model.policy import HSTS
from certward.model.profiles import Profile, versions
from certward.model.suites import GROUPS, SUITES, VERSIONS, usable
from certward.names import CHALLENGE_PATH

#: All of the table but what OpenSSL leaves out unless it is built with weak ciphers, and DHE, which needs parameters
#: that are cluster-wide.
HOST_SUITES = frozenset(
    suite.iana for suite in SUITES.values() if not suite.tls13 and suite.kx != "DHE" and suite.enc != "3DES-CBC"
)
_OLD = ("TLSv1.0", "TLSv1.1")
_LEVEL_ZERO = "@SECLEVEL=0"
_PROTOCOLS = "TLSv1.2 TLSv1.3"
_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
)
_AUTO = "auto"
_UNREDIRECTED = CHALLENGE_PATH.rstrip("/")
#: OpenSSL's other names for the groups that profiles know, in lower case.
_GROUPS = {name.lower(): name for name in GROUPS} | {
    "prime256v1": "P-256",
    "secp256r1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}
#: A name that OpenSSL does not know breaks the whole configuration, and it knows this one from 3.5 on only.
_NEW_GROUP = "X25519MLKEM768"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The cluster-wide settings that matter to a host.

    Attributes:
        versions: offered to all hosts, oldest first.
        ciphers: for hosts that name none, OpenSSL's names; above all whether they come with security level 0.
        groups: None for those that OpenSSL has of itself; unknown names as they are.
        hsts: sent with every HTTPS response of every host; None for none.
        allowed_ranges: who reaches hosts that say nothing of ranges; empty for everybody.
        redirects: a host that has a certificate is redirected where its Ingress says nothing else.
        redirects_always: so is one that has none.
        unredirected: beginnings of paths that no Ingress can have redirected.
    """

    versions: tuple[str, ...]
    ciphers: str
    groups: tuple[str, ...] | None
    hsts: HSTS | None
    allowed_ranges: tuple[str, ...]
    redirects: bool
    redirects_always: bool
    unredirected: tuple[str, ...]


def cluster_settings(configmap_data: Mapping[str, str]) -> ClusterSettings:
    """Read a ConfigMap's data as the controller does: what it does not have, or not rightly, is the default."""
    protocols = configmap_data.get("ssl-protocols", _PROTOCOLS).split()
    offered = {"TLSv1.0" if name == "TLSv1" else name for name in protocols}
    curve = configmap_data.get("ssl-ecdh-curve", _AUTO).strip() or _AUTO
    named = tuple(name for part in curve.split(":") if (name := part.lstrip("?*")))
    max_age = configmap_data.get("hsts-max-age", "")
    header = HSTS(
        max_age=int(max_age) if max_age.isascii() and max_age.isdigit() else 31536000,
        include_subdomains=_flag(configmap_data, "hsts-include-subdomains", default=True),
        preload=_flag(configmap_data, "hsts-preload", default=False),
    )
    return ClusterSettings(
        versions=tuple(version for version in VERSIONS if version in offered),
        ciphers=configmap_data.get("ssl-ciphers", _CIPHERS),
        groups=None if curve == _AUTO else tuple(_GROUPS.get(name.lower(), name) for name in named),
        hsts=header if _flag(configmap_data, "hsts", default=True) else None,
        allowed_ranges=_listed(configmap_data.get("whitelist-source-range", "")),
        redirects=_flag(configmap_data, "ssl-redirect", default=True),
        redirects_always=_flag(configmap_data, "force-ssl-redirect", default=False),
        unredirected=_listed(configmap_data.get("no-tls-redirect-locations", _UNREDIRECTED)),
    )


def needed(settings: ClusterSettings, profile: Profile, hsts: HSTS | None) -> dict[str, str]:
    """Say which keys of the ConfigMap would have to be set to what, so that one host gets what is asked for.

    They change all hosts. Within the profile nothing more is asked for than that nothing else is accepted: the group
    X25519MLKEM768, which an older OpenSSL does not know, is left to the administrator.

    Args:
        settings: as they are.
        profile: in force for the host.
        hsts: the header that its policy asks for; None for none.
    """
    wanted: dict[str, str] = {}
    if _served(settings, profile) != versions(profile):
        protocols = ["TLSv1" if version == "TLSv1.0" else version for version in versions(profile)]
        if versions(profile) != settings.versions:
            wanted["ssl-protocols"] = " ".join(protocols)
        if _needs_level_zero(profile) and _LEVEL_ZERO not in settings.ciphers:
            wanted["ssl-ciphers"] = f"{settings.ciphers}:{_LEVEL_ZERO}"
    if settings.groups is None or set(settings.groups) - set(profile.groups):
        wanted["ssl-ecdh-curve"] = ":".join(group for group in profile.groups if group != _NEW_GROUP)
    if settings.hsts != hsts:
        wanted["hsts"] = _spelled(hsts is not None)
    if settings.hsts != hsts and hsts is not None:
        wanted["hsts-max-age"] = str(hsts.max_age)
        wanted["hsts-include-subdomains"] = _spelled(hsts.include_subdomains)
        wanted["hsts-preload"] = _spelled(hsts.preload)
    if "/" in settings.unredirected:
        wanted["no-tls-redirect-locations"] = _UNREDIRECTED
    return wanted


def compare(
    settings: ClusterSettings, profile: Profile, hsts: HSTS | None, *, is_restricted: bool = False
) -> tuple[str, ...]:
    """Say what a host gets under these settings, and what the administrator would have to set.

    Args:
        settings: of the controller that serves the host.
        profile: in force for the host.
        hsts: the header that its policy asks for; None for none.
        is_restricted: the App names ranges of its own, so that the cluster's do not count.

    Returns:
        One sentence of what the host gets; a second one where that is not what was asked for.
    """
    groups = "the groups that OpenSSL has" if settings.groups is None else ", ".join(settings.groups)
    held = f"offers {', '.join(_served(settings, profile)) or 'no protocol version'}, {groups}"
    held += f" and {_words(settings.hsts)}"
    if settings.allowed_ranges and not is_restricted:
        held += f", to {', '.join(settings.allowed_ranges)} only"
    if "/" in settings.unredirected:
        held += ", and redirects no plain HTTP"
    sentence = f"With its ConfigMap as it is, ingress-nginx {held}."
    parts = [f'{key} to "{value}"' for key, value in needed(settings, profile, hsts).items()]
    if not parts:
        return (sentence,)
    joined = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    name = f"profile {profile.name} of revision {profile.revision}"
    return sentence, f"For {name} the administrator would have to set {joined}, for all hosts at once."


def suites_of(profile: Profile) -> tuple[str, ...]:
    """The suites for TLS 1.2 and below that a host with this profile is given, IANA names; perhaps none."""
    return tuple(suite for suite in profile.suites if suite in HOST_SUITES)


def _flag(data: Mapping[str, str], key: str, *, default: bool) -> bool:
    """Read a switch in the spellings of Go's strconv.ParseBool."""
    value = data.get(key, "")
    if value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    return False if value in {"0", "f", "F", "false", "FALSE", "False"} else default


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part for item in value.split(",") if (part := item.strip()))


def _served(settings: ClusterSettings, profile: Profile) -> tuple[str, ...]:
    """The versions that the host's own suites leave of those that all hosts are offered."""
    suites = suites_of(profile)
    is_level_zero = _LEVEL_ZERO in settings.ciphers and _needs_level_zero(profile)
    return tuple(
        version
        for version in settings.versions
        if version == "TLSv1.3"
        or (any(usable(SUITES[suite], version) for suite in suites) and (version not in _OLD or is_level_zero))
    )


def _needs_level_zero(profile: Profile) -> bool:
    return any(version in _OLD for version in versions(profile))


def _words(header: HSTS | None) -> str:
    if header is None:
        return "sends no HSTS"
    extra = (", with includeSubDomains" if header.include_subdomains else "") + (
        ", with preload" if header.preload else ""
    )
    return f"sends HSTS for {header.max_age} seconds{extra}"


def _spelled(flag: bool) -> str:
    return "true" if flag else "false"
