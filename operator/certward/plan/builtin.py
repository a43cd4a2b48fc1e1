"""The hostname that the platform gives an App: how it is routed, when it is looked at, what is said of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certward.model import profiles
from certward.model.conditions import Condition, is_true, no, unknown, yes
from certward.model.pki import CertificateFacts
from certward.model.resources import App, Domain
from certward.plan.domain import FAR, is_proven, proof_due
from certward.plan.observed import Observed, Routes
from certward.plan.remembered import facts_of

#: On an App: whether its built-in hostname is served with the platform's certificate, as a handshake has shown.
SERVED = "HostnameServed"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for a built-in hostname now.

    Attributes:
        routes: what the ingress is to do.
        facts: the platform's certificate; None while there is none.
        is_due: a handshake is due.
        again_after: when to look again if nothing happens before.
        condition: of the App.
    """

    routes: Routes
    facts: CertificateFacts | None
    is_due: bool
    again_after: timedelta
    condition: Condition


def decide(observed: Observed, app: App, platform: Domain | None, now: datetime) -> Plan:
    """What to do for the built-in hostname of an App.

    Args:
        observed: of that hostname, as if it were a Domain.
        app: the App.
        platform: the Domain of the platform's wildcard certificate; None while it is not there.
        now: aware UTC datetime.
    """
    facts = certificate_of(platform)
    known = is_true(app.status.get("conditions") or (), SERVED)
    proven = facts is not None and (is_proven(observed, facts) or (observed.proof is None and known))
    fits = facts is not None and profiles.fits(observed.profile, facts.key_type)
    served = (platform.status.get("certificate") or {}) if platform else {}
    routes = Routes(
        challenge=False,
        secret_name=str(served.get("secretName") or "") if facts else "",
        redirect=app.https_redirect and proven,
        profile=observed.profile if fits else None,
        hsts=observed.hsts,
    )
    due = proof_due(observed, facts, now) if facts else FAR
    return Plan(
        routes=routes,
        facts=facts,
        is_due=due <= timedelta(),
        again_after=max(min(due, FAR), timedelta()),
        condition=_condition(observed, app, facts, platform, is_known=known, fits=fits, proven=proven),
    )


def certificate_of(platform: Domain | None) -> CertificateFacts | None:
    """The platform's certificate as the status of its Domain tells of it; None while it has none."""
    known = (platform.status.get("certificate") or {}) if platform else {}
    if platform is None or not known:
        return None
    return facts_of(known, platform.hostname)


def _condition(
    observed: Observed,
    app: App,
    facts: CertificateFacts | None,
    platform: Domain | None,
    *,
    is_known: bool,
    fits: bool,
    proven: bool,
) -> Condition:
    if facts is None:
        said = str((platform.status.get("message") if platform else "") or "It has not been issued yet.")
        return no(SERVED, "NoCertificate", f"The platform has no certificate for its names: {said}")
    if not fits:
        words = f"the platform's certificate has a key of type {facts.key_type}"
        profile = f"profile {observed.profile.name} of revision {observed.profile.revision}"
        return no(SERVED, "KeyTypeNotServed", f"{words[0].upper()}{words[1:]}, which {profile} cannot be served with.")
    if proven:
        problem = observed.proof.policy_problem if observed.proof else ""
        if observed.proof is None or not observed.proof.policy_reason:
            problem = _known_message(app) if is_known else ""
        return yes(SERVED, "Served", problem)
    if observed.proof is None:
        return unknown(SERVED, "NotProbed", "No handshake has shown it yet.")
    return no(SERVED, "NotServed", observed.proof.problem or "The ingress serves another certificate.")


def _known_message(app: App) -> str:
    return next((c.get("message") or "" for c in app.status.get("conditions") or () if c.get("type") == SERVED), "")
