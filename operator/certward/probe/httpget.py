"""One plain HTTP request to a given address: what stands at the challenge path, where a redirect leads."""

import contextlib
import http.client
import io
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certward.probe.client_hello import is_ip_address
from certward.probe.link import Link, ProbeFailed, connect, failure

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP response.

    Attributes:
        status: 200 and so on.
        headers: names in lower case; values of a repeated header joined by ", ".
        body: as much of it as was asked for.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class _Side:
    """What http.client sees of a link: it closes its socket early and expects files to outlive that."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def sendall(self, data: "ReadableBuffer") -> None:
        self._link.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self._link.reader()

    def close(self) -> None:
        """Leave the closing to the owner of the link."""


def http_get(
    address: tuple[str, int],
    host: str,
    path: str,
    *,
    tls: bool = False,
    server_name: str = "",
    timeout: float = 5.0,
    max_bytes: int = 65536,
    proxy_protocol: bool = False,
) -> HttpAnswer:
    """Ask one address for one path with a given Host header; follows no redirect, judges no certificate.

    Args:
        address: host (better an IP address) and port.
        host: the Host header, and the server name with `tls`.
        path: begins with a slash.
        tls: speak HTTPS.
        server_name: for the handshake, where it is not to be that of the Host header.
        timeout: seconds for everything together.
        max_bytes: the body is cut there.
        proxy_protocol: start with a PROXY protocol v1 header.

    Raises:
        ProbeFailed: no connection, no answer in time, or no HTTP.
    """
    # Room for the headers beside the body; http.client itself bounds how many there may be and how long.
    read_max = max_bytes + (1 << 17)
    with connect(address, timeout=timeout, proxy_protocol=proxy_protocol, read_max=read_max) as link:
        if tls:
            _start_tls(link, server_name or host)
        connection = http.client.HTTPConnection(host)
        connection.sock = _Side(link)
        headers = {"Host": host, "User-Agent": "certward-probe", "Connection": "close"}
        try:
            connection.request("GET", path, headers=headers)
            with contextlib.closing(connection.getresponse()) as response:
                body = response.read(max_bytes)
        except http.client.RemoteDisconnected as error:
            raise ProbeFailed("closed", "the server closed the connection without an answer") from error
        except (http.client.HTTPException, ValueError) as error:
            raise ProbeFailed("garbage", f"the answer is not HTTP ({type(error).__name__})") from error
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            found[key] = f"{found[key]}, {value}" if key in found else value
        return HttpAnswer(status=response.status, headers=found, body=body)


def _start_tls(link: Link, host: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:!aNULL:!PSK:!SRP:@SECLEVEL=0")
    name = host.partition(":")[0]
    link.sock.settimeout(link.remaining())
    try:
        link.sock = context.wrap_socket(link.sock, server_hostname=None if is_ip_address(name) else name)
    except OSError as error:
        raise failure(error, connected=True) from error
