"""The status of a Domain: written when it says anything else than before, and what is told along with that."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from certward.errors import Transient
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.logs import say
from certward.model.resources import Domain, Key, key_of
from certward.plan.events import of_domain
from certward.plan.observed import Plan
from certward.runtime.events import Events
from certward.runtime.memory import Memory
from certward.runtime.metrics import TIME_TO_CERTIFICATE
from certward.runtime.permitted import Permitted
from certward.stages import stage

log = logging.getLogger(__name__)


class DomainStatus:
    """Writes them. For many threads, each about a Domain of its own."""

    def __init__(self, client: Client, cache: Cache, *, permitted: Permitted, events: Events) -> None:
        self._client = client
        self._cache = cache
        self._permitted = permitted
        self._events = events

    @stage("status")
    def write(self, domain: Domain, plan: Plan, memory: Memory) -> set[Key]:
        """Write what a plan says, if it is anything else than what stands there.

        Returns:
            The other keys that it concerns.

        Raises:
            OperatorError: the API server could not or would not.
        """
        wanted = dict(plan.status)
        if _same(domain.status, wanted):
            return set()
        touched: set[Key] = set()
        if wanted.get("certificate") != domain.status.get("certificate"):
            _log_change(domain, wanted)
            if self._permitted.is_platform(domain.meta.namespace, domain.meta.name):
                touched = {Key("Builtin", app.namespace, app.name) for app in self._cache.keys("App")}
        written = self._client.apply_status(domain, wanted)
        state, reason = wanted["state"], wanted["reason"]
        _log_policy(domain, wanted)
        if (domain.status.get("state"), domain.status.get("reason") or "") != (state, reason):
            _say(logging.INFO, domain, f"{state} ({reason})" if reason else state, state=state, reason=reason)
        if written is None:
            # Deleted, as a watch will say in a moment; or the API server is starting and does not serve our kinds yet.
            raise Transient("APIServerUnavailable", f"{key_of(domain)} is not there to write its status")
        if memory.wanted_since and (wanted.get("certificate") or {}).get("source") == "Automatic":
            TIME_TO_CERTIFICATE.observe((datetime.now(UTC) - memory.wanted_since) / timedelta(seconds=1))
        self._events.tell(domain, of_domain(domain, wanted))
        new = Domain.from_body(written)
        # Its echo comes by no watch any more; an edit that came with the answer has to be worked on all the same.
        is_edited = (new.meta.generation, new.meta.annotations) != (domain.meta.generation, domain.meta.annotations)
        return touched | self._cache.put(new) - (set() if is_edited else {key_of(domain)})


def must_persist(domain: Domain, plan: Plan) -> bool:
    """Whether to write it now: an order's URL is written down before anything else is asked of the CA."""
    url = (plan.status.get("order") or {}).get("url", "")
    return bool(url) and url != (domain.status.get("order") or {}).get("url")


def _say(level: int, domain: Domain, words: object, **fields: str) -> None:
    say(log, level, key_of(domain), words, hostname=domain.hostname, **fields)


def _log_policy(domain: Domain, wanted: Mapping[str, Any]) -> None:
    """One line when what is served no longer is, or is again, what the policy says."""
    before = {c["type"]: c for c in domain.status.get("conditions") or ()}.get("PolicyEnforced", {})
    after = {c["type"]: c for c in wanted["conditions"]}["PolicyEnforced"]
    if before.get("status") != after["status"] and after["status"] != "Unknown":
        level = logging.INFO if after["status"] == "True" else logging.WARNING
        _say(level, domain, f"PolicyEnforced={after['status']}: {after['message']}", reason=after["reason"])


def _log_change(domain: Domain, wanted: Mapping[str, Any]) -> None:
    """One line when another Secret is served than before."""
    before, after = domain.status.get("certificate") or {}, wanted.get("certificate") or {}
    if before and after and before.get("secretName") != after.get("secretName"):
        old, new = (f"{of.get('source')} certificate in Secret {of.get('secretName')}" for of in (before, after))
        _say(logging.INFO, domain, f"{old} gives way to {new}")


def _same(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a status needs no write. Nobody else writes it, so it is ours to the last field."""
    return dict(live) == dict(wanted)
