"""The sentences of the preflight, for somebody who owns a domain and not a cluster.

Of what strangers wrote only names, as the DNS writes them, and addresses stand in them.
"""

from collections.abc import Sequence
from typing import Final

from certward.names import CHALLENGE_PATH
from certward.probe.caa import CAAPolicy, CAAVerdict
from certward.probe.dns_answer import Broken
from certward.probe.fetch import Look
from certward.probe.pointing import Pointing, Target
from certward.probe.public import Address

_LISTED: Final = 3
_WORD_MAX: Final = 40
_NAME_MAX: Final = 253


def listed(words: Sequence[str], joint: str = "and") -> str:
    """Write a list; what is too long ends in "others"."""
    shown = [*words[:_LISTED], "others"] if len(words) > _LISTED + 1 else list(words)
    return f" {joint} ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def setting(target: Target, *, is_apex: bool) -> str:
    """Say which record to set."""
    if not target.name:
        records = [
            f"{kind} record with the value {listed(target.of(version))}"
            for version, kind in ((4, "an A"), (6, "an AAAA"))
            if target.of(version)
        ]
        return f"Set {' and '.join(records)}." if records else "Set the DNS record that leads to this platform."
    if not is_apex:
        return f"Set a CNAME record with the value {target.name}."
    addresses = [
        f"{kind} record with the value {listed(target.of(version))}"
        for version, kind in ((4, "an A"), (6, "an AAAA"))
        if target.of(version)
    ]
    otherwise = f"; where the DNS provider has none, {' and '.join(addresses)}" if addresses else ""
    return f"Set an ALIAS or ANAME record with the value {target.name}{otherwise}."


def not_found(hostname: str, pointing: Pointing, how: str) -> str:
    """The hostname has no address. `how` is the sentence of `setting`."""
    failures = [found for found in (pointing.ipv4, pointing.ipv6) if isinstance(found, Broken)]
    if any(found.is_loop for found in failures):
        return f"The CNAME records of {hostname} lead in a circle. {how}"
    if failures:
        return (
            f"The DNS servers of {hostname} fail when they are asked for it. "
            "Have the DNS provider check the zone and its DNSSEC."
        )
    if pointing.aliases:
        return f"{hostname} is an alias of {pointing.aliases[-1]}, which has no address in the DNS. {how}"
    return f"{hostname} has no address in the DNS. {how}"


def unanswered(hostname: str) -> str:
    """Our resolvers are silent."""
    return f"{hostname} could not be looked up: no DNS resolver answered the operator."


def wrong_target(hostname: str, pointing: Pointing, how: str) -> str:
    """The hostname points elsewhere. `how` is the sentence of `setting`."""
    is_alias = bool(pointing.aliases) and len(pointing.strays) == len(pointing.addresses)
    where = pointing.aliases[0] if is_alias else listed([str(address) for address in pointing.strays])
    target = pointing.target.name or listed([str(address) for address in pointing.target.addresses], "or")
    only = "" if len(pointing.strays) == len(pointing.addresses) else " only"
    return f"{hostname} points to {where}, but it has to point{only} to {target}. {how}"


def stray_aaaa(hostname: str, address: Address, words: str, target: Target) -> str:
    """The A record is right and the AAAA record is not."""
    instead = f", or set it to {listed(target.of(6))}" if target.of(6) else ""
    return (
        f"{hostname} has an AAAA record with the value {address}, which {words}, while its A record is right. "
        f"CAs try IPv6 first: delete the AAAA record{instead}."
    )


def doubtful_aaaa(hostname: str, address: Address, look: Look) -> str:
    """The A record is right, and of the AAAA record nobody knows."""
    return (
        f"{hostname} has an AAAA record with the value {address}, which {look.words}, while its A record is right. "
        "CAs try IPv6 first: delete the AAAA record if nothing answers there."
    )


def unreachable(hostname: str, address: Address, look: Look) -> str:
    """Nothing answers at port 80."""
    return (
        f"{address}, to which {hostname} points, {look.words}. "
        f"Have port 80 opened there for everybody, since the CA asks for http://{hostname}{CHALLENGE_PATH}."
    )


def blocked(hostname: str, address: Address, look: Look) -> str:
    """Something else answers."""
    return (
        f"{address}, to which {hostname} points, {look.words} when asked for the CA's challenge. "
        f"Let requests for http://{hostname}{CHALLENGE_PATH} through to this platform, without login or redirect."
    )


def interfering(hostname: str, look: Look, target: Target) -> str:
    """A content delivery network answers instead of passing the request on."""
    origin = f" to {target.name or listed(target.of(4) or target.of(6))}" if target.name or target.addresses else ""
    return (
        f"{look.cdn} stands before {hostname} and {look.words} when asked for the CA's challenge. Let it pass "
        f"requests for http://{hostname}{CHALLENGE_PATH} on{origin} unchanged, or switch its proxy off for this name."
    )


def unreached(hostname: str, address: Address, look: Look) -> str:
    """Nothing can be said of the way from elsewhere."""
    return (
        f"{address}, to which {hostname} points, {look.words}, so the challenge path was not checked from outside; "
        "the CA will tell."
    )


def caa_broken(hostname: str, name: str) -> str:
    """CAA cannot be looked up, and then no CA may issue (Baseline Requirements, 3.2.2.8)."""
    return (
        f"The DNS servers of {name} fail when they are asked for CAA records, so no CA may issue for {hostname}. "
        "Have the DNS provider check the zone and its DNSSEC."
    )


def caa_forbids(hostname: str, name: str, verdict: CAAVerdict, policy: CAAPolicy) -> str:
    """The CAA records found at `name` forbid."""
    issuer, tag = policy.issuer_domains[0], verdict.tag[:_WORD_MAX]
    record = f'{name} CAA 0 {tag} "{issuer}"'
    whose = f"The CAA records of {name}"
    if verdict.obstacle == "critical":
        unknown = f"the property {tag}" if tag.isalnum() else "a property"
        return (
            f"{whose} have {unknown} marked as critical, which CAs do not know, so none may issue for {hostname}. "
            "Delete that record."
        )
    if verdict.obstacle == "account":
        return (
            f"{whose} let {issuer} issue for {hostname} for another ACME account only. "
            f"Add the record {record}, or name this platform's account in accounturi."
        )
    if verdict.obstacle == "method":
        return (
            f"{whose} do not let {issuer} issue for {hostname} by {policy.method}. "
            f"Add {policy.method} to validationmethods, or delete that parameter."
        )
    if verdict.obstacle == "malformed":
        return f"{whose} have a value for {tag} that cannot be read, which lets no CA issue. Set the record {record}."
    allowed = f"only {listed([each[:_NAME_MAX] for each in verdict.issuers])}" if verdict.issuers else "no CA"
    but = f", not {issuer}" if verdict.issuers else ""
    return f"{whose} let {allowed} issue for {hostname}{but}. Add the record {record}."
