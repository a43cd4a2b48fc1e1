"""Whether each order at the CA had a reason: by the journal of what passed on the way to the CA."""

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass

from cryptography import x509

from chaos.record import Cause, Record
from faulty.journal import Order

#: A renewal is due between this share of a certificate's life and five sixths of it.
_EARLIEST = 0.5
#: Seconds by which a moment of a certificate (whole seconds) and one of the journal may differ.
_ROUNDED = 2.0


@dataclass
class Judged:
    """What was found of the orders.

    Attributes:
        placed: how many there are.
        budget: how many were right: each had a reason of its own.
        reasons: how many for which reason.
        broken: those without, in words.
    """

    placed: int
    budget: int
    reasons: Counter[str]
    broken: list[str]


def judge(orders: list[Order], record: Record) -> Judged:
    """Compare orders with what was asked for, taken away, due, or spoilt.

    One that ended without a certificate may be followed by another where there was trouble in between, once for each
    trouble. All others need a cause, or an older certificate that is due. An order uses up all causes that are known
    when it is placed, and one at least.
    """
    causes: defaultdict[str, list[Cause]] = defaultdict(list)
    with record.lock:
        for cause in record.causes:
            causes[cause.hostname].append(cause)
    of_host: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        of_host[order.hostname].append(order)
    reasons: Counter[str] = Counter()
    broken: list[str] = []
    for hostname, placed in of_host.items():
        placed.sort(key=lambda order: order.at)
        used: set[int] = set()
        for number, order in enumerate(placed):
            before = placed[number - 1] if number else None
            reason = _reason(order, before, placed[:number], causes[hostname], used, record)
            if reason:
                reasons[reason] += 1
            else:
                broken.append(_words(order, before))
    return Judged(len(orders), reasons.total(), reasons, broken)


def _reason(
    order: Order, before: Order | None, earlier: list[Order], causes: list[Cause], used: set[int], record: Record
) -> str:
    open_causes = [one for one in causes if one.at <= order.at]
    if open_causes:
        unseen = [one for one in open_causes if one.may_be_unseen(order.at)]
        is_for_another = len(unseen) < len(open_causes)
        left = unseen if is_for_another else unseen[1:]
        causes[:] = [*left, *(one for one in causes if one.at > order.at)]
        if any(one.inherits for one in open_causes):
            # An order of a new owner is given up where the CA holds what the former one has proven: once for each such
            # proof. Each certificate may have left one.
            given_up = sum(1 for _ in itertools.takewhile(lambda one: not one.chain, reversed(earlier)))
            proofs = max(1, sum(bool(one.chain) for one in earlier))
            causes.append(Cause(order.hostname, "inherited proof", order.at + 1e-6, inherits=given_up + 1 < proofs))
        return open_causes[-1].why
    if before is not None and not before.chain:
        for trouble in record.troubles_between(before.at, order.at):
            if id(trouble) not in used:
                used.add(id(trouble))
                return f"again, for {trouble.kind}"
        return "again, for the CA ended it" if before.is_ended or before.is_lost else ""
    last = next((one for one in reversed(earlier) if one.chain), None)
    if last is not None:
        leaf = x509.load_pem_x509_certificate(last.chain)
        start, end = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
        clock = order.at + record.most_skew(order.at - 60, order.at) + _ROUNDED
        if clock >= start + (end - start) * _EARLIEST:
            return "renewal"
    return ""


def _words(order: Order, before: Order | None) -> str:
    if before is None:
        return f"an order for {order.hostname} that nothing had asked for"
    what = "gave a certificate" if before.chain else "gave none"
    return f"an order for {order.hostname} {order.at - before.at:.1f} s after one that {what}, without any reason"
