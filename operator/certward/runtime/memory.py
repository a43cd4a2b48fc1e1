"""What a process knows of a Domain beyond the API server: all of it can be lost without harm."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from certward.deadlines import Deadline
from certward.errors import OperatorError
from certward.model.pki import CertificateFacts
from certward.model.resources import App, Domain, Key
from certward.plan.observed import Proof, Routes
from certward.plan.schedule import Window
from certward.probe.preflight import Outcome
from certward.probe.tickets import Session

if TYPE_CHECKING:
    from certward.acme.order import Order
    from certward.runtime.dns01 import Publication
    from certward.runtime.dns_preflight import DnsLook

#: When a proof was made that counts for nothing any more.
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a CA has said of the renewal of a certificate.

    Attributes:
        fingerprint: of the certificate.
        window: when to renew it; None: not asked yet, or it has no opinion.
        ask_at: monotonic time at which to ask (again).
    """

    fingerprint: str
    window: Window | None
    ask_at: float


class Unrevoked(NamedTuple):
    """An attempt at a revocation that failed.

    Attributes:
        asked: the value of the annotation that asked for it.
        words: why it failed.
        failures: how often in a row.
        retry_at: monotonic time of the next attempt; None: only when something else is asked, or after a restart.
    """

    asked: str
    words: str
    failures: int
    retry_at: float | None


class Waiting(NamedTuple):
    """A place in the line for an order.

    Attributes:
        issuer: at whom.
        ask_at: monotonic time at which it is worth asking again.
        expected: when its turn is expected; None: soon.
        words: what it waits for.
        reason: for the status.
    """

    issuer: str
    ask_at: float
    expected: datetime | None
    words: str
    reason: str


class Rest(NamedTuple):
    """A Domain for which nothing was left to be decided.

    Attributes:
        domain: the object then.
        app: its App then.
        facts: of the certificate that is served.
        until: when something else than a handshake is due; by the clock, as it may be set.
    """

    domain: Domain
    app: App
    facts: CertificateFacts
    until: datetime


class Placed(NamedTuple):
    """An order that is not known yet to rest on nothing that an earlier owner of the hostname has proven.

    Attributes:
        issuer: at whom.
        order: it.
        created_at: when it was placed, RFC 3339.
    """

    issuer: str
    order: "Order"
    created_at: str


class Kept(NamedTuple):
    """Routes that were found in place, or put there.

    Attributes:
        said: what the Domain said.
        app: its App, as it was.
        routes: them.
        at: monotonic time.
    """

    said: tuple[object, ...]
    app: App
    routes: Routes
    at: float


@dataclass(slots=True)
class Memory:
    """Of one Domain.

    Attributes:
        named: the Domain without its status, as it first was: by it is found what there may be for it once it is gone.
        order: the open order as the CA last described it.
        order_issuer: the issuer that it was placed with.
        order_created_at: when, RFC 3339.
        given_up: URL of the last order that nothing (more) will come of; the status may still name it.
        placed: one that is looked at before it is gone on with; trouble of the CA's meanwhile costs no other one.
        is_resumed: the open order was placed by an earlier process.
        has_next_key: a key has been kept for the open order; None: not known.
        begun_at: monotonic time at which this process first worked on it.
        is_compared: its routes have been held against what they should be, by this process.
        is_preflighted: the challenge path has been seen to work since the last failure.
        preflighted_for: the issuer that the look was or is for; CAA may let one issue and another not.
        preflight_since: monotonic time of the first look at a challenge path that did not work yet.
        flight: the look from outside that is under way.
        is_pointed_here: what the last one found: the hostname leads here, or not; None: there was none.
        dns_warning: what it found amiss without its being certain.
        refusals: issuers that refuse this hostname: why, and until which monotonic time they are not asked.
        preflight_seen: monotonic time of the last look at it.
        kept: the routes as they were last found in place; None: they were not, or are not to be.
        obstacle: what kept the routes from being written the last time.
        disturbed_at: monotonic time at which routes of others for this host last changed.
        session: a TLS session of the profile before, kept until it has been shown not to resume.
        rest: what it rests on that nothing is to be decided; None: it is not known to be at rest.
        settle_until: monotonic time before which an answer on the challenge path may still be another route's.
        proof: what the last handshake showed.
        ingress_class: the class that proof, preflight and session are about.
        place: monotonic time at which the next routine handshake has its turn; None when none is booked.
        failure: what the last step ended with, until the status says so.
        failed_inputs: what the last failure was based on; a change of it is an edit, which retries at once.
        is_after_edit: the last failure was that of the first attempt after an edit, so the count begins anew.
        paused: until when the CA wants to be left alone, as it said at the last step.
        wait_until: monotonic time before which the open order need not be looked at.
        waiting: its place in the line for an order.
        stored: fingerprint of the certificate that this process stored last, and at which monotonic time.
        advice: what the CA has said of the renewal.
        left_over: objects that the class had as another controller's, and from which monotonic time they may go.
        refused: fingerprint of a certificate that the ingress did not show, until which monotonic time it is not told
            to serve it, and what that was based on.
        unrevoked: the last attempt at a revocation, if it failed.
        wanted_since: since when a first certificate has been wanted; None: none is, or it is not known.
        http_failure: why this attempt does without HTTP-01.
        dns_flight: the look at records of DNS challenges that is under way.
        txt_name: where the record of DNS-01 stands; empty: not looked up.
        txt_seen: monotonic time at which that was looked up.
        persist_record: name and value of the record of DNS-PERSIST-01; empty: not known.
        publication: the record of DNS-01 of the open order.
    """

    named: Domain | None = None
    order: "Order | None" = None
    order_issuer: str = ""
    order_created_at: str = ""
    given_up: str = ""
    placed: Placed | None = None
    is_resumed: bool = False
    has_next_key: bool | None = None
    begun_at: float = field(default_factory=time.monotonic)
    is_compared: bool = False
    is_preflighted: bool = False
    preflighted_for: str = ""
    preflight_since: float | None = None
    flight: Future[Outcome] | None = None
    is_pointed_here: bool | None = None
    dns_warning: str = ""
    refusals: dict[str, tuple[str, float]] = field(default_factory=dict)
    preflight_seen: float = 0.0
    kept: Kept | None = None
    obstacle: str = ""
    disturbed_at: float | None = None
    session: Session | None = None
    rest: Rest | None = None
    settle_until: float = 0.0
    proof: Proof | None = None
    ingress_class: str = ""
    place: float | None = None
    failure: OperatorError | None = None
    failed_inputs: tuple[object, ...] | None = None
    is_after_edit: bool = False
    paused: Deadline | None = None
    wait_until: float = 0.0
    waiting: Waiting | None = None
    stored: tuple[str, float] = ("", 0.0)
    advice: Advice | None = None
    left_over: tuple[tuple[str, str, str], ...] = ()
    clears_at: float = 0.0
    refused: tuple[str, float, tuple[object, ...]] = ("", 0.0, ())
    unrevoked: Unrevoked | None = None
    wanted_since: datetime | None = None
    http_failure: OperatorError | None = None
    dns_flight: "Future[DnsLook] | None" = None
    txt_name: str = ""
    txt_seen: float = 0.0
    persist_record: tuple[str, str] = ("", "")
    publication: "Publication | None" = None

    def turn_to(self, ingress_class: str) -> None:
        """Forget what was seen at the entries of another ingress class."""
        if self.ingress_class not in ("", ingress_class):
            self.proof = None
            self.session = None
            self.is_preflighted = False
            self.preflight_since = None
            self.flight = None
            self.http_failure = None
        self.ingress_class = ingress_class

    def look_for(self, issuer: str) -> None:
        """Look at the hostname for this issuer; what was seen for another one says nothing."""
        if self.preflighted_for != issuer:
            self.is_preflighted = False
            self.preflight_since = self.flight = self.dns_flight = None
        self.preflighted_for = issuer

    def drop_order(self) -> None:
        """Forget the order; a next attempt starts from the beginning."""
        self.order = None
        self.order_issuer = ""
        self.order_created_at = ""
        self.wait_until = 0.0
        self.is_resumed = False
        self.has_next_key = None if self.has_next_key else self.has_next_key
        self.publication = None


class Memories:
    """The memories of all Domains. One key is worked on by one thread at a time, so only the map needs a lock."""

    def __init__(self, started_at: datetime) -> None:
        self.started_at = started_at
        self._lock = threading.Lock()
        self._of: dict[Key, tuple[str, Memory]] = {}

    def of(self, key: Key, uid: str) -> Memory:
        """The memory of a Domain; a new one when the name means another object than before."""
        with self._lock:
            known = self._of.get(key)
            if known is None or known[0] != uid:
                known = (uid, Memory())
                self._of[key] = known
            return known[1]

    def peek(self, key: Key) -> Memory | None:
        """The memory of a Domain, if there is one."""
        with self._lock:
            known = self._of.get(key)
            return known[1] if known else None

    def drop(self, key: Key) -> None:
        """Forget a Domain."""
        with self._lock:
            self._of.pop(key, None)

    def drop_all(self, is_meant: Callable[[Key], bool]) -> None:
        """Forget the Domains that are meant."""
        with self._lock:
            self._of = {key: known for key, known in self._of.items() if not is_meant(key)}
