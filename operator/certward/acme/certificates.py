"""What is asked of a CA about a certificate or a hostname that it has issued for."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from acme import messages

from certward.acme import orders
from certward.acme.client import Issuer
from certward.acme.order import Order
from certward.acme.problems import ProblemReply
from certward.model import pki

#: When to ask for renewal information again where the CA does not say (RFC 9773, 4.3.3).
DEFAULT_ASK_AGAIN = timedelta(hours=6)


@dataclass(frozen=True)
class RenewalInfo:
    """When the CA wants a certificate renewed (RFC 9773, 4.2).

    Attributes:
        start: begin of the suggested window, aware; in the past where it is urgent.
        end: end of the window.
        ask_again_after: how long this answer is good for.
    """

    start: datetime
    end: datetime
    ask_again_after: timedelta


def renewal_info(issuer: Issuer, certificate_id: str) -> RenewalInfo | None:
    """When to renew, or None where the CA has no opinion: it does not support the question or the certificate.

    Args:
        issuer: the CA.
        certificate_id: from `pki.ari_certificate_id`.

    Raises:
        Transient, RateLimited: ask again later.
    """
    base = issuer.directory().get("renewalInfo")
    if not isinstance(base, str):
        return None
    try:
        reply = issuer.get(f"{base}/{certificate_id}")
    except ProblemReply as problem:
        if problem.problem.status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST, HTTPStatus.GONE):
            return None
        raise issuer.error(problem) from problem
    window = issuer.document(reply).get("suggestedWindow")
    start, end = (_moment(window, name) for name in ("start", "end"))
    if start is None or end is None or end < start:
        raise issuer.not_understood()
    again = DEFAULT_ASK_AGAIN if reply.retry_after is None else timedelta(seconds=reply.retry_after)
    return RenewalInfo(start, end, again)


def revoke(issuer: Issuer, chain_pem: bytes, reason: int = 0, *, key_pem: bytes = b"") -> None:
    """Revoke a certificate (RFC 8555, 7.6); one that is revoked already is fine.

    Args:
        issuer: the CA that issued it, to this account.
        chain_pem: the leaf comes first.
        reason: RFC 5280, 5.3.1; such as 1 for a key that got known, 4 for superseded.
        key_pem: the certificate's own key, which entitles as well, where the certificate is another account's.

    Raises:
        CertificateProblem: there is no certificate.
        OperatorError: as `problems` says.
    """
    leaf = pki.load_chain(chain_pem)[0]
    request = messages.Revocation(certificate=leaf, reason=reason).json_dumps().encode()
    url = issuer.directory().get("revokeCert")
    if not isinstance(url, str):
        raise issuer.not_understood()
    try:
        try:
            issuer.post(url, request)
        except ProblemReply as problem:
            if problem.problem.code != "unauthorized" or not key_pem:
                raise
            issuer.post_by_key(url, request, key_pem)
    except ProblemReply as problem:
        if problem.problem.code != "alreadyRevoked":
            raise issuer.error(problem, next(iter(pki.facts_of(leaf).hostnames), "")) from problem


def deactivate_authorizations(issuer: Issuer, order: Order) -> None:
    """Give up the authorizations of an order (RFC 8555, 7.5.2), so that control has to be proven anew.

    The order itself is dead afterwards. To undo what an earlier owner of a hostname has proven, place an order
    for it (the CA puts the authorizations into it that it would reuse), deactivate them, and place another one.

    Raises:
        OperatorError: as `problems` says.
    """
    payload = json.dumps({"status": "deactivated"}).encode()
    for url in order.authorization_urls:
        try:
            issuer.post(url, payload)
        except ProblemReply as problem:
            # One that is not there any more, or not valid or pending any more, proves nothing.
            if problem.problem.code != "malformed" and problem.problem.status != HTTPStatus.NOT_FOUND:
                raise issuer.error(problem, order.hostnames[0] if order.hostnames else "") from problem


def own_order(issuer: Issuer, order: Order) -> Order | None:
    """See that a new order rests on no authorization from before it was placed.

    Returns:
        The order, its authorizations read. None where there was such a one: it has been given up, and the order is dead
        with it; another one has to be placed.

    Raises:
        OperatorError: as `problems` says.
    """
    looked = orders.look(issuer, order) if order.status == "pending" else order
    if looked.status == "pending" and len(looked.pending) == len(order.authorization_urls):
        return looked
    deactivate_authorizations(issuer, order)
    return None


def _moment(window: Any, name: str) -> datetime | None:  # noqa: ANN401 - as it came from the CA
    try:
        moment = datetime.fromisoformat(window[name])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
