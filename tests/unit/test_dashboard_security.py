"""Who may talk to the dashboard. There is no cluster here: what is let through wrongly runs into its lack."""

import hashlib
import re
from datetime import timedelta
from http import HTTPStatus
from importlib import resources

import pytest
from starlette.testclient import TestClient

from certward.dashboard.security import COOKIE, MAX_BODY, RUN, Keys
from certward.dashboard.store import Trouble
from dashboard import clients, worlds
from dashboard.clients import AUTHORITY, ORIGIN

POSTS = ("automatic", "profile/change")


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def stranger(keys: Keys) -> TestClient:
    return clients.stranger(keys)


@pytest.fixture
def user(stranger: TestClient, keys: Keys) -> TestClient:
    return clients.entering(stranger, keys)


def form(keys: Keys, **changes: str) -> dict[str, str]:
    return {"key": keys.form, "seen": "x", "to": "on", "profile": "modern"} | changes


def post(client: TestClient, keys: Keys, action: str = "automatic", **options: object) -> int:
    given = {"data": form(keys), "headers": {"Origin": ORIGIN}} | options
    return client.post(f"{keys.base}apps/team-a/shop/{action}", **given).status_code


@pytest.mark.parametrize("path", ["", "domains", "static/style.css", "apps/team-a/shop/automatic?to=on", "nothing"])
def test_without_the_cookie_there_is_nothing_to_see(stranger: TestClient, keys: Keys, path: str) -> None:
    answer = stranger.get(f"{keys.base}{path}")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "example.com" not in answer.text
    assert post(stranger, keys) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("path", ["/", "/domains", "/enter?key=x", "/static/style.css", "/%2e%2e/", "//domains"])
def test_outside_of_the_room_there_is_nothing_even_with_the_cookie(user: TestClient, keys: Keys, path: str) -> None:
    answer = user.get(path, headers={"Cookie": f"{COOKIE}={keys.session}"})
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "example.com" not in answer.text


@pytest.mark.parametrize(
    "host", ["localhost:8765", "evil.example.com:8765", "127.0.0.1", "127.0.0.1:8766", "evil.example.com", ""]
)
def test_another_name_for_this_address_is_refused(user: TestClient, keys: Keys, host: str) -> None:
    """DNS rebinding: a page of somebody else's name that resolves to 127.0.0.1."""
    answer = user.get(keys.base, headers={"Host": host})
    assert answer.status_code == HTTPStatus.MISDIRECTED_REQUEST
    assert post(user, keys, headers={"Origin": ORIGIN, "Host": host}) == HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example.com", "http://127.0.0.1:1234", f"https://{AUTHORITY}", f"{ORIGIN}.evil", ""],
)
@pytest.mark.parametrize("action", POSTS)
def test_a_form_of_another_page_is_refused(user: TestClient, keys: Keys, action: str, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    assert post(user, keys, action, headers=headers) == HTTPStatus.FORBIDDEN


def test_a_form_with_two_origins_is_refused(user: TestClient, keys: Keys) -> None:
    headers = [("Origin", ORIGIN), ("Origin", "http://evil.example.com")]
    assert post(user, keys, headers=headers) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_asks_for_is_refused(user: TestClient, keys: Keys, site: str) -> None:
    assert user.get(keys.base, headers={"Sec-Fetch-Site": site}).status_code == HTTPStatus.FORBIDDEN
    assert post(user, keys, headers={"Origin": ORIGIN, "Sec-Fetch-Site": site}) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_the_user_asks_for_is_answered(user: TestClient, keys: Keys, site: str) -> None:
    assert user.get(keys.base, headers={"Sec-Fetch-Site": site}).status_code == HTTPStatus.OK


@pytest.mark.parametrize("key", ["", "wrong", "session", "entry"])
@pytest.mark.parametrize("action", POSTS)
def test_a_form_that_was_not_sent_out_is_refused(user: TestClient, keys: Keys, action: str, key: str) -> None:
    given = getattr(keys, key, key)
    assert post(user, keys, action, data=form(keys, key=given)) == HTTPStatus.FORBIDDEN


def test_a_change_needs_a_form(user: TestClient, keys: Keys) -> None:
    url = f"{keys.base}apps/team-a/shop/automatic"
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x", ""):
        answer = user.post(url, content=b"key=x", headers={"Origin": ORIGIN, "Content-Type": kind})
        assert answer.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert post(user, keys, data=form(keys, more="x" * MAX_BODY)) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    chunked = {"Origin": ORIGIN, "Transfer-Encoding": "chunked"}
    assert post(user, keys, headers=chunked) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    endless = {"Origin": ORIGIN, "Content-Length": "9" * 5000}
    assert post(user, keys, headers=endless) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert post(user, keys, data=form(keys, to="maybe")) == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_no_other_method_does_anything(user: TestClient, keys: Keys, method: str) -> None:
    for path in ("", "apps/team-a/shop/automatic"):
        answer = user.request(method, f"{keys.base}{path}", headers={"Origin": ORIGIN})
        assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        assert answer.headers["allow"] == "GET, HEAD, POST"


def test_head_shows_nothing_more_than_get(user: TestClient, keys: Keys) -> None:
    assert user.head(keys.base).status_code == HTTPStatus.OK
    assert user.head(f"{keys.base}nothing").status_code == HTTPStatus.NOT_FOUND
    user.cookies.clear()
    assert user.head(keys.base).status_code == HTTPStatus.FORBIDDEN


def test_what_is_only_looked_at_takes_no_form(user: TestClient, keys: Keys) -> None:
    for path in ("", "domains", "apps/team-a/shop", "enter"):
        answer = user.post(f"{keys.base}{path}", data=form(keys), headers={"Origin": ORIGIN})
        assert answer.status_code in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_FOUND)


def test_a_cookie_that_another_server_of_this_host_has_set_changes_nothing(stranger: TestClient, keys: Keys) -> None:
    both = f"{COOKIE}=theirs; other=x; {COOKIE}={keys.session}"
    assert stranger.get(keys.base, headers={"Cookie": both}).status_code == HTTPStatus.OK
    assert stranger.get(keys.base, headers={"Cookie": f"{COOKIE}=theirs"}).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("path", ["", "domains", "static/app.js", "static/nothing", "nothing", "../", "enter"])
def test_every_answer_says_what_a_browser_may_do_with_it(user: TestClient, keys: Keys, path: str) -> None:
    headers = user.get(f"{keys.base}{path}").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    # What is not named may not be at all: frames, workers, plug-ins, fonts, media.
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    named = {"script-src", "style-src", "img-src", "connect-src", "form-action"}
    assert {policy.pop(name) for name in named} == {"'self'"}
    assert set(policy) == {"default-src", "frame-ancestors", "base-uri"}
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_only_the_user_is_told_which_run_this_is(user: TestClient, keys: Keys) -> None:
    """By this a page knows that whoever answers is not another program that has taken the port since."""
    for path in ("", "static/app.js", "nothing", "domains?seen=1"):
        assert user.get(f"{keys.base}{path}").headers[RUN] == keys.run
    assert f'<meta name="certward-run" content="{keys.run}">' in user.get(keys.base).text
    for refused in (user.get("/"), user.put(keys.base), user.get(keys.base, headers={"Sec-Fetch-Site": "cross-site"})):
        assert RUN not in refused.headers
    user.cookies.clear()
    assert RUN not in user.get(keys.base).headers


@pytest.mark.parametrize("path", ["", "domains", "apps", "policies", "budget", "domains/team-b/blog-example-org"])
def test_pages_hold_nothing_that_the_policy_forbids_and_name_no_other_host(
    user: TestClient, keys: Keys, path: str
) -> None:
    text = user.get(f"{keys.base}{path}").text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:|<iframe|<base", text)
    for url in re.findall(r'(?:src|href|action|hx-get)="([^"]*)"', text):
        assert url.startswith((keys.base, "#", "?")), url


MARKUP = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>{{7*7}}"


def test_markup_in_what_the_cluster_says_is_shown_as_it_is(keys: Keys) -> None:
    now = worlds.now()
    bad = worlds.domain("www.example.com", "shop", "team-a", now, state=MARKUP, reason=MARKUP, message=MARKUP)
    bad["status"]["certificate"] |= {"issuer": MARKUP, "secretName": MARKUP}
    bad["status"]["conditions"] = [{"type": MARKUP, "status": MARKUP, "reason": MARKUP, "message": MARKUP}]
    app = worlds.app("shop", "team-a", now, grade=MARKUP, gradeCappedBy=MARKUP, profile=MARKUP, policy=MARKUP)
    app["status"]["conditions"] = [{"type": "PolicyEnforced", "status": "False", "reason": MARKUP, "message": MARKUP}]
    policy = worlds.conflicted("shop", "team-a", now, MARKUP)
    policy["spec"] = {"profile": MARKUP, "selector": {"matchLabels": {MARKUP: MARKUP}}}
    store = worlds.filled([app], [bad], [policy])
    store.tell_scope("App", MARKUP)
    store.trouble("x", Trouble(MARKUP))
    store.tell_budgets(MARKUP)
    client = clients.entering(clients.stranger(keys, store, place=MARKUP), keys)
    pages = ("", "domains", "apps", "policies", "budget", "domains/team-a/www-example-com", "apps/team-a/shop")
    for path in (*pages, *(f"{page}?q={MARKUP}&state={MARKUP}&expires={MARKUP}&page={MARKUP}" for page in pages)):
        for headers in ({}, {"HX-Request": "true"}):
            answer = client.get(f"{keys.base}{path}", headers=headers)
            assert answer.status_code == HTTPStatus.OK
            assert "&lt;img src=x" in answer.text
            assert "<img" not in answer.text
            assert "<script>" not in answer.text
            assert "\"'>" not in answer.text


def test_a_page_that_is_not_there_does_not_repeat_its_name(user: TestClient, keys: Keys) -> None:
    answer = user.get(f"{keys.base}<script>alert(1)</script>")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "alert(" not in answer.text


def test_htmx_is_the_released_one() -> None:
    """htmx.org 2.0.11 of the npm registry, dist/htmx.min.js, unchanged."""
    data = (resources.files("certward.dashboard") / "static" / "htmx.min.js").read_bytes()
    assert hashlib.sha256(data).hexdigest() == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"


def test_what_was_seen_is_not_sent_again(user: TestClient, keys: Keys) -> None:
    part = user.get(f"{keys.base}domains", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    found = re.search(r'name="seen" value="([^"]+)"', part.text)
    assert found
    for _ in range(2):  # a minute may have ended in between
        again = user.get(f"{keys.base}domains?seen={found[1]}", headers={"HX-Request": "true"})
        if again.status_code == HTTPStatus.NO_CONTENT:
            break
        found = re.search(r'name="seen" value="([^"]+)"', again.text)
        assert found
    assert (again.status_code, again.text) == (HTTPStatus.NO_CONTENT, "")
    other = user.get(f"{keys.base}domains?seen=1-{timedelta.max.days}", headers={"HX-Request": "true"})
    assert other.status_code == HTTPStatus.OK
