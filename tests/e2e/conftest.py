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

_TABLE = pytest.StashKey[list[str]]()


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
def table(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the run: what was accepted and refused."""
    return request.config.stash.setdefault(_TABLE, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print them, sorted, so that a profile's lines stand together."""
    if lines := config.stash.get(_TABLE, []):
        terminalreporter.write_sep("=", f"what clients met on {planes.chosen().name}")
        for line in sorted(set(lines)):
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def no_mistakes_logged(world: World) -> Iterator[None]:
    """Fail a test during which the operator has run into a mistake of its own, whatever the outcome."""
    before = world.platform.mistakes()
    yield
    assert world.platform.mistakes()[len(before) :] == []
