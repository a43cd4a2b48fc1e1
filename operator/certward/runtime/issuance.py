"""The steps that talk to the CA: see that the challenge path works, place an order, take it one step further."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from certward.acme import orders
from certward.acme.client import Issuer
from certward.acme.dns01 import txt_value
from certward.acme.order import HTTP_01, LAST_POLL
from certward.deadlines import Deadline
from certward.errors import ChallengeFailed, IssuerUnusable, OperatorError, RateLimited, Transient
from certward.logs import say
from certward.model import keys, pki
from certward.model.resources import Domain, Key, key_of
from certward.plan import challenges, renewal, revocation
from certward.plan.observed import Observed, Plan, Step
from certward.plan.schedule import LONGEST_LIMIT
from certward.plan.turns import OrderRequest
from certward.runtime import advice
from certward.runtime.dns01 import Dns01
from certward.runtime.issuers import Issuers
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Memory
from certward.runtime.metrics import CERTIFICATES
from certward.runtime.order_key import OrderKey
from certward.runtime.order_seeds import OrderSeeds
from certward.runtime.ordering import Ordering, request_of
from certward.runtime.preflight import Preflights
from certward.runtime.secrets import Secrets
from certward.runtime.troubles import Troubles
from certward.stages import stage

log = logging.getLogger(__name__)

#: How long to let go of a Domain while the account that it needs gets another key.
_KEY_CHANGES = timedelta(seconds=1)
#: A wait that the CA asks for is sat out in place up to here; beyond it the worker does something else.
_SHORT_WAIT = 0.3
#: So many requests would take an order to its certificate twice over. A CA that leads in circles is left alone for a
#: while, so that the worker sees what else there is: an end, a Lease that was lost, other Domains.
_MOST_ROUNDS = 20


class Issuance:
    """Does the CA steps of a plan. For many threads."""

    def __init__(
        self,
        issuers: Issuers,
        *,
        ordering: Ordering,
        secrets: Secrets,
        preflights: Preflights,
        troubles: Troubles,
        ledger: Ledger,
        dns01: Dns01,
        seeds: OrderSeeds,
    ) -> None:
        self._issuers = issuers
        self._ordering = ordering
        self._secrets = secrets
        self._preflights = preflights
        self._troubles = troubles
        self._ledger = ledger
        self._dns01 = dns01
        self._seeds = seeds
        self._local = threading.local()

    @stage("issuance")
    def step(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        """Do one step.

        Returns:
            How long to wait before the next look; None: go on at once.

        Raises:
            OperatorError: it failed, at the CA or before.
        """
        self._local.began = time.monotonic()
        asked = observed.secret.issuer if plan.step is Step.ADVICE else plan.issuer
        with self._issuers.using(asked) as is_free:
            return self._ask(observed, plan, memory) if is_free else _KEY_CHANGES

    def _ask(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        if plan.step is Step.ADVICE:
            advice.ask(self._issuers, observed, memory)
            return None
        if plan.step is Step.PREFLIGHT:
            return self._preflights.step(observed, plan, memory)
        if plan.step is Step.PLACE:
            self._ordering.place(observed, plan, memory)
            return None
        return self._advance(observed, plan, memory)

    def begin(self) -> None:
        """A worker takes up a Domain."""
        self._ordering.begin()
        self._local.began = time.monotonic()

    def forget(self, key: Key) -> None:
        """A Domain is gone; it waits for nothing any more."""
        self._ledger.withdraw(key)

    def failed(self, observed: Observed, memory: Memory, failure: OperatorError) -> None:
        """Take note of a failure; what cannot go on is dropped, so that the next attempt starts afresh."""
        memory.failure = failure
        memory.paused = Deadline.of(failure.until, LONGEST_LIMIT) if isinstance(failure, RateLimited) else None
        if not isinstance(failure, RateLimited | IssuerUnusable) and failure.reason != "CAUnavailable":
            memory.is_preflighted = False  # trouble of the CA's says nothing of the hostname
        memory.preflight_since = None
        has_order = memory.order is not None or bool(observed.order_url)
        if _can_do_without_http(observed, failure, memory):
            words = f"another challenge is tried, because: {failure.message}"
            _say(logging.INFO, observed.domain, words, reason=failure.reason, issuer=observed.issuer)
            memory.failure, memory.http_failure = None, failure
            self._give_up(observed, memory, failure, has_order=has_order)
            return
        memory.http_failure = None  # the next attempt begins with HTTP-01 again
        self._troubles.note(observed.issuer, failure, memory, began=self._local.began)
        passed_on_to = self._troubles.choose(
            observed.issuers, observed.issuer, memory, partial(_request, observed), is_open=has_order
        )
        if passed_on_to != observed.issuer:
            words = f"issuer {observed.issuer} cannot issue, so {passed_on_to} is asked: {failure.message}"
            _say(logging.WARNING, observed.domain, words, reason=failure.reason, issuer=passed_on_to)
            memory.failure = None
            self._give_up(observed, memory, failure, has_order=has_order)
            return
        is_gone = failure.reason == "OrderInvalid"
        can_go_on = isinstance(failure, Transient | RateLimited | IssuerUnusable) and observed.order_url and not is_gone
        if not can_go_on:
            self._give_up(observed, memory, failure, has_order=has_order)

    def _give_up(self, observed: Observed, memory: Memory, failure: OperatorError, *, has_order: bool) -> None:
        """Drop the order, and the key that was made for it."""
        if has_order:
            is_validation = isinstance(failure, ChallengeFailed) and failure.reason != "OrderInvalid"
            issuer = observed.order_issuer or observed.issuer
            self._ledger.failed(issuer, key_of(observed.domain), is_validation=is_validation)
        if observed.order_url and memory.has_next_key is not False:
            self._secrets.drop_next_key(observed.domain)
            memory.has_next_key = False
        memory.given_up = memory.order.url if memory.order else observed.order_url
        memory.drop_order()

    def _advance(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        domain = observed.domain
        issuer = self._issuers.ready(observed.order_issuer or plan.issuer)
        key = OrderKey(self._secrets, self._seeds, domain, memory, plan.key_type)
        if memory.order is None:
            memory.order = orders.resume(issuer, observed.order_url, challenge=observed.challenge or HTTP_01)
            memory.order_issuer = observed.order_issuer
            memory.order_created_at = observed.order_created_at
            memory.is_resumed = True
            self._ledger.resumed(memory.order_issuer, request_of(observed, memory.order_issuer, ""))
        memory.order = memory.order.by(observed.challenge or HTTP_01)
        pause = self._follow(observed, issuer, key, memory)
        if not memory.order.certificate_pem or memory.wait_until > time.monotonic():
            return pause
        self._ledger.issued(memory.order_issuer, key_of(domain))
        self._store(observed, memory.order.certificate_pem, key.pem(memory.order.certificate_pem), memory)
        if memory.has_next_key:
            self._secrets.drop_next_key(domain)
        self._troubles.over(memory.order_issuer)
        memory.given_up = memory.order.url  # it has given what it could, also where the next one is wanted already
        memory.drop_order()
        memory.http_failure = None
        return None

    def _follow(self, observed: Observed, issuer: Issuer, key: OrderKey, memory: Memory) -> timedelta | None:
        """Take the order as far as it goes without a longer wait, at best to its certificate.

        Returns:
            How long something else has to be waited for. What the CA is waited for is in `memory.wait_until`.
        """
        rounds = 0
        while memory.order and not memory.order.certificate_pem:
            if rounds == _MOST_ROUNDS:
                memory.wait_until = time.monotonic() + LAST_POLL
                return None
            rounds += 1
            if pause := self._prepare(observed, issuer, memory):
                return pause
            try:
                memory.order = orders.advance(issuer, memory.order, key.csr)
            except ChallengeFailed as failure:
                has_changed = self._issuers.has_changed_since(memory.order_issuer, memory.order_created_at)
                if not memory.is_resumed and not has_changed:
                    raise
                # The CA may have asked for the challenge while no replica was there to answer, or while the account's
                # key changed, which says nothing about the hostname. The next order is neither, so this happens once.
                raise Transient(
                    "OrderInvalid",
                    f"The CA {issuer.name} gave up an order that was open while the operator restarted, or while the "
                    "account's key changed; it is placed anew.",
                ) from failure
            wait = memory.order.retry_after
            if wait > _SHORT_WAIT:
                memory.wait_until = time.monotonic() + wait
                return None
            if wait > 0:
                with stage("ca wait"):
                    time.sleep(wait)
        if memory.order and (early := _not_valid_for(memory.order.certificate_pem, observed)):
            memory.wait_until = time.monotonic() + early / timedelta(seconds=1)
        return None

    def _prepare(self, observed: Observed, issuer: Issuer, memory: Memory) -> timedelta | None:
        """Have what the CA is going to look for where it looks: a path, or records in the DNS. None: it is there."""
        domain, order = observed.domain, memory.order
        if order and order.is_to_be_fetched:
            return self._preflights.before_validation(observed, memory)
        for hostname, token in order.to_publish if order else ():
            memory.publication, pause = self._dns01.publish(
                key_of(domain),
                memory.publication,
                name=memory.txt_name or challenges.dns01_name(hostname),
                value=txt_value(token, issuer.thumbprint),
                order=order.url if order else "",
            )
            if pause:
                return pause
        return None

    def _store(self, observed: Observed, chain_pem: bytes, key_pem: bytes, memory: Memory) -> None:
        """Check what the CA gave and keep it. What is wrong is not kept and counts as a failed order."""
        domain = observed.domain
        try:
            not_before = pki.facts_of(pki.load_chain(chain_pem)[0]).not_before
            at = max(datetime.now(UTC), not_before)  # a CA whose clock is ahead is no reason for another order
            facts = pki.check_pair(chain_pem, key_pem, [domain.hostname], at)
        except keys.CertificateProblem as problem:
            raise ChallengeFailed("OrderInvalid", f"The CA issued a certificate of no use: {problem}") from problem
        issuer, first = memory.order_issuer, observed.issuers[0] if observed.issuers else ""
        why = "" if issuer == first else self._troubles.with_issuer(first, memory, _request(observed, first))
        self._secrets.store_certificate(
            domain,
            chain_pem=chain_pem,
            key_pem=key_pem,
            issuer=issuer,
            instead_of="" if issuer == first else f"{first}: {why}",
            not_revoked=revocation.asked(domain) if revocation.is_due(observed) else "",
            in_a_row=renewal.in_a_row(observed, datetime.now(UTC)),
        )
        memory.stored = (facts.fingerprint_sha256, time.monotonic())
        CERTIFICATES.labels(issuer, "true" if observed.secret.facts else "false").inc()
        serial = facts.serial_number
        _say(logging.INFO, domain, f"certificate {serial} stored", issuer=issuer, serial=serial)


def _say(level: int, domain: Domain, words: str, **fields: str) -> None:
    say(log, level, key_of(domain), words, hostname=domain.hostname, **fields)


def _not_valid_for(chain_pem: bytes, observed: Observed) -> timedelta:
    """How long the certificate at hand is kept because the new one is not valid yet: the CA's clock may be ahead."""
    facts, now = observed.secret.facts, datetime.now(UTC)
    if facts is None or not facts.not_before <= now < facts.not_after:
        return timedelta()
    try:
        not_before = pki.facts_of(pki.load_chain(chain_pem)[0]).not_before
    except keys.CertificateProblem:
        return timedelta()  # which is said where it is stored
    return max(min(not_before, facts.not_after) - now, timedelta())


def _request(observed: Observed, issuer: str) -> OrderRequest:
    return request_of(observed, issuer, "")


def _can_do_without_http(observed: Observed, failure: OperatorError, memory: Memory) -> bool:
    """Whether the CA could not validate by HTTP-01, and another way has not been tried yet."""
    is_by_http = memory.order is not None and memory.order.challenge == HTTP_01
    is_about_http = isinstance(failure, ChallengeFailed) and failure.reason in challenges.HTTP_ONLY
    return is_by_http and is_about_http and memory.http_failure is None and observed.ways.has_others
