"""What a scan says of a profile: kept, kept narrower for want of the engine, or not kept; in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from certward.errors import Blocked
from certward.model import profiles
from certward.model.profiles import Profile
from certward.model.resources import App

#: Revisions from this one on leave the choice among their suites to the client (Mozilla 6.0: no server order).
_UNORDERED_SINCE = "2026-11"
#: Groups that are defined for TLS 1.3 alone.
_TLS13_GROUPS = frozenset({"X25519MLKEM768"})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an ingress controller can enforce for one host.

    Attributes:
        engine: its name, for sentences.
        versions: the protocol versions that it can be told to offer, per host.
        suites: the suites for TLS 1.2 and below that it knows, IANA names.
        groups: the groups that it knows.
        orders_suites: it goes by the order of the suites that it is given.
        sets_tls13_suites: it can be told which TLS 1.3 suites to offer.
        foreign_route: what a route of somebody else for the same host does, for sentences.
        sends_hsts: it can send Strict-Transport-Security for one host.
        redirects: it can redirect plain HTTP of one host to HTTPS, and leave the challenge path out.
        restricts_ranges: it can let in an App's trusted ranges only, and leave the challenge path open.
        cluster_wide: what the administrator can set for all hosts at once where nothing can be set per host, as a
            sentence; empty when there is no such thing.
        version: of the controller that the facts are about.
        source: where the facts come from.
        tried: what of them was tried on the real engine, as a sentence.
    """

    engine: str
    versions: frozenset[str]
    suites: frozenset[str]
    groups: frozenset[str]
    orders_suites: bool
    sets_tls13_suites: bool
    foreign_route: str
    sends_hsts: bool = True
    redirects: bool = True
    restricts_ranges: bool = True
    cluster_wide: str = ""
    version: str = ""
    source: str = ""
    tried: str = ""

    def check(self, app: App) -> None:
        """Refuse what must not be routed because it would be open to more than the App says.

        Raises:
            Blocked: in words for the App's owner.
        """
        if app.trusted_ranges and not self.restricts_ranges:
            raise Blocked(
                "TrustedRangesNotSupported",
                f"{self.engine} cannot keep everybody but the trusted ranges out, so App {app.meta.name} is not "
                f"routed; "
                "choose another ingress class or remove spec.network.trustedRanges.",
            )


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a host accepts, as a scan found it.

    Attributes:
        versions: oldest first.
        suites: for each version.
        groups: all that were accepted, at any version.
    """

    versions: tuple[str, ...]
    suites: Mapping[str, tuple[str, ...]]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Reason and sentence for PolicyEnforced; kept means that it is True.

    Attributes:
        is_lasting: looking again soon would show the same. False when something is amiss that the engine can do, as
            it is while it takes up a change.
    """

    is_kept: bool
    reason: str
    message: str
    is_lasting: bool = True


def judge(
    accepted: Accepted, profile: Profile, key_type: str, engine: Capabilities, *, wants_hsts: bool = False
) -> Verdict:
    """Hold what a host accepts against the profile that it is to be served with.

    Args:
        accepted: from a complete scan.
        profile: in force, cut to the floor.
        key_type: of the certificate served; it decides which suites can be negotiated.
        engine: what the ingress can do.
        wants_hsts: the policy asks for Strict-Transport-Security.
    """
    name = f"profile {profile.name} of revision {profile.revision}"
    promised = profiles.versions(profile)
    if extra := [version for version in accepted.versions if version not in promised]:
        return _broken(engine, extra, engine.versions, f"accepts {', '.join(extra)}, which {name} does not allow")
    if lacking := [version for version in promised if version not in accepted.versions]:
        return _broken(engine, lacking, engine.versions, f"refuses {', '.join(lacking)}, which {name} promises")
    expected = profiles.expected(profile, key_type)
    older = [version for version in accepted.versions if version != "TLSv1.3"]
    if alien := _beyond(accepted.suites, expected, older):
        return _broken(engine, alien, engine.suites, f"accepts {', '.join(alien)}, which {name} does not have")
    if alien := sorted(accepted.groups - set(profile.groups)):
        return _broken(engine, alien, engine.groups, f"accepts group {', '.join(alien)}, which {name} does not have")
    missing = _missing(accepted, profile, expected, older)
    narrower = _narrower(accepted, profile, expected, missing, engine)
    if wants_hsts and not engine.sends_hsts:
        narrower.append(f"{engine.engine} cannot be told to send Strict-Transport-Security for one host")
    is_lasting = missing.isdisjoint(engine.suites | engine.groups)
    if narrower:
        words = f"Nothing outside {name}; {'; '.join(narrower)}."
        return Verdict(is_kept=True, reason="EnforcedNarrower", message=words, is_lasting=is_lasting)
    return Verdict(is_kept=True, reason="Enforced", message=f"Handshakes accept what {name} says and nothing else.")


def _broken(engine: Capabilities, what: list[str], known: frozenset[str], sentence: str) -> Verdict:
    """NotEnforceable where the engine cannot be told of it for one host, NotServed where it could."""
    is_able = all(item in known for item in what)
    reason = "NotServed" if is_able else "NotEnforceable"
    return Verdict(is_kept=False, reason=reason, message=f"{engine.engine} {sentence}.", is_lasting=not is_able)


def _beyond(
    suites: Mapping[str, tuple[str, ...]], expected: Mapping[str, tuple[str, ...]], versions: list[str]
) -> list[str]:
    found = {suite for version in versions for suite in suites.get(version, ()) if suite not in expected[version]}
    return sorted(found)


def _missing(
    accepted: Accepted, profile: Profile, expected: Mapping[str, tuple[str, ...]], older: list[str]
) -> frozenset[str]:
    """The suites for TLS 1.2 and below and the groups that are not offered, although they could be negotiated."""
    suites = {
        suite for version in older for suite in expected[version] if suite not in accepted.suites.get(version, ())
    }
    is_tls13 = "TLSv1.3" in accepted.versions
    groups = {group for group in profile.groups if is_tls13 or group not in _TLS13_GROUPS}
    return frozenset(suites | (groups - accepted.groups))


def _narrower(
    accepted: Accepted,
    profile: Profile,
    expected: Mapping[str, tuple[str, ...]],
    missing: frozenset[str],
    engine: Capabilities,
) -> list[str]:
    """What the engine leaves out or does its own way, as clauses."""
    clauses = []
    if missing:
        clauses.append(f"{engine.engine} does not offer {', '.join(sorted(missing))}")
    if profile.revision < _UNORDERED_SINCE and not engine.orders_suites and len(profile.suites) > 1:
        clauses.append(f"{engine.engine} chooses among the suites in an order of its own")
    shown13, wanted13 = set(accepted.suites.get("TLSv1.3", ())), set(expected.get("TLSv1.3", ()))
    if "TLSv1.3" in accepted.versions and shown13 != wanted13:
        clauses.append(f"the TLS 1.3 suites are {engine.engine}'s own")
    return clauses
