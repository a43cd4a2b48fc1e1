"""The ordered chain of checks on the certificate that a Domain has: each says why a new one is wanted, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from certward.model.pki import CertificateFacts


@dataclass(frozen=True, slots=True)
class SecretState:
    """What is known of `<domain>-tls`. Holds no key.

    Attributes:
        exists: there is a Secret of that name.
        is_managed: it carries Certward's labels for this Domain.
        facts: its leaf, when key and certificate belong together and can be served; None otherwise.
        problem: why not, as a sentence; empty when facts is set.
        issuer: the configured issuer that it came from; empty when unknown (restored without annotations).
        instead_of: the issuer that ought to have issued it and why it could not; empty when it did.
        is_trusted: the chain ends in a root that the operator trusts.
        resource_version: changes whenever the Secret does.
        is_remembered: the status told it; the Secret has not been read.
        is_owned: it goes with its Domain; False for one that was restored, until it is adopted.
        is_revoked: its certificate was revoked because its Domain asked for that.
        refresh: the refresh that was asked for when the certificate came, and is behind it.
        revoke: the revocation that was asked for when the certificate came, or that has been done to it.
        issued_at: when the operator stored the certificate, by its clock then; None: not known.
        in_a_row: how many replacements by time or advice, each too early, have led to the certificate.
        not_revoked: that revocation, where it was meant for the certificate before and could not be done.
    """

    exists: bool = False
    is_managed: bool = False
    facts: CertificateFacts | None = None
    problem: str = ""
    issuer: str = ""
    instead_of: str = ""
    is_trusted: bool = False
    resource_version: str = ""
    is_remembered: bool = False
    is_owned: bool = True
    is_revoked: bool = False
    refresh: str = ""
    revoke: str = ""
    not_revoked: str = ""
    issued_at: datetime | None = None
    in_a_row: int = 0

    def covering(self, owner: str) -> "SecretState":
        """The state, given whose hostname elsewhere the certificate is for as well: "namespace/name", or empty.

        No CA gives such a one to a Domain. Whoever writes Secrets in a namespace can make it, and an ingress with one
        store would serve it for the other's hostname. One that is trusted is left alone: control was proven for all its
        names, and some CAs add names by themselves.
        """
        if not owner or self.facts is None or self.is_trusted:
            return self
        return replace(self, facts=None, problem=f"The certificate also covers the hostname of Domain {owner}.")


class Wanted(NamedTuple):
    """Why a new certificate is wanted, for the log; and whether the one at hand may go on being served."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CertificateInput:
    """What the checks look at.

    Attributes:
        held_for: so long neither time nor advice are a reason, since the certificate has only just come.
    """

    hostname: str
    secret: SecretState
    key_type: str
    is_key_type_asked_for: bool
    fits_profile: bool
    issuers: tuple[str, ...]
    renewal_at: datetime | None
    now: datetime
    held_for: timedelta = timedelta()


Check = Callable[[CertificateInput], Wanted | None]


def _missing(given: CertificateInput) -> Wanted | None:
    return None if given.secret.exists else Wanted("Missing", "there is no certificate yet")


def _unusable(given: CertificateInput) -> Wanted | None:
    return None if given.secret.facts else Wanted("Unusable", given.secret.problem)


def _revoked(given: CertificateInput) -> Wanted | None:
    return Wanted("Revoked", "the certificate has been revoked") if given.secret.is_revoked else None


def _renewal_due(given: CertificateInput) -> Wanted | None:
    is_held = given.held_for > timedelta()
    if given.secret.facts and given.renewal_at and given.now >= given.renewal_at and not is_held:
        return Wanted("RenewalDue", "the certificate is due for renewal")
    return None


def _key_type_changed(given: CertificateInput) -> Wanted | None:
    facts = given.secret.facts
    if facts and facts.key_type != given.key_type and (given.is_key_type_asked_for or not given.fits_profile):
        return Wanted("KeyTypeChanged", f"the key is {facts.key_type} and {given.key_type} is wanted")
    return None


def _issuer_changed(given: CertificateInput) -> Wanted | None:
    issuer = given.secret.issuer
    if given.secret.facts and issuer and issuer not in given.issuers:
        return Wanted("IssuerChanged", f"the certificate is from {issuer}, which is no longer asked for")
    return None


CHAIN: tuple[Check, ...] = (
    _missing,  # Make sure that there is one,
    _unusable,  # that it can be served for this name now,
    _revoked,  # that its owner has not had it revoked,
    _key_type_changed,  # with the key that was asked for or that the TLS profile needs,
    _issuer_changed,  # from an issuer that is still meant,
    _renewal_due,  # and that it stays valid long enough.
)


def why_issue(given: CertificateInput) -> Wanted | None:
    """The first reason for a new certificate, or None when the one at hand is right."""
    for check in CHAIN:
        if wanted := check(given):
            return wanted
    return None
