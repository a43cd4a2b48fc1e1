"""Orders that were granted at one account, what they use of its limits, and what the CA said to wait for.

No clock, no threads, no I/O. The CA has the last word: what it refuses is not tried again before the time it names,
whatever the books say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from certward.model.resources import Key
from certward.plan.claims import ACCOUNT, Claims, Exemptions, claims_of, scopes
from certward.plan.turns import OrderRequest
from certward.plan.windows import Books, Limit, Subject

#: How many orders may be open at a time.
OPEN_ORDERS: Final = 50
#: After so many seconds an order that is still open gives its place to another, and goes on.
PLACE_HELD: Final = 600
#: After so many seconds no CA knows an order any more.
_FORGOTTEN: Final = 7 * 24 * 3600


@dataclass(slots=True)
class _Grant:
    claims: Claims
    at: float
    is_counted: bool = True
    is_placed: bool = False
    has_place: bool = True


class Grants:
    """Of one account. Times are seconds of the epoch. Not for many threads.

    Attributes:
        books: what has been used.
        held: until when the CA wants to hear nothing of a subject.
        words: how it said so, as far as this process has heard it.
        changes: grows with each change that may let others go.
    """

    def __init__(
        self,
        limits: Mapping[Limit, int],
        registered: Callable[[str], str],
        exempt: Exemptions,
        places: int = OPEN_ORDERS,
    ) -> None:
        """Begin with nothing used.

        Args:
            limits: how much is allowed in a window; 0 or absent is no limit.
            registered: hostname -> registered domain.
            exempt: what the CA does not count.
            places: how many orders may be open at a time.
        """
        self.books = Books(limits)
        self.held: dict[Subject, int] = {}
        self.words: dict[Subject, str] = {}
        self.changes = 0
        self._registered = registered
        self._exempt = exempt
        self._places = places
        self._granted: dict[Key, _Grant] = {}
        self._is_probing = False  # after a refusal of all orders one goes first

    @property
    def open(self) -> int:
        """How many orders have a place."""
        return sum(grant.has_place for grant in self._granted.values())

    def places(self) -> int:
        """How many orders more may be opened now."""
        places = self._places - self.open
        if self._is_probing:
            is_trying = any(grant.has_place and not grant.is_placed for grant in self._granted.values())
            return 0 if is_trying else min(places, 1)
        return places

    def claims(self, request: OrderRequest) -> Claims:
        """What an order has to keep to here."""
        return claims_of(request, self._registered, self._exempt)

    def is_granted(self, key: Key) -> bool:
        """Whether it may place its order and has not said yet that it did."""
        grant = self._granted.get(key)
        return grant is not None and not grant.is_placed

    def may_go(self, claims: Claims, now: float) -> bool:
        """Whether all limits have room for it, and the CA does not want it to wait."""
        has_room = all(self.books.has_room(subject, now) for subject in claims.checked)
        is_held = max(self.held_until(claims), self.held.get(ACCOUNT, 0)) > now
        return has_room and self.places() > 0 and not is_held

    def held_until(self, claims: Claims) -> int:
        """Until when the CA wants to hear nothing of an order that it would not want to hear of others too.

        Renewals that it exempts are not held by the limit of a registered domain.
        """
        return max((self.held.get(subject, 0) for subject in _holding(claims) if subject != ACCOUNT), default=0)

    def hold(self, claims: Claims, now: float) -> tuple[int, str] | None:
        """Until when the CA does not want to hear of an order, and how it said so; None where it said nothing.

        The words are empty where another process has heard them.
        """
        longest = max(_holding(claims), key=lambda subject: self.held.get(subject, 0))
        until = self.held.get(longest, 0)
        return (until, self.words.get(longest, "")) if until > now else None

    def grant(self, key: Key, claims: Claims, now: float) -> None:
        """Count an order that is placed now."""
        for subject in claims.counted:
            self.books.count(subject, now)
        self._granted[key] = _Grant(claims, now)

    def placed(self, key: Key, now: float) -> None:
        """The CA has taken the order."""
        self._is_probing = False
        self.changes += 1
        grant = self._granted.get(key)
        if grant is None:
            return
        grant.is_placed = True
        if ACCOUNT in grant.claims.counted and grant.is_counted:
            self.books.refund(ACCOUNT, grant.at)
            self.books.count(ACCOUNT, now)

    def resumed(self, request: OrderRequest, now: float) -> None:
        """An order that was placed by an earlier process goes on; it has a place and is not counted again."""
        if request.key not in self._granted:
            self._granted[request.key] = _Grant(self.claims(request), now, is_counted=False, is_placed=True)

    def cancelled(self, key: Key) -> None:
        """The CA has not taken the order, for certain: nothing was used."""
        grant = self.end(key)
        if grant is not None and grant.is_counted and not grant.is_placed:
            for subject in grant.claims.counted:
                self.books.refund(subject, grant.at)

    def failed(self, key: Key, now: float, *, is_validation: bool) -> None:
        """The order gives no certificate; it stays counted as an order. A failed validation counts as such."""
        grant = self.end(key)
        if grant is None:
            return
        for subject in grant.claims.counted:
            if subject != ACCOUNT and grant.is_counted:
                self.books.refund(subject, grant.at)
        for subject in grant.claims.concerned:
            if is_validation and subject.limit is Limit.FAILURES:
                self.books.count(subject, now)

    def issued(self, key: Key, now: float) -> bool:
        """The certificate was issued: it counts from now on, for the CA counts it when it is made.

        Returns:
            Whether the order was open: it may be told again, as long as the certificate cannot be kept.
        """
        grant = self.end(key)
        if grant is None:
            return False
        for subject in grant.claims.counted:
            if subject != ACCOUNT:
                if grant.is_counted:
                    self.books.refund(subject, grant.at)
                self.books.count(subject, now)
        return True

    def rate_limited(self, key: Key, until: float, message: str, claims: Claims | None = None) -> None:
        """The CA refused the order for now: nothing like it is sent before `until`.

        What is like it is every order of the account, unless the CA names the limit of one registered domain, set of
        names or hostname.
        """
        grant = self._granted.get(key)
        self.cancelled(key)
        for subject in scopes(message, grant.claims if grant else claims):
            self.held[subject] = max(int(until) + 1, self.held.get(subject, 0))
            self.words[subject] = message
            self._is_probing |= subject == ACCOUNT
        self.changes += 1

    def recall(self, books: Books, held: Mapping[Subject, int], now: float) -> None:
        """Take over what is known from elsewhere instead of the books and holds so far."""
        books.prune(now)
        books.beside = self.books.beside
        self.books = books
        self.held = dict(held)
        self.changes += 1

    def heard(self, held: Mapping[Subject, int]) -> None:
        """Others have used limits too, or have been told by the CA to wait."""
        self.held = {each: max(self.held.get(each, 0), held.get(each, 0)) for each in {**self.held, **held}}
        self.changes += 1

    def recover(self, request: OrderRequest, at: float) -> None:
        """Count an order that left a trace and may not be on the books."""
        for subject in self.claims(request).counted:
            self.books.count(subject, at)
        self.changes += 1

    def shift(self, seconds: float, hours: int) -> None:
        """The clock was set: move what is remembered, the books by whole hours and never to an earlier age."""
        self.books = self.books.shifted(hours)
        for grant in self._granted.values():
            grant.at += hours * 3600
        self.held = {subject: int(until + seconds) + 1 for subject, until in self.held.items()}
        self.changes += 1

    def tidy(self, now: float) -> None:
        """Free the places of orders that take too long, and forget holds that are over."""
        for key, grant in list(self._granted.items()):
            age = now - grant.at
            if age > PLACE_HELD and grant.has_place:
                grant.has_place = False
                self.changes += 1
            if age > (_FORGOTTEN if grant.is_placed else PLACE_HELD):
                self.end(key)
        self.held = {subject: until for subject, until in self.held.items() if until > now}

    def end(self, key: Key) -> _Grant | None:
        """The order is open no more."""
        grant = self._granted.pop(key, None)
        if grant is not None:
            self.changes += 1
        return grant


def _holding(claims: Claims) -> Iterator[Subject]:
    """What of an order's subjects may hold it up, the account among them."""
    return (each for each in claims.concerned if each.limit is not Limit.CERTIFICATES or each in claims.checked)
