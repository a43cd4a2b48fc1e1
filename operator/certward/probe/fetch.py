"""The challenge path as a CA would fetch it, from addresses that strangers chose: a guarded HTTP client.

Every address is checked before it is connected to and is not resolved again; redirects are followed as Let's Encrypt
follows them, each hop under the same rule. Of what is fetched nothing is kept but whether it is the right answer.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final

from certward.names import CHALLENGE_PATH
from certward.probe.cdn import cdn_of
from certward.probe.httpget import HttpAnswer, http_get
from certward.probe.link import ProbeFailed, connect
from certward.probe.public import Address, Network, is_public
from certward.probe.redirect import HTTP, HTTPS, Url, follow
from certward.probe.resolver import Found, Resolver

_REDIRECTS_MAX: Final = 10
#: Let's Encrypt follows these; 303 it does not.
_REDIRECTS: Final = frozenset({301, 302, 307, 308})
#: A key authorization is shorter than this: 128 characters of token, a dot, 43 of thumbprint.
_BODY_MAX: Final = 1024
#: What follows the token and a dot in a key authorization: the SHA-256 of an account's key, base64url (RFC 8555, 8.1).
_THUMBPRINT: Final = re.compile(rb"[A-Za-z0-9_-]{43}")
#: Seconds in which a listening port takes a connection; asked only after silence.
_ACCEPT_SECONDS: Final = 1.0


class Shown(Enum):
    """What an address showed."""

    RIGHT = "right"
    """The key authorization that was asked for."""
    WRONG = "wrong"
    """Some other HTTP answer, at the end of its redirects."""
    CLOSED = "closed"
    """No HTTP answer: the connection was refused, or nothing of use came over it."""
    SILENT = "silent"
    """No connection came about within the time, which says little about the way from elsewhere."""
    UNROUTED = "unrouted"
    """No connection was possible from here, which says nothing about the way from elsewhere."""
    REFUSED = "refused"
    """It was not asked: it is no address that may be."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the challenge path showed.

    Attributes:
        shown: the kind.
        words: what the address does, as the rest of a sentence that begins with the address; empty when right.
        cdn: name of the content delivery network that answered for the hostname, where one shows.
        is_loop: it led from redirect to redirect without end.
    """

    shown: Shown
    words: str = ""
    cdn: str = ""
    is_loop: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """Where plain HTTP and HTTPS are found at configured exceptions; everywhere else they are 80 and 443."""

    http: int = HTTP
    https: int = HTTPS


class Fetcher:
    """Looks at challenge paths. For many threads.

    Args:
        resolver: for the hosts that redirects lead to.
        allowed: what may be fetched although it is not public.
        forbidden: what may not although it is, such as the cluster's own ranges.
        ports: for what is allowed.
        hop_seconds: for one request.
        total_seconds: for all requests of one preflight; see `deadline`.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        allowed: Sequence[Network] = (),
        forbidden: Sequence[Network] = (),
        ports: Ports = Ports(),
        hop_seconds: float = 5.0,
        total_seconds: float = 15.0,
    ) -> None:
        self.resolver = resolver
        self._allowed = tuple(allowed)
        self._forbidden = tuple(forbidden)
        self._ports = ports
        self._hop_seconds = hop_seconds
        self._total_seconds = total_seconds

    def may_fetch(self, address: Address, targets: Sequence[Network] = ()) -> bool:
        """Whether an address may be connected to.

        Args:
            address: as resolved.
            targets: further exceptions: where hostnames are meant to point.
        """
        return is_public(address, allowed=(*self._allowed, *targets), forbidden=self._forbidden)

    def deadline(self) -> float:
        """When looks that begin now have to end, on the monotonic clock."""
        return time.monotonic() + self._total_seconds

    def look(
        self,
        address: Address,
        hostname: str,
        token: str,
        expected: bytes | None,
        *,
        deadline: float,
        targets: Sequence[Network] = (),
    ) -> Look:
        """Ask an address for a hostname's challenge, as a CA does that has resolved the hostname to it.

        Args:
            address: where to connect to.
            hostname: a valid one.
            token: of the challenge.
            expected: its key authorization (RFC 8555, 8.1); None: that of any account, where ours is not known.
            deadline: see there; look-ups for redirects that are under way then may take a few seconds more.
            targets: see `may_fetch`.
        """
        if not self.may_fetch(address, targets):
            return Look(Shown.REFUSED, "is not an address on the public Internet")
        url, addresses = Url(False, hostname, HTTP, f"{CHALLENGE_PATH}{token}"), [address]
        seen = {str(url)}
        cdn = ""
        while True:
            try:
                answer = self._get(url, addresses, targets, deadline)
            except ProbeFailed as failed:
                return _failed(failed, url, cdn, is_redirected=len(seen) > 1)
            if url.host == hostname:
                cdn = cdn_of(answer.headers) or cdn
            if answer.status not in _REDIRECTS:
                return _judge(answer, token, expected, cdn)
            following = follow(url, answer.headers.get("location", ""))
            if isinstance(following, str):
                return Look(Shown.WRONG, following, cdn)
            url = following
            if str(url) in seen or len(seen) > _REDIRECTS_MAX:
                return Look(Shown.WRONG, "redirects without end", cdn, is_loop=True)
            seen.add(str(url))
            addresses = [each for each in self._resolve(url.host) if self.may_fetch(each, targets)]
            if not addresses:
                return Look(Shown.WRONG, f"redirects to {url.host}, which has no public address", cdn)

    def _resolve(self, host: str) -> Iterator[Address]:
        """One address of each family, in a CA's order of preference."""
        for found in (self.resolver.ipv6(host), self.resolver.ipv4(host)):
            if isinstance(found, Found):
                yield from found.records[:1]

    def _get(self, url: Url, addresses: list[Address], targets: Sequence[Network], deadline: float) -> HttpAnswer:
        """Ask the first address that takes a connection."""
        failure = ProbeFailed("timeout", "timed out")
        for address in addresses:
            left = min(self._hop_seconds, deadline - time.monotonic())
            if left <= 0:
                raise _Silent("timeout", "timed out")
            port = self._port(address, url.port, targets)
            try:
                return http_get(
                    (str(address), port), url.host, url.path, tls=url.is_https, timeout=left, max_bytes=_BODY_MAX
                )
            except ProbeFailed as failed:
                failure = failed
                if failed.kind == "timeout" and _accepts(address, port):
                    failure = _Silent("timeout", failed.message)
                if isinstance(failure, _Silent) or failure.kind not in ("refused", "unreachable", "timeout"):
                    break
        raise failure

    def _port(self, address: Address, port: int, targets: Sequence[Network]) -> int:
        is_exception = any(address in each for each in (*self._allowed, *targets))
        if not is_exception:
            return port
        return self._ports.http if port == HTTP else self._ports.https


class _Silent(ProbeFailed):
    """A connection came about, and no answer in time."""


def _accepts(address: Address, port: int) -> bool:
    """Whether a port that was silent takes connections at all."""
    try:
        connect((str(address), port), timeout=_ACCEPT_SECONDS).close()
    except ProbeFailed:
        return False
    return True


def _judge(answer: HttpAnswer, token: str, expected: bytes | None, cdn: str) -> Look:
    if answer.status != HTTPStatus.OK:
        return Look(Shown.WRONG, f"answers with status {answer.status}", cdn)
    # RFC 8555, 8.3: whitespace at the end is to be ignored.
    body = answer.body.rstrip()
    prefix = f"{token}.".encode()
    is_any = body.startswith(prefix) and _THUMBPRINT.fullmatch(body.removeprefix(prefix)) is not None
    if body == expected or (expected is None and is_any):
        return Look(Shown.RIGHT, cdn=cdn)
    return Look(Shown.WRONG, "answers with a page of its own", cdn)


def _failed(failed: ProbeFailed, url: Url, cdn: str, *, is_redirected: bool) -> Look:
    is_silent = isinstance(failed, _Silent)
    if failed.kind in ("unreachable", "timeout") and not is_silent:
        where = f"redirects to {url.host}, which " if is_redirected else ""
        shown = Shown.UNROUTED if failed.kind == "unreachable" else Shown.SILENT
        return Look(shown, f"{where}cannot be reached from the cluster", cdn)
    if is_redirected:
        scheme = "https" if url.is_https else "http"
        return Look(Shown.WRONG, f"redirects to {scheme}://{url.host}, which does not answer as it should", cdn)
    if is_silent:
        return Look(Shown.CLOSED, "accepts connections at port 80, but does not answer in time")
    words = {
        "refused": "refuses connections at port 80",
        "garbage": "does not answer with HTTP at port 80",
    }
    return Look(Shown.CLOSED, words.get(failed.kind, "closes connections at port 80 without an answer"))
