"""Everything that a decision about a Domain depends on, read in one place."""

import time
from datetime import datetime, timedelta
from functools import partial

from certward.config import Config
from certward.kube.cache import Cache
from certward.kube.foreign import ForeignRoutes
from certward.model import profiles
from certward.model.policy import Effective
from certward.model.profiles import Profile
from certward.model.resources import App, Domain, key_of
from certward.names import ANNOTATION_REFRESH
from certward.plan import revocation, schedule
from certward.plan.challenges import Ways
from certward.plan.checks import SecretState
from certward.plan.manual import Refused
from certward.plan.observed import Observed, Proof, Turn, Unrevoked, labelled
from certward.plan.remembered import at_rest
from certward.plan.status import remembers_served
from certward.plan.turns import OrderRequest
from certward.runtime.classes import Classes
from certward.runtime.issuers import Issuers
from certward.runtime.manuals import Manuals
from certward.runtime.memory import Advice, Memories, Memory
from certward.runtime.permitted import Permitted
from certward.runtime.policies import Policies
from certward.runtime.secrets import Secrets
from certward.runtime.services import Services
from certward.runtime.troubles import Troubles
from certward.stages import stage

#: Without an App no profile is in force; this one is never rendered.
_NOTHING = Effective(profiles.profile(profiles.REVISIONS[-1], "default"))

#: How long a challenge path that was seen to work is taken to be so, in seconds; the API server may be away between the
#: look and the order.
_PREFLIGHT_BELIEVED = 15.0
#: How long it is believed where a record of DNS-01 stands, in seconds; a little less than until the next look.
TXT_BELIEVED = 25.0
#: After a restart the CAs are asked for their advice on all certificates within this time.
_ADVICE_SPREAD = timedelta(hours=1)


class Gatherer:
    """Reads the cache, the Secrets and what this process remembers. Writes nothing."""

    def __init__(
        self,
        config: Config,
        cache: Cache,
        *,
        classes: Classes,
        secrets: Secrets,
        manuals: Manuals,
        permitted: Permitted,
        services: Services,
        policies: Policies,
        foreign: ForeignRoutes,
        troubles: Troubles,
        issuers: Issuers,
        memories: Memories,
        roots_pem: bytes,
    ) -> None:
        self._config = config
        self._cache = cache
        self._classes = classes
        self._secrets = secrets
        self._manuals = manuals
        self._permitted = permitted
        self._services = services
        self._policies = policies
        self._foreign = foreign
        self._troubles = troubles
        self._accounts = issuers
        self._memories = memories
        self._roots_pem = roots_pem

    def interval(self) -> timedelta:
        """How long a converged host goes without a handshake: as configured, or longer where they are too many."""
        most = timedelta(seconds=self._cache.count("Domain") / self._config.probe.per_second)
        return max(self._config.probe.interval, most)

    @stage("gather")
    def gather(self, domain: Domain, memory: Memory, now: datetime) -> Observed:
        """Read everything that a decision about this Domain depends on.

        Raises:
            OperatorError: the API server could not or would not answer.
        """
        app = self._cache.app(domain.meta.namespace, domain.app)
        owner = self._cache.owner_of(domain)
        order = domain.status.get("order") or {}
        if order.get("url") == memory.given_up:
            order = {}
        url = memory.order.url if memory.order else str(order.get("url") or "")
        has_key = bool(url) and app is not None and memory.has_next_key is not False
        next_type, next_spki = self._secrets.next_key_facts(domain) if has_key else ("", "")
        secret = None if memory.is_compared else at_rest(domain, app, now)
        if secret is None:
            secret = self._state(domain, app, now)
        if secret.facts:
            secret = secret.covering(self._cache.owner_elsewhere(secret.facts.hostnames, domain.meta.namespace))
        ingress_class = self._classes.name_for(app)
        memory.turn_to(ingress_class)
        if memory.proof is None:
            memory.proof = self._remembered_proof(domain, ingress_class)
        advice = self._advice(domain, app, secret, memory)
        issuers = self._issuers(app)
        order_issuer = memory.order_issuer or str(order.get("issuer") or "")
        issuer = self._troubles.choose(
            issuers, order_issuer if url else "", memory, partial(_request, domain, secret), is_open=True
        )
        account = self._accounts.version(issuer)
        inputs = inputs_of(domain, app, secret, issuer, account)
        turn = _turn(memory, issuer)
        if turn is not None:
            memory.begun_at = time.monotonic()  # what stands in line is begun when it has its turn
        effective = self._policies.effective(app) if app else _NOTHING
        return Observed(
            domain=domain,
            app=app,
            profile=effective.profile,
            last=self._last(domain),
            hsts=effective.hsts,
            foreign=self._foreign.of(domain.hostname, self._classes.reads(ingress_class)),
            obstacle=memory.obstacle,
            disturbed=_since(memory.disturbed_at),
            secret=secret,
            stored_since=_stored_since(memory, secret),
            manual=self._manuals.of(domain, app, secret, now) if app and app.manual_secrets else (),
            refused=_refused(memory, inputs),
            owner="" if owner is domain else f"{owner.meta.namespace}/{owner.meta.name}",
            refusal=self._permitted.refusal(domain),
            collides_with=self._collision(domain),
            missing_service=self._services.missing(app) if app else "",
            begun_since=timedelta(seconds=time.monotonic() - memory.begun_at),
            next_key_type=next_type,
            next_spki=next_spki,
            issuers=issuers,
            issuer=issuer,
            unknown_issuer=app.issuer if app and app.issuer and not self._config.issuer(app.issuer) else "",
            order_url=url,
            order_issuer=order_issuer,
            order_created_at=memory.order_created_at or str(order.get("createdAt") or ""),
            is_unanswered=memory.order is None or any(not one.answered for one in memory.order.pending),
            turn=turn,
            is_preflighted=memory.is_preflighted
            and memory.preflighted_for == issuer
            and time.monotonic() - memory.preflight_seen < _PREFLIGHT_BELIEVED,
            proof=memory.proof,
            window=advice.window if advice else None,
            advice_in=timedelta(seconds=advice.ask_at - time.monotonic()) if advice else None,
            failure=memory.failure,
            is_pause_over=memory.paused is not None and memory.paused.is_over(),
            account=account,
            is_edited=memory.is_after_edit if memory.failure else _is_edited(domain, memory, inputs, issuers),
            wait=timedelta(seconds=max(memory.wait_until - time.monotonic(), 0.0)),
            probe_interval=self.interval(),
            dns_targets=self._classes.settings(ingress_class).dns_target or self._config.dns.target,
            is_pointed_here=memory.is_pointed_here,
            dns_warning=memory.dns_warning,
            ingress_class=ingress_class,
            ways=self._ways(memory),
            unrevoked=_unrevoked(memory, domain),
        )

    def _state(self, domain: Domain, app: App | None, now: datetime) -> SecretState:
        wants_secret = app is not None or revocation.is_asked_anew(domain)
        return self._secrets.state(domain, now, self._roots_pem) if wants_secret else SecretState()

    def _last(self, domain: Domain) -> Profile | None:
        """The profile that the status remembers, without what is beneath the floor."""
        known = labelled(str((domain.status.get("certificate") or {}).get("tlsProfile") or ""))
        return profiles.cut_to_floor(known, self._config.tls.floor.min_version) if known else None

    def _ways(self, memory: Memory) -> Ways:
        """What the configuration and the looks of this attempt say of the challenges."""
        settings = self._config.challenge
        is_fresh = time.monotonic() - memory.txt_seen < TXT_BELIEVED
        return Ways(
            zone=settings.dns01.rfc2136.zone if settings.dns01.rfc2136 else "",
            is_persist_on=settings.dns_persist01,
            txt_name=memory.txt_name if is_fresh else "",
            http_problem=memory.http_failure.message if memory.http_failure else "",
            persist_record=memory.persist_record,
        )

    def _advice(self, domain: Domain, app: App | None, secret: SecretState, memory: Memory) -> Advice | None:
        """What the CA has said of the renewal, with when to ask it; None where there is no CA to be asked.

        A new certificate's CA is asked at once; after a restart one after the other, spread by the object's uid.
        """
        facts = secret.facts
        if facts is None or app is None or not app.is_automatic or not secret.is_managed:
            return None
        if not facts.ari_id or self._config.issuer(secret.issuer) is None:
            return None
        if memory.advice is None or memory.advice.fingerprint != facts.fingerprint_sha256:
            known = (domain.status.get("certificate") or {}).get("fingerprintSHA256")
            most = min((facts.not_after - facts.not_before) / 10, _ADVICE_SPREAD)
            delay = schedule.spread(domain.meta.uid, most) if known == facts.fingerprint_sha256 else timedelta()
            memory.advice = Advice(facts.fingerprint_sha256, None, time.monotonic() + delay / timedelta(seconds=1))
        return memory.advice

    def _collision(self, domain: Domain) -> str:
        same = self._cache.same_secret_id(domain)
        oldest = min([domain, *same], key=lambda d: d.meta.age_order)
        return "" if oldest is domain else f"{oldest.meta.namespace}/{oldest.meta.name}"

    def _issuers(self, app: App | None) -> tuple[str, ...]:
        if app is not None and app.issuer:
            return (app.issuer,) if self._config.issuer(app.issuer) else ()
        return tuple(issuer.name for issuer in self._config.issuers)

    def _remembered_proof(self, domain: Domain, ingress_class: str) -> Proof | None:
        """What the status remembers of a handshake, due again within an interval, spread by the object's uid."""
        served = domain.status.get("served") or {}
        if domain.status.get("ingressClassName", ingress_class) != ingress_class:
            return None
        if not remembers_served(domain, served.get("fingerprintSHA256", "")):
            return None
        interval = self.interval()
        at = self._memories.started_at - interval + schedule.spread(domain.meta.uid, interval)
        return Proof(at=at, fingerprint=served["fingerprintSHA256"])


def _turn(memory: Memory, issuer: str) -> Turn | None:
    """The place in the line for an order at this issuer, until it is time to ask again."""
    waiting, now = memory.waiting, time.monotonic()
    if waiting is None or waiting.issuer != issuer or waiting.ask_at <= now:
        return None
    return Turn(timedelta(seconds=waiting.ask_at - now), waiting.expected, waiting.words, waiting.reason)


def _refused(memory: Memory, inputs: tuple[object, ...]) -> Refused | None:
    """The certificate that the ingress is not told to serve for now, because it did not show it; until an edit."""
    fingerprint, until, based_on = memory.refused
    again_in = until - time.monotonic()
    is_refused = fingerprint and again_in > 0 and based_on == inputs
    return Refused(fingerprint, timedelta(seconds=again_in)) if is_refused else None


def _unrevoked(memory: Memory, domain: Domain) -> Unrevoked | None:
    """What became of the last attempt at the revocation that is asked for now."""
    known = memory.unrevoked
    if known is None or known.asked != revocation.asked(domain):
        return None
    wait = None if known.retry_at is None else timedelta(seconds=known.retry_at - time.monotonic())
    return Unrevoked(known.words, wait)


def _request(domain: Domain, secret: SecretState, issuer: str) -> OrderRequest:
    """An order for a Domain, as far as it matters to what a CA has said that it takes none for."""
    renews = secret.facts is not None and secret.issuer == issuer
    return OrderRequest(key_of(domain), (domain.hostname,), domain.meta.created_at, renews=renews)


def _stored_since(memory: Memory, secret: SecretState) -> timedelta | None:
    """How long ago the certificate at hand was stored, where it was this process that did it."""
    fingerprint, at = memory.stored
    is_own = secret.facts is not None and secret.facts.fingerprint_sha256 == fingerprint
    return timedelta(seconds=time.monotonic() - at) if is_own else None


def _since(at: float | None) -> timedelta | None:
    return None if at is None else timedelta(seconds=time.monotonic() - at)


def inputs_of(domain: Domain, app: App | None, secret: SecretState, issuer: str, account: int) -> tuple[object, ...]:
    """What an attempt is based on; when it changes, a new attempt is made at once."""
    asked = domain.meta.annotations.get(ANNOTATION_REFRESH, "")
    of_app = (app.meta.uid, app.meta.generation) if app else ()
    return (domain.meta.generation, asked, of_app, secret.resource_version, issuer, account)


def _is_edited(domain: Domain, memory: Memory, inputs: tuple[object, ...], issuers: tuple[str, ...]) -> bool:
    if memory.failed_inputs is not None:
        return memory.failed_inputs != inputs
    # After a restart the configuration may have changed: what waits for that or for an issuer that went is tried once.
    order_issuer = (domain.status.get("order") or {}).get("issuer")
    if order_issuer and order_issuer not in issuers:
        return True
    attempts = domain.status.get("attempts") or {}
    return bool(attempts.get("failures")) and not attempts.get("nextAttempt")
