"""The dashboard in a real browser, over objects that the test makes up: its pages, keys, updates and guards."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from certward.dashboard.store import Store, Trouble
from cluster.waiting import wait_for
from dashboard import browsing, worlds
from dashboard.browsing import Tab
from dashboard.elsewhere import elsewhere
from dashboard.serving import Served, serving

PAGES = ("", "domains", "apps", "policies", "budget", "domains/team-b/blog-example-org", "apps/team-a/shop")


@pytest.fixture
def store() -> Store:
    return worlds.small(worlds.now())


@pytest.fixture
def served(store: Store) -> Iterator[Served]:
    with serving(store) as at:
        yield at


@pytest.fixture
def tab(browser: Browser, served: Served) -> Iterator[Tab]:
    with browsing.tab(browser) as opened:
        opened.enter(served.entry)
        yield opened
        assert opened.complaints == []


@pytest.mark.parametrize("width", [360, 820, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(browser: Browser, served: Served, scheme: str, width: int) -> None:
    """The rules of axe-core, which include contrast, names and roles (WCAG 2.2 as far as a program can tell)."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with browsing.tab(browser, **options) as tab:
        tab.enter(served.entry)
        for path in PAGES:
            tab.page.goto(f"{served.base}{path}")
            found = Axe().run(tab.page)
            assert not found.response["violations"], (path, found.generate_report())
            assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_browser_asks_this_server_only_and_its_policy_is_kept(tab: Tab, served: Served) -> None:
    for path in PAGES:
        tab.page.goto(f"{served.base}{path}")
        tab.page.wait_for_load_state("networkidle")
    assert {request.url.split("/")[2] for request in tab.requests} == {served.authority}
    assert "key=" not in tab.page.url


def test_a_page_of_a_file_leads_in(browser: Browser, served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As `kubectl certward dashboard` opens it: a browser must send the strict cookie along after that."""
    file = tmp_path_factory.mktemp("opened") / "dashboard.html"
    file.write_text(f'<meta http-equiv="refresh" content="0; url={served.entry}">')
    with browsing.tab(browser) as tab:
        tab.page.goto(file.as_uri())
        tab.page.wait_for_url(served.base)
        assert "Overview" in tab.text


def test_changes_are_shown_and_told_while_one_looks(tab: Tab, store: Store) -> None:
    now = worlds.now()
    failed = {"state": "Failed", "reason": "CARejected", "message": "<b>Refused</b> by the CA."}
    store.change("Domain", "MODIFIED", worlds.domain("shop.example.com", "shop", "team-a", now, **failed))
    tab.until_text("<b>Refused</b> by the CA.")
    assert "2 domains need attention" in tab.page.text_content("#news")
    store.trouble("Domain/", Trouble("It is away."))
    tab.until_text("It is away.")
    assert "The cluster does not answer." in tab.page.text_content("#news")
    store.trouble("Domain/", None)
    tab.until("!document.querySelector('[data-trouble]')")


def test_focus_and_what_was_typed_survive_an_update(tab: Tab, served: Served, store: Store) -> None:
    tab.page.goto(f"{served.base}domains")
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("shop")
    tab.until("document.querySelectorAll('tbody tr').length === 2")
    now = worlds.now()
    store.change("Domain", "ADDED", worlds.domain("new.shop.example.com", "shop", "team-a", now))
    tab.until("document.querySelectorAll('tbody tr').length === 3")
    assert tab.page.evaluate("document.activeElement.id") == "q"
    tab.page.keyboard.type(" new")
    tab.until("document.querySelectorAll('tbody tr').length === 1")
    tab.page.focus("tbody a")
    name = tab.page.evaluate("document.activeElement.id")
    store.change("Domain", "MODIFIED", worlds.domain("new.shop.example.com", "shop", "team-a", now, reason="X"))
    tab.until_text("X")
    assert tab.page.evaluate("document.activeElement.id") == name


def test_it_is_all_reached_by_the_keyboard(tab: Tab, served: Served) -> None:
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("document.activeElement.id") == "content"
    tab.page.goto(f"{served.base}apps/team-a/shop")
    reached = []
    for _ in range(40):
        tab.page.keyboard.press("Tab")
        reached.append(tab.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"q", "theme", "do-automatic", "do-profile", "d-team-a.shop-example-com", "CA budget"} <= set(reached)


def test_light_and_dark_follow_the_system_and_then_the_user(browser: Browser, served: Served) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with browsing.tab(browser, color_scheme="dark") as tab:
        tab.enter(served.entry)
        dark = tab.page.evaluate(colour)
        tab.page.click("#theme")
        light = tab.page.evaluate(colour)
        tab.page.reload()
        assert tab.page.evaluate(colour) == light != dark


def test_it_says_so_when_the_command_has_ended(browser: Browser, store: Store) -> None:
    with browsing.tab(browser) as tab:
        with serving(store) as served:
            tab.enter(served.entry)
        tab.until_text("The dashboard does not answer.")
        assert "3" in tab.text


def test_a_url_that_was_used_leads_who_is_in_back_to_the_dashboard(
    browser: Browser, served: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From a file the strict cookie is not sent along, so the refusal offers a link, with which it is."""
    file = tmp_path_factory.mktemp("opened") / "dashboard.html"
    file.write_text(f'<meta http-equiv="refresh" content="0; url={served.entry}">')
    with browsing.tab(browser) as tab:
        tab.enter(served.entry)
        tab.page.goto(file.as_uri())
        tab.until_text("a browser has used it already")
        tab.page.get_by_role("link").click()
        tab.page.wait_for_url(served.base)
        assert "Overview" in tab.text
    with browsing.tab(browser) as other:
        assert other.page.goto(served.entry).status == 403


def test_it_works_without_scripts(browser: Browser, served: Served) -> None:
    with browsing.tab(browser, java_script_enabled=False) as tab:
        tab.enter(served.entry)
        tab.page.fill("#q", "blog")
        tab.page.press("#q", "Enter")
        assert "1 domain with “blog”." in tab.text


def test_a_page_on_another_port_gets_no_cookie_and_can_do_nothing(browser: Browser, served: Served) -> None:
    """Another port of the same host is the same site, so SameSite is no help; a page that knew the path would fail."""
    form = f'<form id="f" method="post" action="{served.base}apps/team-a/shop/automatic"><input name="to" value="off">'
    html = f'{form}</form><iframe src="{served.base}"></iframe><script>document.cookie</script>'
    host = served.authority.partition(":")[0]
    fetching = "url => fetch(url, {credentials: 'include'}).then(a => a.text(), () => 'no')"
    with elsewhere(html, host) as there, browsing.tab(browser) as tab:
        tab.enter(served.entry)
        tab.page.goto(there.url)
        assert "Overview" not in (tab.page.frames[1].content() if len(tab.page.frames) > 1 else "")
        assert tab.page.evaluate(fetching, served.base) == "no"
        with tab.page.expect_navigation():
            tab.page.evaluate("document.getElementById('f').submit()")
        assert re.search("does not come from a page of the dashboard|Another page", tab.page.content())
        tab.page.goto(served.base)
        assert "Overview" in tab.text  # whatever cookie the other server has set
        assert there.cookies
        assert not any(served.keys.session in cookie for cookie in there.cookies)


def test_whoever_takes_the_port_afterwards_shows_nothing_in_a_page_that_is_still_open(
    browser: Browser, store: Store
) -> None:
    """The page goes on asking, and another local user may have taken the port when the command has ended."""
    with browsing.tab(browser) as tab:
        with serving(store) as served:
            tab.enter(served.entry)
        tab.until_text("The dashboard does not answer.")
        host, _, port = served.authority.partition(":")
        with elsewhere('<h1 id="theirs">Theirs</h1>', host, int(port)) as there:
            wait_for(lambda: len(there.cookies) > 1, 20, "the page asks whoever is there")
            assert tab.page.query_selector("#theirs") is None
            assert tab.page.is_visible("#lost")
