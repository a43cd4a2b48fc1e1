"""The ledgers of several shards of one account, read together: what each of them has to count.

Limits of the whole account are divided among the shards. When their number changes, what was ordered before counts for
all of them, each its part of it, until no window holds it any more. All other limits are counted by every shard as they
stand in all documents.
"""

from collections import Counter
from collections.abc import Mapping

from certward.plan.ledger_document import Earlier, Snapshot
from certward.plan.windows import Books, Limit, Subject


def own(documents: Mapping[int, Snapshot], shard: int, shards: int, limits: Mapping[Limit, int]) -> Snapshot | None:
    """What a shard begins with; None where nothing is known.

    Args:
        documents: shard -> its document, of all that there are, whatever number of shards they were written for.
        shard: the one that begins.
        shards: how many there are now.
        limits: what each shard may use.
    """
    earlier = _earlier(documents, shards)
    kept = documents.get(shard)
    if kept is None and earlier is None:
        return None
    books = Books(limits)
    is_of_now = kept is not None and kept.shards == shards
    for subject, bucket, times in kept.books if kept else ():
        if subject.limit is not Limit.ORDERS or is_of_now:
            books.put(subject, bucket, times)
    held: dict[Subject, int] = {}
    for document in documents.values():
        held |= {each: max(held.get(each, 0), until) for each, until in document.held.items()}
    at = kept.at if kept and is_of_now else earlier.at if earlier else None
    return Snapshot(books, held, at, shards, earlier) if at else None


def _earlier(documents: Mapping[int, Snapshot], shards: int) -> Earlier | None:
    """All orders that were counted under another division.

    Whoever begins keeps all of it in its own document, which then is one of now; so what stands there already is at
    least as much as what the documents that are still as they were say together.
    """
    before = [document for document in documents.values() if document.shards != shards]
    noted = [document.earlier for document in documents.values() if document.earlier]
    times = [document.at for document in before] + [each.at for each in noted]
    if not times:
        return None
    together: Counter[int] = Counter()
    for document in before:  # what these counted as earlier is from before what they counted themselves
        together |= Counter(document.earlier.orders if document.earlier else {})
    for document in before:
        for subject, bucket, count in document.books:
            if subject.limit is Limit.ORDERS:
                together[bucket] += count
    for each in noted:
        together |= Counter(each.orders)
    return Earlier(dict(together), max(times))


def part(earlier: Earlier | None, shards: int, limits: Mapping[Limit, int]) -> Books:
    """What one shard counts of earlier orders: of the newest k so many that all shards together count k at least."""
    books = Books(limits)
    seen = 0
    for bucket in sorted(earlier.orders if earlier else (), reverse=True):
        times = earlier.orders[bucket] if earlier else 0
        books.put(Subject(Limit.ORDERS), bucket, _upwards(seen + times, shards) - _upwards(seen, shards))
        seen += times
    return books


def _upwards(number: int, by: int) -> int:
    return -(-number // by)
