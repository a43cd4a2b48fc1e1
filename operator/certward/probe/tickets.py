"""Whether a TLS session of an earlier policy still resumes: a ticket must not outlive the policy it was given under."""

import ssl
from dataclasses import dataclass, field
from typing import Final

from certward.probe.client_hello import is_ip_address
from certward.probe.link import ProbeFailed, connect

#: TLS 1.3 sends its tickets after the handshake; a request makes sure that they have come (RFC 8446, 4.6.1).
_REQUEST: Final = "GET /.well-known/certward-probe HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
_NAMES: Final = {"TLSv1": "TLSv1.0"}


@dataclass(frozen=True, slots=True)
class Session:
    """A session as a client would keep it. Holds secrets of a connection that carried nothing.

    Attributes:
        version: the protocol version that it was made with.
    """

    version: str
    context: ssl.SSLContext = field(repr=False)
    session: ssl.SSLSession = field(repr=False)


def take(
    address: tuple[str, int], server_name: str, *, timeout: float = 3.0, proxy_protocol: bool = False
) -> Session | None:
    """Shake hands and keep the session; None when the server gives none or cannot be reached.

    Args:
        address: host (better an IP address) and port.
        server_name: sent as SNI.
        timeout: seconds for everything together.
        proxy_protocol: start with a PROXY protocol v1 header.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:!aNULL:!PSK:!SRP:@SECLEVEL=0")
    found = _shake(context, None, address, server_name, timeout=timeout, proxy_protocol=proxy_protocol)
    return None if found is None or found[2] is None else Session(found[0], context, found[2])


def resumes(
    session: Session,
    address: tuple[str, int],
    server_name: str,
    *,
    timeout: float = 3.0,
    proxy_protocol: bool = False,
) -> str:
    """Try to resume a session.

    Args:
        session: from `take`.
        address: host (better an IP address) and port.
        server_name: sent as SNI.
        timeout: seconds for everything together.
        proxy_protocol: start with a PROXY protocol v1 header.

    Returns:
        The protocol version with which it resumed; empty when the server insisted on a full handshake or refused.
    """
    found = _shake(
        session.context, session.session, address, server_name, timeout=timeout, proxy_protocol=proxy_protocol
    )
    return found[0] if found is not None and found[1] else ""


def _shake(
    context: ssl.SSLContext,
    session: ssl.SSLSession | None,
    address: tuple[str, int],
    server_name: str,
    *,
    timeout: float,
    proxy_protocol: bool,
) -> tuple[str, bool, ssl.SSLSession | None] | None:
    """-> (version, whether the session was resumed, the new session if none was given); None: no handshake."""
    name = None if is_ip_address(server_name) else server_name
    try:
        with connect(address, timeout=timeout, proxy_protocol=proxy_protocol) as link:
            link.sock.settimeout(link.remaining())
            tls = context.wrap_socket(link.sock, server_hostname=name, session=session)
            link.sock = tls
            version = tls.version() or ""
            if session is None:
                link.sendall(_REQUEST.format(host=server_name).encode("ascii"))
                link.recv()
            # Each reading of it costs some KiB that CPython 3.11 never gives back.
            kept = tls.session if session is None else None
            return _NAMES.get(version, version), bool(tls.session_reused), kept
    except (ProbeFailed, OSError):
        return None
