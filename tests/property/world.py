"""A small pure world for decide: a CA that issues, an ingress that serves what it is told, a process that can die.

It does what a pass of the operator does, effect by effect, and can be killed before any of them: what was in memory
is lost then, what was written (status, Secrets, the CA's orders, the ingress) stays.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from builders import DEFAULT, NOW, app, domain, facts, first_choice
from certward.errors import ChallengeFailed, OperatorError, RateLimited, Transient
from certward.model.pki import CertificateFacts
from certward.model.profiles import Profile, fits
from certward.model.resources import App, Domain, format_time
from certward.names import ANNOTATION_REFRESH
from certward.plan.checks import SecretState
from certward.plan.domain import decide
from certward.plan.manual import Manual, ManualSecret, Refused
from certward.plan.observed import Observed, Plan, Proof, Routes, Step, label
from certward.plan.status import remembers_served

LIFETIME = timedelta(days=90)


class Crash(Exception):
    """The process dies here."""


@dataclass
class Order:
    """An order at the CA."""

    issuer: str
    key: tuple[str, str] | None = None
    leaf: CertificateFacts | None = None


@dataclass
class Lost:
    """What dies with the process."""

    order_url: str = ""
    given_up: str = ""
    order_issuer: str = ""
    order_created_at: str = ""
    is_preflighted: bool = False
    proof: Proof | None = None
    failure: OperatorError | None = None
    failed_inputs: tuple[object, ...] | None = None
    wait: timedelta = timedelta()
    advised: str = ""
    refused: str = ""

    def drop_order(self) -> None:
        self.order_url = self.order_issuer = self.order_created_at = ""
        self.wait = timedelta()


@dataclass
class World:
    """Everything that there is for one Domain."""

    now: datetime = NOW
    app: App | None = field(default_factory=app)
    domain: Domain = field(default_factory=domain)
    profile: Profile = DEFAULT
    issuers: tuple[str, ...] = ("main", "spare")
    secret: SecretState = field(default_factory=SecretState)
    manual: ManualSecret | None = None
    stuck_at: CertificateFacts | None = None
    next_key: tuple[str, str] | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    routes: Routes | None = None
    rendered: Profile | None = None
    routed: str = ""
    lost: Lost = field(default_factory=Lost)
    ca_failures: list[OperatorError] = field(default_factory=list)
    ca_waits: list[timedelta] = field(default_factory=list)
    is_told: bool = False
    bought: int = 0
    writes: int = 0
    stored: int = 0
    before_effect: Callable[[], None] = lambda: None
    _serial: int = 0

    # What the ingress does.

    def serves(self) -> CertificateFacts | None:
        """The leaf that a handshake shows."""
        if self.routes is None or not self.routed or self.rendered is None:
            return None
        if self.stuck_at is not None:
            return self.stuck_at
        if self.manual and self.routed == self.manual.name:
            return self.manual.facts if not self.manual.problem else None
        return self.secret.facts

    def usable(self) -> CertificateFacts | None:
        """The certificate at hand, unless it has expired."""
        known = self.secret.facts
        return known if known and known.not_after > self.now else None

    def usable_manual(self) -> CertificateFacts | None:
        """The manual certificate, if the App names one that can be served."""
        is_named = self.manual and self.app and self.app.manual_secrets
        known = self.manual.facts if self.manual and is_named and not self.manual.problem else None
        return known if known and known.not_after > self.now and fits(self.profile, known.key_type) else None

    # What the operator does.

    def gather(self) -> Observed:
        """What the operator sees."""
        order = self.domain.status.get("order") or {}
        url = self.lost.order_url or order.get("url", "")
        url = "" if url == self.lost.given_up else url
        key = self.next_key if url and self.next_key and self.app else ("", "")
        secret = self.secret if self.app else SecretState()
        if secret.facts and not self.usable():
            secret = replace(secret, facts=None, problem="The certificate has expired.")
        if self.lost.proof is None:
            served = self.domain.status.get("served") or {}
            if remembers_served(self.domain, served.get("fingerprintSHA256", "")):
                self.lost.proof = Proof(at=self.now - timedelta(minutes=5), fingerprint=served["fingerprintSHA256"])
        issuers = (self.app.issuer,) if self.app and self.app.issuer else self.issuers
        order_issuer = self.lost.order_issuer or order.get("issuer", "")
        return Observed(
            domain=self.domain,
            app=self.app,
            profile=self.profile,
            secret=secret,
            manual=tuple(
                Manual(self.manual if self.manual and self.manual.name == name else ManualSecret(name))
                for name in (self.app.manual_secrets if self.app else ())
            ),
            refused=Refused(self.lost.refused, timedelta(minutes=10)) if self.lost.refused else None,
            next_key_type=key[0],
            next_spki=key[1],
            issuers=issuers,
            issuer=first_choice(issuers, order_issuer if url else ""),
            order_url=url,
            order_issuer=order_issuer,
            order_created_at=self.lost.order_created_at or order.get("createdAt", ""),
            is_preflighted=self.lost.is_preflighted,
            proof=self.lost.proof,
            advice_in=self._advice_in(secret),
            failure=self.lost.failure,
            is_edited=self._is_edited(),
            wait=self.lost.wait,
        )

    def turn(self) -> Plan:
        """One pass: gather, decide, act."""
        observed = self.gather()
        plan = decide(observed, self.now)
        if plan.refuses:
            self.lost.refused = plan.refuses
            long_ago = self.now - timedelta(days=1000)
            self.lost.proof = Proof(at=long_ago, fingerprint=self.lost.proof.fingerprint if self.lost.proof else "")
            observed = self.gather()
            plan = decide(observed, self.now)
        self._route(plan.routes)
        if plan.drop_next_key:
            self.before_effect()
            self.next_key = None
        if "order" not in plan.status:
            self.lost.drop_order()
        url = (plan.status.get("order") or {}).get("url", "")
        must_persist = bool(url) and url != (self.domain.status.get("order") or {}).get("url")
        if plan.step is Step.NONE or must_persist:
            self._write(plan)
            self.lost.failure = None
        if plan.step is not Step.NONE:
            try:
                self._step(observed, plan)
            except OperatorError as failure:
                self._failed(observed, failure)
        return plan

    def settle(self, limit: int = 20) -> Plan:
        """Pass after pass until there is nothing to do now.

        Word of an edit that came while the Domain was worked on brings it back once more, as the queue does.
        """
        for _ in range(limit):
            plan = self.turn()
            if plan.step is Step.NONE and not self.is_told:
                return plan
            if plan.step is Step.NONE:
                self.is_told = False
        raise AssertionError(f"not done after {limit} steps: {plan.step} because {plan.why}")

    def crash(self) -> None:
        """Lose what was in memory."""
        self.lost = Lost()

    def _advice_in(self, secret: SecretState) -> timedelta | None:
        if secret.facts is None or self.app is None or not self.app.is_automatic:
            return None
        return timedelta(days=1) if self.lost.advised == secret.facts.fingerprint_sha256 else timedelta()

    def _is_edited(self) -> bool:
        if self.lost.failed_inputs is not None:
            return self.lost.failed_inputs != self._inputs()
        known = self.domain.status.get("attempts") or {}
        return bool(known.get("failures")) and not known.get("nextAttempt")

    def _inputs(self) -> tuple[object, ...]:
        return (
            self.domain.meta.generation,
            dict(self.domain.meta.annotations),
            self.app.meta.generation if self.app else 0,
            self.secret.resource_version,
        )

    def _route(self, wanted: Routes | None) -> None:
        if wanted != self.routes:
            self.before_effect()
        self.routes = wanted
        if wanted is None or not wanted.secret_name:
            self.rendered, self.routed = None, ""
        elif wanted.profile is not None:
            # Without one what is rendered stays, the Secret included.
            self.rendered, self.routed = wanted.profile, wanted.secret_name

    def _write(self, plan: Plan) -> None:
        if dict(plan.status) != self.domain.status:
            self.before_effect()
            self.writes += 1
            self.domain = replace(self.domain, status=dict(plan.status))

    def _failed(self, observed: Observed, failure: OperatorError) -> None:
        self.lost.failure = failure
        self.lost.is_preflighted = False
        self.lost.failed_inputs = self._inputs()
        is_gone = failure.reason == "OrderInvalid"
        can_go_on = isinstance(failure, Transient | RateLimited) and observed.order_url and not is_gone
        if not can_go_on:
            self.lost.given_up = observed.order_url
            self.lost.drop_order()
            if observed.order_url:
                self.before_effect()
                self.next_key = None

    def _step(self, observed: Observed, plan: Plan) -> None:
        if plan.step is Step.PROVE:
            self._prove(plan)
            return
        if plan.step is Step.ADVICE:
            assert observed.secret.facts is not None
            self.lost.advised = observed.secret.facts.fingerprint_sha256
            return
        self.before_effect()
        if self.ca_failures:
            raise self.ca_failures.pop(0)
        if plan.step is Step.PREFLIGHT:
            self.lost.is_preflighted = True
        elif plan.step is Step.PLACE:
            self._place(plan)
        else:
            self._advance(observed, plan)

    def _place(self, plan: Plan) -> None:
        assert self.routes is not None
        assert self.routes.challenge, "an order without a challenge route cannot be validated"
        url = f"https://ca.test/order/{len(self.orders) + 1}"
        self.orders[url] = Order(plan.issuer)
        self.before_effect()
        self.lost.order_url, self.lost.order_issuer = url, plan.issuer
        self.lost.order_created_at = format_time(self.now)

    def _advance(self, observed: Observed, plan: Plan) -> None:
        if not self.lost.order_url:
            self.lost.order_url = observed.order_url
            self.lost.order_issuer = observed.order_issuer
            self.lost.order_created_at = observed.order_created_at
        order, key = self.orders[self.lost.order_url], self._key(plan.key_type)
        if order.leaf is None:
            self.before_effect()
            order.key = key
            order.leaf = facts(
                len(self.orders),
                key_type=key[0],
                spki_sha256=key[1],
                not_before=self.now,
                not_after=self.now + LIFETIME,
            )
        if self.ca_waits:
            self.lost.wait = self.ca_waits.pop(0)
            return
        if order.key != key or order.leaf.not_after <= self.now:
            raise ChallengeFailed("OrderInvalid", "The CA issued a certificate of no use.")
        self.before_effect()
        self.secret = SecretState(
            exists=True,
            is_managed=True,
            facts=order.leaf,
            issuer=order.issuer,
            is_trusted=True,
            refresh=self.domain.meta.annotations.get(ANNOTATION_REFRESH, ""),
            resource_version=str(len(self.orders) + 100 * self.stored),
        )
        self.stored += 1
        self.before_effect()
        self.next_key = None
        self.before_effect()
        self.lost.given_up = self.lost.order_url
        self.lost.drop_order()

    def _key(self, key_type: str) -> tuple[str, str]:
        """Derived from the order's URL, or kept before it is used where it cannot be."""
        if not key_type.startswith("RSA"):
            return (key_type, f"{int(self.lost.order_url.rpartition('/')[2]):064x}")
        if self.next_key is None:
            self._serial += 1
            self.before_effect()
            self.next_key = (key_type, f"{1000 + self._serial:064x}")
        return self.next_key

    def _prove(self, plan: Plan) -> None:
        assert plan.serving is not None, "there is nothing to prove"
        declared, shown = plan.serving.facts, self.serves()
        expected = declared.fingerprint_sha256
        before = self.lost.proof
        since = before.since if before and before.since and before.expected == expected else self.now
        if shown is None or shown != declared or self.rendered is None:
            self.lost.proof = Proof(
                at=self.now,
                fingerprint=shown.fingerprint_sha256 if shown else "",
                problem="The ingress serves another certificate.",
                since=since,
                expected=expected,
            )
            return
        assert fits(self.rendered, shown.key_type), "no handshake succeeds at some version of the profile"
        is_right = self.rendered == self.profile
        self.lost.proof = Proof(
            at=self.now,
            fingerprint=shown.fingerprint_sha256,
            versions=(self.rendered.min_version, self.rendered.max_version),
            policy_reason="Enforced" if is_right else "NotServed",
            profile=label(self.profile),
            since=None if is_right else since,
            expected=expected,
        )
