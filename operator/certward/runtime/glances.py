"""The routine look at a Domain at rest: its Secret's version and one handshake, and no decision.

Among ten thousand hosts such a look is all that there is to do; a whole pass would cost several times as much. Whatever
a decision depends on comes with an event, after which the Domain is decided on as ever.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from certward.kube.cache import Cache
from certward.model.resources import Domain
from certward.plan.observed import Observed, Plan
from certward.plan.rest import rests_for
from certward.probe.handshake import handshake, probe_name
from certward.probe.link import ProbeFailed
from certward.runtime.addresses import Addresses
from certward.runtime.gather import Gatherer
from certward.runtime.memory import Memory, Rest
from certward.runtime.proving import Prover
from certward.runtime.secrets import Secrets
from certward.runtime.shown import judge
from certward.stages import stage


class Glances:
    """For many threads, each on a Domain of its own."""

    def __init__(
        self, cache: Cache, *, addresses: Addresses, gatherer: Gatherer, secrets: Secrets, prover: Prover
    ) -> None:
        self._cache = cache
        self._addresses = addresses
        self._gatherer = gatherer
        self._secrets = secrets
        self._prover = prover

    @staticmethod
    def settle(observed: Observed, plan: Plan, memory: Memory, now: datetime) -> None:
        """Take note of whether a Domain is at rest after this decision, and on what that rests."""
        rests_for_so_long = rests_for(observed, plan, now)
        memory.rest = None
        if rests_for_so_long and observed.app and plan.serving and not memory.left_over:
            memory.rest = Rest(observed.domain, observed.app, plan.serving.facts, now + rests_for_so_long)

    def at(self, domain: Domain, memory: Memory) -> timedelta | None:
        """Look at a Domain for which nothing has happened since it came to rest.

        Args:
            domain: the object as it is now.
            memory: of it.

        Returns:
            When to look again; None: it is not at rest, or not as it was, and has to be decided on.

        Raises:
            OperatorError: the API server could not or would not answer.
        """
        rest, memory.rest = memory.rest, None
        if rest is None or memory.proof is None or memory.disturbed_at is not None:
            return None
        app = self._cache.app(domain.meta.namespace, domain.app)
        now, interval = datetime.now(UTC), self._gatherer.interval()
        is_set_back = memory.proof.at > now  # the clock; nothing is proven by a look in times to come
        if rest.domain is not domain or rest.app is not app or rest.until <= now or is_set_back:
            return None
        due = memory.proof.at + interval - now
        if due <= timedelta():
            if (pause := self._prover.book(memory)) is not None:
                memory.rest = rest
                return pause
            if not self._secrets.is_as_known(domain) or not self._is_served(rest, memory):
                return None
            due = interval
        memory.rest = rest
        return min(due, rest.until - now)

    @stage("glance")
    def _is_served(self, rest: Rest, memory: Memory) -> bool:
        """Whether a host is served as it was; if so `memory.proof` is of now."""
        address, before = self._addresses.https(rest.app), memory.proof
        if address is None or before is None:
            return False
        name, is_proxied = probe_name(rest.domain.hostname), self._addresses.is_proxied(rest.app)
        try:
            served = handshake(address, name, proxy_protocol=is_proxied)
        except ProbeFailed:
            return False
        now = datetime.now(UTC)
        if judge(served, rest.facts, rest.domain.hostname, now)[1]:
            return False
        memory.proof = replace(before, at=now)
        return True
