"""Which rows a page shows: searched, filtered, the ones that need somebody first, a screenful at a time. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from certward.dashboard import judging
from certward.dashboard.judging import Tone
from certward.dashboard.rows import AppRow, DomainRow, PolicyRow

R = TypeVar("R", DomainRow, AppRow, PolicyRow)

SIZE: Final = 50
_LONGEST: Final = 200
_NUMBER: Final = re.compile("[1-9][0-9]{0,5}")
SORTS: Final = {"attention": "What needs attention first", "hostname": "Hostname", "expires": "Expiry"}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.

    Attributes:
        q: words that all have to be found.
        state: name of a tone; empty for any.
        expires: a span of the timeline; empty for any.
        sort: a key of SORTS.
        page: from 1.
    """

    q: str = ""
    state: str = ""
    expires: str = ""
    sort: str = "attention"
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Query":
        """Read the parameters of a URL; what is no such thing counts as not given."""
        state, sort = given.get("state", ""), given.get("sort", "")
        return cls(
            q=given.get("q", "")[:_LONGEST].strip(),
            state=state if state.upper() in Tone.__members__ else "",
            expires=given.get("expires", "")[:8],
            sort=sort if sort in SORTS else "attention",
            page=int(page) if (page := given.get("page", "")) and _NUMBER.fullmatch(page) else 1,
        )

    def url(self, **changes: object) -> str:
        """The query of a link to the same with changes; another page counts from the first again."""
        given = {"q": self.q, "state": self.state, "expires": self.expires, "sort": self.sort, "page": 1} | changes
        defaults = {"sort": "attention", "page": 1}
        kept = {name: value for name, value in given.items() if value and value != defaults.get(name)}
        return f"?{urlencode(kept)}" if kept else "?"

    @property
    def is_narrowed(self) -> bool:
        """Whether anything may be left out."""
        return bool(self.q or self.state or self.expires)


@dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """A screenful of what was found.

    Attributes:
        rows: those that are shown.
        found: how many there are on all pages.
        page, pages: which one this is, of how many.
    """

    rows: Sequence[R]
    found: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        """The number of the first row that is shown, from 1."""
        return (self.page - 1) * SIZE + 1 if self.found else 0

    @property
    def last(self) -> int:
        """The number of the last row that is shown."""
        return self.first + len(self.rows) - 1 if self.found else 0


def domains(rows: Sequence[DomainRow], query: Query, now: datetime) -> Listing[DomainRow]:
    """The Domains that are asked for."""
    found = search(rows, query.q)
    if query.expires:
        found = [row for row in found if judging.span_of(row, now) == query.expires]
    judged = [(judging.tone(row, now), row) for row in found]
    if query.state:
        judged = [one for one in judged if one[0] is Tone[query.state.upper()]]
    last = datetime.max.replace(tzinfo=now.tzinfo)
    if query.sort == "attention":
        judged.sort(key=lambda one: (one[0], one[1].expires_at or last, one[1].hostname))
    elif query.sort == "expires":
        judged.sort(key=lambda one: (one[1].expires_at or last, one[1].hostname))
    return cut([row for _, row in judged], query)


def search(rows: Sequence[R], words: str) -> list[R]:
    """The rows in which all words are found."""
    asked = words.lower().split()
    return [row for row in rows if all(row.is_found_by(word) for word in asked)]


def cut(rows: Sequence[R], query: Query) -> Listing[R]:
    """The page that is asked for, or the last one there is."""
    pages = max(1, -(-len(rows) // SIZE))
    page = min(query.page, pages)
    return Listing(rows[(page - 1) * SIZE : page * SIZE], len(rows), page, pages)
