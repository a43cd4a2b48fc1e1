"""DNS lookups with their results as values: cached for a short while, paced, over UDP and where need be TCP."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import SOCK_DGRAM, getaddrinfo
from typing import Final, cast

import dns.exception
import dns.message
import dns.query
import dns.rcode

from certward.probe.caa import CAARecord
from certward.probe.dns_answer import (
    FAILURE_TTL,
    Broken,
    Found,
    Kind,
    Lookup,
    NotFound,
    Record,
    Unanswered,
    name_of,
    read,
)

__all__ = ["Broken", "Found", "Lookup", "NotFound", "Resolver", "Unanswered", "system_servers"]

#: Seconds for which an answer is believed, whatever its TTL.
_TTL_MIN, _TTL_MAX = 1.0, 60.0
_CACHE_MAX: Final = 10_000
#: With so many in the cache, and whenever it has doubled since, those whose time is over are thrown out.
_SWEPT_AT: Final = 256
#: As many aliases as resolvers follow.
_ALIASES_MAX: Final = 16
#: What fits through every path unfragmented (DNS flag day 2020).
_PAYLOAD: Final = 1232
#: So many questions may go out at once before they are paced.
_BURST: Final = 20.0
_ROUNDS: Final = 2

_Result = Lookup[Record]


class Resolver:
    """Asks recursive resolvers. For many threads.

    Args:
        servers: host and port of each, in order of preference; none: the system's.
        timeout: seconds that one server has for one answer.
        lifetime: seconds for one question to all servers.
        per_second: how many questions go out at most; those beyond wait, which does not count as lifetime.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        servers: Sequence[tuple[str, int]] = (),
        *,
        timeout: float = 2.0,
        lifetime: float = 6.0,
        per_second: float = 200.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = tuple(servers) or system_servers()
        self._timeout = timeout
        self._lifetime = lifetime
        self._clock = clock
        self._interval = 1.0 / per_second
        self._lock = threading.Lock()
        self._due = 0.0
        self._cache: dict[tuple[str, Kind], tuple[float, _Result]] = {}
        self._room = min(_SWEPT_AT, _CACHE_MAX)

    def ipv4(self, name: str) -> Lookup[IPv4Address]:
        """The A records of a name."""
        return cast("Lookup[IPv4Address]", self._lookup(name, "A"))

    def ipv6(self, name: str) -> Lookup[IPv6Address]:
        """The AAAA records of a name."""
        return cast("Lookup[IPv6Address]", self._lookup(name, "AAAA"))

    def caa(self, name: str) -> Lookup[CAARecord]:
        """The CAA records of a name, found through its aliases but not at the names above it."""
        return cast("Lookup[CAARecord]", self._lookup(name, "CAA"))

    def txt(self, name: str) -> Lookup[str]:
        """The TXT records of a name, each with its parts put together, the octets as characters."""
        return cast("Lookup[str]", self._lookup(name, "TXT"))

    def is_apex(self, name: str) -> bool:
        """Whether a zone begins at the name, where no CNAME record can stand (RFC 1034, 3.6.2)."""
        found = self._lookup(name, "NS")
        return isinstance(found, Found) and bool(found.records) and not found.aliases

    def forget(self, names: Iterable[str], kinds: Iterable[Kind] = ("A", "AAAA", "CAA", "NS", "TXT")) -> None:
        """Ask anew for these names the next time."""
        keys = list(itertools.product((name.rstrip(".").lower() for name in names), kinds))
        with self._lock:
            for key in keys:
                self._cache.pop(key, None)

    def _lookup(self, name: str, kind: Kind) -> _Result:
        key = (name.rstrip(".").lower(), kind)
        with self._lock:
            until, result = self._cache.get(key, (0.0, Unanswered()))
        if self._clock() < until:
            return result
        result, ttl = self._follow(*key)
        with self._lock:
            self._make_room()
            self._cache[key] = (self._clock() + min(max(ttl, _TTL_MIN), _TTL_MAX), result)
        return result

    def _make_room(self) -> None:
        if len(self._cache) < self._room:
            return
        now = self._clock()
        self._cache = {key: entry for key, entry in self._cache.items() if entry[0] > now}
        self._room = min(max(2 * len(self._cache), _SWEPT_AT), _CACHE_MAX)
        while len(self._cache) >= _CACHE_MAX:
            del self._cache[next(iter(self._cache))]

    def _follow(self, name: str, kind: Kind) -> tuple[_Result, float]:
        """Ask for a name, and for its last alias where the server has left that to us."""
        aliases: tuple[str, ...] = ()
        ttl = _TTL_MAX
        started = time.monotonic()
        while len(aliases) <= _ALIASES_MAX:
            if time.monotonic() - started > self._lifetime:
                return Unanswered(), FAILURE_TTL
            result, least = self._ask(aliases[-1] if aliases else name, kind)
            ttl = min(ttl, least)
            if isinstance(result, Broken | Unanswered):
                return result, ttl
            found, aliases = result.aliases, aliases + result.aliases
            if len({name, *aliases}) <= len(aliases):
                break
            if isinstance(result, NotFound):
                return NotFound(aliases), ttl
            if result.records or not found:
                return Found(result.records, aliases), ttl
        return Broken(is_loop=True), FAILURE_TTL

    def _ask(self, name: str, kind: Kind) -> tuple[_Result, float]:
        """Ask server after server until one answers; the failure of a zone outweighs the silence of a resolver."""
        failure: _Result = Unanswered()
        waited = 0.0
        for host, port in self._rounds():
            self._pace()
            left = self._lifetime - waited
            if left <= 0:
                break
            started = time.monotonic()
            result, ttl = self._exchange(name, kind, host, port, min(left, self._timeout))
            waited += time.monotonic() - started
            if isinstance(result, Found | NotFound):
                return result, ttl
            failure = result if isinstance(result, Broken) else failure
            if isinstance(failure, Broken) and failure.is_loop:
                break
        return failure, FAILURE_TTL

    def _rounds(self) -> Iterator[tuple[str, int]]:
        for _ in range(_ROUNDS):
            for host, port in self._servers:
                if address := _address_of(host, port):
                    yield address, port

    def _exchange(self, name: str, kind: Kind, host: str, port: int, timeout: float) -> tuple[_Result, float]:
        with suppress(dns.exception.DNSException, OSError, EOFError, ValueError):
            query = dns.message.make_query(name_of(name), kind, use_edns=0, payload=_PAYLOAD)
            response = _send(query, host, port, timeout)
            if response.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
                # Servers from before EDNS refuse its record (RFC 6891, 7).
                response = _send(dns.message.make_query(name_of(name), kind), host, port, timeout)
            return read(response)
        return Unanswered(), FAILURE_TTL

    def _pace(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            now = self._clock()
            self._due = max(self._due, now) + self._interval
            wait = self._due - now - _BURST * self._interval
        if wait > 0:
            time.sleep(wait)


def _send(query: dns.message.Message, host: str, port: int, timeout: float) -> dns.message.Message:
    # What is no answer to the question may be anybody's: it is passed over, and the right one waited for.
    return dns.query.udp_with_fallback(query, host, timeout, port, ignore_unexpected=True, ignore_errors=True)[0]


def system_servers(file: Path = Path("/etc/resolv.conf")) -> tuple[tuple[str, int], ...]:
    """The resolvers of the system; as the C library does, the machine's own where none are named."""
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii", errors="replace").splitlines()]
    except OSError:
        lines = []
    named = tuple((words[1], 53) for words in lines if words[:1] == ["nameserver"] and len(words) > 1)
    return named or (("127.0.0.1", 53),)


def _address_of(host: str, port: int) -> str:
    """The address of a resolver, which may be configured by a name that the system knows; empty: none."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return str(getaddrinfo(host, port, type=SOCK_DGRAM)[0][4][0])
    except OSError:
        return ""
