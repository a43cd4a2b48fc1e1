"""Placing an order at the CA: in its turn, and none that inherits another's proof of control."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from certward.acme import orders
from certward.acme.client import Issuer
from certward.acme.order import HTTP_01
from certward.config import Config
from certward.errors import IssuerUnusable, OperatorError, RateLimited, Rejected, Transient
from certward.logs import say
from certward.model.resources import format_time, key_of, parse_time
from certward.plan import renewal
from certward.plan.observed import Observed, Plan
from certward.plan.turns import OrderRequest
from certward.runtime.inheritance import without_inheritance
from certward.runtime.issuers import Issuers
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Memory, Placed, Waiting

log = logging.getLogger(__name__)

#: In one go no more orders are placed for a Domain, one at each issuer aside: a mistake may not use up a CA's limits.
_MOST_ORDERS = 3


class Ordering:
    """Places orders. For many threads."""

    def __init__(self, config: Config, issuers: Issuers, *, ledger: Ledger) -> None:
        self._config = config
        self._issuers = issuers
        self._ledger = ledger
        self._local = threading.local()

    def begin(self) -> None:
        """A worker takes up a Domain."""
        self._local.orders = 0

    def place(self, observed: Observed, plan: Plan, memory: Memory) -> None:
        """Place the order of a plan and remember it in `memory.order`, or in `memory.waiting` what it waits for.

        Raises:
            OperatorError: it failed, at the CA or before.
        """
        domain, key = observed.domain, key_of(observed.domain)
        issuer = self._issuers.ready(plan.issuer)
        if memory.placed and memory.placed.issuer != plan.issuer:
            self._ledger.failed(memory.placed.issuer, key, is_validation=False)
            memory.placed = None
        if memory.placed is None:
            memory.placed = self._order(observed, plan, issuer, memory)
        placed = memory.placed
        if placed is None:
            return
        try:
            order = without_inheritance(observed, issuer, placed.order)
        except OperatorError as failure:
            if not isinstance(failure, Transient | RateLimited | IssuerUnusable) or failure.reason == "OrderInvalid":
                self._ledger.failed(plan.issuer, key, is_validation=False)
                memory.placed = None
            raise  # otherwise the same order is looked at again
        memory.placed = None
        if order is None:
            self._ledger.failed(plan.issuer, key, is_validation=False)
            return
        memory.order = order
        memory.order_issuer = plan.issuer
        memory.order_created_at = placed.created_at
        memory.wait_until = 0.0
        memory.has_next_key = False
        say(
            log,
            logging.INFO,
            key,
            f"ordered at {plan.issuer}: {plan.why}",
            hostname=domain.hostname,
            issuer=plan.issuer,
        )

    def _order(self, observed: Observed, plan: Plan, issuer: Issuer, memory: Memory) -> Placed | None:
        """Place an order; None where it has to wait for its turn."""
        domain, app, key = observed.domain, observed.app, key_of(observed.domain)
        replaces = _replaced(observed, plan.issuer) if "renewalInfo" in issuer.directory() else ""
        request = request_of(observed, plan.issuer, replaces)
        wait = self._ledger.ask(plan.issuer, request)
        if wait is not None:
            ask_at = time.monotonic() + wait / timedelta(seconds=1)
            expected, words, reason = *self._ledger.told(plan.issuer, request), "WaitingForBudget"
            if expected is None and (held := self._ledger.hold(plan.issuer, request)):
                expected, words, reason = *held, "RateLimited"
            memory.waiting = Waiting(plan.issuer, ask_at, expected, words, reason)
            return None
        memory.waiting = None
        self._local.orders += 1
        if self._local.orders > _MOST_ORDERS:
            self._ledger.cancelled(plan.issuer, key)
            raise RuntimeError(f"{key} asks for one order after the other")
        configured = self._config.issuer(plan.issuer)
        profile = (app.acme_profile if app else None) or (configured.profile if configured else "")
        try:
            order = orders.new_order(
                issuer,
                [domain.hostname],
                profile=profile,
                replaces=replaces,
                challenge=observed.challenge or HTTP_01,
            )
        except RateLimited as limit:
            self._ledger.rate_limited(plan.issuer, key, limit.until, limit.message)
            raise
        except Rejected:
            self._ledger.cancelled(plan.issuer, key)
            raise
        except OperatorError:
            self._ledger.failed(plan.issuer, key, is_validation=False)  # the CA may have taken it
            raise
        self._ledger.placed(plan.issuer, key)
        return Placed(plan.issuer, order, format_time(datetime.now(UTC)))


def request_of(observed: Observed, issuer: str, replaces: str) -> OrderRequest:
    """What decides about the turn of an order."""
    domain, facts = observed.domain, observed.secret.facts
    known = domain.status.get("attempts") or {}
    is_waiting = domain.status.get("reason") == "WaitingForBudget" and known.get("nextAttempt")
    return OrderRequest(
        key=key_of(domain),
        hostnames=(domain.hostname,),
        since=renewal.due_at(observed, facts) if facts else domain.meta.created_at,
        not_before=facts.not_before if facts else None,
        not_after=facts.not_after if facts else None,
        renews=facts is not None and observed.secret.issuer == issuer,
        replaces=bool(replaces),
        failures=0 if observed.is_edited else int(known.get("failures") or 0),
        promised=parse_time(known["nextAttempt"]) if is_waiting else None,
    )


def _replaced(observed: Observed, issuer: str) -> str:
    """The renewal identifier of the certificate at hand, if it is from this issuer; empty otherwise."""
    facts = observed.secret.facts
    is_renewal = facts is not None and observed.secret.is_managed and observed.secret.issuer == issuer
    return facts.ari_id if facts and is_renewal else ""
