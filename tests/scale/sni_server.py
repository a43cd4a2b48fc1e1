"""A tiny ingress in place of a real one: certificates by SNI, and the challenge path led to the operator's answerer.

For more hosts than a real ingress holds on a small machine. It serves `FOLDER/<hostname>.pem` (chain and key), read
anew when the file changes, by TLS 1.2 with the suites and groups of profile modern of revision 2018-06. Plain HTTP goes
to the answerer for hosts that have a `.route` there, and is answered by 404 for others. It is started with OPENSSL_CONF
naming `openssl_conf`'s file, since Python cannot set groups by itself.
"""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import ssl
import sys
from collections import OrderedDict
from pathlib import Path

_SUITES = (
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
)
#: Contexts that are kept; with each comes a certificate that is parsed.
_MOST_CONTEXTS = 2000
_PATIENCE = 5.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_MAXIMUM_REQUEST = 16 * 1024


def openssl_conf(file: Path) -> Path:
    """Write the file for OPENSSL_CONF, which makes every context have the profile's groups, and return it."""
    file.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
        "[default]\nGroups = X25519:P-256\n"
    )
    return file


class Hosts:
    """The certificates in a folder, as contexts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[str, tuple[int, ssl.SSLContext]] = OrderedDict()

    def context(self, hostname: str) -> ssl.SSLContext | None:
        """Return how a host is served; None: there is no such host."""
        file = self._folder / f"{Path(hostname).name}.pem"
        try:
            written = file.stat().st_mtime_ns
        except OSError:
            return None
        known = self._known.get(hostname)
        if known is None or known[0] != written:
            context = plain_context()
            context.load_cert_chain(file)
            self._known[hostname] = known = (written, context)
            if len(self._known) > _MOST_CONTEXTS:
                self._known.popitem(last=False)
        self._known.move_to_end(hostname)
        return known[1]

    def choose(self, connection: ssl.SSLObject, hostname: str | None, _first: ssl.SSLContext) -> int | None:
        """The callback of a context: have the connection go on with the host's own one."""
        context = self.context(hostname) if hostname else None
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None


def plain_context() -> ssl.SSLContext:
    """Return a server's settings without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(_SUITES))
    return context


async def _serve(folder: Path, https: str, http: str, answerer: str) -> None:
    context = plain_context()
    context.sni_callback = Hosts(folder).choose
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    # A scan breaks off most of its handshakes, which is no mistake of anybody's.
    loop.set_exception_handler(lambda _loop, _told: None)
    of_tls, of_http = _split(https), _split(http)
    async with (
        await asyncio.start_server(_answer, *of_tls, ssl=context, ssl_handshake_timeout=_PATIENCE, backlog=512),
        await asyncio.start_server(lambda r, w: _relay(r, w, folder, answerer), *of_http, backlog=512),
    ):
        print("listening", flush=True)
        await stop.wait()
        os._exit(0)  # connections that are still open need no goodbye


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        writer.write(_ANSWER)
        await writer.drain()
    writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path, answerer: str) -> None:
    """One request and its answer."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            request = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"^host: *([^:\r]+)", request, re.IGNORECASE | re.MULTILINE)
            if found is None or not (folder / f"{Path(found[1].decode(errors='replace')).name}.route").exists():
                writer.write(_NOT_FOUND)
                await writer.drain()
                writer.close()
                return
            there, back = await asyncio.open_connection(*_split(answerer))
            back.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            while data := await there.read(_MAXIMUM_REQUEST):
                writer.write(data)
            await writer.drain()
            back.close()
    writer.close()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def main(arguments: list[str]) -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name in ("--https", "--http", "--answerer"):
        parser.add_argument(name, required=True, metavar="HOST:PORT")
    options = parser.parse_args(arguments)
    asyncio.run(_serve(options.folder, options.https, options.http, options.answerer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
