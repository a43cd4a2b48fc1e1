"""The machine's own address: the only one that an EndpointSlice may hold and that a process here can listen on.

A data plane that sends requests to endpoints and not to ClusterIPs needs such addresses, and the API server refuses
loopback ones. What a machine sends to an address of its own stays on the machine, on the loopback interface.
"""

import ipaddress
import re
from pathlib import Path

from cluster.errors import ClusterError

_TABLE = Path("/proc/net/fib_trie")


def own_address(table: Path = _TABLE) -> str:
    """Return an IPv4 address of this machine that an EndpointSlice may hold.

    Raises:
        ClusterError: it has none, as on a machine without any network.
    """
    try:
        text = table.read_text()
    except OSError:
        text = ""
    for found in sorted(set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", text))):
        address = ipaddress.IPv4Address(found)
        if not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast):
            return found
    raise ClusterError(
        "this machine has no IPv4 address but loopback ones: an ingress that sends requests to endpoints, such as "
        "Contour, cannot be run here, since EndpointSlices refuse loopback addresses; use INGRESS=traefik"
    )
