"""Certificates that were obtained elsewhere: what is known of one, and what it is worth to a hostname."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certward.model import hostnames
from certward.model.pki import CertificateFacts

#: So long before its end a manual certificate is said to expire, or a third of its life where that is shorter.
EXPIRING = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ManualSecret:
    """A Secret that an App names in spec.certificates.manual, whoever reads it. Holds no key.

    Attributes:
        name: of the Secret, in the App's namespace.
        exists: there is one.
        facts: its leaf, where one can be read.
        problem: why it can serve no hostname at all, as a sentence; empty when it can.
        is_trusted: the chain ends in a root that the operator trusts.
    """

    name: str
    exists: bool = False
    facts: CertificateFacts | None = None
    problem: str = ""
    is_trusted: bool = False


@dataclass(frozen=True, slots=True)
class Manual:
    """What a manual certificate is to one Domain.

    Attributes:
        secret: what is known of it.
        intrudes_on: "namespace/name" of a Domain elsewhere whose hostname it covers; else empty.
        collides_with: whose Secret the ingress cannot tell from this one, as "namespace/name"; else empty.
        taken_from: a Domain of this namespace that is served an automatic certificate and would be served this one as
            well, because the ingress has one store for all hosts; else empty.
        awaited: a Domain of this namespace that is served with it and has no automatic certificate yet, so that the
            ingress would go on serving this one for all of them; else empty.
    """

    secret: ManualSecret
    intrudes_on: str = ""
    collides_with: str = ""
    taken_from: str = ""
    awaited: str = ""

    def problem(self, hostname: str, now: datetime) -> str:
        """Why it cannot be served for a hostname now, as a sentence; empty when it can."""
        facts, name = self.secret.facts, self.secret.name
        if not self.secret.exists:
            return f"There is no Secret {name}; create it (kubernetes.io/tls), or take it out of the App."
        if self.secret.problem or facts is None:
            return f"Secret {name} cannot be served: {self.secret.problem} Put a right pair of key and chain into it."
        if now < facts.not_before:
            return f"The certificate in Secret {name} is not valid yet."
        if now >= facts.not_after:
            return f"The certificate in Secret {name} has expired; put a newer one into it."
        if self.intrudes_on:
            return (
                f"The certificate in Secret {name} also covers the hostname of Domain {self.intrudes_on} in another "
                "namespace; use one that is for names of this namespace only."
            )
        if self.collides_with:
            return f"The ingress cannot tell Secret {name} from {self.collides_with}; give the Secret another name."
        if not covers(facts, hostname):
            listed = ", ".join(facts.hostnames[:5]) or "no hostname"
            return f"The certificate in Secret {name} does not cover {hostname}; it is for {listed}."
        return ""


@dataclass(frozen=True, slots=True)
class Serving:
    """A certificate that the ingress can be told to serve for a hostname.

    Attributes:
        source: Automatic or Manual.
        secret_name: the Secret that holds it.
        facts: its leaf.
        is_trusted: the chain ends in a root that the operator trusts.
    """

    source: str
    secret_name: str
    facts: CertificateFacts
    is_trusted: bool = False

    @property
    def is_manual(self) -> bool:
        """Whether it was obtained elsewhere."""
        return self.source == "Manual"


@dataclass(frozen=True, slots=True)
class Refused:
    """A certificate that the ingress did not show when it was told to, so that it serves the one before again.

    Attributes:
        fingerprint: of the one that it did not show.
        again_in: how long until it is told again.
    """

    fingerprint: str
    again_in: timedelta


def covers(facts: CertificateFacts, hostname: str) -> bool:
    """Whether a certificate is for a hostname."""
    return any(hostnames.covers(name, hostname) for name in facts.hostnames)


def expiring_at(facts: CertificateFacts) -> datetime:
    """When a manual certificate begins to need somebody's attention."""
    return facts.not_after - min(EXPIRING, (facts.not_after - facts.not_before) / 3)
