"""The whole operator, put together: what needs what, and in which order it starts and stops."""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from certward.acme.http01 import Answerer
from certward.config import Config
from certward.errors import OperatorError
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.kube.ensure import Ensurer
from certward.kube.foreign import ForeignRoutes
from certward.model import pki
from certward.model.resources import key_of
from certward.probe.fetch import Fetcher
from certward.probe.resolver import Resolver
from certward.render.registry import DIALECTS
from certward.runtime import metrics, scrape
from certward.runtime.account_care import AccountCare
from certward.runtime.addresses import Addresses
from certward.runtime.apps import Apps
from certward.runtime.builtin import Builtins
from certward.runtime.claim_rules import ClaimRules
from certward.runtime.classes import Classes
from certward.runtime.dns01 import Dns01
from certward.runtime.dns_journal import Entry
from certward.runtime.dns_preflight import DnsPreflights
from certward.runtime.domain_status import DomainStatus
from certward.runtime.domains import Domains
from certward.runtime.drift import Drift
from certward.runtime.events import Events
from certward.runtime.flights import Flights
from certward.runtime.gather import Gatherer
from certward.runtime.glances import Glances
from certward.runtime.holding import Holding
from certward.runtime.host_routes import HostRoutes
from certward.runtime.intake import Intake
from certward.runtime.issuance import Issuance
from certward.runtime.issuers import Issuers
from certward.runtime.keeper import Keeper
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.manuals import Manuals
from certward.runtime.memory import Memories
from certward.runtime.namespaces import Namespaces
from certward.runtime.order_seeds import OrderSeeds
from certward.runtime.ordering import Ordering
from certward.runtime.permitted import Permitted
from certward.runtime.platform import Platform
from certward.runtime.policies import Policies
from certward.runtime.preflight import Preflights, ports
from certward.runtime.proving import Prover
from certward.runtime.queue import WorkQueue
from certward.runtime.reconciler import Reconciler
from certward.runtime.reports import Reports
from certward.runtime.revocations import Revocations
from certward.runtime.secrets import Secrets
from certward.runtime.server import HealthServer
from certward.runtime.services import Services
from certward.runtime.troubles import Troubles

log = logging.getLogger(__name__)

#: Slow names and servers are waited for beside the workers: so many at a time.
_FLIGHTS = 128
#: All objects of the operator's are listed as often as a host is looked at, but not more often than this.
_LEAST_LIST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line and the pod say, beside the configuration file.

    Attributes:
        namespace: the operator's own.
        replica: stable name of this replica.
        health_host: address of /healthz, /readyz and /metrics; empty for all, of IPv6 and of IPv4.
        health_port: its port.
        answer_peers: networks whose requests the answerer takes; empty for all.
        workers: how many objects are worked on at a time.
    """

    namespace: str
    replica: str
    health_host: str
    health_port: int
    answer_peers: Sequence[IPv4Network | IPv6Network] = ()
    workers: int = 16


class Operator:
    """Everything that runs in one replica. Knows nothing of kopf; the handlers feed it."""

    def __init__(self, config: Config, client: Client, options: Options, *, on_lost: Callable[[], None]) -> None:
        self._client = client
        self._options = options
        self._stop = threading.Event()
        self._is_started = False
        permitted = Permitted(config, options.namespace)
        self.cache = Cache(permitted.may)
        self._lease = Leadership(
            client, namespace=options.namespace, replica=options.replica, on_lost=on_lost, shards=config.shards
        )
        holding = self._holding = Holding(self._lease, config.shards)
        self._queue = WorkQueue(keeps=holding.keeps)
        self._issuers = Issuers(config, client, namespace=options.namespace)
        events = self._events = Events(client, replica=options.replica)
        every = max(config.probe.interval.total_seconds(), _LEAST_LIST_SECONDS)
        foreign = ForeignRoutes()
        ensurer = Ensurer(client, listed_every=every, is_free=foreign.is_free)
        secrets, services = Secrets(client), Services(client)
        classes = Classes(config, client)
        addresses, reports = Addresses(classes, client), Reports(classes, client)
        namespaces = Namespaces(config, client, self.cache, ensurer, namespace=options.namespace, dialects=DIALECTS)
        policies = Policies(config, client, self.cache, namespace=options.namespace, events=events)
        self._ledger = Ledger(config, client, options.namespace)
        troubles = Troubles(self._ledger)
        resolver = Resolver([(server.host, server.port) for server in config.dns.resolvers])
        fetcher, flights = Fetcher(resolver, ports=ports(config)), Flights("flight", _FLIGHTS, self._queue.add)
        dns01 = Dns01(
            config,
            client,
            namespace=options.namespace,
            resolver=resolver,
            flights=flights,
            is_needed=self._is_record_needed,
        )
        preflights = Preflights(
            config,
            self._issuers,
            addresses,
            reports,
            fetcher=fetcher,
            flights=flights,
            is_busy=self._queue.is_waited_for,
            by_dns=DnsPreflights(config, self._issuers, fetcher, dns01, flights),
        )
        memories = self._memories = Memories(datetime.now(UTC))
        roots_pem = _system_roots()
        manuals = Manuals(client, self.cache, secrets, classes, roots_pem)
        platform = Platform(config, client, self.cache, options.namespace)
        prover = Prover(
            config,
            self.cache,
            classes=classes,
            addresses=addresses,
            reports=reports,
            is_busy=self._queue.is_waited_for,
        )
        builtins = Builtins(
            config,
            self.cache,
            permitted=permitted,
            platform=platform,
            classes=classes,
            ensurer=ensurer,
            services=services,
            policies=policies,
            foreign=foreign,
            prover=prover,
            memories=memories,
        )
        gatherer = Gatherer(
            config,
            self.cache,
            classes=classes,
            secrets=secrets,
            manuals=manuals,
            permitted=permitted,
            services=services,
            policies=policies,
            foreign=foreign,
            troubles=troubles,
            issuers=self._issuers,
            memories=memories,
            roots_pem=roots_pem,
        )
        self.intake = Intake(
            client,
            self.cache,
            self._queue,
            foreign=foreign,
            memories=memories,
            holding=holding,
            namespace=options.namespace,
        )
        self._reconciler = Reconciler(
            self._queue,
            domains=Domains(
                self.cache,
                gatherer=gatherer,
                secrets=secrets,
                manuals=manuals,
                routes=HostRoutes(
                    config,
                    self.cache,
                    classes=classes,
                    ensurer=ensurer,
                    permitted=permitted,
                    services=services,
                    namespaces=namespaces,
                    preflights=preflights,
                    prover=prover,
                ),
                status=DomainStatus(client, self.cache, permitted=permitted, events=events),
                issuance=Issuance(
                    self._issuers,
                    ordering=Ordering(config, self._issuers, ledger=self._ledger),
                    secrets=secrets,
                    preflights=preflights,
                    troubles=troubles,
                    ledger=self._ledger,
                    dns01=dns01,
                    seeds=OrderSeeds(client, namespace=options.namespace),
                ),
                revocations=Revocations(self._issuers, secrets),
                prover=prover,
                glances=Glances(self.cache, addresses=addresses, gatherer=gatherer, secrets=secrets, prover=prover),
                memories=memories,
            ),
            apps=Apps(
                config,
                client,
                self.cache,
                classes=classes,
                services=services,
                policies=policies,
                memories=memories,
                builtins=builtins,
                events=events,
            ),
            builtins=builtins,
            namespaces=namespaces,
            policies=policies,
            intake=self.intake,
            holding=holding,
            workers=options.workers,
        )
        http01 = config.challenge.http01
        self._answerer = Answerer(
            str(http01.address), http01.port, self._thumbprint_for, allowed_peers=options.answer_peers
        )
        self._health = HealthServer(
            options.health_host, options.health_port, health=self._problem, readiness=self._readiness
        )
        self._account_care = AccountCare(config, self._issuers, may_work=holding.leads)
        self._keeper = Keeper(
            self._stop,
            self.cache,
            self._queue,
            lease=self._lease,
            holding=holding,
            intake=self.intake,
            reconciler=self._reconciler,
            account_care=self._account_care,
            issuers=self._issuers,
            policies=policies,
            claim_rules=ClaimRules(config, client),
            ledger=self._ledger,
            platform=platform,
            dns01=dns01,
            namespaces=namespaces,
            memories=memories,
            drift=Drift(self.cache, ensurer),
            drift_every=every,
        )

    def start(self) -> None:
        """Listen, fill the cache, apply for the Lease; returns when the cache is full.

        Raises:
            OSError: a port cannot be had.
        """
        self._health.start()
        self._answerer.start()
        metrics.expect(self._issuers.names())
        scrape.register(self._sources())
        pause = 0.5
        while not self._stop.is_set():
            try:
                self.intake.resync()
                break
            except OperatorError as error:
                log.warning("cannot list our objects yet: %s", error.message)
                self._stop.wait(pause)
                pause = min(pause * 2, 15.0)
        log.info("synced: %d Apps, %d Domains", len(self.cache.keys("App")), len(self.cache.keys("Domain")))
        self._lease.start()
        self._events.start()
        self._reconciler.start()
        self._keeper.start()
        self._account_care.start()
        self._is_started = True

    def stop(self) -> None:
        """Finish what is being worked on, give the Lease up, stop listening."""
        self._stop.set()  # /readyz says so from here on
        self._account_care.stop()
        self._reconciler.stop(timeout=10)
        if self._holding.begun:
            self._ledger.flush(is_last=True)
        self._events.close()
        self._lease.stop()
        self._answerer.close()
        self._health.close()

    def _is_record_needed(self, entry: Entry) -> bool:
        """Whether the order that a record of DNS-01 was made for is still open."""
        namespace, _, name = entry.domain.partition("/")
        domain = self.cache.domain(namespace, name)
        if domain is None:
            return False
        memory = self._memories.peek(key_of(domain))
        open_now = memory.order.url if memory and memory.order else ""
        return entry.order in (open_now, (domain.status.get("order") or {}).get("url"))

    async def _thumbprint_for(self, hostname: str) -> str | None:
        """Whose challenges are answered for a hostname; None: nobody's."""
        domain = self.cache.domain_for(hostname)
        app = self.cache.app(domain.meta.namespace, domain.app) if domain else None
        if domain is None or app is None or not app.is_automatic:
            return None
        issuer = (domain.status.get("order") or {}).get("issuer") or app.issuer
        names = (issuer,) if issuer else self._issuers.names()
        return await self._issuers.thumbprint_awaited(names[0]) if names else None

    def _problem(self) -> str:
        """What only a restart can mend; the API server or a CA being away is not."""
        threads = (self._lease, self._keeper, self._reconciler, self._account_care)
        if self._is_started and not all(thread.is_alive() for thread in threads):
            return "a thread has died"
        return ""

    def _readiness(self) -> tuple[bool, dict[str, Any]]:
        is_synced = self.intake.synced_at > 0 and not self._stop.is_set()
        return is_synced, {
            "synced": is_synced,
            "leader": self._holding.leads(),
            "shards": sorted(self._holding.working_on()),
            "replica": self._options.replica,
        }

    def _sources(self) -> scrape.Sources:
        return scrape.Sources(
            answerer=self._answerer,
            cache=self.cache,
            client=self._client,
            issuers=self._issuers,
            lease=self._lease,
            ledger=self._ledger,
            queue=self._queue,
            synced_age=lambda: time.monotonic() - self.intake.synced_at if self.intake.synced_at else 0.0,
            unseen=self.intake.unseen.count,
            holding=self._holding,
        )


def _system_roots() -> bytes:
    """The roots that this system trusts, as PEM."""
    return pki.roots_pem(ssl.create_default_context().get_ca_certs(binary_form=True))
