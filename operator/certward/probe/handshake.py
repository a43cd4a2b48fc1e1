"""The certificate that an address really serves for a name: a full TLS handshake, judged by nobody here.

pyOpenSSL makes the handshake, because before Python 3.13 the ssl module shows the chain as sent only through
private names. It reads and writes memory here, so that deadline and bounds are those of every other probe.
"""

import contextlib
from dataclasses import dataclass
from typing import Final

from OpenSSL import SSL, crypto

from certward.model.suites import SUITES
from certward.probe.client_hello import is_ip_address
from certward.probe.httpget import HttpAnswer, http_get
from certward.probe.link import Link, ProbeFailed, connect
from certward.probe.server_flight import Alert, Malformed, ServerFlight

__all__ = ["HttpAnswer", "ProbeFailed", "Served", "handshake", "http_get", "probe_name"]

#: The label that stands for the asterisk of a wildcard.
_WILDCARD_LABEL: Final = "certward-probe"
#: Everything that authenticates a server by a certificate, however weak: a host may be legacy on purpose.
_CIPHERS: Final = b"ALL:!aNULL:!PSK:!SRP:@SECLEVEL=0"
_IANA_NAMES: Final = {suite.openssl: suite.iana for suite in SUITES.values()}
_VERSION_NAMES: Final = {"TLSv1": "TLSv1.0"}


@dataclass(frozen=True)
class Served:
    """What a handshake showed.

    Attributes:
        chain_der: certificates as sent, the leaf first; neither ordered nor verified.
        version: "TLSv1.3" and so on.
        cipher: IANA name of the suite, or OpenSSL's where Certward's table does not have it.
    """

    chain_der: tuple[bytes, ...]
    version: str
    cipher: str


def probe_name(hostname: str) -> str:
    """Give the name to ask for: the hostname itself, or one that a wildcard covers."""
    return f"{_WILDCARD_LABEL}{hostname[1:]}" if hostname.startswith("*.") else hostname


def handshake(
    address: tuple[str, int], server_name: str, *, timeout: float = 5.0, proxy_protocol: bool = False
) -> Served:
    """Shake hands with an address as a client that wants `server_name` and takes any certificate.

    Offers TLS 1.0 to 1.3 and every suite that OpenSSL has (not 3DES).

    Args:
        address: host (better an IP address) and port.
        server_name: sent as SNI unless it is empty or an IP address; see `probe_name` for wildcards.
        timeout: seconds for everything together.
        proxy_protocol: start with a PROXY protocol v1 header.

    Raises:
        ProbeFailed: no handshake; the message says in words what happened instead.
    """
    with connect(address, timeout=timeout, proxy_protocol=proxy_protocol) as link:
        tls = client(server_name)
        negotiate(tls, link)
        chain = tls.get_peer_cert_chain() or []
        cipher = tls.get_cipher_name() or ""
        return Served(
            chain_der=tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in chain),
            version=version_of(tls),
            cipher=_IANA_NAMES.get(cipher, cipher),
        )


def client(server_name: str, context: SSL.Context | None = None) -> SSL.Connection:
    """Give a client that takes any certificate, speaks everything OpenSSL can, and works on memory.

    Args:
        server_name: sent as SNI unless it is empty or an IP address.
        context: that of an earlier client, to go on with its session.
    """
    if context is None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_cipher_list(_CIPHERS)
        context.set_verify(SSL.VERIFY_NONE)
    tls = SSL.Connection(context, None)
    if server_name and not is_ip_address(server_name):
        tls.set_tlsext_host_name(server_name.encode("ascii"))
    tls.set_connect_state()
    return tls


def version_of(tls: SSL.Connection) -> str:
    """Name the version that was agreed on: "TLSv1.3" and so on."""
    name = tls.get_protocol_version_name()
    return _VERSION_NAMES.get(name, name)


def negotiate(tls: SSL.Connection, link: Link) -> None:
    """Carry bytes between a `client` and the link until the handshake is done.

    Raises:
        ProbeFailed: no handshake; the message says in words what happened instead.
    """
    received = bytearray()
    while True:
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            flush(tls, link)
        except SSL.Error as error:
            raise _refusal(bytes(received), error) from error
        else:
            # The client's last flight, so that the server has a whole handshake to log and not a broken one.
            # What it showed stands even when it is gone by now.
            with contextlib.suppress(ProbeFailed):
                flush(tls, link)
            return
        data = link.recv()
        if not data:
            raise ProbeFailed("closed", "the server closed the connection during the TLS handshake")
        received += data
        tls.bio_write(data)


def flush(tls: SSL.Connection, link: Link) -> None:
    """Send what a `client` has to send.

    Raises:
        ProbeFailed: the connection is gone.
    """
    while True:
        try:
            data = tls.bio_read(1 << 14)
        except SSL.WantReadError:
            return
        link.sendall(data)


def _refusal(received: bytes, error: SSL.Error) -> ProbeFailed:
    """Say what the server answered: an alert by its name, else OpenSSL's words."""
    try:
        alerts = [found for found in ServerFlight().feed(received) if isinstance(found, Alert)]
    except Malformed:
        alerts = []
    if alerts:
        name = alerts[-1].name
        return ProbeFailed("alert", f"the server answered with TLS alert {name}", alert=name)
    # The arguments are OpenSSL's error queue: triples of library, function and reason.
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reason = queue[-1][-1] if queue else type(error).__name__
    return ProbeFailed("garbage", f"the server's answer is no TLS handshake ({reason})")
