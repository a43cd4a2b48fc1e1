"""What can be seen of a hostname from where the user sits: DNS, CAA, the challenge path, the TLS entry."""

import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from certward.cli.errors import usage
from certward.cli.explain.facts import CAALook, Names, PathLook, ServedLook
from certward.cli.findings import Unseen
from certward.cli.pem import own_roots
from certward.model import keys, pki
from certward.model.hostnames import is_wildcard
from certward.probe import preflight_words
from certward.probe.caa import CAAPolicy, judge, names_to_ask
from certward.probe.fetch import Fetcher, Ports
from certward.probe.handshake import ProbeFailed, handshake, probe_name
from certward.probe.pointing import Pointing, look_up_target
from certward.probe.public import Address, network
from certward.probe.resolver import Broken, Found, Lookup, Resolver, Unanswered

#: Seconds for one request or handshake, and for all requests at one address.
_SECONDS, _ALL_SECONDS = 5.0, 12.0
#: Of each family so many addresses are looked at.
_ADDRESSES: Final = 2
_EVERYWHERE: Final = (network("0.0.0.0/0"), network("::/0"))
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class At:
    """An address that the user names in the place of what the DNS says."""

    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class Eyes:
    """How to look.

    Attributes:
        resolver: the DNS resolver to ask.
        http: where plain HTTP is asked for; None: where the hostname points.
        https: where HTTPS is asked for; None: where the hostname points.
    """

    resolver: Resolver
    http: At | None = None
    https: At | None = None


def eyes(resolver: str | None, http: str | None, https: str | None) -> Eyes:
    """Read the options.

    Raises:
        CliError: one of them is no address.
    """
    servers = []
    if resolver:
        at = _at(resolver, 53, "--resolver")
        servers = [(str(at.address), at.port)]
    return Eyes(
        Resolver(servers, lifetime=4.0),
        _at(http, 80, "--http") if http else None,
        _at(https, 443, "--https") if https else None,
    )


def _at(text: str, default_port: int, option: str) -> At:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port or default_port
    except ValueError:
        host, port = "", 0
    if not host or not 0 < port <= _HIGHEST_PORT or parts.path:
        raise usage(f"{option} {text}: write HOST or HOST:PORT, such as 203.0.113.7:{default_port} or [2001:db8::7].")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise usage(f"{option} {text}: the name {host} cannot be resolved; write its address.") from None
    return At(ip_address(str(found[0][4][0])), port)


def look_up(seeing: Eyes, hostname: str, targets: tuple[str, ...]) -> Names:
    """Ask where the hostname points, and where it should."""
    resolver, name = seeing.resolver, probe_name(hostname)
    with ThreadPoolExecutor(3) as pool:
        ipv4, ipv6 = pool.submit(resolver.ipv4, name), pool.submit(resolver.ipv6, name)
        target = pool.submit(look_up_target, resolver, targets)
        pointing = Pointing(ipv4.result(), ipv6.result(), target.result())
    is_apex = bool(pointing.target.name) and not is_wildcard(hostname) and resolver.is_apex(hostname)
    return Names(pointing, preflight_words.setting(pointing.target, is_apex=is_apex))


def look_at_caa(seeing: Eyes, hostname: str, policy: CAAPolicy, unknown: str) -> CAALook | Unseen:
    """Ask for the CAA records that count.

    Args:
        seeing: with the resolver.
        hostname: whose.
        policy: the CA that is to issue, and how.
        unknown: why that CA is not known; empty when it is.
    """
    for name in names_to_ask(hostname):
        found = seeing.resolver.caa(name)
        if isinstance(found, Broken):
            return CAALook(failing_at=name)
        if isinstance(found, Unanswered):
            return Unseen("no DNS resolver answers here; name one by --resolver")
        if isinstance(found, Found) and found.records:
            at = found.aliases[-1] if found.aliases else name
            if unknown or not policy.issuer_domains:
                why = unknown or "the CA does not say by which name CAA records know it"
                return CAALook(at, found.records, unknown=why)
            verdict = judge(found.records, policy)
            return CAALook(at, found.records, issuer_domains=policy.issuer_domains, verdict=verdict)
    return CAALook(issuer_domains=policy.issuer_domains)


def look_at_path(seeing: Eyes, hostname: str, names: Names | Unseen) -> tuple[PathLook, ...] | Unseen:
    """Ask for a challenge, as a CA would; the answer of any account's key counts as right, since ours is not known."""
    name, token = probe_name(hostname), secrets.token_urlsafe(32)
    if given := seeing.http:
        ports = Ports(given.port, seeing.https.port if seeing.https else 443)
        fetcher = Fetcher(_Pinned(seeing.resolver, name, given.address), ports=ports, hop_seconds=_SECONDS)
        deadline, targets = time.monotonic() + _ALL_SECONDS, [network(str(given.address))]
        look = fetcher.look(given.address, name, token, None, deadline=deadline, targets=targets)
        return (PathLook(str(given.address), given.port, look, is_given=True),)
    addresses = _addresses(names)
    if isinstance(addresses, Unseen):
        return addresses
    fetcher = Fetcher(seeing.resolver, allowed=_EVERYWHERE, hop_seconds=_SECONDS)

    def ask(address: Address) -> PathLook:
        deadline = time.monotonic() + _ALL_SECONDS
        return PathLook(str(address), 80, fetcher.look(address, name, token, None, deadline=deadline))

    with ThreadPoolExecutor(2 * _ADDRESSES) as pool:
        return tuple(pool.map(ask, addresses))


def look_at_served(
    seeing: Eyes, hostname: str, names: Names | Unseen, now: datetime
) -> tuple[ServedLook, ...] | Unseen:
    """Shake hands, as a client would."""
    roots = own_roots()
    if given := seeing.https:
        return (_shake(given.address, given.port, hostname, now, roots, is_given=True),)
    addresses = _addresses(names)
    if isinstance(addresses, Unseen):
        return addresses
    with ThreadPoolExecutor(2 * _ADDRESSES) as pool:
        return tuple(pool.map(lambda address: _shake(address, 443, hostname, now, roots), addresses))


def _addresses(names: Names | Unseen) -> tuple[Address, ...] | Unseen:
    """Those to look at: a few of each family."""
    if isinstance(names, Unseen):
        return names
    pointing = names.pointing
    found: tuple[Address, ...] = (*pointing.ipv6_addresses[:_ADDRESSES], *pointing.ipv4_addresses[:_ADDRESSES])
    return found or Unseen("the DNS says no address of the hostname here")


def _shake(
    address: Address, port: int, hostname: str, now: datetime, roots: bytes, *, is_given: bool = False
) -> ServedLook:
    where = str(address)
    try:
        served = handshake((where, port), probe_name(hostname), timeout=_SECONDS)
    except ProbeFailed as failed:
        return ServedLook(where, port, is_given, failed.kind, failed.message)
    try:
        chain = tuple(pki.load_der(der) for der in served.chain_der)
        leaf = pki.facts_of(chain[0]) if chain else None
    except keys.CertificateProblem:
        return ServedLook(where, port, is_given)
    return ServedLook(
        where,
        port,
        is_given,
        leaf=leaf,
        is_chain=pki.chain_consistent(chain),
        is_trusted=pki.is_trusted(chain, roots, now),
    )


class _Pinned(Resolver):
    """Says of one name what the user says, and of others what the DNS says."""

    def __init__(self, behind: Resolver, name: str, address: Address) -> None:
        super().__init__([("127.0.0.1", 53)])
        self._behind = behind
        self._name = name
        self._address = address

    def ipv4(self, name: str) -> Lookup[IPv4Address]:
        if name != self._name:
            return self._behind.ipv4(name)
        return Found((self._address,) if isinstance(self._address, IPv4Address) else ())

    def ipv6(self, name: str) -> Lookup[IPv6Address]:
        if name != self._name:
            return self._behind.ipv6(name)
        return Found((self._address,) if isinstance(self._address, IPv6Address) else ())
