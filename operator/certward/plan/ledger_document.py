"""The ledger of one account as text, for a ConfigMap: small enough for one, read with suspicion."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from certward.model.resources import format_time, parse_time
from certward.plan.windows import Books, Limit, Subject

VERSION: Final = 1
#: A ConfigMap holds 1 MiB; the rest is for its metadata.
MAX_BYTES: Final = 900_000
#: A hold longer than this, in seconds, is a clock's mistake.
MAX_HOLD: Final = 8 * 24 * 3600


class Earlier(NamedTuple):
    """Orders of the whole account that were counted while the work was split into another number of shards.

    Attributes:
        orders: bucket of time -> how many.
        at: as of when.
    """

    orders: Mapping[int, int]
    at: datetime


class Snapshot(NamedTuple):
    """What the document says.

    Attributes:
        books: what was used.
        held: subject -> until when the CA wants to hear nothing of it, in seconds of the epoch.
        at: as of when.
        shards: into how many the work was split.
        earlier: what was counted before that; None where nothing of it matters any more.
    """

    books: Books
    held: Mapping[Subject, int]
    at: datetime
    shards: int = 1
    earlier: Earlier | None = None


def config_map(issuer: str, shard: int) -> str:
    """The ConfigMap of an issuer and a shard. No issuer's name has a dot, so no two have the same one."""
    return f"certward-budget-{issuer}.{shard}" if shard else f"certward-budget-{issuer}"


def render(snapshot: Snapshot, directory: str, max_bytes: int = MAX_BYTES) -> tuple[str, int]:
    """The document, and how many subjects had no room in it.

    Those are left out first that are furthest from their limit, the oldest of them first.
    """
    counts: dict[Subject, dict[int, int]] = defaultdict(dict)
    for subject, bucket, times in snapshot.books:
        counts[subject][bucket] = times
    left_out = 0
    text = _text(snapshot, counts, directory)
    excess = len(text.encode()) - max_bytes
    if excess > 0:
        for subject in sorted(counts, key=lambda each: _value(each, counts[each], snapshot.books)):
            if excess <= 0:
                break
            excess -= len(_dump({subject.name: counts.pop(subject)})) - 2
            left_out += 1
        text = _text(snapshot, counts, directory)
    return text, left_out


def parse(text: str, directory: str, limits: Mapping[Limit, int], now: float) -> Snapshot:
    """Read a document.

    Raises:
        ValueError, KeyError, TypeError: it is not one, or that of another CA.
    """
    document = _mapping(json.loads(text))
    if document.get("version") != VERSION:
        raise ValueError("not a ledger of this version")
    if document.get("directory") != directory:
        raise ValueError(f"the ledger is that of another CA, {document.get('directory')!r}")
    books = Books(limits)
    for limit in Limit:
        for name, buckets in _mapping(document.get(limit.value, {})).items():
            for bucket, times in _mapping(buckets).items():
                books.put(Subject(limit, name), int(bucket), _count(times) if limits.get(limit) else 0)
    books.prune(now)
    held, at = {}, parse_time(document["at"])
    # Where it was written in times to come the clock has been set back since, and what it says was meant by that clock.
    ahead = max(int(at.timestamp() - now), 0)
    for path, until in _mapping(document.get("held", {})).items():
        limit_name, _, name = path.partition("/")
        moment = min(int(parse_time(until).timestamp()) - ahead, int(now) + MAX_HOLD)
        if moment > now:
            held[Subject(Limit(limit_name), name)] = moment
    shards = _count(document.get("shards", 1)) or 1
    earlier = _earlier(_mapping(document.get("earlier", {})), limits, now)
    return Snapshot(books, held, min(at, datetime.fromtimestamp(now, UTC)), shards, earlier)


def _earlier(document: Mapping[str, Any], limits: Mapping[Limit, int], now: float) -> Earlier | None:
    books = Books(limits)
    for bucket, times in _mapping(document.get("orders", {})).items():
        books.put(Subject(Limit.ORDERS), int(bucket), _count(times))
    books.prune(now)
    orders = {bucket: times for _, bucket, times in books}
    return Earlier(orders, min(parse_time(document["at"]), datetime.fromtimestamp(now, UTC))) if orders else None


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("the ledger has something that is not a count")
    return value


def _text(snapshot: Snapshot, counts: Mapping[Subject, Mapping[int, int]], directory: str) -> str:
    document: dict[str, Any] = {"version": VERSION, "directory": directory, "at": format_time(snapshot.at)}
    if snapshot.shards != 1:
        document["shards"] = snapshot.shards
    if snapshot.earlier:
        orders = dict(sorted(snapshot.earlier.orders.items()))
        document["earlier"] = {"at": format_time(snapshot.earlier.at), "orders": orders}
    if snapshot.held:
        document["held"] = {
            f"{subject.limit.value}/{subject.name}": format_time(datetime.fromtimestamp(until, snapshot.at.tzinfo))
            for subject, until in sorted(snapshot.held.items())
        }
    for subject in sorted(counts):
        document.setdefault(subject.limit.value, {})[subject.name] = dict(sorted(counts[subject].items()))
    return _dump(document)


def _value(subject: Subject, buckets: Mapping[int, int], books: Books) -> tuple[float, int]:
    size = books.limit_of(subject) or 1
    return sum(buckets.values()) / size, max(buckets)


def _dump(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("the ledger is not of the form that it should have")  # noqa: TRY004 - one error for the caller
    return value
