"""What the pages tell of one Domain, App or TLSPolicy: read once from each version of an object. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certward.cli import view as views_of
from certward.cli import words
from certward.cli.view import DomainView
from certward.model.resources import App, Domain, TLSPolicy, parse_time
from certward.names import ANNOTATION_DEFAULT_REVISION


@dataclass(frozen=True, slots=True)
class Told:
    """A condition as it stands in a status; all fields empty where it is not there."""

    status: str = ""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class DomainRow:
    """One Domain.

    Attributes:
        state: as in the API; empty while the operator has not seen it.
        renewal_at: when the operator means to renew; None where it does not.
        versions: the protocol versions that a handshake showed, in words; empty while none has.
    """

    namespace: str
    name: str
    hostname: str
    app: str
    state: str
    reason: str
    message: str
    is_ready: bool
    is_automatic: bool
    secret: str
    issuer: str
    serial: str
    fingerprint: str
    key_type: str
    issued_at: datetime | None
    expires_at: datetime | None
    renewal_at: datetime | None
    updated_at: datetime | None
    next_attempt: datetime | None
    versions: str
    observed_at: datetime | None
    dns_target: str
    dns_type: str
    points_here: str
    conditions: tuple[tuple[str, Told], ...]

    @property
    def status(self) -> str:
        """The state as it is shown."""
        return words.state(self.state)

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"domains/{self.namespace}/{self.name}"

    @property
    def app_path(self) -> str:
        """Where the page of its App is."""
        return f"apps/{self.namespace}/{self.app}"

    def is_found_by(self, word: str) -> bool:
        """Whether a word in lower case stands in what people search for."""
        text = f"{self.hostname} {self.namespace}/{self.app} {self.name} {self.status} {self.state} {self.reason}"
        return word in text.lower()


@dataclass(frozen=True, slots=True)
class AppRow:
    """One App, with what it is served with.

    Attributes:
        declared: the versions of its profile, in words.
        pinned: the revision whose default it has.
    """

    namespace: str
    name: str
    is_automatic: bool
    hostname: str
    profile: str
    revision: str
    policy: str
    declared: str
    grade: str
    capped_by: str
    pinned: str
    service: str
    ready: Told
    enforced: Told

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"apps/{self.namespace}/{self.name}"

    def is_found_by(self, word: str) -> bool:
        """Whether a word in lower case stands in what people search for."""
        return word in f"{self.namespace}/{self.name} {self.profile} {self.policy} {self.hostname}".lower()


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One TLSPolicy."""

    namespace: str
    name: str
    profile: str
    revision: str
    targets: str
    counts: str
    accepted: Told
    enforced: Told

    @property
    def trouble(self) -> Told | None:
        """What keeps it from being in force as it is meant; None where nothing does."""
        return next((told for told in (self.accepted, self.enforced) if told.status == "False"), None)

    @property
    def is_conflict(self) -> bool:
        """Whether another policy is in its way."""
        return self.trouble is not None and self.trouble.reason in ("Conflicted", "PartiallyOverridden")

    def is_found_by(self, word: str) -> bool:
        """Whether a word in lower case stands in what people search for."""
        return word in f"{self.namespace}/{self.name} {self.profile} {self.targets}".lower()


Row = DomainRow | AppRow | PolicyRow


def row_of(value: App | Domain | TLSPolicy) -> Row:
    """What is told of an object."""
    if isinstance(value, Domain):
        return _domain(value)
    return _app(value) if isinstance(value, App) else _policy(value)


def _domain(domain: Domain) -> DomainRow:
    view = DomainView(domain)
    certificate, status = view.certificate, domain.status
    served = status.get("served") or {}
    return DomainRow(
        namespace=domain.meta.namespace,
        name=domain.meta.name,
        hostname=domain.hostname,
        app=domain.app,
        state=view.state,
        reason=view.reason,
        message=view.message,
        is_ready=view.is_ready,
        is_automatic=view.is_automatic,
        secret=str(certificate.get("secretName") or ""),
        issuer=str(certificate.get("issuer") or ""),
        serial=str(certificate.get("serialNumber") or ""),
        fingerprint=str(certificate.get("fingerprintSHA256") or ""),
        key_type=str(certificate.get("keyType") or ""),
        issued_at=_time(certificate.get("notBefore")),
        expires_at=_time(certificate.get("notAfter")),
        renewal_at=_time(certificate.get("renewalTime")),
        updated_at=_time(status.get("lastUpdated")),
        next_attempt=_time((status.get("attempts") or {}).get("nextAttempt")),
        versions=views_of.versions(str(served.get("minVersion") or ""), str(served.get("maxVersion") or "")),
        observed_at=_time(served.get("observedAt")),
        dns_target=str(view.dns.get("target") or ""),
        dns_type=view.record_type,
        points_here=view.points_here,
        conditions=tuple((str(one.get("type")), _told(one)) for one in status.get("conditions") or ()),
    )


def _app(app: App) -> AppRow:
    tls = views_of.tls_of(app)
    return AppRow(
        namespace=app.meta.namespace,
        name=app.meta.name,
        is_automatic=app.is_automatic,
        hostname=str(app.status.get("hostname") or ""),
        profile=tls["profile"],
        revision=tls["revision"],
        policy=tls["policy"],
        declared=views_of.versions(tls["minVersion"], tls["maxVersion"]),
        grade=tls["grade"],
        capped_by=tls["gradeCappedBy"],
        pinned=app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION, ""),
        service=f"{app.service.name}:{app.service.port}",
        ready=_condition(app.status, "Ready"),
        enforced=_condition(app.status, "PolicyEnforced"),
    )


def _policy(policy: TLSPolicy) -> PolicyRow:
    counts = policy.status.get("apps") or {}
    return PolicyRow(
        namespace=policy.meta.namespace,
        name=policy.meta.name,
        profile=policy.profile,
        revision=policy.revision or "",
        targets=_targets(policy),
        counts=f"{counts.get('enforced', 0)} of {words.count(counts.get('targeted', 0), 'app')}" if counts else "",
        accepted=_condition(policy.status, "Accepted"),
        enforced=_condition(policy.status, "Enforced"),
    )


def _targets(policy: TLSPolicy) -> str:
    if policy.targets is not None:
        return ", ".join(policy.targets)
    if policy.selector is not None:
        labels = policy.selector.get("matchLabels") or {}
        return "apps with " + ", ".join(f"{name}={value}" for name, value in labels.items())
    return "every app of the namespace"


def _condition(status: Mapping[str, Any], kind: str) -> Told:
    found: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    return next((_told(one) for one in found if one.get("type") == kind), Told())


def _told(condition: Mapping[str, Any]) -> Told:
    return Told(*(str(condition.get(name) or "") for name in ("status", "reason", "message")))


def _time(text: object) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        return None
