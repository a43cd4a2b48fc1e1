"""A hostname's new owner proves control anew: what an earlier one has proven to a CA is given up first."""

import logging

from certward.acme import certificates
from certward.acme.client import Issuer
from certward.acme.order import Order
from certward.logs import say
from certward.model.resources import key_of
from certward.plan.observed import Observed

log = logging.getLogger(__name__)


def without_inheritance(observed: Observed, issuer: Issuer, order: Order) -> Order | None:
    """An order that was just placed, unless it would be granted for what was proven before its Domain had the hostname.

    A CA keeps authorizations for weeks, by account and hostname, and knows nothing of namespaces. Whose they are need
    not be remembered: what is there already when a Domain places its first order at an issuer is not its own. That is
    given up (RFC 8555, 7.5.2), and the order with it, before anything of it is written down. It stays counted as an
    order, and the next one will be. A crash in between leaves nothing behind but an order that nobody goes on with.

    Returns:
        The order, or None where it has been given up.

    Raises:
        OperatorError: the CA could not or would not; the same order may be looked at again.
    """
    domain = observed.domain
    if issuer.name in (domain.status.get("clearedIssuers") or ()):
        return order
    own = certificates.own_order(issuer, order)
    if own is None:
        words = f"what was proven to {issuer.name} before is given up"
        say(log, logging.INFO, key_of(domain), words, hostname=domain.hostname, issuer=issuer.name)
    return own
