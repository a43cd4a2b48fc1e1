"""Which certificate the ingress is to serve for a hostname: the automatic one or a manual one, and when it changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from certward.model import profiles
from certward.plan.manual import Serving
from certward.plan.observed import Observed

#: How long a host may take to show a new certificate before that counts as not served.
PROOF_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be served, and what is served until that is shown.

    Attributes:
        serving: what the ingress is told to serve; None when there is nothing that it could.
        before: what it was last shown to serve, where that is another one that can still be served.
        refuses: fingerprint of the one that it did not show in time and that it is no longer told to serve.
        held: why it is not the one that is wanted, as a sentence; empty when it is.
        is_short: what holds it may pass without anything that would be told of.
    """

    serving: Serving | None = None
    before: Serving | None = None
    refuses: str = ""
    held: str = ""
    is_short: bool = False

    def shows(self, fingerprint: str) -> Serving | None:
        """Which of the two a leaf is."""
        return next(
            (one for one in (self.serving, self.before) if one and one.facts.fingerprint_sha256 == fingerprint), None
        )


def choose(observed: Observed, now: datetime) -> Choice:
    """What is to be served for a Domain now.

    With automatic certificates on, the automatic one once it is issued; with them off, a manual one that covers the
    hostname, else the last automatic one. Among manual ones the one that is valid longest. What the ingress does not
    show within 30 seconds it is no longer told to serve, as long as the one before, or the one that it shows, can be.
    """
    candidates = tuple(_candidates(observed, now))
    if not candidates:
        return Choice()
    known = observed.domain.status.get("certificate") or {}
    current = next((one for one in candidates if one.secret_name == known.get("secretName")), None)
    wanted = candidates[0]
    expected = wanted.facts.fingerprint_sha256
    if current and current.is_manual and not wanted.is_manual and (awaited := _awaited(observed, current)):
        return Choice(
            current,
            held=f"The automatic certificate is there and is served once that of Domain {awaited} is, too: both are "
            f"served with Secret {current.secret_name}, and the ingress has one store for all of them.",
            is_short=True,
        )
    before = current if current and current.secret_name != wanted.secret_name else None
    proof, others = observed.proof, [one for one in candidates if one.facts.fingerprint_sha256 != expected]
    if observed.refused and observed.refused.fingerprint == expected and others:
        fallback = before or others[0]
        return Choice(fallback, held=_not_shown(wanted, fallback))
    is_late = proof is not None and proof.since is not None and now - proof.since >= PROOF_PATIENCE
    if proof and proof.problem and proof.expected == expected and is_late:
        shown = next((one for one in others if one.facts.fingerprint_sha256 == proof.fingerprint), None)
        if instead := before or shown:
            return Choice(instead, refuses=expected, held=_not_shown(wanted, instead))
    return Choice(wanted, before=before)


def _not_shown(wanted: Serving, instead: Serving) -> str:
    what = f"certificate in Secret {wanted.secret_name}" if wanted.is_manual else "automatic certificate"
    return (
        f"The ingress did not show the {what} within 30 seconds, so that it serves the one in Secret "
        f"{instead.secret_name} again; look for another route or certificate for the host. It is tried again."
    )


def _candidates(observed: Observed, now: datetime) -> Iterator[Serving]:
    """What can be served, the best first; what the profile's every version can be served with before what cannot."""
    app, facts = observed.app, observed.secret.facts
    if app is None:
        return
    automatic = []
    if facts and observed.secret.is_managed:
        automatic = [Serving("Automatic", observed.domain.secret_name, facts, observed.secret.is_trusted)]
    usable = [
        Serving("Manual", one.secret.name, one.secret.facts, one.secret.is_trusted)
        for one in observed.manual
        if one.secret.facts and not one.taken_from and not one.problem(observed.domain.hostname, now)
    ]
    usable.sort(key=lambda one: one.secret_name)
    usable.sort(key=lambda one: one.facts.not_after, reverse=True)
    ordered = [*automatic, *usable] if app.is_automatic else [*usable, *automatic]
    ordered.sort(key=lambda one: not profiles.fits(observed.profile, one.facts.key_type))
    yield from ordered


def _awaited(observed: Observed, current: Serving) -> str:
    return next((one.awaited for one in observed.manual if one.secret.name == current.secret_name), "")
