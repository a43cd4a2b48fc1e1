"""Which challenge proves control over a hostname: HTTP-01, DNS-01, or DNS-PERSIST-01."""

from dataclasses import dataclass
from typing import Final, Literal

from certward.model.hostnames import is_wildcard, parent

Challenge = Literal["http-01", "dns-01", "dns-persist-01"]

#: Where the record of DNS-01 stands, or a CNAME record to it (RFC 8555, 8.4), and that of DNS-PERSIST-01
#: (draft-ietf-acme-dns-persist, 3).
_DNS01_LABEL: Final = "_acme-challenge"
_PERSIST_LABEL: Final = "_validation-persist"

#: What keeps HTTP-01 from working and is no matter to the DNS challenges.
HTTP_ONLY: Final = frozenset(
    {
        "DNSNotFound",
        "DNSWrongTarget",
        "DNSStrayAAAA",
        "CAAForbids",  # it may forbid the method only
        "ChallengeUnreachable",
        "ChallengeBlocked",
        "CDNInterferes",
    }
)


@dataclass(frozen=True, slots=True)
class Ways:
    """What is known of the ways to prove control over a hostname.

    Attributes:
        zone: the zone in which records of DNS-01 can be written; empty: DNS-01 is not configured.
        is_persist_on: DNS-PERSIST-01 is switched on.
        txt_name: where the record of DNS-01 stands, at the end of all CNAME records; empty: not looked up yet.
        http_problem: why HTTP-01 cannot work, as this attempt has shown; empty: it has not.
        persist_record: the record of DNS-PERSIST-01, (name, value); empty: not known yet.
    """

    zone: str = ""
    is_persist_on: bool = False
    txt_name: str = ""
    http_problem: str = ""
    persist_record: tuple[str, str] = ("", "")

    @property
    def has_others(self) -> bool:
        """Whether there is anything but HTTP-01."""
        return bool(self.zone) or self.is_persist_on


def choose(hostname: str, ways: Ways) -> Challenge | None:
    """The challenge to ask for, as far as is known; None: there is none for this hostname.

    HTTP-01 comes first, because it shows that the hostname leads here, as it will have to. Wildcards cannot have it
    (RFC 8555, 7.1.3; CA/Browser Forum Baseline Requirements, 3.2.2.4.19).
    """
    if not is_wildcard(hostname) and not ways.http_problem:
        return "http-01"
    if ways.zone and (not ways.txt_name or may_write(ways.txt_name, hostname, ways.zone)):
        return "dns-01"
    if ways.is_persist_on:
        return "dns-persist-01"
    return None if is_wildcard(hostname) else "http-01"


def obstacle(hostname: str, ways: Ways) -> str:
    """Why there is no challenge for a hostname, as a sentence; empty when there is one."""
    if choose(hostname, ways) is not None:
        return ""
    if not ways.zone:
        return (
            "A certificate for a wildcard hostname needs DNS-01, which is not configured; ask the administrator, or "
            "name each host in a Domain of its own."
        )
    return not_delegated(hostname, ways)


def not_delegated(hostname: str, ways: Ways) -> str:
    """The record of DNS-01 lies where this platform cannot write, and what the owner can do about it."""
    return (
        f"A certificate for {hostname} needs DNS-01, and this platform writes no record at {ways.txt_name}; set "
        f"a CNAME record at {dns01_name(hostname)} with the value {delegate(hostname, ways.zone)}, or ask the "
        "administrator."
    )


def persist_missing(hostname: str, ways: Ways) -> str:
    """The record of DNS-PERSIST-01 is not there yet."""
    name, value = ways.persist_record
    return f'{hostname} is validated by DNS-PERSIST-01: set a TXT record at {name} with the value "{value}".'


def base(hostname: str) -> str:
    """The name below which the records of a hostname stand: without the asterisk of a wildcard."""
    return parent(hostname) if is_wildcard(hostname) else hostname


def dns01_name(hostname: str) -> str:
    """Where a CA looks for the record of DNS-01 (RFC 8555, 8.4); the same for `*.d` and `d`."""
    return f"{_DNS01_LABEL}.{base(hostname)}"


def persist_name(hostname: str) -> str:
    """Where a CA looks for the record of DNS-PERSIST-01."""
    return f"{_PERSIST_LABEL}.{base(hostname)}"


def persist_value(hostname: str, issuer_domain: str, account_uri: str) -> str:
    """What the record of DNS-PERSIST-01 says (draft-ietf-acme-dns-persist, 4): an issue-value of RFC 8659, 4.2."""
    policy = "; policy=wildcard" if is_wildcard(hostname) else ""
    return f"{issuer_domain}; accounturi={account_uri}{policy}"


def delegate(hostname: str, zone: str) -> str:
    """Where the owner of a name outside of the zone lets its CNAME record lead to."""
    return f"{base(hostname)}.{zone}"


def may_write(name: str, hostname: str, zone: str) -> bool:
    """Whether the record of DNS-01 for a hostname is written at a name.

    The owner of a name outside of the zone says by a CNAME record where that is, and could say any name in the zone. A
    record at a name makes it exist, so that a wildcard record of the zone no longer stands for it (RFC 4592, 2.2.1):
    it would take a host away from others. So it has to be a name that is for this hostname and no other.
    """
    if lies_within(dns01_name(hostname), zone):
        return lies_within(name, zone)  # whoever has the zone has set the CNAME record, if there is one
    return lies_within(name, delegate(hostname, zone))


def lies_within(name: str, zone: str) -> bool:
    """Whether a name is the zone's own or below it."""
    return name == zone or name.endswith(f".{zone}")
