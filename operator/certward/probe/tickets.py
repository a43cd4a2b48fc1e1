"""Whether a TLS session of an earlier policy still resumes: a ticket must not outlive the policy it was given under.

pyOpenSSL, as for every handshake here; the standard library's `SSLSocket.session` moreover loses some KiB each time it
is read, in CPython 3.10 to 3.12.7 (its issue 116810).
"""

import contextlib
from dataclasses import dataclass, field
from typing import Final

from OpenSSL import SSL, crypto

from certward.probe.handshake import client, flush, negotiate, version_of
from certward.probe.link import Link, ProbeFailed, connect

#: TLS 1.3 sends its tickets after the handshake; a request makes sure that they have come (RFC 8446, 4.6.1).
_REQUEST: Final = "GET /.well-known/certward-probe HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Session:
    """A session as a client would keep it. Holds secrets of a connection that carried nothing.

    Attributes:
        version: the protocol version that it was made with.
    """

    version: str
    context: SSL.Context = field(repr=False)
    session: SSL.Session = field(repr=False)


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
    try:
        with connect(address, timeout=timeout, proxy_protocol=proxy_protocol) as link:
            tls = client(server_name)
            negotiate(tls, link)
            _ask(tls, link, server_name)
            session = tls.get_session()
            _part(tls)
            return None if session is None else Session(version_of(tls), tls.get_context(), session)
    except ProbeFailed:
        return None


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
    certificates = []

    def is_welcome(_: SSL.Connection, certificate: crypto.X509, *__: int) -> bool:
        certificates.append(certificate)
        return True

    try:
        with connect(address, timeout=timeout, proxy_protocol=proxy_protocol) as link:
            tls = client(server_name, session.context)
            tls.set_session(session.session)
            tls.set_verify(SSL.VERIFY_NONE, is_welcome)
            negotiate(tls, link)
            _part(tls)
            # A server shows its certificate in each handshake but one that resumes (RFC 8446, 2.2; RFC 5246, 7.3).
            return "" if certificates else version_of(tls)
    except ProbeFailed:
        return ""


def _part(tls: SSL.Connection) -> None:
    """Keep the session good for another try: OpenSSL spoils that of a connection that ends without a goodbye."""
    tls.set_shutdown(SSL.SENT_SHUTDOWN)


def _ask(tls: SSL.Connection, link: Link, host: str) -> None:
    """Send a request and read the first of the answer, if any."""
    tls.send(_REQUEST.format(host=host).encode("ascii"))
    flush(tls, link)
    tls.bio_write(link.recv())
    with contextlib.suppress(SSL.Error):
        tls.recv(1)
