"""Sockets that listen at all addresses of a machine, whichever families of IP it has."""

import socket
from ipaddress import IPv6Address


def everywhere(port: int, *, is_shared: bool) -> socket.socket:
    """One listening socket for all addresses, of IPv6 and of IPv4; where the kernel has no IPv6, for those of IPv4.

    Left to itself, asyncio takes two sockets, which get two different ports where any free one may be taken.

    Args:
        port: TCP port; 0 for a free one.
        is_shared: other processes may listen on the port too.

    Raises:
        OSError: the port cannot be listened on.
    """
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, reuse_port=is_shared)
    return socket.create_server(("", port), reuse_port=is_shared)


def unmapped(peer: str) -> str:
    """A peer's address as its own family writes it; a socket of both tells IPv4 as IPv6 (RFC 4291, 2.5.5.2).

    Args:
        peer: as the socket tells it, such as `::ffff:192.0.2.1`; what is no IPv4 in IPv6 stays as it is.
    """
    try:
        mapped = IPv6Address(peer).ipv4_mapped
    except ValueError:
        return peer
    return str(mapped) if mapped else peer
