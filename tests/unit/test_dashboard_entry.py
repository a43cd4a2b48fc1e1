"""How one comes into the dashboard: by the URL that the command prints, once."""

from http import HTTPStatus

import pytest
from starlette.testclient import TestClient

from certward.dashboard.security import COOKIE, Keys
from dashboard import clients
from dashboard.clients import AUTHORITY


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def told() -> list[str]:
    """The secrets of the URLs that the command was told of."""
    return []


@pytest.fixture
def stranger(keys: Keys, told: list[str]) -> TestClient:
    return clients.stranger(keys, entered=told.append)


def test_the_url_is_exchanged_for_a_cookie_that_no_other_page_or_port_gets(stranger: TestClient, keys: Keys) -> None:
    answer = stranger.get(keys.url(AUTHORITY))
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={keys.session}; ")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly",
        "samesite=strict",
        f"path={keys.base}".lower(),
    }
    assert keys.entry not in answer.text
    assert stranger.get(keys.base).status_code == HTTPStatus.OK


def test_each_run_has_other_secrets_and_none_is_in_the_repr() -> None:
    one, other = Keys(), Keys()
    names = ("room", "entry", "session", "form", "run")
    secrets = {getattr(of, name) for of in (one, other) for name in names}
    assert len(secrets) == 10
    assert not any(secret in repr(one) for secret in secrets)


@pytest.mark.parametrize("key", ["", "wrong", "%00", "ä" * 40])
def test_a_wrong_key_gets_nothing(stranger: TestClient, keys: Keys, told: list[str], key: str) -> None:
    answer = stranger.get(f"{keys.base}enter", params={"key": key})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "set-cookie" not in answer.headers
    assert stranger.get(keys.base).status_code == HTTPStatus.FORBIDDEN
    assert told == []


def test_a_url_that_was_used_lets_nobody_else_in(stranger: TestClient, keys: Keys, told: list[str]) -> None:
    """Not from the history, not from a command line: whoever finds it there comes too late, or is noticed."""
    clients.entering(stranger, keys)
    mine = dict(stranger.cookies)
    stranger.cookies.clear()
    late = stranger.get(keys.url(AUTHORITY))
    assert late.status_code == HTTPStatus.FORBIDDEN
    assert "set-cookie" not in late.headers
    assert "a browser has used it already" in late.text
    assert len(told) == 1  # the command says that somebody has come in, and what to open next

    assert stranger.get(keys.url(AUTHORITY, told[0])).status_code == HTTPStatus.OK
    assert stranger.get(keys.base).status_code == HTTPStatus.OK
    assert len(told) == len(set(told)) == 2
    assert stranger.get(keys.base, headers={"Cookie": f"{COOKIE}={mine[COOKIE]}"}).status_code == HTTPStatus.OK


def test_who_is_in_may_open_the_url_again(stranger: TestClient, keys: Keys, told: list[str]) -> None:
    user = clients.entering(stranger, keys)
    again = user.get(keys.url(AUTHORITY))
    assert again.status_code == HTTPStatus.OK
    assert "set-cookie" not in again.headers
    assert len(told) == 1


@pytest.mark.parametrize(
    "headers", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch"}]
)
def test_a_browser_that_fetches_beforehand_does_not_use_it_up(
    stranger: TestClient, keys: Keys, told: list[str], headers: dict[str, str]
) -> None:
    assert stranger.get(keys.url(AUTHORITY), headers=headers).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert stranger.head(keys.url(AUTHORITY)).status_code == HTTPStatus.FORBIDDEN
    assert told == []
    clients.entering(stranger, keys)
