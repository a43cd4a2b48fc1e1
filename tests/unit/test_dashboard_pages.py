"""How the dashboard judges, searches and cuts, and what it keeps of what the cluster says."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from certward.dashboard import judging, listing, pages
from certward.dashboard.judging import Tone
from certward.dashboard.listing import Query
from certward.dashboard.rows import DomainRow, row_of
from certward.dashboard.security import Keys
from certward.dashboard.store import Cause, Store, Trouble
from certward.model.resources import Domain
from dashboard import clients, worlds

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NOT_READY = [{"type": "Ready", "status": "False", "reason": "x", "message": ""}]
MANUAL = {"source": "Manual", "notAfter": "2027-02-01T00:00:00Z"}
ENDING = {"source": "Manual", "notAfter": "2026-12-01T00:00:00Z"}


def row(**status: object) -> DomainRow:
    found = row_of(Domain.from_body(worlds.domain("www.example.com", "shop", "team-a", NOW, **status)))
    assert isinstance(found, DomainRow)
    return found


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        pytest.param({}, Tone.GOOD, id="served"),
        pytest.param({"state": "Failed", "reason": "CARejected"}, Tone.BAD, id="failed"),
        pytest.param({"state": "Failing", "reason": "DNSNotFound"}, Tone.WARN, id="failing with a certificate"),
        pytest.param({"state": "Failing", "certificate": None}, Tone.BAD, id="failing without one"),
        pytest.param({"expires": NOW - DAY}, Tone.BAD, id="expired"),
        pytest.param({"conditions": NOT_READY}, Tone.WARN, id="issued and not served"),
        pytest.param({"reason": "DNSWrongTarget"}, Tone.WARN, id="renewal fails"),
        pytest.param({"reason": "AutomaticDisabled"}, Tone.IDLE, id="off, far from its end"),
        pytest.param({"reason": "AutomaticDisabled", "expires": NOW + 20 * DAY}, Tone.WARN, id="off, near its end"),
        pytest.param({"certificate": MANUAL}, Tone.GOOD, id="manual"),
        pytest.param({"certificate": ENDING}, Tone.WARN, id="manual, near its end"),
        pytest.param({"state": "InProgress", "certificate": None}, Tone.BUSY, id="in progress"),
        pytest.param({"state": "DNSVerified", "certificate": None}, Tone.BUSY, id="verified"),
        pytest.param({"state": "", "certificate": None}, Tone.BUSY, id="not seen yet"),
        pytest.param({"state": "Waiting", "reason": "WaitingForBudget", "certificate": None}, Tone.BUSY, id="in line"),
        pytest.param({"state": "Waiting", "reason": "AutomaticDisabled", "certificate": None}, Tone.IDLE, id="off"),
        pytest.param({"state": "Waiting", "reason": "HostnameTaken", "certificate": None}, Tone.WARN, id="taken"),
    ],
)
def test_tone(status: dict[str, object], tone: Tone) -> None:
    assert judging.tone(row(**status), NOW) is tone


def test_the_timeline_counts_every_certificate_once() -> None:
    rows = [row(expires=NOW + timedelta(days=days)) for days in range(-3, 200, 4)]
    rows += [row(certificate=MANUAL), row(certificate=None), row(expires=NOW, reason="DNSNotFound")]
    weeks = judging.timeline(rows, NOW)
    assert sum(week.total for week in weeks) == sum(one.expires_at is not None for one in rows)
    assert (weeks[0].key, weeks[0].total) == ("past", 2)
    assert sum(week.unattended for week in weeks) == 2
    for week in weeks:
        assert week.total == sum(judging.span_of(one, NOW) == week.key for one in rows)


def test_what_needs_somebody_comes_first() -> None:
    snapshot = worlds.big(NOW, 200).snapshot()
    found = listing.domains(snapshot.domains, Query(), NOW)
    tones = [judging.tone(one, NOW) for one in found.rows]
    assert tones == sorted(tones)
    assert tones[0] is Tone.BAD
    assert (found.found, found.first, found.last, found.page, found.pages) == (200, 1, 50, 1, 4)


def test_pages_hold_every_row_once() -> None:
    rows = worlds.big(NOW, 120).snapshot().domains
    for sort in listing.SORTS:
        shown = [one for page in (1, 2, 3) for one in listing.domains(rows, Query(sort=sort, page=page), NOW).rows]
        assert sorted(one.hostname for one in shown) == sorted(one.hostname for one in rows)
    assert listing.domains(rows, Query(page=99), NOW).page == 3
    assert listing.domains((), Query(page=99), NOW) == listing.Listing([], 0, 1, 1)


@pytest.mark.parametrize(
    ("words", "hostnames"),
    [
        ("blog", {"blog.example.org"}),
        ("SHOP www", {"www.shop.example.com"}),
        ("team-a/shop", {"shop.example.com", "www.shop.example.com"}),
        ("automaticdisabled", {"blog.example.org"}),
        ("cert issued", {"blog.example.org", "shop.example.com", "www.shop.example.com"}),
        ("nothing", set()),
    ],
)
def test_search(words: str, hostnames: set[str]) -> None:
    rows = worlds.small(NOW).snapshot().domains
    assert {one.hostname for one in listing.search(rows, words)} == hostnames


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "٣", "9" * 40, "1.5"])
def test_a_page_that_is_no_number_is_the_first(page: str) -> None:
    assert Query.of({"page": page, "sort": "x", "state": "x", "q": "x" * 1000}) == Query(q="x" * 200)


def test_a_link_keeps_what_was_asked_for_and_counts_pages_anew() -> None:
    query = Query(q="a&b", state="bad", page=3)
    assert query.url(sort="expires") == "?q=a%26b&state=bad&sort=expires"
    assert query.url(page=4) == "?q=a%26b&state=bad&page=4"
    assert Query(q="x").url(q="") == "?"


def test_a_snapshot_is_made_anew_only_when_something_has_changed() -> None:
    store = worlds.small(NOW)
    before = store.snapshot()
    body = worlds.domain("shop.example.com", "shop", "team-a", NOW, expires=NOW + 72 * DAY)
    store.change("Domain", "MODIFIED", body)
    assert store.snapshot() is before
    store.change("Domain", "MODIFIED", body | {"status": {"state": "Failed"}})
    assert store.snapshot().version > before.version
    store.change("Domain", "DELETED", body)
    store.change("Domain", "DELETED", body)
    assert len(store.snapshot().domains) == 2


def test_a_list_of_one_namespace_leaves_the_others_alone() -> None:
    store = worlds.small(NOW)
    store.replace("Domain", "team-a", [])
    assert [one.namespace for one in store.snapshot().domains] == ["team-b"]
    store.replace("Domain", "", [])
    assert not store.snapshot().domains


def test_an_object_that_cannot_be_read_is_passed_over() -> None:
    store = Store()
    good = worlds.domain("www.example.com", "shop", "team-a", NOW)
    for broken in ({}, {"metadata": {}}, {**good, "spec": {}}, {**good, "spec": None}, {**good, "status": {"dns": 3}}):
        store.replace("Domain", "", [broken, good])
        assert [one.hostname for one in store.snapshot().domains] == ["www.example.com"]


def test_a_trouble_is_told_once_and_taken_back() -> None:
    store = worlds.small(NOW)
    for kind in ("App", "Domain"):
        store.trouble(f"{kind}/", Trouble("It does not answer.", seen_at=NOW if kind == "App" else NOW - DAY))
    assert store.snapshot().troubles == (Trouble("It does not answer.", seen_at=NOW - DAY),)
    seen = store.snapshot()
    store.trouble("App/", Trouble("It does not answer.", seen_at=NOW))
    assert store.snapshot() is seen
    store.trouble("App/", None)
    store.trouble("Domain/", None)
    assert store.snapshot().troubles == ()


def test_what_was_issued_is_counted_by_registered_domain() -> None:
    snapshot = worlds.filled(
        [],
        [
            worlds.domain(hostname, "shop", "team-a", NOW, expires=NOW + days * DAY)
            for hostname, days in (
                ("a.example.co.uk", 89),
                ("*.b.example.co.uk", 84),
                ("example.com", 90),
                ("old.org", 60),
            )
        ],
        [],
    ).snapshot()
    assert pages.issued(snapshot, NOW) == [("example.co.uk", 2), ("example.com", 1)]


def shown(store: Store, path: str) -> str:
    keys = Keys()
    return clients.entering(clients.stranger(keys, store), keys).get(f"{keys.base}{path}").text


def test_of_a_kind_that_was_never_seen_nothing_is_claimed() -> None:
    """Such as of policies, by somebody who may not list them: no conflicts would be a lie."""
    store = worlds.small(NOW)
    partial = Store()
    partial.replace("App", "", [worlds.app("shop", "team-a", NOW)])
    partial.trouble("x", Trouble("You have no right.", Cause.DENIED))
    paths = ("", "domains", "apps", "policies", "budget", "apps/team-a/shop", "domains/team-a/shop-example-com")
    for path in paths:
        assert "Not known." in shown(partial, path) or path == "apps", path
        assert "Not known." not in shown(store, path), path
        for claim in ("There is no", "No conflicts", "has none yet", "No domain waits", "None of the cert"):
            assert claim not in shown(partial, path), (path, claim)
    assert "<b>?</b><span>Domains</span>" in shown(partial, "")
    empty = worlds.filled([], [], [])
    assert "There is no domain yet." in shown(empty, "domains")
    assert "No conflicts. 0 policies are in place." in shown(empty, "")


def test_troubles_say_what_they_are_about_and_as_of_when_things_are_shown() -> None:
    store = worlds.small(NOW)
    store.trouble("a", Trouble("It is away.", seen_at=NOW))
    store.trouble("b", Trouble("You have no right.", Cause.DENIED))
    store.trouble("c", Trouble("It is broken.", Cause.BROKEN))
    text = re.sub(r"\s+", " ", shown(store, ""))
    away = "It is away. What is shown is as of 12:00:00 UTC. It is tried again all the time."
    assert f"<strong>The cluster does not answer.</strong> {away}" in text
    assert "<strong>You may not see everything.</strong> You have no right.</div>" in text
    assert "<strong>Not everything is kept up to date.</strong> It is broken.</div>" in text


@pytest.mark.parametrize("path", ["", "domains", "apps", "policies", "budget", "apps/a/b-c", "domains/a/b-c"])
def test_no_two_elements_have_the_same_id(path: str) -> None:
    """Also where two names read the same with a hyphen between them; by the id focus comes back."""
    apps = [worlds.app("c", "a-b", NOW, automatic=False), worlds.app("b-c", "a", NOW)]
    for app in apps:
        app["status"]["conditions"] = [{"type": "PolicyEnforced", "status": "False", "reason": "x", "message": "y"}]
    domains = [worlds.domain(f"{name}.example.com", name, space, NOW) for name, space in (("c", "a-b"), ("b-c", "a"))]
    for domain in domains:
        domain["metadata"]["name"] = domain["spec"]["appRef"]["name"]
        domain["status"] |= {"state": "Waiting", "reason": "WaitingForBudget"}
    failing = [{**one, "status": {**one["status"], "state": "Failed"}} for one in domains]
    for some in (domains, failing):
        ids = re.findall(r'\sid="([^"]*)"', shown(worlds.filled(apps, some, []), path))
        assert len(ids) == len(set(ids))


def test_a_registered_domain_is_not_told_to_have_a_cname() -> None:
    store = worlds.filled([], [worlds.domain("example.com", "shop", "team-a", NOW)], [])
    assert "ALIAS or ANAME to edge.example.net" in shown(store, "domains/team-a/example-com")
