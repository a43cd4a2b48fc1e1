"""What a churn has declared, as values: each namespace, App and Domain, and whether the Domain was seen to follow."""

import time
from dataclasses import dataclass, field

from cluster.backend import Backend
from scale.watching import Body

SERVICES = ("a", "b")
PORT = 8080
#: What is in force for a new App without a policy.
_UNSAID = ("default", "2026-11")


@dataclass(eq=False)
class Place:
    """A namespace; `policy`: profile and revision of its TLSPolicy, empty without one."""

    namespace: str
    backends: list[Backend]
    policy: tuple[str, str] = ("", "")
    apps: list["OneApp"] = field(default_factory=list)

    @property
    def profile(self) -> tuple[str, str]:
        """Profile and revision that are in force."""
        return self.policy if self.policy[0] else _UNSAID


@dataclass(eq=False)
class OneApp:
    """An App; `behind_api`: the Service of the path /api, empty: that of the rest."""

    place: Place
    name: str
    service: str = SERVICES[0]
    behind_api: str = ""
    is_automatic: bool = True
    domains: list["OneDomain"] = field(default_factory=list)

    @property
    def spec(self) -> Body:
        """What is declared."""
        paths = [{"path": "/api", "service": {"name": self.behind_api, "port": PORT}}] if self.behind_api else []
        return {
            "service": {"name": self.service, "port": PORT},
            "paths": paths,
            "certificates": {"automatic": self.is_automatic},
        }

    @property
    def is_settled(self) -> bool:
        """Whether all its Domains are as declared."""
        return all(domain.is_settled for domain in self.domains)


@dataclass(eq=False)
class OneDomain:
    """A Domain.

    Attributes:
        before: fingerprint of a certificate that is not good enough any more; empty: any is.
        fingerprint: of the certificate that was last seen.
        cause: the operation that it last had to follow.
        changed_at: time.monotonic() of that.
        is_settled: it was seen to have followed.
        is_late: it did not within its bound.
    """

    app: OneApp
    name: str
    hostname: str
    before: str = ""
    fingerprint: str = ""
    cause: str = "create"
    changed_at: float = field(default_factory=time.monotonic)
    is_settled: bool = False
    is_late: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.app.place.namespace, self.name

    def has_to_follow(self, cause: str) -> None:
        """Something was changed: it is not as declared until it is seen again to be."""
        self.cause, self.changed_at, self.is_settled, self.is_late = cause, time.monotonic(), False, False
