"""The first links: the Domain that has the hostname, and the App that it leads to."""

from typing import Final

from certward.cli.explain.facts import Facts
from certward.cli.findings import Finding, Unseen, Verdict, broken, not_looked_at, ok, warning
from certward.model.resources import format_time

_NOT_ALLOWED: Final = ("HostnameNotAllowed", "HostnameReserved", "SecretNameCollides")


def domain(facts: Facts) -> Finding:
    """Whether a Domain has the hostname, and may."""
    found = facts.domain
    if found is None:
        return broken(
            f"No Domain has the hostname {facts.hostname}{facts.searched}, so nothing is done for it.",
            f"Add it: kubectl certward domains add {facts.hostname} -a APP",
        )
    if facts.owner:
        return broken(
            f"{facts.hostname} belongs to the older Domain {facts.owner}; Domain {_name(facts)} gets it only when "
            "that one is deleted.",
            f"If it ought to be yours, have the owner of {facts.owner} delete that one; otherwise delete this one.",
        )
    if facts.reason == "HostnameTaken":
        return _operators(facts, "If the hostname ought to be yours, have the owner of that Domain delete it.")
    if facts.reason in _NOT_ALLOWED:
        return _operators(facts)
    if found.meta.is_deleting:
        return warning(f"Domain {_name(facts)} is being deleted.")
    return ok(f"Domain {_name(facts)} has it, for App {found.app}.")


def app(facts: Facts) -> Finding:
    """Whether the App is there, and asks for certificates."""
    found, wanted = facts.app, facts.domain.app if facts.domain else ""
    if isinstance(found, Unseen):
        if facts.reason in ("AppNotFound", "ServiceNotFound"):
            return _operators(facts)
        return not_looked_at(f"App {wanted}: {found.why}.")
    namespace = facts.domain.meta.namespace if facts.domain else ""
    if found is None:
        return broken(
            f"There is no App {wanted} in namespace {namespace}.",
            "Create it, or correct spec.appRef.name of the Domain.",
        )
    if isinstance(facts.missing_service, str) and facts.missing_service:
        words = f"App {wanted} leads to Service {facts.missing_service}, which is not there in namespace {namespace}"
        advice = f"Create the Service, or correct it in App {wanted}."
        return warning(f"{words}: HTTPS answers 503.", advice) if facts.good_until else broken(f"{words}.", advice)
    is_told_of_secret = bool(found.manual_secrets) and facts.reason in ("SecretMissing", "SecretInvalid")
    if not found.is_automatic and facts.good_until is None and not is_told_of_secret:
        return broken(
            f"Automatic certificates are off for App {wanted}, and no certificate is in place.",
            f"Turn them on: kubectl certward certs auto enable{facts.app_flag}; or upload one of your own: "
            f"kubectl certward certs add CRT KEY{facts.app_flag}",
        )
    if not found.is_automatic and facts.certificate.get("source") == "Automatic":
        until = f" until it expires ({format_time(facts.good_until)})" if facts.good_until else ""
        return warning(
            f"Automatic certificates are off for App {wanted}; the last one is served{until} and not renewed.",
            f"Turn them on again: kubectl certward certs auto enable{facts.app_flag}",
        )
    how = "automatic" if found.is_automatic else "manual"
    return ok(f"App {wanted}, with {how} certificates, leads to Service {found.service.name}.")


def _operators(facts: Facts, advice: str = "") -> Finding:
    return Finding(Verdict.BROKEN, facts.message, advice, told_at=facts.told_at)


def _name(facts: Facts) -> str:
    meta = facts.domain.meta if facts.domain else None
    return f"{meta.namespace}/{meta.name}" if meta else ""
