"""Apps and Domains as the commands show them: one place for what a row says, for people and for programs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from certward.cli import words
from certward.model.conditions import is_true
from certward.model.resources import App, Domain, format_time, parse_time

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DomainView:
    """What is told of one Domain."""

    domain: Domain

    @property
    def state(self) -> str:
        """Its state, as in the API; empty while the operator has not seen it."""
        return str(self.domain.status.get("state") or "")

    @property
    def status(self) -> str:
        """Its state as it is shown."""
        return words.state(self.state)

    @property
    def reason(self) -> str:
        """Why, in one word; empty where all is well."""
        return str(self.domain.status.get("reason") or "")

    @property
    def message(self) -> str:
        """What is wrong and what to do; empty where all is well."""
        return str(self.domain.status.get("message") or "")

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The certificate that is served; empty where there is none."""
        return self.domain.status.get("certificate") or {}

    @property
    def is_automatic(self) -> bool:
        """Whether an automatic certificate is served."""
        return self.certificate.get("source") == "Automatic"

    @property
    def is_ready(self) -> bool:
        """Whether a handshake has shown the certificate as declared."""
        return is_true(self.domain.status.get("conditions") or (), "Ready")

    @property
    def is_up_to_date(self) -> bool:
        """Whether the status is about the Domain as it is now."""
        return self.domain.status.get("observedGeneration") == self.domain.meta.generation

    def at(self, *path: str) -> datetime | None:
        """A time of the status; None where there is none."""
        value: Any = self.domain.status
        for name in path:
            value = (value or {}).get(name)
        return parse_time(value) if value else None

    @property
    def dns(self) -> Mapping[str, Any]:
        """The DNS record that it needs; empty where the operator does not know."""
        return self.domain.status.get("dns") or {}

    @property
    def record_type(self) -> str:
        """Type of the DNS record: at the apex of a zone a CNAME is not possible (RFC 1034, 3.6.2)."""
        kind = str(self.dns.get("recordType") or "")
        return "ALIAS or ANAME" if kind == "CNAME" and is_apex(self.domain.hostname) else kind

    @property
    def points_here(self) -> str:
        """Whether the hostname was found to lead here: yes, no, or empty while that is not known."""
        known = self.dns.get("verified")
        return "" if known is None else "yes" if known else "no"

    def data(self) -> Data:
        """For programs; times in RFC 3339, null where there is none."""
        status = self.domain.status
        return {
            "name": self.domain.meta.name,
            "namespace": self.domain.meta.namespace,
            "app": self.domain.app,
            "hostname": self.domain.hostname,
            "state": self.state or "Waiting",
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "ready": self.is_ready,
            "lastUpdated": status.get("lastUpdated"),
            "nextAttempt": (status.get("attempts") or {}).get("nextAttempt"),
            "dns": {
                "target": self.dns.get("target", ""),
                "recordType": self.dns.get("recordType", ""),
                "verified": self.dns.get("verified"),
            },
            "certificate": dict(self.certificate) or None,
            "served": dict(status.get("served") or {}) or None,
        }


def is_apex(hostname: str) -> bool:
    """Whether a hostname is a registered domain itself, where DNS admits no CNAME."""
    return registered_domain(hostname) == hostname


def registered_domain(hostname: str) -> str | None:
    """The part of a hostname that somebody has registered; None of a public suffix."""
    found: str | None = _suffixes().privatesuffix(hostname)
    return found


@cache
def _suffixes() -> "PublicSuffixList":
    """The list takes a while to load, and is loaded where it is needed."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def tls_of(app: App) -> Data:
    """What an App's status says of its TLS, with every field there."""
    told = app.status.get("tls") or {}
    fields = ("profile", "revision", "policy", "minVersion", "maxVersion", "grade", "gradeCappedBy")
    return {field: str(told.get(field) or "") for field in fields}


def version(name: str) -> str:
    """A protocol version as people write it: TLS 1.2."""
    return name.replace("TLSv", "TLS ")


def versions(lowest: str, highest: str) -> str:
    """A range of protocol versions: "TLS 1.2 to 1.3"."""
    if not lowest:
        return ""
    return version(lowest) if lowest == highest else f"{version(lowest)} to {highest.removeprefix('TLSv')}"


def time_data(at: datetime | None) -> str | None:
    """A time for programs."""
    return format_time(at) if at else None
