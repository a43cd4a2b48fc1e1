"""The records of DNS-01: put into the zone, seen at all its servers, and taken out once no order needs them."""

import base64
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta

from certward.config import Config
from certward.config.models import Rfc2136
from certward.errors import Blocked, OperatorError, Rejected, Transient
from certward.kube.client import Client
from certward.model.resources import Key
from certward.nameserver import key as keys
from certward.nameserver.update import UpdateServer
from certward.nameserver.zone import Sight, Zone
from certward.plan.challenges import lies_within
from certward.plan.shards import MOST_SHARDS, shard_of
from certward.probe.resolver import Found, Resolver
from certward.runtime.dns_journal import Entry, Journal
from certward.runtime.flights import NO_PLACE, UNTIL_TOLD, Flights
from certward.runtime.metrics import BUGS

log = logging.getLogger(__name__)

#: How long all servers of the zone may take to show a record; their primary tells them of it at once (RFC 1996).
_PATIENCE = 120.0
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 5.0
#: Between two looks at what is no longer needed; longer after one that failed.
_SWEEP, _SWEEP_LEAST, _SWEEP_MOST = 1.0, 5.0, 300.0


@dataclass(slots=True)
class Publication:
    """A record on its way into the DNS, for one Domain.

    Attributes:
        name: where it stands.
        value: of the TXT record.
        is_written: the primary has it.
        is_seen: all servers have shown it.
        since: monotonic time at which the primary had it.
        look_at: monotonic time of the next look.
        looks: how often it was looked for in vain.
        flight: what is under way.
    """

    name: str
    value: str
    is_written: bool = False
    is_seen: bool = False
    since: float = 0.0
    look_at: float = 0.0
    looks: int = 0
    flight: Future[Sight | None] | None = None


class Dns01:
    """Writes records of DNS-01. For many threads.

    Args:
        config: names the server, the zone and the key.
        client: of the API server.
        namespace: the operator's own.
        resolver: for the addresses of the zone's servers.
        flights: where all the waiting is done.
        is_needed: whether an open order still needs a record.
    """

    def __init__(
        self,
        config: Config,
        client: Client,
        *,
        namespace: str,
        resolver: Resolver,
        flights: Flights,
        is_needed: Callable[[Entry], bool],
    ) -> None:
        self._settings = config.challenge.dns01.rfc2136
        self._client, self._namespace = client, namespace
        self._resolver, self._flights, self._is_needed = resolver, flights, is_needed
        self._shards = config.shards
        self._journals: dict[int, Journal] = {}
        self._lock = threading.Lock()
        self._busy: set[tuple[str, str]] = set()
        self._next_sweep = 0.0
        self._failures = 0

    @property
    def zone(self) -> str:
        """The zone in which records can be written; empty when there is none."""
        return self._settings.zone if self._settings else ""

    def load(self, shard: int = 0) -> None:
        """Take over what whoever worked on a shard before has put into the DNS.

        With shard 0 goes what is left of shards that there are no more.

        Raises:
            OperatorError: the API server could not.
        """
        try:
            if self._settings:
                for each in (shard, *(range(self._shards, MOST_SHARDS) if shard == 0 else ())):
                    self._journal_of(each).load()
        except (Blocked, Rejected) as error:  # it concerns DNS-01 only, and is said where that is wanted
            log.warning("what is left of DNS-01 cannot be read: %s", error.message)

    def is_busy(self, shard: int) -> bool:
        """Whether anything is just written, looked for or taken out for a namespace of a shard."""
        return self._flights.are_under_way(lambda namespace: shard_of(namespace, self._shards) == shard)

    def leave(self, shard: int) -> None:
        """Another replica takes over what there is of a shard."""
        with self._lock:
            for each in (shard, *(range(self._shards, MOST_SHARDS) if shard == 0 else ())):
                self._journals.pop(each, None)

    def check(self) -> None:
        """See that the DNS server would take an update, without making one.

        Raises:
            OperatorError: it would not, in words for the administrator.
        """
        self._server().check()

    def publish(
        self, key: Key, known: Publication | None, *, name: str, value: str, order: str
    ) -> tuple[Publication, timedelta | None]:
        """Take a record one step further on its way into the DNS.

        Args:
            key: of the Domain; worked on again when there is news.
            known: what was returned before, if anything.
            name: where the record stands.
            value: of the record.
            order: URL of the order that needs it.

        Returns:
            What to hand in the next time, and how long to let go; None: all servers of the zone show it.

        Raises:
            OperatorError: it cannot be done now.
        """
        one = known if known and (known.name, known.value) == (name, value) else Publication(name, value)
        while not one.is_seen:
            now = time.monotonic()
            if one.flight is None:
                if now < one.look_at:
                    return one, timedelta(seconds=one.look_at - now)
                one.flight = self._start(key, one, order)
                if one.flight is None:
                    return one, NO_PLACE
            if not self._flights.is_over(one.flight, key):
                return one, UNTIL_TOLD
            flight, one.flight = one.flight, None
            self._land(one, flight.result())
        return one, None

    def _start(self, key: Key, one: Publication, order: str) -> Future[Sight | None] | None:
        record = one.name, one.value
        if not self._claim(record):
            return None  # it is just being taken out
        try:
            if one.is_written:
                flight = self._flights.start(key.namespace, self._look, record)
            else:
                flight = self._flights.start(key.namespace, self._write, record, f"{key.namespace}/{key.name}", order)
        except BaseException:
            self._release(record)
            raise
        if flight is None:
            self._release(record)
        return flight

    def _write(self, record: tuple[str, str], domain: str, order: str) -> Sight | None:
        try:
            server = self._server()
            self._journal_of(shard_of(domain.partition("/")[0], self._shards)).add(*record, domain=domain, order=order)
            server.add(*record)
        finally:
            self._release(record)
        return None

    def _look(self, record: tuple[str, str]) -> Sight | None:
        try:
            settings = self._configured()
            primary = settings.server.host, settings.server.port
            return Zone(settings.zone, primary, self._addresses_of).look(*record)
        finally:
            self._release(record)

    def _land(self, one: Publication, sight: Sight | None) -> None:
        now = time.monotonic()
        if sight is None:
            one.is_written, one.since, one.looks = True, now, 0
            return
        if sight.is_complete:
            one.is_seen = True
            return
        if now - one.since > _PATIENCE:
            one.is_written = False  # the next attempt begins anew
            raise Transient("ChallengeUnreachable", self._words(sight))
        one.look_at = now + min(_FIRST_PAUSE * 2**one.looks, _LAST_PAUSE)
        one.looks = min(one.looks + 1, 10)

    def _words(self, sight: Sight) -> str:
        zone = f"the zone {self.zone} of DNS-01"
        if sight.problem:
            return f"It cannot be told who serves {zone}: {sight.problem}; the administrator has to mend the zone."
        if sight.silent:
            return (
                f"The DNS server {sight.silent[0]} of {zone} does not answer the operator, so a CA may not be answered "
                "either; the administrator has to mend it, let the operator reach it, or take it out of the NS records."
            )
        return (
            f"The DNS server {sight.missing[0]} of {zone} does not take over what the primary has been told; the "
            "administrator has to look at its zone transfers."
        )

    def sweep(self) -> None:
        """Take out what no open order needs, a while after the last time."""
        now = time.monotonic()
        if now < self._next_sweep or not self._settings:
            return
        self._next_sweep = now + _SWEEP
        with self._lock:
            kept = [(journal, entry) for journal in self._journals.values() for entry in journal.entries()]
        for journal, entry in kept:
            if self._is_needed(entry) or not lies_within(entry.name, self.zone) or not self._claim(entry.record):
                continue
            if self._flights.start(entry.domain.partition("/")[0], self._remove, journal, entry) is None:
                self._release(entry.record)
                return

    def _remove(self, journal: Journal, entry: Entry) -> None:
        try:
            if self._is_needed(entry):
                return
            self._server().remove(*entry.record)
            journal.remove([entry.record])
            self._failures = 0
            log.info("DNS-01: the record at %s for %s is taken out", entry.name, entry.domain)
        except OperatorError as error:
            self._pause()
            log.warning("DNS-01: the record at %s cannot be taken out yet: %s", entry.name, error.message)
        except Exception:  # nobody looks at what becomes of this flight
            self._pause()
            BUGS.inc()
            log.exception("this is a mistake in Certward, please report it")
        finally:
            self._release(entry.record)

    def _journal_of(self, shard: int) -> Journal:
        with self._lock:
            return self._journals.setdefault(shard, Journal(self._client, self._namespace, shard))

    def _pause(self) -> None:
        self._failures = min(self._failures + 1, 10)
        self._next_sweep = time.monotonic() + min(_SWEEP_LEAST * 2**self._failures, _SWEEP_MOST)

    def _claim(self, record: tuple[str, str]) -> bool:
        with self._lock:
            if record in self._busy:
                return False
            self._busy.add(record)
            return True

    def _release(self, record: tuple[str, str]) -> None:
        with self._lock:
            self._busy.discard(record)

    def _configured(self) -> Rfc2136:
        if self._settings is None:  # pragma: no cover - DNS-01 is chosen only where there is a zone
            raise Transient("ChallengeUnreachable", "DNS-01 is not configured.")
        return self._settings

    def _server(self) -> UpdateServer:
        """The server, with the key as it is in its Secret now."""
        settings = self._configured()
        ref = settings.tsig_secret_ref
        where = f"Secret {ref.name} in the operator's namespace, key {ref.key}"
        secret = self._client.get("Secret", self._namespace, ref.name)
        if secret is None or ref.key not in (secret.get("data") or {}):
            raise Transient(
                "ChallengeUnreachable",
                f"The TSIG key of DNS-01 is not there; the administrator has to put it into {where}.",
            )
        try:
            text = base64.b64decode(secret["data"][ref.key]).decode("utf-8")
        except ValueError:
            text = ""
        try:
            key = keys.parse(text)
        except ValueError as problem:
            raise Transient(
                "ChallengeUnreachable",
                f"The TSIG key of DNS-01 {problem}; the administrator has to mend {where}.",
            ) from None
        return UpdateServer(settings.server.host, settings.server.port, settings.zone, key)

    def _addresses_of(self, name: str) -> list[str]:
        found = (self._resolver.ipv4(name), self._resolver.ipv6(name))
        return [str(address) for each in found if isinstance(each, Found) for address in each.records]
