"""What is known when a decision about a Domain is made, and what a decision looks like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from certward.errors import OperatorError
from certward.model import profiles
from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.resources import App, Domain
from certward.plan import challenges
from certward.plan.challenges import Challenge, Ways
from certward.plan.checks import SecretState
from certward.plan.manual import Manual, Refused, Serving
from certward.plan.schedule import Window


@dataclass(frozen=True, slots=True)
class Proof:
    """What the last handshake with the ingress showed.

    Attributes:
        at: when.
        fingerprint: lower hex SHA-256 of the leaf that was served; empty when there was no handshake.
        problem: why this is not the declared certificate, as a sentence; empty when it is.
        versions: protocol versions that the host accepts, lowest first; empty when not scanned.
        policy_problem: how what is accepted differs from the profile, as a sentence; empty when it does not.
        policy_reason: Enforced, EnforcedNarrower, NotServed, NotEnforceable, or empty when not scanned.
        profile: label of the profile that the scan was held against; empty when not scanned.
        grade: the SSL Labs grade of what the scan found; empty when not scanned.
        grade_capped_by: what keeps it from being better.
        hsts_max_age: what the grade counts for Strict-Transport-Security, seconds.
        since: when a handshake first failed to show the certificate that is declared now; None when it shows.
        expected: fingerprint of the leaf that it was held against.
    """

    at: datetime
    fingerprint: str = ""
    problem: str = ""
    versions: tuple[str, ...] = ()
    policy_problem: str = ""
    policy_reason: str = ""
    profile: str = ""
    grade: str = ""
    grade_capped_by: str = ""
    hsts_max_age: int = 0
    since: datetime | None = None
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known while a Domain waits for its turn at the CA.

    Attributes:
        wait: how long until it is worth asking again.
        expected: when its turn is expected, coarsely; None: so soon that nothing is said.
        words: what it waits for, as a sentence.
        reason: WaitingForBudget, or RateLimited where the CA itself has said so.
    """

    wait: timedelta
    expected: datetime | None = None
    words: str = ""
    reason: str = "WaitingForBudget"


@dataclass(frozen=True, slots=True)
class Unrevoked:
    """Why a revocation that was asked for could not be done.

    Attributes:
        words: as a sentence.
        wait: how long until it is tried again; None: not by itself.
    """

    words: str
    wait: timedelta | None


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision about one Domain depends on.

    Attributes:
        domain: the object.
        app: its App, or None.
        owner: "namespace/name" of the Domain that owns the hostname when it is not this one; else empty.
        refusal: (reason, message) when the configuration does not let this namespace claim the hostname.
        collides_with: "namespace/name" of the older Domain whose Secret the ingress cannot tell from this one's.
        missing_service: name of a Service of the App that does not exist; else empty.
        secret: what is known of `<domain>-tls`, which holds the automatic certificate.
        stored_since: how long ago this process has stored that certificate, by a clock that nobody sets; None: it was
            another process.
        manual: the manual certificates that the App names, in its order.
        refused: one that the ingress did not show lately although it was told to serve it; None: there is none.
        begun_since: since when this process has worked on the hostname.
        next_key_type: key type of the stored key of an open order; empty when there is none.
        next_spki: hash of that key's public half; equal to the certificate's once the order has been stored.
        profile: the TLS profile in force for the App, cut to the floor.
        last: the profile that the host was last served with, cut to the floor; None: not known.
        hsts: the Strict-Transport-Security header that the policy in force asks for.
        foreign: routes of others for the same host, as "Kind namespace/name".
        obstacle: what keeps the routes from being written, as a sentence; empty when nothing does.
        disturbed: time since the routes of others for this host last changed; None: not lately.
        issuers: names of the issuers that may be used, in order; empty when none fits.
        issuer: the one of them to ask: the first that can issue at the moment.
        unknown_issuer: the issuer that the App names and the configuration lacks; else empty.
        order_url: the open order, from status or from this process; empty when none.
        order_issuer: the issuer of that order.
        order_created_at: when it was placed, RFC 3339.
        is_unanswered: the CA may not have been told yet to validate the open order.
        turn: set while the CA's limits, or other Domains, go before this one's order.
        is_preflighted: the challenge path has been seen to work at the ingress since the last failure.
        proof: what the last handshake of this process showed; None after a restart.
        failure: what the step before ended with; None when it went well or there was none.
        is_pause_over: the pause that the CA asked this process for has passed, by a clock that nobody sets.
        window: when the CA wants the certificate at hand renewed; None: not heard in this process.
        advice_in: how long until the CA is asked for that (again), zero or less for now; None: it is not asked.
        account: changes whenever the Secrets of the issuer's account do.
        is_edited: spec, App, Secret, refresh annotation or configuration changed since the last failure.
        wait: how long the CA asked to wait before the open order is looked at again.
        probe_interval: how often a converged host is checked by handshake.
        dns_targets: what the hostname should point at: a name, or addresses; empty when the configuration does not say.
        is_pointed_here: a look from outside has shown that the hostname leads here, or does not; None: not looked.
        dns_warning: what that look found amiss without its being certain, as a sentence.
        ingress_class: the class that the App asks for, or the default one.
        shares_certificate: the certificate is other hosts' as well; a handshake does not show a route of its own.
        ways: what is known of the ways to prove control over the hostname.
        unrevoked: why the last attempt at the revocation that is asked for failed; None when there was none.
    """

    domain: Domain
    app: App | None
    profile: Profile
    last: Profile | None = None
    hsts: HSTS | None = None
    foreign: tuple[str, ...] = ()
    obstacle: str = ""
    disturbed: timedelta | None = None
    secret: SecretState = field(default_factory=SecretState)
    stored_since: timedelta | None = None
    manual: tuple[Manual, ...] = ()
    refused: Refused | None = None
    owner: str = ""
    refusal: tuple[str, str] | None = None
    collides_with: str = ""
    missing_service: str = ""
    begun_since: timedelta = timedelta(hours=1)
    next_key_type: str = ""
    next_spki: str = ""
    issuers: tuple[str, ...] = ()
    issuer: str = ""
    unknown_issuer: str = ""
    order_url: str = ""
    order_issuer: str = ""
    order_created_at: str = ""
    is_unanswered: bool = False
    turn: Turn | None = None
    is_preflighted: bool = False
    proof: Proof | None = None
    failure: OperatorError | None = None
    is_pause_over: bool = False
    window: Window | None = None
    advice_in: timedelta | None = None
    account: int = 0
    is_edited: bool = False
    wait: timedelta = timedelta()
    probe_interval: timedelta = timedelta(minutes=10)
    dns_targets: tuple[str, ...] = ()
    is_pointed_here: bool | None = None
    dns_warning: str = ""
    ingress_class: str = ""
    shares_certificate: bool = False
    ways: Ways = field(default_factory=Ways)
    unrevoked: Unrevoked | None = None

    @property
    def challenge(self) -> Challenge | None:
        """The challenge to ask for; None: there is none for this hostname."""
        return challenges.choose(self.domain.hostname, self.ways)

    @property
    def has_certificate(self) -> bool:
        """Whether there is a certificate for the hostname, from wherever."""
        return self.secret.facts is not None or any(one.secret.facts for one in self.manual)

    @property
    def is_moving(self) -> bool:
        """Whether the host is still routed by another class, which goes on until this one is shown to serve it."""
        known = self.domain.status.get("ingressClassName") or ""
        return bool(known) and known != self.ingress_class


def max_age(hsts: HSTS | None) -> int:
    """How long clients are told to keep to HTTPS, seconds; 0 for no header."""
    return hsts.max_age if hsts else 0


def label(profile: Profile) -> str:
    """What tells one profile from another, the cut by the floor included."""
    return f"{profile.revision}/{profile.name}/{profile.min_version}"


def labelled(text: str) -> Profile | None:
    """The profile of a label; None where there is none, or none any more."""
    revision, _, rest = text.partition("/")
    name, _, least = rest.partition("/")
    known = profiles.TABLE.get((revision, name))
    if known is None or least not in profiles.versions(known):
        return None
    return profiles.cut_to_floor(known, least)


class Step(Enum):
    """The one thing to do next that takes talking to somebody other than the API server."""

    NONE = "none"
    PREFLIGHT = "preflight"
    PLACE = "place an order"
    ADVANCE = "advance the order"
    PROVE = "prove by handshake"
    ADVICE = "ask the CA when to renew"
    REVOKE = "revoke the certificate"


@dataclass(frozen=True, slots=True)
class Routes:
    """What the ingress is to do for one hostname.

    Attributes:
        challenge: route the HTTP-01 path to the operator.
        secret_name: serve HTTPS with this Secret; empty: no HTTPS.
        redirect: answer plain HTTP with a redirect.
        profile: the TLS settings, when secret_name is set; None: whatever is rendered stays as it is, because
            the certificate at hand cannot be served with the profile in force, nor with that of before.
        hsts: header to send with HTTPS; None: none. Clients take it only from a connection that they trust (RFC 6797,
            8.1), so that it need not wait for a proof.
        plain: False: a first certificate is on its way, and the route of plain HTTP may come together with its
            redirect; one that is there already stays.
    """

    challenge: bool
    secret_name: str
    redirect: bool
    profile: Profile | None
    hsts: HSTS | None = None
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for a Domain now.

    Attributes:
        routes: what the ingress is to do; None: nothing for this hostname.
        step: what to do after that.
        issuer: for PLACE, ADVANCE and REVOKE, the issuer to use.
        key_type: for PLACE, the key to make.
        serving: the certificate that the ingress is told to serve; None when there is none that it could.
        refuses: fingerprint of one that it did not show in time and is no longer told to serve; else empty.
        drop_next_key: the stored key of an order is no longer needed.
        leaves_class: what was made for another ingress class before is no longer needed.
        status: the whole status as it should be.
        again_after: when to look again if nothing happens before.
        why: one line for the log.
    """

    routes: Routes | None
    step: Step
    status: Mapping[str, Any]
    again_after: timedelta
    issuer: str = ""
    key_type: str = ""
    serving: Serving | None = None
    refuses: str = ""
    drop_next_key: bool = False
    leaves_class: bool = False
    why: str = ""
