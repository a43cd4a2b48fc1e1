"""Which TLS an App is served with: the policy in force, or the default of the revision that it is pinned to.

Everything here is a function of the objects and of the App's own status.tls, never of the order in which they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from certward.errors import InvalidSpec
from certward.model import profiles
from certward.model.profiles import Profile
from certward.model.resources import App, TLSPolicy
from certward.names import ANNOTATION_DEFAULT_REVISION


class DefaultChange(NamedTuple):
    """From this moment on, `revision` was the default for new Apps."""

    since: datetime
    revision: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration and its history say.

    Attributes:
        default: the revision that new Apps are pinned to.
        history: recorded changes of the default, oldest first.
        floor: the lowest version that may be served; empty for none.
    """

    default: str
    history: Sequence[DefaultChange] = ()
    floor: str = ""


@dataclass(frozen=True, slots=True)
class HSTS:
    """Strict-Transport-Security (RFC 6797).

    Attributes:
        max_age: seconds.
    """

    max_age: int
    include_subdomains: bool
    preload: bool


@dataclass(frozen=True, slots=True)
class Effective:
    """What an App is to be served with.

    Attributes:
        profile: cut to the floor.
        policy: name of the TLSPolicy in force; empty for the App's default or for what is kept.
        hsts: from the policy that has the say, also while it is refused: a header once sent is not taken back.
        refusal: why the policy that claims the App is not in force; None when it is or none claims it.
    """

    profile: Profile
    policy: str = ""
    hsts: HSTS | None = None
    refusal: InvalidSpec | None = None


def pinned_revision(app: App, *, default: str, history: Sequence[DefaultChange]) -> str:
    """The revision that an App's default profile comes from.

    The annotation says it, once set. Without it: an App that has a revision in its status has asked to move and gets
    today's default; one that was created before the last change of the default (restored from a backup, or created
    while the operator was down) gets the default of its creation time; any other one today's.

    Args:
        app: the App.
        default: the configuration's default revision.
        history: recorded changes of the default, oldest first.
    """
    pinned = app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION, "")
    if pinned in profiles.REVISIONS:
        return pinned
    served = (app.status.get("tls") or {}).get("revision", "")
    if pinned and served in profiles.REVISIONS:
        return str(served)  # an annotation that names no revision is a mistake, not a wish to move
    if served or not history or app.meta.created_at >= history[-1].since:
        return default
    known = [change for change in history if change.revision in profiles.REVISIONS]  # it may have been edited by hand
    earlier = [change for change in known if change.since <= app.meta.created_at]
    if earlier:
        return earlier[-1].revision
    return known[0].revision if known else default


def rank(policy: TLSPolicy, app: App) -> int | None:
    """How closely a policy points at an App: 0 by name, 1 by labels, 2 by namespace; None: not at all."""
    if policy.meta.namespace != app.meta.namespace or policy.meta.is_deleting:
        return None
    if policy.targets is not None:
        return 0 if app.meta.name in policy.targets else None
    if policy.selector is not None:
        labels = policy.selector.get("matchLabels") or {}
        return 1 if all(app.meta.labels.get(name) == value for name, value in labels.items()) else None
    return 2


def claiming(app: App, policies: Sequence[TLSPolicy]) -> TLSPolicy | None:
    """The policy that has the say over an App: closest first, then oldest, then by name.

    A policy that is refused keeps its claim, so that a mistake in it does not let another one through.
    """
    ranked = [(rank(policy, app), policy.meta.age_order, policy) for policy in policies]
    claims = [(closeness, age, policy) for closeness, age, policy in ranked if closeness is not None]
    return min(claims, key=lambda claim: claim[:2])[2] if claims else None


def declared_profile(policy: TLSPolicy, app: App, rules: Rules) -> Profile:
    """The profile that a policy means for an App, before the floor.

    Raises:
        InvalidSpec: ProfileRetired, ProfileUnknown, RevisionUnknown.
    """
    if policy.revision is not None:
        return profiles.profile(policy.revision, policy.profile)
    pinned = pinned_revision(app, default=rules.default, history=rules.history)
    return profiles.profile(profiles.first_revision_with(policy.profile, pinned), policy.profile)


def effective(app: App, policies: Sequence[TLSPolicy], rules: Rules) -> Effective:
    """What an App is to be served with.

    Args:
        app: the App, with its status: what it was last served with is kept while its policy is refused.
        policies: those of its namespace, in any order.
        rules: from the configuration.
    """
    policy = claiming(app, policies)
    if policy is None:
        return Effective(_above_floor(_default_of(app, rules), rules))
    try:
        declared = declared_profile(policy, app, rules)
    except InvalidSpec as refusal:
        return Effective(
            _above_floor(_kept(app) or _default_of(app, rules), rules), hsts=hsts_of(policy), refusal=refusal
        )
    refusal_by_floor = below_floor(declared, rules)
    return Effective(
        _above_floor(declared, rules),
        policy=policy.meta.name if profiles.cut_to_floor(declared, rules.floor) else "",
        hsts=hsts_of(policy),
        refusal=refusal_by_floor,
    )


def below_floor(declared: Profile, rules: Rules) -> InvalidSpec | None:
    """Why a profile is not served as it is declared; None when it is."""
    left = profiles.cut_to_floor(declared, rules.floor)
    if left is not None and left.min_version == declared.min_version:
        return None
    name = f"Profile {declared.name} of revision {declared.revision}"
    if left is None:
        return InvalidSpec(
            "BelowFloor",
            f"{name} lies wholly beneath {rules.floor}, the least that this cluster serves; today's default is served "
            "instead. Choose a newer profile.",
        )
    return InvalidSpec(
        "BelowFloor",
        f"{name} reaches beneath {rules.floor}, the least that this cluster serves; only {left.min_version} to "
        f"{left.max_version} of it is served. Choose a newer profile.",
    )


def hsts_of(policy: TLSPolicy) -> HSTS | None:
    """The Strict-Transport-Security header that a policy asks for."""
    if not policy.hsts or "maxAge" not in policy.hsts:
        return None
    return HSTS(
        max_age=int(policy.hsts["maxAge"]),
        include_subdomains=bool(policy.hsts.get("includeSubDomains", False)),
        preload=bool(policy.hsts.get("preload", False)),
    )


def _default_of(app: App, rules: Rules) -> Profile:
    revision = pinned_revision(app, default=rules.default, history=rules.history)
    return profiles.profile(revision, "default")


def _kept(app: App) -> Profile | None:
    """What the App was last served with, as its status says."""
    served = app.status.get("tls") or {}
    return profiles.TABLE.get((served.get("revision", ""), served.get("profile", "")))


def _above_floor(profile: Profile, rules: Rules) -> Profile:
    """The profile without what lies beneath the floor; today's default where nothing is left.

    The configuration is refused at start when not even today's default has anything above the floor.
    """
    return (
        profiles.cut_to_floor(profile, rules.floor)
        or profiles.cut_to_floor(profiles.profile(rules.default, "default"), rules.floor)
        or profile
    )
