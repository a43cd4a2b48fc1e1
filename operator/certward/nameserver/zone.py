"""Who is authoritative for a zone, and whether all of them show a TXT value."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from certward.nameserver.update import address_of

_TIMEOUT: Final = 3.0
_PORT: Final = 53
_PAYLOAD: Final = 1232
#: More servers than any zone has.
_MOST: Final = 32


@dataclass(frozen=True, slots=True)
class Sight:
    """What the authoritative servers of a zone show.

    Attributes:
        missing: servers that answer, but do not show the value yet.
        silent: servers that do not answer, or with an error.
        problem: why the servers are not known, as a clause; empty when they are.
    """

    missing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every server shows the value."""
        return not (self.missing or self.silent or self.problem)


class Zone:
    """A zone, seen from outside of its primary.

    Args:
        name: of the zone.
        primary: host and port of the server that takes the updates; it is asked who else there is.
        addresses_of: the addresses of a name, by the resolvers.
        port: of the other servers.
    """

    def __init__(
        self,
        name: str,
        primary: tuple[str, int],
        addresses_of: Callable[[str], Sequence[str]],
        *,
        port: int = _PORT,
    ) -> None:
        self._name, self._primary, self._addresses_of, self._port = name, primary, addresses_of, port

    def look(self, name: str, value: str) -> Sight:
        """Ask the primary and every authoritative server for the TXT records of a name.

        Takes some seconds where servers are slow, and raises nothing for what they do.
        """
        try:
            primary = address_of(*self._primary)
        except OSError:
            return Sight(silent=(self._primary[0],))
        names = self._servers(primary)
        if names is None:
            return Sight(silent=(self._primary[0],))
        if not names:
            return Sight(problem=f"the zone {self._name} has no NS records")
        first = primary, self._primary[1]
        servers = {self._primary[0]: {first}}
        for each in names:
            # The primary may listen at a port of its own.
            ats = {
                first if ip_address(at) == ip_address(primary) else (at, self._port) for at in self._addresses_of(each)
            }
            if ats != {first}:
                servers[each] = ats
        with ThreadPoolExecutor(min(len(servers), 8)) as pool:
            found = dict(
                zip(servers, pool.map(lambda ats: self._show(ats, name, value), servers.values()), strict=True)
            )
        return Sight(
            missing=tuple(sorted(server for server, shown in found.items() if shown is False)),
            silent=tuple(sorted(server for server, shown in found.items() if shown is None)),
        )

    def _show(self, ats: Iterable[tuple[str, int]], name: str, value: str) -> bool | None:
        """Whether a server shows the value at all its addresses that answer; None: none does."""
        found = [shown for at in ats if (shown := self._shows(at, name, value)) is not None]
        return all(found) if found else None

    def _servers(self, primary: str) -> list[str] | None:
        """The names of the servers, as the primary says; None: it does not answer."""
        answer = _ask(self._name, "NS", primary, self._primary[1])
        if answer is None:
            return None
        names = {
            str(data.target.to_text(omit_final_dot=True)).lower()
            for rrset in answer.answer
            if rrset.rdtype == dns.rdatatype.NS
            for data in rrset
        }
        return sorted(names)[:_MOST]

    def _shows(self, at: tuple[str, int], name: str, value: str) -> bool | None:
        """Whether an address shows the value; None: it does not answer, or not for this zone."""
        answer = _ask(name, "TXT", *at)
        if answer is None:
            return None
        shown = {
            b"".join(data.strings).decode("latin-1")
            for rrset in answer.answer
            if rrset.rdtype == dns.rdatatype.TXT and rrset.name == dns.name.from_text(name)
            for data in rrset
        }
        return value in shown


def _ask(name: str, kind: str, address: str, port: int) -> dns.message.Message | None:
    """An answer of an authoritative server; None when there is none of use."""
    query = dns.message.make_query(dns.name.from_text(name), kind, use_edns=0, payload=_PAYLOAD)
    query.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(
            query, address, _TIMEOUT, port, ignore_unexpected=True, ignore_errors=True
        )
    except (dns.exception.DNSException, OSError, EOFError, ValueError):
        return None
    return answer if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) else None
