"""The world that the end-to-end tests live in: a cluster with Certward, from a user's side and from outside."""

import os
from collections.abc import Iterator

import pytest

from e2e import planes
from e2e.bought import Seller
from e2e.elsewhere import CurrentContext
from e2e.local import Local
from e2e.shops import Shop
from e2e.world import World
from side_by_side import Closing


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The cluster that CLUSTER names: `local` is brought up, `kind` and `current` are the current context."""
    is_local = (os.environ.get("CLUSTER") or "local") == "local"
    platform = Local(request.getfixturevalue("cluster")) if is_local else CurrentContext()
    made = World(platform)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    """Who sells certificates."""
    return Seller(tmp_path_factory.mktemp("seller"))


@pytest.fixture
def shop(world: World, seller: Seller) -> Shop:
    """An App that is served with a bought certificate for its two hosts."""
    made = Shop(world, seller)
    made.wait("Manual")
    return made


@pytest.fixture(scope="session")
def table(closing: Closing) -> Iterator[list[str]]:
    """Lines for the end of the run: what was accepted and refused; sorted, so that a profile's stand together."""
    lines: list[str] = []
    yield lines
    closing.add(f"what clients met on {planes.chosen().name}", sorted(set(lines)))


@pytest.fixture(autouse=True)
def no_mistakes_logged(world: World) -> Iterator[None]:
    """Fail a test during which the operator has run into a mistake of its own, whatever the outcome."""
    before = world.platform.mistakes()
    yield
    assert world.platform.mistakes()[len(before) :] == []
