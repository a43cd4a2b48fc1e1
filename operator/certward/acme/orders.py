"""An order as a value, and the machine that takes it one request further.

::

    new_order ──> pending ──> ready ──> processing ──> valid ──> certificate_pem
                  authorization, answer,   finalize   poll order   download
                  poll order

Each call of `advance` sends exactly one request. The order's URL and the certificate's key are all that has
to be kept: `resume` reads everything else from the CA. A step that the CA has made unnecessary (an authorization
or an order that is valid already) is skipped; a normal issuance takes seven requests.

With DNS-01 the caller does something between two steps: what `Order.to_publish` names has to be in the DNS before
the step that tells the CA to validate.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from acme import messages
from cryptography import x509
from josepy.json_util import field

from certward.acme.client import Issuer
from certward.acme.order import (
    DNS_01,
    HTTP_01,
    Authorization,
    Order,
    challenge_of,
    challenges,
    hostname_of,
    token_of,
)
from certward.acme.problems import Problem, ProblemReply, parse_problem, to_challenge_error
from certward.acme.transport import PEM_CHAIN, Reply
from certward.errors import ChallengeFailed, OperatorError, RateLimited, Rejected, Retryable, Transient
from certward.model import pki
from certward.stages import stage

# Each so many polls a pending order is looked at through an authorization: not every CA fails both at once.
_LOOK_CLOSER = 4


class _NewOrder(messages.NewOrder):
    """With the certificate that it renews (RFC 9773, 5)."""

    replaces: str | None = field("replaces", omitempty=True)


def new_order(
    issuer: Issuer, hostnames: Sequence[str], *, profile: str = "", replaces: str = "", challenge: str = HTTP_01
) -> Order:
    """Place an order.

    Args:
        issuer: the CA.
        hostnames: DNS names, wildcards included.
        profile: an ACME profile that the CA offers; empty for its default.
        replaces: the renewal identifier of the certificate that is renewed (`pki.ari_certificate_id`); it
            spares rate limits, and is left out where the CA does not know it.
        challenge: the type of challenge by which control is proven; wildcards need one of those by DNS.

    Raises:
        OperatorError: as `problems` says.
    """
    if profile and profile not in issuer.profiles():
        _look_for_profile(issuer, profile)
    if "renewalInfo" not in issuer.directory():
        replaces = ""
    try:
        return _place(issuer, hostnames, profile, replaces, challenge)
    except ProblemReply as reply:
        if profile and reply.problem.code == "invalidProfile":
            _look_for_profile(issuer, profile)
            raise issuer.error(reply, hostnames[0]) from reply
        # A renewal may not fail for a hint: the CA may have forgotten or replaced the certificate in it.
        error = issuer.error(reply, hostnames[0])
        if not replaces or isinstance(error, RateLimited | ChallengeFailed):
            raise error from reply
    try:
        return _place(issuer, hostnames, profile, "", challenge)
    except ProblemReply as reply:
        raise issuer.error(reply, hostnames[0]) from reply


def resume(issuer: Issuer, url: str, *, challenge: str = HTTP_01) -> Order:
    """The order as it stands at the CA, to go on with that type of challenge; one request.

    Raises:
        Transient: with reason OrderInvalid where the CA does not know the order: place a new one.
        OperatorError: as `problems` says.
    """
    if not issuer.has_resource_url(url):
        raise _gone(issuer)
    order = Order(url, "pending", (), challenge=challenge)
    try:
        return _seen(issuer, order, issuer.post(url))
    except ProblemReply as reply:
        if reply.problem.code == "malformed":
            raise _gone(issuer) from reply
        raise _error(issuer, order, reply) from reply


def advance(issuer: Issuer, order: Order, csr: bytes | Callable[[], bytes]) -> Order:
    """Take an order one request further; `order.retry_after` says how long to wait before the next step.

    Args:
        issuer: the CA that the order was placed with.
        order: as last returned; the same object may be advanced again after a Transient or RateLimited.
        csr: the signing request in DER, or what makes it; the same key each time.

    Raises:
        ChallengeFailed, Rejected, and anything with reason OrderInvalid: the order is dead, forget its URL.
        Transient, RateLimited: try again later.
    """
    if order.certificate_pem:
        return order
    try:
        match order.status:
            case "pending":
                return _authorize(issuer, order)
            case "ready":
                return _finalize(issuer, order, csr if isinstance(csr, bytes) else csr())
            case "processing":
                return _poll(issuer, order)
            case "valid":
                return _download(issuer, order)
            case _:
                return _explain(issuer, order)
    except ProblemReply as reply:
        raise _error(issuer, order, reply) from reply


def look(issuer: Issuer, order: Order) -> Order:
    """The order with its authorizations as the CA has them now, one request each; those that are valid left out.

    Raises:
        OperatorError: as `advance`.
    """
    try:
        for authorization in order.pending:
            order = _look(issuer, order, authorization)
    except ProblemReply as reply:
        raise _error(issuer, order, reply) from reply
    return order


def _look_for_profile(issuer: Issuer, profile: str) -> None:
    """Look for an ACME profile in the directory as it is now; what a CA offers may have changed since the first look.

    Raises:
        Rejected: it is not offered.
        Transient, RateLimited: the directory cannot be had.
    """
    issuer.renew_directory()
    offered = issuer.profiles()
    if profile not in offered:
        raise Rejected(
            "CARejected",
            f"The CA {issuer.name} does not offer the ACME profile {profile}; it offers: "
            f"{', '.join(sorted(offered)) or 'none'}.",
        )


@stage("ca order")
def _place(issuer: Issuer, hostnames: Sequence[str], profile: str, replaces: str, challenge: str) -> Order:
    identifiers = [messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name) for name in hostnames]
    request = _NewOrder(identifiers=identifiers, profile=profile or None, replaces=replaces or None)
    reply = issuer.post(str(issuer.directory()["newOrder"]), request.json_dumps().encode())
    url = reply.headers.get("Location", "")
    if not url:
        raise issuer.not_understood()
    return _seen(issuer, Order(url, "pending", tuple(hostnames), challenge=challenge), reply)


def _authorize(issuer: Issuer, order: Order) -> Order:
    waiting = [authorization for authorization in order.pending if not authorization.answered]
    if not waiting:
        if order.pending and order.polls % _LOOK_CLOSER == _LOOK_CLOSER - 1:
            return _look(issuer, order, order.pending[0])
        return _poll(issuer, order)
    if not waiting[0].challenge_url:
        return _look(issuer, order, waiting[0])
    return _answer(issuer, order, waiting[0])


@stage("ca authorization")
def _look(issuer: Issuer, order: Order, authorization: Authorization) -> Order:
    """Read an authorization (RFC 8555, 7.5)."""
    reply = issuer.post(authorization.url)
    document = issuer.document(reply)
    hostname = hostname_of(document) or authorization.hostname
    challenge = challenge_of(document, order.challenge)
    if document.get("status") == "valid":
        return order.without(authorization)
    if document.get("status") != "pending":
        raise _failure(issuer, document, hostname)
    if challenge is None:
        raise _not_offered(issuer, document, order.challenge)
    answered = authorization.answered or challenge.get("status") not in (None, "pending")
    token = token_of(challenge) if challenge.get("type") == DNS_01 and not answered else ""
    looked = Authorization(authorization.url, hostname, str(challenge.get("url", "")), answered, token)
    if not looked.challenge_url or (order.challenge == DNS_01 and not (answered or token)):
        raise issuer.not_understood()
    return order.having(authorization, looked, reply.retry_after)


def _not_offered(issuer: Issuer, document: dict[str, Any], challenge: str) -> Rejected:
    """The error for an authorization that has no challenge of the type that is asked for."""
    is_wildcard = document.get("wildcard") is True
    reason = "WildcardNeedsDNS01" if is_wildcard and challenge == HTTP_01 else "CARejected"
    name = hostname_of(document) or "this name"
    subject = f"*.{name.removeprefix('*.')}" if is_wildcard else name
    return Rejected(reason, f"The CA {issuer.name} does not offer {challenge.upper()} for {subject}.")


@stage("ca challenge")
def _answer(issuer: Issuer, order: Order, authorization: Authorization) -> Order:
    """Tell the CA to validate (RFC 8555, 7.5.1)."""
    try:
        reply = issuer.post(authorization.challenge_url, b"{}")
    except ProblemReply as problem:
        # The authorization may have been decided meanwhile, by an earlier answer; the order will tell.
        if problem.problem.code != "malformed" or problem.problem.status == HTTPStatus.NOT_FOUND:
            raise
        return order.having(authorization, replace(authorization, answered=True))
    if issuer.document(reply).get("status") == "valid":
        return order.without(authorization)
    return order.having(authorization, replace(authorization, answered=True), reply.retry_after)


@stage("ca poll")
def _poll(issuer: Issuer, order: Order) -> Order:
    return _seen(issuer, order, issuer.post(order.url))


@stage("ca finalize")
def _finalize(issuer: Issuer, order: Order, csr: bytes) -> Order:
    """Send the signing request (RFC 8555, 7.4)."""
    request = messages.CertificateRequest(csr=x509.load_der_x509_csr(csr))
    try:
        reply = issuer.post(order.finalize_url, request.json_dumps().encode())
    except ProblemReply as problem:
        if problem.problem.code != "orderNotReady":
            raise
        # Not all is validated yet after all, or an earlier request to finalize did arrive.
        return replace(order, status="pending", pending=()).later(problem.retry_after)
    finalized = _seen(issuer, replace(order, polls=0), reply)
    if finalized.status != "ready":
        return finalized
    # No answer that RFC 8555, 7.4 knows: it has the request and has not begun. It is waited for, longer each time.
    return replace(finalized, status="processing", polls=order.polls).later(reply.retry_after)


@stage("ca certificate")
def _download(issuer: Issuer, order: Order) -> Order:
    reply = issuer.post(order.certificate_url, accept=PEM_CHAIN)
    try:
        chain = pki.load_chain(reply.body)
    except pki.CertificateProblem as error:
        raise issuer.not_understood() from error
    return replace(order, certificate_pem=pki.to_pem(chain), retry_after=0.0)


def _explain(issuer: Issuer, order: Order) -> Order:
    """Find out why an order is invalid: it says so itself, or one of its authorizations does."""
    hostname = order.hostnames[0] if order.hostnames else ""
    if order.problem and order.problem.code not in ("", "unauthorized"):
        error = issuer.error(ProblemReply(order.problem, None), hostname)
        # Whatever passes, this order does not come back.
        raise ChallengeFailed("OrderInvalid", error.message) if isinstance(error, Retryable) else error
    if order.pending:
        document = issuer.document(issuer.post(order.pending[0].url))
        if document.get("status") not in ("valid", "pending"):
            raise _failure(issuer, document, hostname_of(document) or hostname)
        order = replace(order, pending=order.pending[1:])
        if order.pending:
            return order
    if order.problem:
        raise to_challenge_error(order.problem, issuer_name=issuer.name, hostname=hostname)
    raise ChallengeFailed("OrderInvalid", f"The CA {issuer.name} gave the order up without saying why.")


def _failure(issuer: Issuer, document: dict[str, Any], hostname: str) -> OperatorError:
    """The error for an authorization that is neither pending nor valid."""
    for challenge in challenges(document):
        if isinstance(challenge.get("error"), dict):
            problem = parse_problem(challenge["error"])
            is_by_dns = str(challenge.get("type", "")).startswith("dns-")
            return to_challenge_error(problem, issuer_name=issuer.name, hostname=hostname, is_by_dns=is_by_dns)
    if document.get("status") == "invalid":
        return to_challenge_error(Problem(""), issuer_name=issuer.name, hostname=hostname)
    # Deactivated, expired or revoked meanwhile: nobody's fault.
    return Transient("OrderInvalid", f"The authorization for {hostname} is over; it is ordered anew.")


def _seen(issuer: Issuer, order: Order, reply: Reply) -> Order:
    try:
        return order.seen(issuer.document(reply), reply.retry_after)
    except ValueError as error:
        raise issuer.not_understood() from error


def _error(issuer: Issuer, order: Order, reply: ProblemReply) -> OperatorError:
    """The error for a refused request; a part that is not there, or not ours, takes the order with it."""
    is_missing = reply.problem.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    if is_missing or reply.problem.code == "unauthorized":
        return _gone(issuer)
    return issuer.error(reply, order.hostnames[0] if order.hostnames else "")


def _gone(issuer: Issuer) -> Transient:
    return Transient("OrderInvalid", f"The CA {issuer.name} does not know the order any more; it is placed anew.")
