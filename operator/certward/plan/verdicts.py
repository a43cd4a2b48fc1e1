"""What is said of a Domain whose certificate is there, or that may not obtain one by itself."""

from datetime import datetime

from certward.model import profiles
from certward.model.resources import App
from certward.plan.gates import Verdict
from certward.plan.manual import Manual, Serving, covers, expiring_at
from certward.plan.observed import Observed
from certward.plan.serving import Choice


def issued(observed: Observed, choice: Choice) -> Verdict:
    """A certificate is in place and nothing is wrong with the issuing of the next one."""
    serving = choice.serving
    if choice.held:
        return Verdict("CertIssued", "" if choice.is_short else "NotServed", choice.held)
    if serving and serving.is_manual:
        words = f"The certificate in Secret {serving.secret_name} is served until the automatic one is issued."
        if not profiles.fits(observed.profile, serving.facts.key_type):
            words = f"{_key_cannot_be_served(observed, serving)}, so the automatic one is waited for."
        return Verdict("CertIssued", "", words)
    return Verdict("CertIssued")


def without_automatic(observed: Observed, app: App, choice: Choice, now: datetime) -> Verdict:
    """While automatic certificates are off."""
    serving = choice.serving
    if serving is None:
        return _nothing(observed, app, now)
    if choice.held:
        return Verdict("CertIssued", "NotServed", choice.held)
    if not serving.is_manual:
        broken = next((f" {words}" for one in observed.manual if (words := _fault(one, observed, now))), "")
        return Verdict(
            "CertIssued",
            "AutomaticDisabled",
            "Automatic certificates are off for this App; the last certificate is served until it expires "
            f"(status.certificate.notAfter) and is not renewed.{broken}",
        )
    if not profiles.fits(observed.profile, serving.facts.key_type):
        return Verdict(
            "CertIssued",
            "KeyTypeNotServed",
            f"{_key_cannot_be_served(observed, serving)}; put one with a key of type "
            f"{profiles.default_key_type(observed.profile)} into it, choose another profile, or set "
            f"spec.certificates.automatic: true on App {app.meta.name}. Until then the ingress keeps what it has for "
            "the host.",
        )
    if now >= expiring_at(serving.facts):
        return Verdict(
            "CertIssued",
            "ManualCertificateExpiring",
            f"The certificate in Secret {serving.secret_name} is about to expire (status.certificate.notAfter); put a "
            f"newer one into it, or set spec.certificates.automatic: true on App {app.meta.name}.",
        )
    return Verdict("CertIssued")


def _nothing(observed: Observed, app: App, now: datetime) -> Verdict:
    """There is no certificate that could be served."""
    for one in observed.manual:
        if words := _fault(one, observed, now):
            reason = "SecretInvalid" if one.secret.exists else "SecretMissing"
            return Verdict("Failed", reason, words + _meanwhile(observed, one))
    turn_on = f"set spec.certificates.automatic: true on App {app.meta.name}"
    if observed.manual:
        hostname = observed.domain.hostname
        return Verdict(
            "Waiting",
            "AutomaticDisabled",
            f"None of the App's manual certificates covers {hostname} and automatic ones are off; name one that does "
            f"in spec.certificates.manual, or {turn_on}.",
        )
    return Verdict("Waiting", "AutomaticDisabled", f"Automatic certificates are off; {turn_on}.")


def _fault(one: Manual, observed: Observed, now: datetime) -> str:
    """What is wrong with a manual certificate that may be meant for the hostname; nothing where it is for others."""
    facts, hostname = one.secret.facts, observed.domain.hostname
    if facts is not None and not covers(facts, hostname):
        return ""
    if words := one.problem(hostname, now):
        return words
    if one.taken_from:
        return (
            f"The ingress has one store for all hosts and would serve Secret {one.secret.name} for Domain "
            f"{one.taken_from}, too, which has an automatic certificate; use one that does not cover its hostname."
        )
    return ""


def _meanwhile(observed: Observed, one: Manual) -> str:
    """What clients meet where it was served before."""
    known = observed.domain.status.get("certificate") or {}
    if known.get("secretName") != one.secret.name or not one.secret.problem:
        return ""
    return " Until then the ingress serves whatever it has for the host, mostly a certificate of its own."


def _key_cannot_be_served(observed: Observed, serving: Serving) -> str:
    """Why nothing is rendered for a manual certificate."""
    profile = observed.profile
    return (
        f"TLS profile {profile.name} of revision {profile.revision} cannot serve the key of type "
        f"{serving.facts.key_type} in Secret {serving.secret_name} at every protocol version"
    )


def key_does_not_fit(observed: Observed, key_type: str) -> str:
    """Why the profile is not in force while a certificate with such a key is served."""
    profile = observed.profile
    return (
        f"A key of type {key_type} cannot be used at every protocol version of profile {profile.name} of revision "
        f"{profile.revision}; the host keeps its former settings until its certificate has one of type "
        f"{profiles.default_key_type(profile)}."
    )
