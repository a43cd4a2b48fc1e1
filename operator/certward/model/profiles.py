"""TLS profiles: what each profile name means in each revision, and which keys go with it.

A revision never changes once it is released: an app that is pinned to it must be served the same TLS for
ever. A changed opinion is a new revision. Sources of the lists: for 2018-06 the tlsconfig package of
github.com/heroku/x; for 2026-11 Mozilla's Server Side TLS guidelines 6.0, whose `modern` and `intermediate`
are `modern` and `default` here.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from certward.errors import InvalidSpec
from certward.model.suites import SUITES, VERSIONS, usable

#: Revisions, oldest first. The last one is the default of a new installation.
REVISIONS: Final = ("2017-09", "2018-06", "2026-11")
#: Every profile name that some revision has, strongest first.
PROFILE_NAMES: Final = ("modern", "default", "legacy", "strict")

KeyAlgorithm = Literal["ECDSA", "RSA"]


@dataclass(frozen=True)
class Profile:
    """A fixed set of protocol versions, cipher suites and groups.

    Attributes:
        revision: the revision that defines it.
        name: its name in that revision.
        min_version: the lowest version offered, one of `suites.VERSIONS`.
        max_version: the highest version offered.
        suites: suites for TLS 1.2 and below, IANA names, in the server's order of preference.
        suites13: suites for TLS 1.3.
        groups: names of the key exchange groups, in the server's order of preference.
        deprecated: whether users should be told to leave it.
    """

    revision: str
    name: str
    min_version: str
    max_version: str
    suites: tuple[str, ...]
    suites13: tuple[str, ...]
    groups: tuple[str, ...]
    deprecated: bool


_LEGACY_2018 = (
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
)
_MODERN_2018 = (
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
)
_DEFAULT_2018 = (
    *_MODERN_2018,
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
)
_STRICT_2018 = (
    *_MODERN_2018,
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
)
_INTERMEDIATE_6_0 = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
_LEGACY_2026 = (
    *_INTERMEDIATE_6_0,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
)
_SUITES13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_GROUPS_2018 = ("X25519", "P-256")
_GROUPS_2026 = ("X25519MLKEM768", "X25519", "P-256", "P-384")


def _until_tls12(
    revision: str, name: str, lowest: str, suites: tuple[str, ...], *, deprecated: bool = False
) -> Profile:
    return Profile(revision, name, lowest, "TLSv1.2", suites, (), _GROUPS_2018, deprecated)


def _until_tls13(revision: str, name: str, lowest: str, suites: tuple[str, ...]) -> Profile:
    return Profile(revision, name, lowest, "TLSv1.3", suites, _SUITES13, _GROUPS_2026, deprecated=False)


#: Every profile there is, by revision and name.
TABLE: Final[dict[tuple[str, str], Profile]] = {
    (entry.revision, entry.name): entry
    for entry in (
        _until_tls12("2017-09", "default", "TLSv1.0", _LEGACY_2018),
        _until_tls12("2017-09", "strict", "TLSv1.1", _STRICT_2018, deprecated=True),
        _until_tls12("2018-06", "modern", "TLSv1.2", _MODERN_2018),
        _until_tls12("2018-06", "default", "TLSv1.1", _DEFAULT_2018),
        _until_tls12("2018-06", "legacy", "TLSv1.0", _LEGACY_2018),
        _until_tls12("2018-06", "strict", "TLSv1.1", _STRICT_2018, deprecated=True),
        _until_tls13("2026-11", "modern", "TLSv1.3", ()),
        _until_tls13("2026-11", "default", "TLSv1.2", _INTERMEDIATE_6_0),
        _until_tls13("2026-11", "legacy", "TLSv1.2", _LEGACY_2026),
    )
}


def profile(revision: str, name: str) -> Profile:
    """Return the profile of that name in a revision.

    Raises:
        InvalidSpec: RevisionUnknown, ProfileRetired (an earlier revision had it) or ProfileUnknown.
    """
    _check_revision(revision)
    if found := TABLE.get((revision, name)):
        return found
    here = ", ".join(n for n in PROFILE_NAMES if (revision, n) in TABLE)
    having = [r for r in REVISIONS if (r, name) in TABLE]
    if not having:
        raise InvalidSpec("ProfileUnknown", f"There is no profile '{name}'; write one of {here}.")
    if having[-1] < revision:
        raise InvalidSpec(
            "ProfileRetired",
            f"Profile '{name}' was retired after revision {having[-1]}; write one of {here}, "
            f"or name revision {having[-1]}.",
        )
    raise InvalidSpec(
        "ProfileUnknown",
        f"Revision {revision} has no profile '{name}'; write one of {here}, or name revision {having[0]}.",
    )


def first_revision_with(name: str, since: str) -> str:
    """Return `since` if it has the profile, else the oldest later revision that does.

    This is the revision of a policy that names none.

    Args:
        name: the profile's name.
        since: the App's pinned revision.

    Raises:
        InvalidSpec: as `profile` does, when neither `since` nor a later revision has the profile.
    """
    _check_revision(since)
    for revision in REVISIONS:
        if revision >= since and (revision, name) in TABLE:
            return revision
    return profile(since, name).revision  # always raises, with the words for what is wrong


def versions(profile: Profile) -> tuple[str, ...]:
    """Return the protocol versions that a profile offers, oldest first."""
    return VERSIONS[VERSIONS.index(profile.min_version) : VERSIONS.index(profile.max_version) + 1]


def expected(profile: Profile, key_type: str) -> dict[str, tuple[str, ...]]:
    """Return, for each version offered, the suites that a certificate with such a key lets clients negotiate.

    A version without any is in the result with an empty tuple: no handshake can succeed there.
    """
    algorithm = _algorithm(key_type)
    return {
        version: tuple(
            name
            for name in profile.suites + profile.suites13
            if usable(SUITES[name], version) and SUITES[name].auth in {algorithm, "any"}
        )
        for version in versions(profile)
    }


def key_types_usable(profile: Profile) -> frozenset[KeyAlgorithm]:
    """Return the key algorithms with which a handshake can succeed at every version of the profile."""
    algorithms: tuple[KeyAlgorithm, ...] = ("ECDSA", "RSA")
    return frozenset(a for a in algorithms if all(expected(profile, a).values()))


def fits(profile: Profile, key_type: str) -> bool:
    """Tell whether a key, such as "ECDSA-P256" or "RSA-2048", is usable at every version of the profile."""
    return _algorithm(key_type) in key_types_usable(profile)


def default_key_type(profile: Profile) -> Literal["ECDSA-P256", "RSA-2048"]:
    """Return the key type of a certificate for an app that did not ask for one."""
    return "ECDSA-P256" if fits(profile, "ECDSA-P256") else "RSA-2048"


def cut_to_floor(profile: Profile, min_version: str) -> Profile | None:
    """Return the profile without what lies beneath the floor; None when nothing is left.

    Args:
        profile: what would be served without a floor.
        min_version: the lowest version that the administrator admits; "" for no floor.

    Raises:
        ValueError: `min_version` is neither "" nor one of `suites.VERSIONS`.
    """
    if not min_version:
        return profile
    left = tuple(v for v in versions(profile) if VERSIONS.index(v) >= VERSIONS.index(min_version))
    if not left:
        return None
    suites = tuple(name for name in profile.suites if any(usable(SUITES[name], v) for v in left))
    return replace(profile, min_version=left[0], suites=suites)


def _check_revision(revision: str) -> None:
    if revision not in REVISIONS:
        raise InvalidSpec("RevisionUnknown", f"There is no revision '{revision}'; write one of {', '.join(REVISIONS)}.")


def _algorithm(key_type: str) -> str:
    return key_type.partition("-")[0]
