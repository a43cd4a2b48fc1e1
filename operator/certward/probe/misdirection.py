"""Whether a server answers for one host in a connection that was opened for another (RFC 9110, 15.5.20)."""

from typing import Final

from certward.names import PROBE_PATH
from certward.probe.httpget import http_get
from certward.probe.link import ProbeFailed

_MISDIRECTED: Final = 421
_NOT_FOUND: Final = 404


def misdirected(
    address: tuple[str, int], *, opened_for: str, asked_for: str, timeout: float = 3.0, proxy_protocol: bool = False
) -> bool:
    """Tell whether a request for one host gets through in a TLS connection with another host's server name.

    Such a request would reach a host over a handshake by the other one's policy. 421 is the answer of a server that
    guards against it; 404 that of one whose routes are apart.

    Args:
        address: host (better an IP address) and port.
        opened_for: the server name in the handshake.
        asked_for: the Host header.
        timeout: seconds for everything together.
        proxy_protocol: start with a PROXY protocol v1 header.
    """
    try:
        answer = http_get(
            address,
            asked_for,
            PROBE_PATH,
            tls=True,
            server_name=opened_for,
            timeout=timeout,
            max_bytes=1024,
            proxy_protocol=proxy_protocol,
        )
    except ProbeFailed:
        return False
    return answer.status not in (_MISDIRECTED, _NOT_FOUND)
