"""One ClientHello and what a server makes of it: the smallest question that can be asked about TLS.

No library handshake can ask it: OpenSSL 3 has no 3DES, and Python's ssl module cannot choose groups. Nothing
is encrypted or verified; the connection ends after the server's first flight.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from certward.model.suites import GROUPS, SUITES
from certward.probe import server_flight as wire
from certward.probe.client_hello import VERSION_CODES, client_hello
from certward.probe.link import Link, ProbeFailed, connect

_VERSION_NAMES: Final = {code: name for name, code in VERSION_CODES.items()}
_SUITE_NAMES: Final = {suite.code: suite.iana for suite in SUITES.values()}
_GROUP_NAMES: Final = {code: name for name, code in GROUPS.items()}
_TLS13: Final = "TLSv1.3"


@dataclass(frozen=True)
class Answer:
    """What a server made of one ClientHello.

    Attributes:
        accepted: it chose from the offer.
        version: the version that it chose, also when that was not offered (then `accepted` is false).
        suite: IANA name of its choice.
        group: of the key exchange; empty where there is none (RSA, DHE) or it did not come in time.
        alert: name of the alert it refused with (RFC 8446, 6), or empty.
        error: "" or, for a refusal without an alert, "reset", "closed" or "other version".
    """

    accepted: bool
    version: str = ""
    suite: str = ""
    group: str = ""
    alert: str = ""
    error: str = ""


@dataclass(frozen=True)
class _Offer:
    versions: Sequence[str]
    suites: Sequence[str]
    groups: Sequence[str]


def hello(
    address: tuple[str, int],
    server_name: str,
    *,
    versions: Sequence[str],
    suites: Sequence[str],
    groups: Sequence[str],
    timeout: float = 3.0,
    proxy_protocol: bool = False,
) -> Answer:
    """Offer exactly this, once, and read the server's choice. One connection.

    TLS 1.3 is offered without a key share, so a HelloRetryRequest is the answer to expect; it shows what
    would be negotiated, but may come before the server looks for a certificate: only a handshake proves one.

    Args:
        address: host (better an IP address) and port.
        server_name: sent as SNI unless it is empty or an IP address.
        versions: out of `VERSIONS`.
        suites: IANA names out of `SUITES`, in order of preference.
        groups: out of `GROUPS`, in order of preference.
        timeout: seconds for everything together.
        proxy_protocol: start with a PROXY protocol v1 header.

    Raises:
        ProbeFailed: no connection, no answer in time, or an answer that is no TLS or was not offered. A
            reset or a close after the ClientHello is an answer: some servers refuse so.
    """
    record = client_hello(
        server_name,
        versions=versions,
        suites=[SUITES[name].code for name in suites],
        groups=[GROUPS[name] for name in groups],
        random=os.urandom(32),
        session_id=os.urandom(32) if _TLS13 in versions else b"",
    )
    with connect(address, timeout=timeout, proxy_protocol=proxy_protocol) as link:
        try:
            link.sendall(record)
            return _read_answer(link, _Offer(versions, suites, groups))
        except wire.Malformed as error:
            raise ProbeFailed("garbage", f"the server's answer cannot be read: {error}") from error
        except ProbeFailed as error:
            if error.kind == "reset":
                return Answer(accepted=False, error="reset")
            raise


def _read_answer(link: Link, offer: _Offer) -> Answer:
    flight = wire.ServerFlight()
    reading = _Reading(offer)
    while True:
        try:
            data = link.recv()
        except ProbeFailed:
            if reading.chosen:  # the choice is made, only its group was still to come
                return reading.chosen
            raise
        if not data:
            return reading.chosen or Answer(accepted=False, alert=reading.warning, error="closed")
        for found in flight.feed(data):
            if answer := reading.take(found):
                return answer


class _Reading:
    """Follows a server's first flight until it has told its choice."""

    def __init__(self, offer: _Offer) -> None:
        self._offer = offer
        self.chosen: Answer | None = None
        self.warning = ""

    def take(self, found: wire.Alert | wire.Message) -> Answer | None:
        """Take the next piece of the flight; the answer, once there is nothing more to wait for."""
        if isinstance(found, wire.Alert):
            if found.fatal:
                return Answer(accepted=False, alert=found.name)
            self.warning = found.name
            return None
        if self.chosen is None:
            if found.kind != wire.SERVER_HELLO:
                raise wire.Malformed(f"handshake message {found.kind} instead of a ServerHello")
            self.chosen = self._choice(wire.parse_server_hello(found.body))
            return None if self._waits_for_group(self.chosen) else self.chosen
        if found.kind == wire.SERVER_KEY_EXCHANGE:
            return replace(self.chosen, group=self._offered_group(wire.parse_named_curve(found.body)))
        return self.chosen if found.kind == wire.SERVER_HELLO_DONE else None

    @staticmethod
    def _waits_for_group(chosen: Answer) -> bool:
        """TLS 1.3 says all in its ServerHello; below it, ECDHE names the group in its ServerKeyExchange."""
        return chosen.accepted and chosen.version != _TLS13 and SUITES[chosen.suite].kx == "ECDHE"

    def _choice(self, server_hello: wire.ServerHello) -> Answer:
        version = _VERSION_NAMES.get(server_hello.version, "")
        if version not in self._offer.versions:
            # So answers a server that stops below the offer, and leaves it to the client to go on or not.
            return Answer(accepted=False, version=version, error="other version")
        suite = _SUITE_NAMES.get(server_hello.suite, "")
        if suite not in self._offer.suites:
            raise wire.Malformed(f"it chose suite 0x{server_hello.suite:04X}, which was not offered")
        group = self._offered_group(server_hello.group) if version == _TLS13 else ""
        return Answer(accepted=True, version=version, suite=suite, group=group)

    def _offered_group(self, code: int) -> str:
        group = _GROUP_NAMES.get(code, "")
        if group not in self._offer.groups:
            raise wire.Malformed(f"it chose group 0x{code:04X}, which was not offered")
        return group
