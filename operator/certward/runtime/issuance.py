"""The steps that talk to the CA: see that the challenge path works, place an order, take it one step further."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from certward.acme import certificates, orders
from certward.acme.client import Issuer
from certward.acme.dns01 import txt_value
from certward.acme.order import HTTP_01
from certward.config import Config
from certward.errors import ChallengeFailed, IssuerUnusable, OperatorError, RateLimited, Rejected, Transient
from certward.logs import say
from certward.model import keys, pki
from certward.model.resources import Domain, Key, format_time, key_of, parse_time
from certward.plan import challenges, renewal, revocation, schedule
from certward.plan.observed import Observed, Plan, Step
from certward.plan.schedule import Window
from certward.plan.turns import OrderRequest
from certward.runtime.dns01 import Dns01
from certward.runtime.inheritance import is_inherited
from certward.runtime.issuers import Issuers
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Advice, Memory, Placed, Waiting
from certward.runtime.metrics import CERTIFICATES
from certward.runtime.preflight import Preflights
from certward.runtime.secrets import Secrets
from certward.runtime.troubles import Troubles

log = logging.getLogger(__name__)

#: When to ask a CA for its advice again that did not answer.
_ADVICE_RETRY = timedelta(minutes=10)
#: In one go no more orders are placed for a Domain, one at each issuer aside: a mistake may not use up a CA's limits.
_MOST_ORDERS = 3
#: How long to let go of a Domain while the account that it needs gets another key.
_KEY_CHANGES = timedelta(seconds=1)
#: A wait that the CA asks for is sat out in place up to here; beyond it the worker does something else.
_SHORT_WAIT = 0.3


class Issuance:
    """Does the CA steps of a plan. For many threads."""

    def __init__(
        self,
        config: Config,
        issuers: Issuers,
        *,
        secrets: Secrets,
        preflights: Preflights,
        troubles: Troubles,
        ledger: Ledger,
        dns01: Dns01,
    ) -> None:
        self._config = config
        self._issuers = issuers
        self._secrets = secrets
        self._preflights = preflights
        self._troubles = troubles
        self._ledger = ledger
        self._dns01 = dns01
        self._local = threading.local()

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
            self._ask_advice(observed, memory)
            return None
        if plan.step is Step.PREFLIGHT:
            return self._preflights.step(observed, plan, memory)
        if plan.step is Step.PLACE:
            return self._place(observed, plan, memory)
        return self._advance(observed, plan, memory)

    def begin(self) -> None:
        """A worker takes up a Domain."""
        self._local.orders = 0
        self._local.began = time.monotonic()

    def forget(self, key: Key) -> None:
        """A Domain is gone; it waits for nothing any more."""
        self._ledger.withdraw(key)

    def failed(self, observed: Observed, memory: Memory, failure: OperatorError) -> None:
        """Take note of a failure; what cannot go on is dropped, so that the next attempt starts afresh."""
        memory.failure = failure
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
        passed_on_to = self._troubles.choose(observed.issuers, observed.issuer, memory)
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
        memory.drop_order()
        if observed.order_url:
            self._secrets.drop_next_key(observed.domain)

    def _ask_advice(self, observed: Observed, memory: Memory) -> None:
        """Ask the CA when it wants the certificate renewed (RFC 9773). Its silence is no failure of the Domain's."""
        facts = observed.secret.facts
        if facts is None:  # pragma: no cover - it is asked about a certificate only
            return
        window = memory.advice.window if memory.advice else None
        again = _ADVICE_RETRY
        try:
            info = certificates.renewal_info(self._issuers.ready(observed.secret.issuer), facts.ari_id)
            window = Window(info.start, info.end) if info else None
            again = info.ask_again_after if info else certificates.DEFAULT_ASK_AGAIN
        except RateLimited as limit:
            again = limit.until - datetime.now(UTC)
        except OperatorError as error:
            log.debug("%s: no advice on the renewal: %s", key_of(observed.domain), error.message)
        wait = schedule.ask_again_after(facts.not_before, facts.not_after, again)
        ask_at = time.monotonic() + wait / timedelta(seconds=1)
        memory.advice = Advice(facts.fingerprint_sha256, window, ask_at)

    def _place(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        domain, key = observed.domain, key_of(observed.domain)
        issuer = self._issuers.ready(plan.issuer)
        if memory.placed and memory.placed.issuer != plan.issuer:
            self._ledger.failed(memory.placed.issuer, key, is_validation=False)
            memory.placed = None
        if memory.placed is None:
            memory.placed = self._order(observed, plan, issuer, memory)
        placed = memory.placed
        if placed is None:
            return None
        try:
            is_usable = not is_inherited(observed, issuer, placed.order)
        except OperatorError as failure:
            if not isinstance(failure, Transient | RateLimited | IssuerUnusable) or failure.reason == "OrderInvalid":
                self._ledger.failed(plan.issuer, key, is_validation=False)
                memory.placed = None
            raise  # otherwise the same order is looked at again
        memory.placed = None
        if not is_usable:
            self._ledger.failed(plan.issuer, key, is_validation=False)
            return None
        memory.order = placed.order
        memory.order_issuer = plan.issuer
        memory.order_created_at = placed.created_at
        memory.wait_until = 0.0
        _say(logging.INFO, domain, f"ordered at {plan.issuer}: {plan.why}", issuer=plan.issuer)
        return None

    def _order(self, observed: Observed, plan: Plan, issuer: Issuer, memory: Memory) -> Placed | None:
        """Place an order, its key kept before; None where it has to wait for its turn."""
        domain, app, key = observed.domain, observed.app, key_of(observed.domain)
        replaces = _replaced(observed, plan.issuer) if "renewalInfo" in issuer.directory() else ""
        request = _request(observed, plan.issuer, replaces)
        wait = self._ledger.ask(plan.issuer, request)
        if wait is not None:
            ask_at = time.monotonic() + wait / timedelta(seconds=1)
            expected, words, reason = *self._ledger.told(plan.issuer, request), "WaitingForBudget"
            if expected is None and (limit := self._troubles.limit(plan.issuer)):
                expected, words, reason = limit.until, limit.message, limit.reason
            memory.waiting = Waiting(plan.issuer, ask_at, expected, words, reason)
            return None
        memory.waiting = None
        self._local.orders += 1
        if self._local.orders > _MOST_ORDERS:
            self._ledger.cancelled(plan.issuer, key)
            raise RuntimeError(f"{key} asks for one order after the other")
        try:
            key_pem = self._secrets.next_key(domain)
            if key_pem is None or self._secrets.next_key_facts(domain)[0] != plan.key_type:
                key_pem = keys.generate_key(plan.key_type)
                self._secrets.store_next_key(domain, key_pem)
        except OperatorError:
            self._ledger.cancelled(plan.issuer, key)
            raise
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

    def _advance(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        domain = observed.domain
        issuer = self._issuers.ready(observed.order_issuer or plan.issuer)
        key_pem = self._secrets.next_key(domain)
        if key_pem is None:
            raise ChallengeFailed("OrderInvalid", "The key of the open order is gone; a new order is placed.")
        csr_der = keys.csr_der(key_pem, [domain.hostname])
        if memory.order is None:
            memory.order = orders.resume(issuer, observed.order_url, challenge=observed.challenge or HTTP_01)
            memory.order_issuer = observed.order_issuer
            memory.order_created_at = observed.order_created_at
            memory.is_resumed = True
            self._ledger.resumed(memory.order_issuer, _request(observed, memory.order_issuer, ""))
        memory.order = memory.order.by(observed.challenge or HTTP_01)
        while not memory.order.certificate_pem:
            if pause := self._publish(observed, issuer, memory):
                return pause
            try:
                memory.order = orders.advance(issuer, memory.order, csr_der)
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
                time.sleep(wait)
        if early := _not_valid_for(memory.order.certificate_pem, observed):
            memory.wait_until = time.monotonic() + early / timedelta(seconds=1)
            return None
        self._ledger.issued(memory.order_issuer, key_of(domain))
        self._store(observed, memory.order.certificate_pem, key_pem, memory)
        self._troubles.over(memory.order_issuer)
        memory.drop_order()
        memory.http_failure = None
        return None

    def _publish(self, observed: Observed, issuer: Issuer, memory: Memory) -> timedelta | None:
        """Have the records of DNS-01 seen in the DNS before the CA looks. None: they are."""
        domain, order = observed.domain, memory.order
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
        instead_of = "" if issuer == first else f"{first}: {self._troubles.with_issuer(first, memory)}"
        self._secrets.store_certificate(
            domain,
            chain_pem=chain_pem,
            key_pem=key_pem,
            issuer=issuer,
            instead_of=instead_of,
            not_revoked=revocation.asked(domain) if revocation.is_due(observed) else "",
        )
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


def _can_do_without_http(observed: Observed, failure: OperatorError, memory: Memory) -> bool:
    """Whether the CA could not validate by HTTP-01, and another way has not been tried yet."""
    is_by_http = memory.order is not None and memory.order.challenge == HTTP_01
    is_about_http = isinstance(failure, ChallengeFailed) and failure.reason in challenges.HTTP_ONLY
    return is_by_http and is_about_http and memory.http_failure is None and observed.ways.has_others


def _replaced(observed: Observed, issuer: str) -> str:
    """The renewal identifier of the certificate at hand, if it is from this issuer; empty otherwise."""
    facts = observed.secret.facts
    is_renewal = facts is not None and observed.secret.is_managed and observed.secret.issuer == issuer
    return facts.ari_id if facts and is_renewal else ""


def _request(observed: Observed, issuer: str, replaces: str) -> OrderRequest:
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
