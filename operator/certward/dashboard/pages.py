"""The pages: templates filled with a snapshot. Reads its templates once; nothing here talks to anybody."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from certward.cli import view, words
from certward.dashboard import judging, listing
from certward.dashboard.judging import Tone
from certward.dashboard.listing import Query
from certward.dashboard.rows import DomainRow
from certward.dashboard.security import Keys
from certward.dashboard.store import Snapshot

STATIC: Final = {
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
#: The pages that are in the navigation.
NAVIGATION: Final = (
    ("", "Overview"),
    ("domains", "Domains"),
    ("apps", "Apps"),
    ("policies", "Policies"),
    ("budget", "CA budget"),
)
_SHOWN: Final = 5
_RECENT: Final = timedelta(days=7)


class Pages:
    """Renders everything.

    Attributes:
        base: the path that all pages are beneath.
        static: the files that they need, by name.
    """

    def __init__(self, keys: Keys, place: str) -> None:
        self.base = keys.base
        self._environment = Environment(
            loader=PackageLoader("certward.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        files = resources.files("certward.dashboard") / "static"
        self.static: Mapping[str, bytes] = {name: (files / name).read_bytes() for name in STATIC}
        digest = hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]
        self._environment.globals |= {
            "base": self.base,
            "place": place,
            "form_key": keys.form,
            "run": keys.run,
            "static_version": digest,
            "navigation": NAVIGATION,
            "tone_of": judging.tone,
            "is_renewed": judging.is_renewed,
            "Tone": Tone,
            "sorts": listing.SORTS,
            "count": words.count,
            "listed": words.listed,
            "sentence": words.sentence,
        }
        self._environment.filters |= {"ago": _ago, "day": _day, "stamp": words.stamp, "clock": _clock}

    def version(self, snapshot: Snapshot, now: datetime) -> str:
        """Differs whenever a page may differ; spans of time are told in minutes."""
        return f"{snapshot.version}-{int(now.timestamp()) // 60}"

    def render(self, template: str, snapshot: Snapshot, now: datetime, *, is_part: bool = False, **more: object) -> str:
        """A page, or only the part of it that changes.

        Args:
            template: of the page.
            snapshot: what is known.
            now: by which times are told.
            is_part: only the part.
            more: what else the template tells.
        """
        context: dict[str, object] = {
            "layout": "part.html" if is_part else "base.html",
            "snapshot": snapshot,
            "now": now,
            "version": self.version(snapshot, now),
            "query": Query(),
        }
        return self._environment.get_template(template).render(context | more)

    def overview(self, snapshot: Snapshot, now: datetime) -> dict[str, Any]:
        """What the first page tells."""
        judged = sorted(
            ((judging.tone(row, now), row) for row in snapshot.domains),
            key=lambda one: (one[0], one[1].expires_at or now, one[1].hostname),
        )
        urgent = [row for tone, row in judged if tone in (Tone.BAD, Tone.WARN)]
        return {
            "page": "",
            "title": "Overview",
            "tones": judging.tones(snapshot.domains, now),
            "weeks": judging.timeline(snapshot.domains, now),
            "urgent": urgent[:_SHOWN],
            "urgent_count": len(urgent),
            "grades": judging.grades(snapshot.apps),
            "automatic": sum(app.is_automatic for app in snapshot.apps),
            "troubled": [policy for policy in snapshot.policies if policy.trouble],
            "unenforced": [app for app in snapshot.apps if app.enforced.status == "False"],
            "waiting": waiting(snapshot),
        }


def waiting(snapshot: Snapshot) -> list[DomainRow]:
    """The Domains that wait for their turn at a CA."""
    return [row for row in snapshot.domains if row.reason in ("WaitingForBudget", "RateLimited")]


def issued(snapshot: Snapshot, now: datetime) -> list[tuple[str, int]]:
    """How many automatic certificates that are served were issued in the last seven days, by registered domain."""
    counts = Counter(
        view.registered_domain(row.hostname.removeprefix("*.")) or row.hostname
        for row in snapshot.domains
        if row.is_automatic and row.issued_at and timedelta() <= now - row.issued_at < _RECENT
    )
    return counts.most_common(10)


def _ago(at: datetime | None, now: datetime) -> str:
    return words.ago(at, now) if at else ""


def _day(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d") if at else ""


def _clock(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S UTC") if at else ""
