"""Whose a hostname is where several Domains claim it, or a wildcard and names directly below it.

Claims are settled in the order of their age: one holds where no older one that holds conflicts with it. So one that was
refused keeps nobody else from anything. In a namespace a wildcard and the names below it do not conflict.

Each hostname has one claim at most that holds: without a wildcard, its first. Where `*.d` is claimed too, it is enough
to know of the names directly below d which claim is the first to each, and of the oldest of these which namespaces they
are from: what is older than the claim to `*.d` that holds is not kept back by it. That is kept sorted, so that one name
among ten thousand comes and goes without a look at the others.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from certward.model.hostnames import is_wildcard, parent
from certward.model.resources import Domain, Key, key_of

_Age = tuple[datetime, str, str]


class _First(NamedTuple):
    """The oldest claim to a name; they sort by age, which no two Domains share."""

    age: _Age
    hostname: str

    @property
    def namespace(self) -> str:
        return self.age[1]


class Claims:
    """The claims of all Domains. Not for several threads at once.

    Args:
        may_claim: whether a Domain may have its hostname at all; of one Domain it always says the same.
    """

    def __init__(self, may_claim: Callable[[Domain], bool] = lambda _: True) -> None:
        self._may_claim = may_claim
        self._by_hostname: dict[str, dict[Key, Domain]] = {}
        self._below: dict[str, set[str]] = {}
        self._contests: dict[str, _Contest] = {}

    def put(self, domain: Domain) -> set[Key]:
        """Take in a Domain, or what has become of one with the same hostname.

        Returns:
            Those for whom it may make a difference although they do not conflict with it.
        """
        there = self._by_hostname.setdefault(domain.hostname, {})
        known = there.get(key_of(domain))
        there[key_of(domain)] = domain
        if known is not None and _claim(known) == _claim(domain):
            return set()
        if not is_wildcard(domain.hostname):
            self._below.setdefault(parent(domain.hostname), set()).add(domain.hostname)
        return self._settle(domain.hostname)

    def drop(self, domain: Domain) -> set[Key]:
        """Forget a Domain that was put.

        Returns:
            As `put` does.
        """
        hostname, above = domain.hostname, parent(domain.hostname)
        there = self._by_hostname[hostname]
        del there[key_of(domain)]
        if not there:
            del self._by_hostname[hostname]
            if not is_wildcard(hostname):
                self._below[above].discard(hostname)
                if not self._below[above]:
                    del self._below[above]
        return self._settle(hostname)

    def conflicting(self, hostname: str) -> list[Domain]:
        """The Domains of any namespace with this hostname or one that conflicts with it, whether they may or not."""
        above = parent(hostname)
        names = {hostname, *self._below.get(above, ())} if is_wildcard(hostname) else (hostname, f"*.{above}")
        return [domain for name in names for domain in self._by_hostname.get(name, {}).values()]

    def covered(self, name: str) -> list[Domain]:
        """The Domains for whose hostnames a certificate with this name is."""
        names = {name, *self._below.get(parent(name), ())} if is_wildcard(name) else (name,)
        return [domain for name in names for domain in self._by_hostname.get(name, {}).values()]

    def holder(self, hostname: str) -> Domain | None:
        """The Domain that has this hostname; None where nobody may, or a wildcard keeps all from it."""
        contest = self._contests.get(parent(hostname))
        first = contest.holder if contest else None
        if is_wildcard(hostname):
            return self._by_hostname[hostname][_key(first)] if first else None
        claimants = self._claimants(hostname)
        oldest = min(claimants, key=_age, default=None)
        if oldest is None or first is None or _age(oldest) < first:
            return oldest
        return min((one for one in claimants if one.meta.namespace == first[1]), key=_age, default=None)

    def owner_of(self, domain: Domain) -> Domain:
        """The oldest Domain that keeps one from its hostname; the Domain itself where none does."""
        hostname, namespace = domain.hostname, domain.meta.namespace
        contest = self._contests.get(parent(hostname))
        wildcard = self.holder(f"*.{parent(hostname)}")
        against = [wildcard] if wildcard and (hostname == wildcard.hostname or _is_elsewhere(wildcard, domain)) else []
        if not is_wildcard(hostname):
            against += [one for one in (self.holder(hostname),) if one]
        elif contest and (first := contest.oldest_outside(namespace)):
            # Either it holds, or the wildcard that keeps it from doing so is older.
            against.append(self._by_hostname[first.hostname][_key(first.age)])
        return min((one for one in against if _age(one) < _age(domain)), key=_age, default=domain)

    def _claimants(self, hostname: str) -> list[Domain]:
        there = self._by_hostname.get(hostname, {}).values()
        return [domain for domain in there if not domain.meta.is_deleting and self._may_claim(domain)]

    def _first(self, hostname: str) -> _First | None:
        age = min(map(_age, self._claimants(hostname)), default=None)
        return _First(age, hostname) if age else None

    def _settle(self, hostname: str) -> set[Key]:
        """See who has the wildcard beside or above a hostname, whose claims have changed.

        Returns:
            All whom it concerns where that is another one than before.
        """
        above = parent(hostname)
        wildcard = f"*.{above}"
        if wildcard not in self._by_hostname:
            self._contests.pop(above, None)
            return set()
        contest = self._contests.get(above)
        if contest is None:
            contest = self._contests[above] = _Contest()
            for name in self._below.get(above, ()):
                contest.place(name, self._first(name))
        elif not is_wildcard(hostname) and not contest.place(hostname, self._first(hostname)):
            return set()
        before = contest.holder
        contest.settle(map(_age, self._claimants(wildcard)))
        return set() if contest.holder == before else set(map(key_of, self.conflicting(wildcard)))


class _Contest:
    """Who has `*.d`, among those who claim it and those who come first to a name directly below d.

    Attributes:
        holder: the age of the claim to `*.d` that holds; None: none does.
    """

    def __init__(self) -> None:
        self.holder: _Age | None = None
        self._firsts: dict[str, _First] = {}
        self._by_namespace: dict[str, list[_First]] = {}
        self._heads: list[_First] = []  # the oldest of each namespace

    def place(self, hostname: str, first: _First | None) -> bool:
        """Have this be the first claim to a name below; None: there is none any more.

        Returns:
            Whether that can make a difference to the wildcard.
        """
        known = self._firsts.get(hostname)
        if known == first:
            return False
        before = self._heads[:2]
        if known:
            self._take_out(known)
            del self._firsts[hostname]
        if first:
            self._put_in(first)
            self._firsts[hostname] = first
        return self._heads[:2] != before

    def settle(self, claims: Iterable[_Age]) -> None:
        """Find out which of the claims to the wildcard holds: the oldest before which no other namespace has a name."""
        self.holder = next((age for age in sorted(claims) if not self._is_late(age)), None)

    def oldest_outside(self, namespace: str) -> _First | None:
        """The oldest of the first claims to names below, among those of other namespaces."""
        return next((first for first in self._heads[:2] if first.namespace != namespace), None)

    def _is_late(self, age: _Age) -> bool:
        first = self.oldest_outside(age[1])
        return first is not None and first.age < age

    def _put_in(self, first: _First) -> None:
        line = self._by_namespace.setdefault(first.namespace, [])
        if not line or first < line[0]:
            if line:
                _remove(self._heads, line[0])
            insort(self._heads, first)
        insort(line, first)

    def _take_out(self, first: _First) -> None:
        line = self._by_namespace[first.namespace]
        is_head = line[0] == first
        _remove(line, first)
        if is_head:
            _remove(self._heads, first)
            if line:
                insort(self._heads, line[0])
        if not line:
            del self._by_namespace[first.namespace]


def _remove(line: list[_First], first: _First) -> None:
    del line[bisect_left(line, first)]


def _age(domain: Domain) -> _Age:
    return domain.meta.age_order


def _key(age: _Age) -> Key:
    return Key(Domain.kind, age[1], age[2])


def _claim(domain: Domain) -> tuple[object, ...]:
    return domain.meta.age_order, domain.meta.is_deleting


def _is_elsewhere(one: Domain, other: Domain) -> bool:
    return one.meta.namespace != other.meta.namespace
