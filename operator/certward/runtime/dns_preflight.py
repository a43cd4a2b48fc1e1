"""The look before an order that is validated by DNS: where the record stands, CAA, whether it can be had."""

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from certward.acme.client import Issuer
from certward.acme.dns01 import issuer_domains
from certward.config import Config
from certward.errors import OperatorError, Rejected, Transient
from certward.model.hostnames import MAX_LENGTH, is_wildcard
from certward.model.resources import key_of
from certward.plan import challenges
from certward.plan.challenges import Challenge, Ways
from certward.plan.observed import Observed, Plan
from certward.probe.caa import CAAPolicy
from certward.probe.fetch import Fetcher
from certward.probe.preflight import Outcome, Preflight, preflight
from certward.probe.txt import is_persistent, place_of
from certward.runtime.dns01 import Dns01
from certward.runtime.flights import NO_PLACE, UNTIL_TOLD, Flights
from certward.runtime.issuers import Issuers
from certward.runtime.memory import Memory


class DnsLook(NamedTuple):
    """What a look has shown.

    Attributes:
        challenge: by which the hostname can be validated; None: by none.
        txt_name: where the record of DNS-01 stands.
        outcome: of the preflight; None where there was none.
        problem: what keeps the order from being placed; None when nothing does.
    """

    challenge: Challenge | None
    txt_name: str
    outcome: Outcome | None = None
    problem: OperatorError | None = None


class DnsPreflights:
    """Looks at hostnames that are to be validated by DNS. For many threads."""

    def __init__(self, config: Config, issuers: Issuers, fetcher: Fetcher, dns01: Dns01, flights: Flights) -> None:
        self._mode = config.dns.preflight
        self._issuers, self._fetcher, self._dns01, self._flights = issuers, fetcher, dns01, flights

    def step(self, observed: Observed, plan: Plan, memory: Memory) -> timedelta | None:
        """Take a look.

        Returns:
            How long to wait before the next one; None: go on, `memory.is_preflighted` says whether all is well.

        Raises:
            OperatorError: something is wrong with the hostname or its records, or a server could not be asked.
        """
        if memory.dns_flight is None:
            issuer = self._issuers.ready(plan.issuer)
            ways = self._ways(observed, issuer)
            memory.persist_record = ways.persist_record
            memory.dns_flight = self._flights.start(observed.domain.meta.namespace, self._look, observed, ways, issuer)
            if memory.dns_flight is None:
                return NO_PLACE
        if not self._flights.is_over(memory.dns_flight, key_of(observed.domain)):
            return UNTIL_TOLD
        flight, memory.dns_flight = memory.dns_flight, None
        look = flight.result()
        memory.txt_name, memory.txt_seen = look.txt_name, time.monotonic()
        if look.outcome is not None:
            memory.is_pointed_here = look.outcome.facts.verified
            memory.dns_warning = look.outcome.message if look.outcome.verdict == "warning" else ""
        if look.problem:
            raise look.problem
        if look.challenge is None or look.challenge == "http-01":
            if memory.http_failure:  # there is no other way, so it is what counts
                raise memory.http_failure
            return None  # the decision knows now that there is no way
        memory.is_preflighted, memory.preflight_seen = True, time.monotonic()
        return None

    def _ways(self, observed: Observed, issuer: Issuer) -> Ways:
        ways = observed.ways
        names = issuer_domains(issuer.directory())
        record = ("", "")
        if ways.is_persist_on and names:
            hostname = observed.domain.hostname
            value = challenges.persist_value(hostname, names[0], issuer.account_url)
            record = challenges.persist_name(hostname), value
        return Ways(ways.zone, ways.is_persist_on, "", ways.http_problem, record)

    def _look(self, observed: Observed, ways: Ways, issuer: Issuer) -> DnsLook:
        hostname = observed.domain.hostname
        name = challenges.dns01_name(hostname)
        if len(name) > MAX_LENGTH:
            words = f"{hostname} is too long to be validated by DNS: {name} would be no DNS name any more."
            return DnsLook(None, name, problem=Rejected("CARejected", words))
        place = place_of(self._fetcher.resolver, name) if ways.zone else name
        if place is None and not challenges.lies_within(name, ways.zone):
            words = f"{name} could not be looked up, so it is not known where the record of DNS-01 stands."
            return DnsLook(None, "", problem=Transient("DNSNotFound", words))
        txt_name = place or name
        ways = Ways(ways.zone, ways.is_persist_on, txt_name, ways.http_problem, ways.persist_record)
        challenge = challenges.choose(hostname, ways)
        if challenge is None or challenge == "http-01":
            return DnsLook(challenge, txt_name)
        names = issuer_domains(issuer.directory())
        if challenge == "dns-persist-01" and (problem := self._persist_problem(hostname, ways, issuer, names)):
            return DnsLook(challenge, txt_name, problem=problem)
        caa = CAAPolicy(names, issuer.account_url, challenge, is_wildcard(hostname))
        question = Preflight(caa, observed.dns_targets, issuer.thumbprint, self._mode)
        outcome = preflight(hostname, question, self._fetcher)
        if outcome.verdict == "blocked":
            return DnsLook(challenge, txt_name, outcome, Transient(outcome.reason, outcome.message))
        if challenge == "dns-01":
            self._dns01.check()
        return DnsLook(challenge, txt_name, outcome)

    def _persist_problem(
        self, hostname: str, ways: Ways, issuer: Issuer, names: tuple[str, ...]
    ) -> OperatorError | None:
        """What keeps DNS-PERSIST-01 from working."""
        name, _ = ways.persist_record
        if not name:
            return Rejected("CARejected", f"The CA {issuer.name} does not say by which name DNS records know it.")
        is_there = is_persistent(
            self._fetcher.resolver,
            name,
            names,
            issuer.account_url,
            is_wildcard=is_wildcard(hostname),
            now=datetime.now(UTC),
        )
        if is_there:
            return None
        if is_there is None:
            return Transient("DNSNotFound", f"{name} could not be looked up: no DNS resolver answered the operator.")
        words = challenges.persist_missing(hostname, ways)
        return Transient("DNSNotFound", f"{ways.http_problem} {words}".strip())
