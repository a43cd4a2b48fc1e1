"""What is known of a hostname when its chain is judged. Values only; what could not be seen says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from certward.cli.findings import Unseen
from certward.model.hostnames import is_wildcard
from certward.model.pki import CertificateFacts
from certward.model.resources import App, Domain, TLSPolicy, parse_time
from certward.plan.checks import SecretState
from certward.probe.caa import CAARecord, CAAVerdict
from certward.probe.fetch import Look
from certward.probe.pointing import Pointing

#: Reasons for which the operator asks no CA, and so routes no challenges either.
NOT_ASKED: Final = ("SecretInvalid", "WildcardNeedsDNS01", "KeyTypeNotServed", "CARejected")
_UNASKED: Final = Unseen("it was not asked for")


@dataclass(frozen=True, slots=True)
class Names:
    """Where a hostname points.

    Attributes:
        pointing: what the DNS says, and what it should.
        setting: the sentence that says which record to set.
    """

    pointing: Pointing
    setting: str


@dataclass(frozen=True, slots=True)
class CAALook:
    """What the CAA records that count for a hostname say.

    Attributes:
        at: the name that has them; empty: none has any.
        records: they.
        failing_at: the name whose servers failed when they were asked; empty: none did.
        issuer_domains: the CA that is to issue, by the names that CAA records know it by.
        unknown: why that CA is not known, as the rest of a sentence; empty when it is.
        verdict: whether it may issue; None where that cannot be told.
    """

    at: str = ""
    records: tuple[CAARecord, ...] = ()
    failing_at: str = ""
    issuer_domains: tuple[str, ...] = ()
    unknown: str = ""
    verdict: CAAVerdict | None = None


@dataclass(frozen=True, slots=True)
class PathLook:
    """What an address answered when it was asked for the challenge.

    Attributes:
        address: it.
        port: where it was asked.
        look: what it showed.
        is_given: the address is the user's, and not the one that the DNS says.
    """

    address: str
    port: int
    look: Look
    is_given: bool = False

    @property
    def where(self) -> str:
        """The address, with its port where that is not the usual one."""
        return _where(self.address, self.port, 80)


@dataclass(frozen=True, slots=True)
class ServedLook:
    """What an address showed in a TLS handshake.

    Attributes:
        address: it.
        port: where.
        is_given: see `PathLook`.
        failure: kind of `ProbeFailed`; empty when there was a handshake.
        words: what the server did instead.
        leaf: the certificate; None when there was none that could be read.
        is_chain: the certificates belong together.
        is_trusted: this machine trusts the chain.
    """

    address: str
    port: int
    is_given: bool = False
    failure: str = ""
    words: str = ""
    leaf: CertificateFacts | None = None
    is_chain: bool = True
    is_trusted: bool = True

    @property
    def where(self) -> str:
        """The address, with its port where that is not the usual one."""
        return _where(self.address, self.port, 443)


def _where(address: str, port: int, usual: int) -> str:
    if port == usual:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclass(frozen=True, slots=True)
class RouteLook:
    """The objects that route a hostname.

    Attributes:
        class_name: the ingress class.
        engine: its controller, for sentences.
        present: the objects that are there, as "Kind name".
        missing: those that ought to be there and are not.
        changed: those that somebody has changed since the operator wrote them.
        foreign: routes of others for the hostname, as "Kind namespace/name".
        unseen: what of this could not be looked at, as a clause; or nothing.
        complaint: what the controller says is wrong, as a sentence.
        obstacle: why the class cannot be used, as a sentence.
        foreign_route: what such a route does at this controller, for sentences.
    """

    class_name: str
    engine: str
    present: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    unseen: str = ""
    complaint: str = ""
    obstacle: str = ""
    foreign_route: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An Event about the Domain."""

    at: str
    kind: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the links of the chain are judged by.

    Attributes:
        hostname: what was asked for.
        now: aware UTC datetime.
        domain: the Domain that it is about; None: no Domain has the hostname.
        searched: where Domains were looked for, as the end of a sentence.
        owner: the older Domain that keeps this one from its hostname, as "namespace/name"; empty where none does.
        app: the Domain's App; None: there is none.
        missing_service: a Service that the App names and that does not exist; empty: all exist.
        names: DNS.
        caa: CAA.
        path: the challenge path, at each address.
        secret: the Secret that the hostname is, or will be, served from.
        secret_name: its name.
        routes: the objects that route it.
        served: handshakes, at each address.
        policies: TLSPolicies of the namespace.
        has_dns_challenges: the platform is known to validate by DNS where that by HTTP does not work.
        events: newest last.
        app_flag: how the App is named to other commands, such as " -n team-a -a shop".
    """

    hostname: str
    now: datetime
    domain: Domain | None = None
    searched: str = ""
    owner: str = ""
    app: App | Unseen | None = None
    missing_service: str | Unseen = ""
    names: Names | Unseen = _UNASKED
    caa: CAALook | Unseen = _UNASKED
    path: tuple[PathLook, ...] | Unseen = _UNASKED
    secret: SecretState | Unseen = _UNASKED
    secret_name: str = ""
    routes: RouteLook | Unseen = _UNASKED
    served: tuple[ServedLook, ...] | Unseen = _UNASKED
    policies: tuple[TLSPolicy, ...] | Unseen = ()
    has_dns_challenges: bool = False
    events: tuple[Event, ...] = ()
    app_flag: str = ""

    @property
    def status(self) -> Mapping[str, Any]:
        """What the operator says of the Domain."""
        return self.domain.status if self.domain else {}

    @property
    def reason(self) -> str:
        """Its reason."""
        return str(self.status.get("reason") or "")

    @property
    def message(self) -> str:
        """Its sentence."""
        return str(self.status.get("message") or "")

    @property
    def told_at(self) -> datetime | None:
        """Since when it says so."""
        return _time(self.status.get("lastUpdated"))

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition of the Domain; empty when there is none of that type."""
        return next((each for each in self.status.get("conditions") or () if each.get("type") == kind), {})

    def condition_at(self, kind: str) -> datetime | None:
        """Since when a condition is as it is."""
        return _time(self.condition(kind).get("lastTransitionTime"))

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The certificate that the operator says is in place; empty when there is none."""
        return self.status.get("certificate") or {}

    @property
    def is_automatic(self) -> bool:
        """The App asks for automatic certificates, or that cannot be seen."""
        return not self.app or isinstance(self.app, Unseen) or self.app.is_automatic

    @property
    def is_wildcard(self) -> bool:
        """The Domain has a wildcard hostname, which no CA validates by HTTP."""
        return self.domain is not None and is_wildcard(self.domain.hostname)

    @property
    def no_challenge(self) -> str:
        """Why no CA asks for plain HTTP, as a sentence; empty: one does."""
        if not self.is_automatic:
            return "It is not needed: no certificate is asked for of a CA."
        if self.is_wildcard or (self.status.get("dns") or {}).get("validationRecord"):
            return "It is not needed: the hostname is validated by its DNS."
        return ""

    @property
    def good_until(self) -> datetime | None:
        """Until when there is a certificate that can be served; None: there is none."""
        if isinstance(self.secret, SecretState):
            return self.secret.facts.not_after if self.secret.facts else None
        until = _time(self.certificate.get("notAfter"))
        return until if until and until > self.now else None


def _time(text: object) -> datetime | None:
    return parse_time(str(text)) if text else None
