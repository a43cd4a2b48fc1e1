"""Clients of the dashboard without a network: somebody who knows the address, and the user's browser."""

from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from certward.dashboard.security import Keys
from certward.dashboard.server import application
from certward.dashboard.store import Store
from dashboard import worlds

AUTHORITY = "127.0.0.1:8765"
ORIGIN = f"http://{AUTHORITY}"


def stranger(
    keys: Keys,
    store: Store | None = None,
    changing: Any = None,
    *,
    place: str = "it",
    entered: Callable[[str], None] = lambda _: None,
) -> TestClient:
    """A client that knows where the server listens and nothing else; answers are as they are sent."""
    made = application(
        store=store or worlds.small(worlds.now()),
        changing=changing,
        keys=keys,
        place=place,
        authority=AUTHORITY,
        entered=entered,
    )
    return TestClient(made, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)


def entering(client: TestClient, keys: Keys) -> TestClient:
    """The same client once it has opened the URL: the user's browser."""
    assert client.get(keys.url(AUTHORITY)).status_code == 200
    return client
