"""The answers to HTTP-01 challenges (RFC 8555, 8.3), without any memory of challenges.

The answer to a token is the token and the account key's thumbprint, so any replica can answer any challenge
of a hostname at any time. Nothing else lives on this port, which is as public as the hostnames are.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from certward.listening import Listener
from certward.names import ANSWERER_HEADER, CHALLENGE_PATH

#: Base64url with 128 bits or more (RFC 8555, 8.3), and short enough to be one.
_TOKEN_PATH = re.compile(re.escape(CHALLENGE_PATH) + r"([A-Za-z0-9_-]{22,128})")
_HOST = re.compile(r"([A-Za-z0-9.-]{1,254})(?::\d{1,5})?")

_MAXIMUM_CONNECTIONS = 1024

_HEADERS = {
    "Content-Type": "text/plain",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Server": "certward",
    ANSWERER_HEADER: "1",
}


class Answerer:
    """The server for challenges, in a thread of its own. Several processes may share its port.

    Args:
        host: address to listen on; empty for all, of IPv6 and of IPv4.
        port: to listen on; 0 for a free one, see `port`.
        thumbprint_for: the thumbprint for a hostname (lower case, no port, no trailing dot), or None for one
            that no certificate is wanted for; called for each request, in the loop that answers all of them.
        allowed_peers: where given, connections from elsewhere are closed unheard.
        patience: seconds that a client has to take an answer and send a request, the first or the next one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        thumbprint_for: Callable[[str], Awaitable[str | None]],
        *,
        allowed_peers: Sequence[IPv4Network | IPv6Network] = (),
        patience: float = 10.0,
    ) -> None:
        self._thumbprint_for = thumbprint_for
        self._allowed_peers = tuple(allowed_peers)
        self._listener = Listener(
            host,
            port,
            name="challenges",
            answer=self._answer,
            refuse=self.refuse,
            admits=self._is_heard,
            patience=patience,
            most=_MAXIMUM_CONNECTIONS,
            is_shared=True,
        )
        self.answered = 0
        """Requests answered with a key authorization."""
        self.refused = 0
        """Requests and connections that got none."""

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    def start(self) -> None:
        """Listen; returns once it does.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._listener.start()

    def close(self) -> None:
        """Stop listening and end the thread; does nothing where it does not run."""
        self._listener.close()

    def is_allowed(self, peer: str) -> bool:
        """Whether connections from this address are heard; IPv4 in IPv6 counts as IPv4."""
        if not self._allowed_peers:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._allowed_peers)

    def _is_heard(self, peer: str) -> bool:
        is_allowed = self.is_allowed(peer)
        self.refused += not is_allowed
        return is_allowed

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
        token = _TOKEN_PATH.fullmatch(request.rel_url.raw_path)
        host = _HOST.fullmatch(request.headers.get("Host", ""))
        if token is None or host is None:
            return self.refuse(HTTPStatus.NOT_FOUND)
        # A target with a host in it outranks Host (RFC 9112, 3.2.2): where the two differ, somebody means to deceive.
        meant = _HOST.fullmatch(request.host or "")
        if meant is None or meant[1].lower() != host[1].lower():
            return self.refuse(HTTPStatus.BAD_REQUEST)
        thumbprint = await self._thumbprint_for(host[1].lower().removesuffix("."))
        if thumbprint is None:
            return self.refuse(HTTPStatus.NOT_FOUND)
        self.answered += 1
        return web.Response(body=f"{token[1]}.{thumbprint}".encode(), headers=_HEADERS)

    def refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> web.Response:
        """An answer that says no more than its status."""
        self.refused += 1
        return web.Response(status=status, body=f"{status.phrase}\n".encode(), headers=_HEADERS | (headers or {}))
