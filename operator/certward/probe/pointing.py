"""Where a hostname's DNS records lead, and whether that is where they should."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from certward.probe.public import Address, Network, network, synthesized_from
from certward.probe.resolver import Broken, Found, Lookup, NotFound, Resolver, Unanswered


@dataclass(frozen=True, slots=True)
class Target:
    """Where hostnames should point.

    Attributes:
        name: a hostname; empty when addresses are configured, or nothing is.
        addresses: those configured, or those of the name; none when they are not known.
    """

    name: str = ""
    addresses: tuple[Address, ...] = ()

    @property
    def networks(self) -> tuple[Network, ...]:
        """The addresses as ranges of one."""
        return tuple(network(str(address)) for address in self.addresses)

    def of(self, version: int) -> tuple[str, ...]:
        """The addresses of one IP version, as text."""
        return tuple(str(address) for address in self.addresses if address.version == version)


@dataclass(frozen=True, slots=True)
class Pointing:
    """What the DNS says of a hostname.

    Attributes:
        ipv4: its A records.
        ipv6: its AAAA records.
        target: where it should point.
        aliases: the names that its CNAME records lead through.
        ipv4_addresses: out of `ipv4`.
        ipv6_addresses: out of `ipv6`, without those that a DNS64 resolver made of the others.
    """

    ipv4: Lookup[IPv4Address]
    ipv6: Lookup[IPv6Address]
    target: Target = Target()
    aliases: tuple[str, ...] = field(init=False)
    ipv4_addresses: tuple[IPv4Address, ...] = field(init=False)
    ipv6_addresses: tuple[IPv6Address, ...] = field(init=False)

    def __post_init__(self) -> None:
        ipv4 = self.ipv4.records if isinstance(self.ipv4, Found) else ()
        ipv6 = self.ipv6.records if isinstance(self.ipv6, Found) else ()
        aliases = (found.aliases for found in (self.ipv4, self.ipv6) if isinstance(found, Found | NotFound))
        object.__setattr__(self, "aliases", next((each for each in aliases if each), ()))
        object.__setattr__(self, "ipv4_addresses", ipv4)
        object.__setattr__(self, "ipv6_addresses", tuple(each for each in ipv6 if synthesized_from(each) not in ipv4))

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses; IPv6 first, as CAs prefer it."""
        return (*self.ipv6_addresses, *self.ipv4_addresses)

    @property
    def is_nowhere(self) -> bool:
        """No CA can find an address; where one question was not answered, the failure of the other tells."""
        found = (self.ipv4, self.ipv6)
        is_certain = Unanswered() not in found or any(isinstance(each, NotFound | Broken) for each in found)
        return not self.addresses and is_certain

    def is_at_target(self, addresses: Sequence[Address]) -> bool | None:
        """Whether these of its addresses are the target's; None: there are none, or the target is not known."""
        if not addresses:
            return None
        if self.target.name and self.target.name in self.aliases:
            return True
        if not self.target.addresses:
            return None
        return set(addresses) <= set(self.target.addresses)

    @property
    def strays(self) -> tuple[Address, ...]:
        """The addresses that are not the target's; all of them where the target is not known."""
        return tuple(each for each in self.addresses if self.is_at_target([each]) is not True)


def look_up_target(resolver: Resolver, configured: Sequence[str]) -> Target:
    """Read the configured target: one hostname, or addresses."""
    try:
        return Target(addresses=tuple(ip_address(text) for text in configured))
    except ValueError:
        name = configured[0].rstrip(".").lower()
    found = (resolver.ipv6(name), resolver.ipv4(name))
    return Target(name, tuple(address for each in found if isinstance(each, Found) for address in each.records))


def look_up(resolver: Resolver, hostname: str, target: Target) -> Pointing:
    """Look up where a hostname points."""
    return Pointing(resolver.ipv4(hostname), resolver.ipv6(hostname), target)
