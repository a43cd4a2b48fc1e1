"""An order and its authorizations as values, and how a reply of the CA changes them. No requests here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from certward.acme.problems import Problem, parse_problem

#: Seconds before the first look at something that the CA works on, where it does not say; doubled each time.
FIRST_POLL = 0.06
LAST_POLL = 5.0

#: The challenges that can be asked for (RFC 8555, 8.3 and 8.4; draft-ietf-acme-dns-persist).
HTTP_01, DNS_01, DNS_PERSIST_01 = "http-01", "dns-01", "dns-persist-01"

_STATUSES = ("pending", "ready", "processing", "valid", "invalid")
#: Base64url (RFC 8555, 8.3).
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,512}")


@dataclass(frozen=True)
class Authorization:
    """An authorization that is not known to be valid.

    Attributes:
        url: where it is.
        hostname: whom it is for; known once looked at.
        challenge_url: of the challenge that is used; known once looked at.
        answered: whether the CA was told to validate.
        token: of a DNS-01 challenge; empty for the others.
    """

    url: str
    hostname: str = ""
    challenge_url: str = ""
    answered: bool = False
    token: str = ""


@dataclass(frozen=True)
class Order:
    """An order as it was last seen.

    Attributes:
        url: where it is; enough to `resume` it.
        status: "pending", "ready", "processing", "valid" or "invalid" (RFC 8555, 7.1.6).
        hostnames: what it is for.
        authorization_urls: all of them.
        pending: the authorizations that are not known to be valid.
        finalize_url: where the request for the certificate goes.
        certificate_url: set once the order is valid.
        certificate_pem: the chain, leaf first, once downloaded; then the order is done.
        retry_after: seconds to wait before the next step; 0 to go on at once.
        polls: how often it was looked at in vain.
        problem: why it is invalid, where the order itself says so.
        challenge: the type of the challenges that are used.
    """

    url: str
    status: str
    hostnames: tuple[str, ...]
    authorization_urls: tuple[str, ...] = ()
    pending: tuple[Authorization, ...] = ()
    finalize_url: str = ""
    certificate_url: str = ""
    certificate_pem: bytes = b""
    retry_after: float = 0.0
    polls: int = 0
    problem: Problem | None = None
    challenge: str = HTTP_01

    @property
    def to_publish(self) -> tuple[tuple[str, str], ...]:
        """(hostname, token) of each DNS-01 challenge that has to be seen in the DNS before the next step."""
        waiting = next((each for each in self.pending if not each.answered), None)
        return ((waiting.hostname, waiting.token),) if waiting and waiting.token else ()

    @property
    def is_to_be_fetched(self) -> bool:
        """Whether the next step has the CA fetch an answer by HTTP-01."""
        waiting = next((each for each in self.pending if not each.answered), None)
        return self.status == "pending" and self.challenge == HTTP_01 and bool(waiting and waiting.challenge_url)

    def by(self, challenge: str) -> "Order":
        """The order, with another type of challenge for what the CA has not been told to validate yet."""
        if challenge == self.challenge:
            return self
        pending = tuple(each if each.answered else Authorization(each.url) for each in self.pending)
        return replace(self, challenge=challenge, pending=pending)

    def seen(self, document: Mapping[str, Any], retry_after: float | None) -> "Order":
        """The order with what a reply says of it (RFC 8555, 7.1.3).

        Raises:
            ValueError: the reply is no order.
        """
        status, urls = document.get("status"), document.get("authorizations")
        finalize_url, certificate_url = document.get("finalize"), document.get("certificate")
        if status not in _STATUSES or not isinstance(finalize_url, str):
            raise ValueError("not an order")
        if status == "valid" and not isinstance(certificate_url, str):
            raise ValueError("valid without a certificate")
        order = replace(
            self,
            status=status,
            hostnames=_hostnames(document) or self.hostnames,
            authorization_urls=tuple(map(str, urls)) if isinstance(urls, list) else self.authorization_urls,
            finalize_url=finalize_url,
            certificate_url=certificate_url if isinstance(certificate_url, str) else "",
            retry_after=0.0,
            problem=parse_problem(document["error"]) if document.get("error") else None,
        )
        if status == "invalid" or (status == "pending" and not order.pending):
            order = replace(order, pending=tuple(map(Authorization, order.authorization_urls)))
        is_waiting = status == "pending" and all(authorization.answered for authorization in order.pending)
        return order.later(retry_after) if is_waiting or status == "processing" else order

    def having(self, old: Authorization, new: Authorization, retry_after: float | None = None) -> "Order":
        """The order with one of its pending authorizations replaced; once all are answered, it waits."""
        pending = tuple(new if authorization is old else authorization for authorization in self.pending)
        order = replace(self, pending=pending, retry_after=0.0)
        return order.later(retry_after) if all(item.answered for item in pending) else order

    def without(self, valid: Authorization) -> "Order":
        """The order with one authorization known to be valid; with none left, it should be ready."""
        pending = tuple(authorization for authorization in self.pending if authorization is not valid)
        return replace(self, pending=pending, status=self.status if pending else "ready", retry_after=0.0)

    def later(self, retry_after: float | None) -> "Order":
        """The order, to be looked at when the CA says, and in any case a little later each time.

        After a Retry-After of 0, or a date that has passed (RFC 9110, 10.2.3), it would be asked for without a pause.
        """
        own = min(FIRST_POLL * 2 ** min(self.polls, 16), LAST_POLL)
        return replace(self, polls=self.polls + 1, retry_after=max(retry_after or 0.0, own))


def challenge_of(authorization: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The challenge of an authorization to use: one that the CA works on already, else the one that is asked for."""
    offered = {str(item.get("type")): item for item in challenges(authorization)}
    begun = (item for item in offered.values() if item.get("status") == "processing")
    return next(begun, None) or offered.get(kind)


def token_of(challenge: Mapping[str, Any]) -> str:
    """The token of a challenge (RFC 8555, 8.3); empty where there is none that can be used."""
    token = challenge.get("token")
    return token if isinstance(token, str) and _TOKEN.fullmatch(token) else ""


def challenges(authorization: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All challenges of an authorization."""
    items = authorization.get("challenges")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def hostname_of(authorization: Mapping[str, Any]) -> str:
    """Whom an authorization is for; a wildcard's is for the name below which it stands."""
    identifier = authorization.get("identifier")
    value = identifier.get("value") if isinstance(identifier, dict) else None
    return value if isinstance(value, str) else ""


def _hostnames(order: Mapping[str, Any]) -> tuple[str, ...]:
    identifiers = order.get("identifiers")
    if not isinstance(identifiers, list):
        return ()
    values = (item.get("value") for item in identifiers if isinstance(item, dict))
    return tuple(value for value in values if isinstance(value, str))
