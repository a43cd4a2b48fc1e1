"""What the report says of each source object, and the values that the translation passes around."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from certward.cli.gitops import Keeper
from certward.model.hostnames import HostnameRule, claim_allowed
from certward.model.pki import CertificateFacts

Body = Mapping[str, Any]

#: On every object that the import makes, so that all of them can be found, and taken away, at once.
LABEL_IMPORTED = "certward.dev/imported-from"
IMPORTED = "cert-manager"


class Ref(NamedTuple):
    """An object of the source."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def ref_of(body: Body) -> Ref:
    """Which object a body is."""
    meta = body.get("metadata") or {}
    return Ref(str(body.get("kind")), str(meta.get("namespace") or ""), str(meta.get("name") or ""))


class Weight(enum.IntEnum):
    """What a note does to the outcome."""

    TOLD = 0  # worth knowing; nothing is lost
    LOST = 1  # part of what the object asks for has no counterpart
    RISKY = 2  # so is this, and requests could be answered differently: the host stays unless that is accepted
    STOPS = 3  # the host, or the object, stays with cert-manager


class Note(NamedTuple):
    """One thing to say of an object.

    Attributes:
        weight: what it does to the outcome.
        what: what is lost, or why it is not translated; one sentence.
        todo: what to do about it; one sentence, empty where there is nothing to do.
        host: the hostname that it is about; empty for all of the object's.
    """

    weight: Weight
    what: str
    todo: str = ""
    host: str = ""


def told(what: str, todo: str = "") -> Note:
    """Worth knowing."""
    return Note(Weight.TOLD, what, todo)


def lost(what: str, todo: str = "", host: str = "") -> Note:
    """Without a counterpart."""
    return Note(Weight.LOST, what, todo, host)


def risky(what: str, todo: str = "", host: str = "") -> Note:
    """Without a counterpart, and requests would notice."""
    return Note(Weight.RISKY, what, todo, host)


def stops(what: str, todo: str = "", host: str = "") -> Note:
    """Why it stays as it is."""
    return Note(Weight.STOPS, what, todo, host)


class Outcome(enum.StrEnum):
    """How much of an object has been translated."""

    TRANSLATED = "translated"
    PARTLY = "partly"
    NOT = "not"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the report says of one source object.

    Attributes:
        source: the object.
        outcome: how much of it has been translated.
        becomes: what it has become, such as "App shop/web".
        notes: what is lost and what to do, without repetitions.
    """

    source: Ref
    outcome: Outcome
    becomes: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def finding(source: Ref, becomes: Sequence[str], notes: Sequence[Note]) -> Finding:
    """A finding with the outcome that follows from its notes."""
    if not becomes:
        # What would be lost does not matter then.
        outcome = Outcome.NOT
        notes = [note for note in notes if note.weight >= Weight.RISKY] or notes
    elif any(note.weight > Weight.TOLD for note in notes):
        outcome = Outcome.PARTLY
    else:
        outcome = Outcome.TRANSLATED
    return Finding(source, outcome, tuple(dict.fromkeys(becomes)), tuple(dict.fromkeys(notes)))


@dataclass(frozen=True, slots=True)
class SecretFound:
    """What is known of a Secret. Holds no key.

    Attributes:
        facts: its leaf, where one can be read.
        problem: why it cannot be served, as a sentence; empty where it can.
        owner: the Certificate that takes it along when it is deleted; else empty.
        domain: the Domain that it belongs to, by Certward's labels; else empty.
    """

    facts: CertificateFacts | None = None
    problem: str = ""
    owner: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who may claim which hostname, by the operator's configuration.

    Attributes:
        rules: in any order.
        default: what holds where none matches.
        reserved: the platform's own domain; empty for none.
    """

    rules: tuple[HostnameRule, ...] = ()
    default: Literal["allow", "deny"] = "allow"
    reserved: str = ""

    def problem(self, hostname: str, namespace: str) -> str:
        """Why a namespace may not have a hostname, as a clause; empty when it may."""
        if self.reserved and f".{hostname}".endswith(f".{self.reserved}"):
            return f"is below the platform's own domain, {self.reserved}"
        if not claim_allowed(hostname, namespace, self.rules, self.default):
            return f"is not for namespace {namespace}, by hostnames in the operator's configuration"
        return ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that the translation reads.

    Attributes:
        objects: of cert-manager, the routes and the classes; by kind.
        apps: Apps that are there already.
        domains: Domains that are there already, in every namespace that could be read.
        secrets: what was found, by namespace and name; None in place of one that is not there. What was not looked
            at (offline, or without the right to) is missing.
        issuers: issuers that the operator has already, as its configuration writes them.
        claims: who may claim which hostname, by that configuration.
        keeper: who would undo a change of that configuration in the cluster; None where nobody is known to.
        unread: what could not be read, as sentences.
    """

    objects: Mapping[str, Sequence[Body]] = field(default_factory=dict)
    apps: Sequence[Body] = ()
    domains: Sequence[Body] = ()
    secrets: Mapping[tuple[str, str], SecretFound | None] = field(default_factory=dict)
    issuers: Sequence[Body] = ()
    claims: Claims = Claims()
    keeper: Keeper | None = None
    unread: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Body]:
        """All objects of a kind, in a fixed order."""
        return sorted(self.objects.get(kind, ()), key=ref_of)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user has chosen.

    Attributes:
        is_automatic: Apps ask for automatic certificates from the start.
        accepts_loss: hosts are taken over although requests could notice.
        default_issuer: of Ingresses that name none (kubernetes.io/tls-acme), as "name" or "Kind/name"; else empty.
        resource_namespace: where ClusterIssuers have their Secrets.
    """

    is_automatic: bool = False
    accepts_loss: bool = False
    default_issuer: str = ""
    resource_namespace: str = "cert-manager"
