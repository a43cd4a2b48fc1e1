"""The links that lie before the ingress: DNS, CAA, port 80, the challenge path."""

from ipaddress import ip_address
from typing import Final

from certward.cli.explain.facts import NOT_ASKED, CAALook, Facts, PathLook
from certward.cli.findings import Finding, Unseen, Verdict, broken, not_looked_at, ok
from certward.model.resources import format_time
from certward.names import CHALLENGE_PATH
from certward.probe import preflight_words as words
from certward.probe.caa import CAAPolicy
from certward.probe.fetch import Shown
from certward.probe.pointing import Pointing
from certward.probe.public import Address
from certward.probe.resolver import Broken, Found, NotFound

_NO_CONNECTION: Final = (Shown.SILENT, Shown.UNROUTED, Shown.REFUSED)


def dns(facts: Facts) -> Finding:
    """Whether the hostname leads to the platform."""
    names = facts.names
    if isinstance(names, Unseen) or not _is_answered(names.pointing):
        why = names.why if isinstance(names, Unseen) else "no DNS resolver answers here; name one by --resolver"
        if facts.reason.startswith("DNS"):
            return _told(facts, Verdict.BROKEN)
        if facts.condition("DNSVerified").get("status") == "True":
            said = f"It could not be looked up ({why}); the operator has found that the hostname leads here."
            return Finding(Verdict.OK, said, told_at=facts.condition_at("DNSVerified"))
        return not_looked_at(f"It could not be looked up: {why}.")
    pointing, host = names.pointing, facts.hostname
    if pointing.is_nowhere:
        return broken(words.not_found(host, pointing, names.setting))
    if stray := _stray(facts, pointing):
        return broken(words.stray_aaaa(host, *stray, pointing.target))
    is_at_target = pointing.is_at_target(pointing.addresses)
    where = words.listed([str(address) for address in pointing.addresses])
    if is_at_target is False:
        if _is_passed_on(facts, pointing):
            return ok(f"{host} points to {where}, which passes requests on to this platform.")
        return broken(words.wrong_target(host, pointing, names.setting))
    if is_at_target is None:
        return ok(f"{host} points to {where}; where it should is not configured (dns.target), so that is not compared.")
    return ok(f"{host} points to {pointing.target.name or where}, as it should.")


def caa(facts: Facts) -> Finding:
    """Whether the CA may issue."""
    look = facts.caa
    if not facts.is_automatic:
        return ok(facts.no_challenge)
    if isinstance(look, Unseen):
        return (
            _graver(facts) if facts.reason == "CAAForbids" else not_looked_at(f"It could not be looked up: {look.why}.")
        )
    if look.failing_at:
        return _for_renewal(facts, broken(words.caa_broken(facts.hostname, look.failing_at)))
    if not look.records:
        return ok("There are no CAA records, so any CA may issue.")
    if look.verdict is None:
        return _unknown_ca(facts, look)
    issuer = look.issuer_domains[0]
    if look.verdict.is_allowed:
        return ok(f"The CAA records of {look.at} let {issuer} issue.")
    forbidden = words.caa_forbids(facts.hostname, look.at, look.verdict, policy_of(look.issuer_domains, facts))
    return _for_renewal(facts, broken(forbidden))


def policy_of(issuer_domains: tuple[str, ...], facts: Facts) -> CAAPolicy:
    """What CAA records have to allow."""
    return CAAPolicy(issuer_domains, "", "dns-01" if facts.is_wildcard else "http-01", facts.is_wildcard)


def port80(facts: Facts) -> Finding:
    """Whether plain HTTP gets an answer, and not a redirect in a circle."""
    looks = facts.path
    if facts.no_challenge:
        return ok(facts.no_challenge)
    if isinstance(looks, Unseen):
        return _by_status(facts, "ChallengeUnreachable", looks.why)
    closed = [each for each in looks if each.look.shown is Shown.CLOSED]
    circles = [each for each in looks if each.look.is_loop]
    for each in (*closed, *circles):
        return _for_renewal(facts, broken(_path_words(facts, each)))
    reached = [each for each in looks if each.look.shown not in _NO_CONNECTION]
    if reached:
        return ok(f"Plain HTTP is answered at {words.listed([each.where for each in reached])}.")
    silent = words.listed([each.where for each in looks])
    if isinstance(facts.served, tuple) and any(not each.failure for each in facts.served):
        said = f"{silent} does not answer plain HTTP for {facts.hostname}, although it answers HTTPS."
        return _for_renewal(facts, broken(said, _open(facts)))
    return _by_status(facts, "ChallengeUnreachable", f"{silent} cannot be reached from here; name an address by --http")


def challenge(facts: Facts) -> Finding:
    """Whether the challenge path leads to the operator."""
    looks = facts.path
    if facts.no_challenge:
        return ok(facts.no_challenge)
    if isinstance(looks, Unseen):
        return _by_status(facts, "ChallengeBlocked", looks.why)
    wrong = [each for each in looks if each.look.shown is Shown.WRONG]
    if wrong and facts.reason in NOT_ASKED:
        return not_looked_at("No challenges are answered, since no CA is asked; why not stands further down the chain.")
    for each in wrong:
        return _for_renewal(facts, broken(f"{_path_words(facts, each)}{_culprits(facts)}"))
    rights = [each.where for each in looks if each.look.shown is Shown.RIGHT]
    if not rights:
        return _by_status(facts, "ChallengeBlocked", "the addresses cannot be reached from here; name one by --http")
    return ok(f"The operator answers challenges at {words.listed(rights)}.")


def _is_answered(pointing: Pointing) -> bool:
    """Whether a resolver has answered one of the two questions."""
    return any(isinstance(each, Found | NotFound | Broken) for each in (pointing.ipv4, pointing.ipv6))


def _stray(facts: Facts, pointing: Pointing) -> tuple[Address, str] | None:
    """An AAAA record that is wrong beside an A record that is right: by DNS, or by what the addresses answer."""
    shown = (
        {each.address: each.look for each in facts.path if not each.is_given}
        if facts.path and not isinstance(facts.path, Unseen)
        else {}
    )
    ipv4 = [shown.get(str(address)) for address in pointing.ipv4_addresses]
    is_right_by_answer = bool(ipv4) and all(look and look.shown is Shown.RIGHT for look in ipv4)
    is_right_by_dns = pointing.is_at_target(pointing.ipv4_addresses) is True
    for address in pointing.ipv6_addresses:
        look = shown.get(str(address))
        if look and look.shown is Shown.RIGHT:
            continue
        is_wrong = look is not None and look.shown in (Shown.WRONG, Shown.CLOSED) and not look.cdn
        if is_right_by_answer and is_wrong and look:
            return address, look.words
        if is_right_by_dns and pointing.is_at_target([address]) is False:
            return address, look.words if is_wrong and look else "leads elsewhere"
    return None


def _is_passed_on(facts: Facts, pointing: Pointing) -> bool:
    """Whether every address that is not the target's answers challenges rightly, so that it need not be."""
    looks = () if isinstance(facts.path, Unseen) else facts.path
    rights = {each.address for each in looks if each.look.shown is Shown.RIGHT and not each.is_given}
    return all(str(address) in rights for address in pointing.strays)


def _path_words(facts: Facts, each: PathLook) -> str:
    """What is wrong at an address, and what to do; for what the DNS says in the operator's own words."""
    names, look = facts.names, each.look
    if look.cdn and not isinstance(names, Unseen):
        return words.interfering(facts.hostname, look, names.pointing.target)
    if not each.is_given:
        say = words.unreachable if look.shown is Shown.CLOSED else words.blocked
        return say(facts.hostname, ip_address(each.address), look)
    said = look.words.replace("at port 80", "there") if each.port != 80 else look.words  # noqa: PLR2004
    advice = _open(facts) if look.shown is Shown.CLOSED else _let_through(facts)
    return f"{each.where} {said} when asked for the challenge of {facts.hostname}. {advice}"


def _open(facts: Facts) -> str:
    path = f"http://{facts.hostname}{CHALLENGE_PATH}"
    return f"Have port 80 opened there for everybody, since the CA asks for {path}."


def _let_through(facts: Facts) -> str:
    path = f"http://{facts.hostname}{CHALLENGE_PATH}"
    return f"Let requests for {path} through to this platform, without login or redirect."


def _culprits(facts: Facts) -> str:
    """Why it may be, where the objects in the cluster show it."""
    routes = facts.routes
    if isinstance(routes, Unseen):
        return ""
    if routes.obstacle:
        return f" {routes.obstacle}"
    said = f" {routes.complaint}" if routes.complaint else ""
    if routes.missing:
        lacking = f"{words.listed(routes.missing)} {'is' if len(routes.missing) == 1 else 'are'} not there"
        return f"{said} In the cluster, {lacking}, which the operator writes: see kubectl certward doctor."
    if routes.changed:
        return f"{said} In the cluster, somebody has changed {words.listed(routes.changed)}."
    if routes.foreign:
        verb = "routes" if len(routes.foreign) == 1 else "route"
        return f"{said} {words.listed(routes.foreign)} {verb} the same host: remove the host there."
    return said


def _unknown_ca(facts: Facts, look: CAALook) -> Finding:
    if facts.reason == "CAAForbids":
        return _graver(facts)
    values = words.listed([f'{record.tag} "{record.value}"' for record in look.records])
    return not_looked_at(f"{look.at} has the CAA records {values}; whether they let the CA issue: {look.unknown}.")


def _by_status(facts: Facts, reason: str, why: str) -> Finding:
    """What the operator says where nothing could be seen from here."""
    if facts.reason == reason or (facts.reason == "CDNInterferes" and reason == "ChallengeBlocked"):
        return _graver(facts)
    dns_verified = facts.condition("DNSVerified")
    if dns_verified.get("status") == "True" and dns_verified.get("reason") in ("PointsHere", "Validated"):
        said = f"It could not be seen from here ({why}); the operator, or the CA, got through."
        return Finding(Verdict.OK, said, told_at=facts.condition_at("DNSVerified"))
    return not_looked_at(f"It could not be seen from here: {why}.")


def _told(facts: Facts, verdict: Verdict) -> Finding:
    return Finding(verdict, facts.message, told_at=facts.told_at)


def _graver(facts: Facts) -> Finding:
    return _for_renewal(facts, _told(facts, Verdict.BROKEN))


def _for_renewal(facts: Facts, found: Finding) -> Finding:
    """What keeps a certificate from being issued is only a warning as long as there is one."""
    if facts.good_until is None:
        return found
    until = f"The certificate at hand is good until {format_time(facts.good_until)}, but cannot be renewed like this."
    return Finding(Verdict.WARNING, f"{until} {found.words}", found.advice, told_at=found.told_at)
