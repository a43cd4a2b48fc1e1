"""Which addresses may be fetched when somebody else chooses the name: those of the public Internet, and no others.

Tenants choose hostnames and what their DNS says, and the operator stands inside the cluster's network. Without this
rule a hostname would be a key to whatever listens there (server-side request forgery).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: IANA's IPv4 Special-Purpose Address Registry (RFC 6890), what is not for the Internet at large, and multicast.
_IPV4_REFUSED: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, where clouds have their metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4, deprecated
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

#: All global unicast addresses (RFC 4291, 2.4). Outside of it are loopback, unspecified, unique local, link-local,
#: multicast, IPv4-mapped (::ffff:0:0/96), IPv4-compatible and NAT64 (64:ff9b::/96, 64:ff9b:1::/48).
_IPV6_GLOBAL: Final = IPv6Network("2000::/3")
_IPV6_REFUSED: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo (2001::/32), benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)

_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: Address, *, allowed: Iterable[Network] = (), forbidden: Iterable[Network] = ()) -> bool:
    """Tell whether an address may be fetched for somebody who is not trusted.

    Refused are loopback, private, link-local, multicast, unspecified, carrier-grade NAT, documentation, benchmark and
    reserved addresses, and IPv6 addresses that hold an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo):
    the registries of RFC 6890.

    Args:
        address: as resolved; nobody may resolve it again between this and the connection.
        allowed: configured targets, which may be fetched whatever they are.
        forbidden: further ranges that may not, such as the cluster's own where they are public ones.
    """
    if _is_in(address, allowed):
        return True
    if _is_in(address, forbidden):
        return False
    if isinstance(address, IPv4Address):
        return not _is_in(address, _IPV4_REFUSED)
    # A scope (fe80::1%eth0) can stand only in local addresses.
    return address.scope_id is None and address in _IPV6_GLOBAL and not _is_in(address, _IPV6_REFUSED)


def network(text: str) -> Network:
    """Read an address or a range; bits right of the prefix do not matter.

    Raises:
        ValueError: it is neither.
    """
    return ip_network(text, strict=False)


def synthesized_from(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a DNS64 resolver made this address of (RFC 6147, RFC 6052, 2.1); None: it did not."""
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    # An address is never in a network of the other family.
    return any(address in each for each in networks)
