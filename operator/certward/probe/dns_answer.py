"""What a DNS lookup can come to, and reading it off a response."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Generic, Literal, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdtypes.ANY.CAA
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA

from certward.probe.caa import CAARecord

#: Types of records that are looked up.
Kind = Literal["A", "AAAA", "CAA", "NS", "TXT"]
R_co = TypeVar("R_co", covariant=True)

#: For how long a failure is believed, in seconds.
FAILURE_TTL: Final = 5.0


@dataclass(frozen=True, slots=True)
class Found(Generic[R_co]):
    """The name exists.

    Attributes:
        records: sorted; none when the name has no record of the type.
        aliases: the names that CNAME records lead to, in order; the last one has the records.
    """

    records: tuple[R_co, ...]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotFound:
    """The name, or the last of its aliases, does not exist (NXDOMAIN)."""

    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """The zone cannot be read: its servers fail (SERVFAIL), or its aliases lead in a circle.

    Attributes:
        is_loop: the latter.
    """

    is_loop: bool = False


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Our own resolvers do not answer, or with nothing of use, which says nothing about the name."""


Lookup = Found[R_co] | NotFound | Broken | Unanswered
Record = IPv4Address | IPv6Address | CAARecord | str


def name_of(text: str) -> dns.name.Name:
    """Read an absolute name; search domains never apply.

    Raises:
        dns.exception.DNSException: it is no name.
    """
    return dns.name.from_text(text.rstrip("."))


def read(response: dns.message.Message) -> tuple[Lookup[Record], float]:
    """Read a response to one question of a `Kind`.

    Returns:
        What it comes to, and for how many seconds it holds: the least TTL on the way; for what is not there that of
        the SOA record (RFC 2308, 5).
    """
    code = response.rcode()
    if code == dns.rcode.SERVFAIL:
        return Broken(), FAILURE_TTL
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not isinstance(response, dns.message.QueryMessage):
        return Unanswered(), FAILURE_TTL
    try:
        chain = response.resolve_chaining()
    except dns.message.ChainTooLong:
        return Broken(is_loop=True), FAILURE_TTL
    except dns.exception.DNSException:
        return Unanswered(), FAILURE_TTL
    aliases = tuple(_text(rrset[0].target) for rrset in chain.cnames)
    if code == dns.rcode.NXDOMAIN:
        return NotFound(aliases), chain.minimum_ttl
    records = (_record(data) for data in chain.answer or ())
    known = {record for record in records if record is not None}
    # Servers turn records around at each question; what is told of them must not turn with it.
    return Found(tuple(sorted(known, key=repr)), aliases), chain.minimum_ttl


def _record(data: dns.rdata.Rdata) -> Record | None:
    if isinstance(data, dns.rdtypes.IN.A.A):
        return IPv4Address(data.address)
    if isinstance(data, dns.rdtypes.IN.AAAA.AAAA):
        return IPv6Address(data.address)
    if isinstance(data, dns.rdtypes.ANY.CAA.CAA):
        return CAARecord(data.flags, data.tag.decode("latin-1"), data.value.decode("latin-1"))
    if isinstance(data, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(data.strings).decode("latin-1")
    return _text(data.target) if isinstance(data, dns.rdtypes.ANY.NS.NS) else None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
