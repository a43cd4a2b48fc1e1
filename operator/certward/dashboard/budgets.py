"""What the CAs' limits have been used for, where the user may see the operator's own records of it."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from certward.cli import seeing
from certward.cli.api import Api, Object
from certward.cli.errors import CliError, Exit
from certward.cli.findings import Unseen
from certward.config import IssuerConfig
from certward.dashboard.store import Budget, Store
from certward.errors import ConfigError
from certward.plan import ledger_document
from certward.plan.windows import Limit, Subject

_EVERY: Final = 30.0
_MOST_NAMES: Final = 5
_WORDS: Final = {
    Limit.ORDERS: "orders in 3 hours",
    Limit.CERTIFICATES: "certificates in 7 days for",
    Limit.DUPLICATES: "certificates in 7 days for exactly",
    Limit.FAILURES: "failures in an hour of",
}


def follow(api: Api, store: Store, namespace: str, stop: threading.Event) -> None:
    """Look twice a minute until the event is set."""
    while not stop.is_set():
        try:
            store.tell_budgets(read(api, namespace, datetime.now(UTC)))
        except CliError as error:
            if error.code is not Exit.NO_CLUSTER:  # that is told already, and what was seen last still says something
                store.tell_budgets(error.message)
        except ConfigError as error:
            store.tell_budgets(f"The operator's configuration cannot be read: {error}")
        stop.wait(_EVERY)


def read(api: Api, namespace: str, now: datetime) -> tuple[Budget, ...] | str:
    """The budgets of all issuers; a sentence where they cannot be seen.

    Raises:
        CliError: the cluster does not answer, or refuses.
        ConfigError: the operator's configuration has mistakes.
    """
    config = seeing.read_configuration(api, namespace)
    if isinstance(config, Unseen):
        return f"What the CAs' limits were used for cannot be shown: {config.why}."
    found = []
    for issuer in config.issuers:
        limits = {
            Limit.ORDERS: issuer.limits.orders_per_3h,
            Limit.CERTIFICATES: issuer.limits.certificates_per_registered_domain_per_7d,
            Limit.DUPLICATES: issuer.limits.duplicates_per_7d,
            Limit.FAILURES: issuer.limits.failures_per_hostname_per_1h,
        }
        names = [ledger_document.config_map(issuer.name, shard) for shard in range(config.shards)]
        found_kept = [_kept(api.get("ConfigMap", namespace, name), issuer, limits, now.timestamp()) for name in names]
        kept = [each for each in found_kept if each is not None]
        uses = tuple(_uses(kept, limits, now.timestamp()))
        held = max((until for each in kept for until in each.held.values()), default=0)
        found.append(
            Budget(issuer.name, str(issuer.directory), uses, datetime.fromtimestamp(held, UTC) if held else None)
        )
    return tuple(found)


def _kept(
    ledger: Object | None, issuer: IssuerConfig, limits: dict[Limit, int], now: float
) -> ledger_document.Snapshot | None:
    text = ((ledger or {}).get("data") or {}).get("ledger.json", "")
    try:
        return ledger_document.parse(text, str(issuer.directory), limits, now) if text else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _uses(
    kept: Sequence[ledger_document.Snapshot], limits: dict[Limit, int], now: float
) -> Iterator[tuple[str, int, int]]:
    """The account's orders, and of everything else that is counted by name the names that are nearest to the limit."""
    for limit, size in limits.items():
        if not size:
            continue
        subjects = {subject for each in kept for subject, _, _ in each.books if subject.limit is limit}
        if limit is Limit.ORDERS:
            subjects = {Subject(limit)}
        used = sorted(
            ((sum(each.books.used(one, now) for each in kept), one.name) for one in subjects),
            key=lambda one: (-one[0], one[1]),
        )
        for count, name in used[:_MOST_NAMES]:
            if count or limit is Limit.ORDERS:
                yield f"{_WORDS[limit]} {name}".strip(), count, size
