"""The last links: the route, the handshake, the TLS policy."""

from certward.cli.explain.facts import Facts, RouteLook, ServedLook
from certward.cli.findings import Finding, Unseen, Verdict, broken, not_looked_at, ok, warning
from certward.model.hostnames import is_wildcard
from certward.model.pki import covers
from certward.model.policy import rank
from certward.model.resources import TLSPolicy, format_time
from certward.plan.checks import SecretState
from certward.probe.handshake import probe_name
from certward.probe.preflight_words import listed

_NO_CONNECTION = ("unreachable", "timeout")


def route(facts: Facts) -> Finding:
    """Whether the objects that route the hostname are there, as they were written, and nobody else's beside them."""
    look = facts.routes
    if isinstance(look, Unseen):
        return not_looked_at(f"The routes could not be read: {look.why}.")
    if look.obstacle:
        return broken(look.obstacle)
    if look.missing:
        verb = "is" if len(look.missing) == 1 else "are"
        return broken(
            f"{listed(look.missing)} {verb} not there in the Domain's namespace, so {look.engine} does not serve all "
            "of the host.",
            "The operator writes what is missing at its next look; if it does not: kubectl certward doctor",
        )
    if look.changed:
        return broken(
            f"Somebody has changed {listed(look.changed)} since the operator wrote it.",
            "It is put back at the operator's next look; if it is not: kubectl certward doctor. What is to be "
            "different, say in the App or a TLSPolicy.",
        )
    if look.foreign:
        return _foreign(facts, look)
    if look.complaint:
        return broken(look.complaint, f"It is a matter of the ingress class {look.class_name}: ask its administrator.")
    unseen = f" Not looked at: {look.unseen}." if look.unseen else ""
    how_many = f"All {len(look.present)} objects" if len(look.present) > 1 else "The object"
    are = "are" if len(look.present) > 1 else "is"
    return ok(
        f"{how_many} that {look.engine} (class {look.class_name}) routes it by {are} there and unchanged.{unseen}"
        if look.present
        else f"Class {look.class_name} ({look.engine}).{unseen}"
    )


def handshake(facts: Facts) -> Finding:
    """Whether what is served is the certificate as declared."""
    looks = facts.served
    if isinstance(looks, Unseen):
        return _by_status(facts, looks.why)
    for each in looks:
        if problem := _problem(facts, each):
            return broken(f"{problem}{_because(facts)}", _then(facts))
    shown = [each for each in looks if not each.failure]
    if not shown:
        where = listed([each.where for each in looks])
        return _by_status(facts, f"{where} cannot be reached from here; name an address by --https")
    leaf = shown[0].leaf
    until = format_time(leaf.not_after) if leaf else ""
    trust = "" if all(each.is_trusted for each in shown) else " This machine does not trust its issuer."
    return ok(f"{listed([each.where for each in shown])} serves the certificate, good until {until}.{trust}")


def policy(facts: Facts) -> Finding:
    """Whether the TLS that is served is the one that was asked for; never more than a warning."""
    enforced = facts.condition("PolicyEnforced")
    at = facts.condition_at("PolicyEnforced")
    said = str(enforced.get("message") or "")
    if enforced.get("status") == "False":
        return Finding(Verdict.WARNING, f"The TLS profile is not kept: {said}", told_at=at)
    if refused := _refused(facts):
        name, why = refused
        return warning(f"TLSPolicy {name} is not in force for this App: {why}")
    if enforced.get("status") == "True":
        return Finding(Verdict.OK, said, told_at=at)
    return not_looked_at(said or "The operator has not scanned what the host accepts yet.")


def _foreign(facts: Facts, look: RouteLook) -> Finding:
    verb = "routes" if len(look.foreign) == 1 else "route"
    words = f"{listed(look.foreign)} {verb} the same host, which {look.foreign_route}."
    advice = f"Remove the host {facts.hostname} there, or delete the Domain."
    is_harmed = facts.condition("Served").get("status") == "False"
    if isinstance(facts.served, tuple):
        is_harmed = any(_problem(facts, each) for each in facts.served)
    return broken(words, advice) if is_harmed else warning(words, advice)


def _problem(facts: Facts, look: ServedLook) -> str:
    """What is wrong with what an address serves; empty: nothing, or it could not be asked."""
    if look.failure in _NO_CONNECTION:
        answers = isinstance(facts.path, tuple) and any(
            each.address == look.address and each.look.shown.value in ("right", "wrong") for each in facts.path
        )
        return f"{look.where} answers plain HTTP, but not at the port of HTTPS." if answers else ""
    if look.failure:
        return f"There is no TLS handshake with {look.where}: {look.words}."
    if look.leaf is None:
        return f"{look.where} sends no certificate that can be read."
    leaf = look.leaf
    names = ", ".join(leaf.hostnames[:3]) or leaf.subject or "no name"
    wanted = _wanted(facts)
    if leaf.not_after <= facts.now:
        return f"The certificate that {look.where} serves, for {names}, has expired ({format_time(leaf.not_after)})."
    if wanted and leaf.fingerprint_sha256 != wanted:
        return f"{look.where} serves another certificate than the one declared, for {names}, by {leaf.issuer}."
    if not covers(leaf.hostnames, facts.hostname if is_wildcard(facts.hostname) else probe_name(facts.hostname)):
        return f"The certificate that {look.where} serves is for {names} and does not cover {facts.hostname}."
    return "" if look.is_chain else f"{look.where} sends a chain whose certificates do not belong together."


def _wanted(facts: Facts) -> str:
    """Fingerprint of the certificate that ought to be served."""
    if isinstance(facts.secret, SecretState) and facts.secret.facts:
        return facts.secret.facts.fingerprint_sha256
    return str(facts.certificate.get("fingerprintSHA256") or "")


def _because(facts: Facts) -> str:
    look = facts.routes
    return f" {look.complaint}" if isinstance(look, RouteLook) and look.complaint else ""


def _then(facts: Facts) -> str:
    looks = facts.served
    if isinstance(looks, tuple) and any(each.is_given for each in looks):
        return "If that address is the ingress of this platform, that has not taken the route up: look at its log."
    return (
        "If the hostname leads to the ingress of this platform, that has not taken the route up: have its "
        "administrator look at its log; a proxy or CDN in front of it needs a certificate of its own."
    )


def _by_status(facts: Facts, why: str) -> Finding:
    """What the operator says where nothing could be seen from here."""
    served, at = facts.condition("Served"), facts.condition_at("Served")
    if served.get("status") == "True":
        words = f"It could not be seen from here ({why}); the operator's handshakes show the certificate."
        return Finding(Verdict.OK, words, told_at=at)
    if served.get("status") == "False" and served.get("reason") == "NotServed":
        return Finding(Verdict.BROKEN, str(served.get("message") or ""), _then(facts), told_at=at)
    return not_looked_at(f"It could not be seen from here: {why}.")


def _refused(facts: Facts) -> tuple[str, str] | None:
    """The first policy that means the App and is not accepted, and why."""
    for each in facts.policies if isinstance(facts.policies, tuple) else ():
        for condition in each.status.get("conditions") or ():
            if condition.get("type") == "Accepted" and condition.get("status") == "False" and _means(each, facts):
                return each.meta.name, str(condition.get("message") or condition.get("reason") or "")
    return None


def _means(policy: TLSPolicy, facts: Facts) -> bool:
    return facts.app is not None and not isinstance(facts.app, Unseen) and rank(policy, facts.app) is not None
