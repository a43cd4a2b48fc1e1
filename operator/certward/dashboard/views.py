"""The pages that show something. They read what is known and ask nobody."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from certward.dashboard import judging, listing, pages
from certward.dashboard.answers import Answers, place_of
from certward.dashboard.listing import Query
from certward.dashboard.pages import Pages
from certward.dashboard.store import Snapshot

#: What is told after a change, by the name that stands in the URL.
DONE: Final = {
    "on": "Automatic certificates are on.",
    "off": "Automatic certificates are off.",
    "profile": "The TLS policy is changed. It takes effect in a moment; handshakes show it here.",
    "none": "The TLS policy of this app alone is deleted.",
}


class Views:
    """The handlers of these pages."""

    def __init__(self, answers: Answers, rendered: Pages) -> None:
        self._answers = answers
        self._pages = rendered

    def overview(self, request: Request) -> Response:
        """The first page."""
        return self._answers.page(request, "overview.html", lambda seen, now, _: self._pages.overview(seen, now))

    def domains(self, request: Request) -> Response:
        """The Domains."""

        def context(seen: Snapshot, now: datetime, query: Query) -> dict[str, Any]:
            found, tones = listing.domains(seen.domains, query, now), judging.tones(seen.domains, now)
            return {"page": "domains", "title": "Domains", "found": found, "tones": tones}

        return self._answers.page(request, "domains.html", context)

    def apps(self, request: Request) -> Response:
        """The Apps."""

        def context(seen: Snapshot, _: datetime, query: Query) -> dict[str, Any]:
            hostnames = Counter((row.namespace, row.app) for row in seen.domains)
            found = listing.cut(listing.search(seen.apps, query.q), query)
            return {"page": "apps", "title": "Apps", "found": found, "hostnames": hostnames}

        return self._answers.page(request, "apps.html", context)

    def policies(self, request: Request) -> Response:
        """The TLSPolicies."""

        def context(seen: Snapshot, _: datetime, query: Query) -> dict[str, Any]:
            rows = sorted(seen.policies, key=lambda row: row.trouble is None)
            return {"page": "policies", "title": "Policies", "found": listing.cut(listing.search(rows, query.q), query)}

        return self._answers.page(request, "policies.html", context)

    def budget(self, request: Request) -> Response:
        """What the CAs' limits were used for."""

        def context(seen: Snapshot, now: datetime, _: Query) -> dict[str, Any]:
            told = {"waiting": pages.waiting(seen), "issued": pages.issued(seen, now)}
            return {"page": "budget", "title": "CA budget", **told}

        return self._answers.page(request, "budget.html", context)

    def domain(self, request: Request) -> Response:
        """One Domain."""
        place = place_of(request)

        def context(seen: Snapshot, _: datetime, __: Query) -> dict[str, Any]:
            row = next((one for one in seen.domains if (one.namespace, one.name) == place), None)
            app = next((a for a in seen.apps if row and (a.namespace, a.name) == (row.namespace, row.app)), None)
            return {"page": "domains", "title": row.hostname if row else place[1], "row": row, "app": app}

        return self._answers.page(request, "domain.html", context)

    def app(self, request: Request) -> Response:
        """One App."""
        place = place_of(request)
        done = DONE.get(request.query_params.get("done", ""), "")

        def context(seen: Snapshot, now: datetime, query: Query) -> dict[str, Any]:
            row = next((one for one in seen.apps if (one.namespace, one.name) == place), None)
            mine = [one for one in seen.domains if (one.namespace, one.app) == place]
            found = listing.domains(mine, query, now)
            return {"page": "apps", "title": place[1], "row": row, "found": found, "done": done}

        return self._answers.page(request, "app.html", context)

    def static(self, request: Request) -> Response:
        """A file that the pages need."""
        name = request.path_params["name"]
        if name not in self._pages.static:
            return self._answers.missing(request, Exception())
        return Response(self._pages.static[name], media_type=pages.STATIC[name])
