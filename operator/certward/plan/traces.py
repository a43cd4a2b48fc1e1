"""Orders that left a trace in a Domain's status, for a ledger that was not written before its operator was killed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from certward.model.resources import Domain, key_of, parse_time
from certward.plan.turns import OrderRequest

#: The longest window, and so the age from which on an order matters no more.
MEMORY = timedelta(days=7)
#: CAs date certificates back, Let's Encrypt by an hour.
_BACKDATED = timedelta(hours=1)


class Trace(NamedTuple):
    """An order that was placed: when, and where if the status says so ("" otherwise)."""

    issuer: str
    request: OrderRequest
    at: datetime


def traces(domains: Iterable[Domain], written: datetime | None, now: datetime) -> Iterator[Trace]:
    """Orders that may be missing in a ledger; rather one too many than one too few.

    Args:
        domains: all of them.
        written: when the ledger was written last; None when it is lost. Then certificates of the last week count, and
            those of Domains that are older than that as renewals.
        now: aware UTC datetime.
    """
    for domain in domains:
        try:
            yield from _of(domain, written, now)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # a status that somebody else wrote tells nothing


def _of(domain: Domain, written: datetime | None, now: datetime) -> Iterator[Trace]:
    order, certificate = domain.status.get("order") or {}, domain.status.get("certificate") or {}
    since = written.replace(microsecond=0) if written else now - MEMORY
    request = OrderRequest(key_of(domain), (domain.hostname,), domain.meta.created_at)
    if order.get("createdAt") and parse_time(order["createdAt"]) >= since:
        yield Trace(str(order.get("issuer") or ""), request, min(parse_time(order["createdAt"]), now))
    if certificate.get("source") != "Automatic":
        return
    if written is None:
        at = min(parse_time(certificate["notBefore"]) + _BACKDATED, now)
        renews = domain.meta.created_at < at - MEMORY
        request = OrderRequest(key_of(domain), (domain.hostname,), domain.meta.created_at, renews=renews)
    else:
        at = min(parse_time(domain.status["lastUpdated"]), now)
    if at >= since and domain.status.get("state") == "CertIssued":
        yield Trace("", request, at.astimezone(UTC))
