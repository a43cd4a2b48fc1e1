"""What the dashboard answers when the cluster or a browser says odd things, and by a mistake of its own."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from certward.cli.context import Flags, Session
from certward.dashboard.changing import Changing
from certward.dashboard.security import Keys
from dashboard import clients, worlds
from dashboard.api_server import ApiServer, api_server
from dashboard.clients import ORIGIN

MARKUP = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>{{7*7}}"
QUESTIONS = ("automatic?to=off", "automatic?to=on", "profile", "profile/change?profile=modern")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    now = worlds.now()
    domain = worlds.domain("www.example.com", "shop", "team-a", now)
    with api_server(worlds.app("shop", "team-a", now), domain) as running:
        yield running


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def user(server: ApiServer, keys: Keys, tmp_path: Path) -> TestClient:
    changing = Changing(Session(Flags(kubeconfig=str(server.kubeconfig(tmp_path)))), "certward-system")
    return clients.entering(clients.stranger(keys, changing=changing), keys)


def shop(keys: Keys, action: str) -> str:
    return f"{keys.base}apps/team-a/shop/{action}"


def seen(text: str) -> str:
    return text.split('name="seen" value="', 1)[1].split('"', 1)[0]


@pytest.mark.parametrize("part", [{}, {"HX-Request": "true"}], ids=["page", "dialog"])
def test_markup_of_objects_and_of_errors_is_shown_as_it_is(
    server: ApiServer, user: TestClient, keys: Keys, part: dict[str, str]
) -> None:
    def shown(action: str) -> str:
        text = user.get(shop(keys, action), headers=part).text
        assert "<img" not in text
        assert "alert(1)</script>" not in text
        assert "\"'>" not in text
        return text

    now = worlds.now()
    own = worlds.policy("shop", "team-a", now)
    own["metadata"] |= {"labels": {"argocd.argoproj.io/instance": MARKUP}, "name": "shop"}
    own["spec"]["revision"] = MARKUP
    server.put(own, worlds.domain(MARKUP, "shop", "team-a", now))
    assert "&lt;img src=x" in shown("automatic?to=off")
    assert "&lt;img src=x" in shown("profile")
    for status in (400, 403, 404, 409, 422, 429, 500, 503):
        server.refusal = (status, f'x "{MARKUP}" is invalid: {MARKUP}')
        for action in QUESTIONS:
            shown(action)
    server.refusal = (500, MARKUP)
    assert "&lt;img src=x" in shown("profile")


@pytest.mark.parametrize("to", ["", "maybe", "ON", "on,off"])
def test_nothing_but_on_and_off_is_understood(user: TestClient, keys: Keys, to: str) -> None:
    """It once meant off."""
    answer = user.get(shop(keys, f"automatic?to={to}"))
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "<form method" not in answer.text


@pytest.mark.parametrize(
    "place",
    ["team-a/shop%3Fx=y", "team-a/%2e%2e", "team-a/shop%23", "team-a/Shop", "team%2F..%2Fa/shop", "%3F/shop", "a/b%25"],
)
def test_a_path_that_names_no_object_asks_the_cluster_for_nothing(
    server: ApiServer, user: TestClient, keys: Keys, place: str
) -> None:
    for action in ("", "/automatic?to=off", "/profile", "/profile/change?profile=modern"):
        assert user.get(f"{keys.base}apps/{place}{action}").status_code == HTTPStatus.NOT_FOUND
    for action in ("automatic", "profile/change"):
        data = {"key": keys.form, "to": "off", "profile": "modern", "seen": ""}
        answer = user.post(f"{keys.base}apps/{place}/{action}", data=data, headers={"Origin": ORIGIN})
        assert answer.status_code == HTTPStatus.NOT_FOUND
    assert server.asked == []


def test_a_change_leads_back_to_the_app_and_nowhere_else(server: ApiServer, user: TestClient, keys: Keys) -> None:
    given = {"key": keys.form, "to": "off", "seen": seen(user.get(shop(keys, "automatic?to=off")).text)}
    given |= {"next": "//evil.example.com", "back": "//evil.example.com", "done": "//evil.example.com"}
    query = "?next=//evil.example.com&done=//evil.example.com"
    answer = user.post(shop(keys, f"automatic{query}"), data=given, headers={"Origin": ORIGIN})
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.headers["location"] == f"{keys.base}apps/team-a/shop?done=off"
    assert server.get("App", "team-a", "shop")["spec"]["certificates"]["automatic"] is False


@pytest.mark.parametrize("path", ["domains/", "/evil.example.com/", "/evil.example.com", "apps//evil.example.com/"])
def test_no_path_leads_elsewhere(user: TestClient, keys: Keys, path: str) -> None:
    location = user.get(f"{keys.base}{path}").headers.get("location", ORIGIN)
    assert location.startswith(ORIGIN)


def test_what_the_cluster_refuses_is_told_with_a_status(server: ApiServer, user: TestClient, keys: Keys) -> None:
    given = {"key": keys.form, "to": "off", "seen": seen(user.get(shop(keys, "automatic?to=off")).text)}
    server.may = lambda verb, *_: verb in ("get", "list")
    answer = user.post(shop(keys, "automatic"), data=given, headers={"Origin": ORIGIN})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "has no right to patch apps.certward.dev in namespace team-a" in answer.text
    server.may = lambda *_: True
    server.change("App", "team-a", "shop", spec={"httpsRedirect": False})
    answer = user.post(shop(keys, "automatic"), data=given, headers={"Origin": ORIGIN})
    assert answer.status_code == HTTPStatus.CONFLICT
    assert "Nothing was done" in answer.text
    server.drop("App", "team-a", "shop")
    assert user.get(shop(keys, "profile")).status_code == HTTPStatus.NOT_FOUND
    server.is_known = False
    answer = user.get(shop(keys, "profile"))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "does not accept your credentials" in answer.text


@pytest.mark.parametrize(("part", "status"), [({}, 500), ({"HX-Request": "true"}, 200)], ids=["page", "dialog"])
def test_a_mistake_of_its_own_is_told_without_its_details(keys: Keys, part: dict[str, str], status: int) -> None:
    class Wrong:
        def offer(self, *_: str) -> None:
            raise ValueError(MARKUP)

    client = clients.entering(clients.stranger(keys, changing=Wrong()), keys)
    answer = client.get(shop(keys, "profile"), headers=part)
    assert answer.status_code == status
    assert "The dashboard has made a mistake" in answer.text
    assert "alert(1)" not in answer.text
    assert answer.headers["content-security-policy"]
