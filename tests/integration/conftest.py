"""What every file here begins with: nothing that an earlier one has left; and the browser of those that need one."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from cluster.handle import Cluster
from dashboard import browsing
from e2e.local import Local
from e2e.world import World
from integration import observer


@pytest.fixture(scope="module", autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> None:
    """Have no Domain of an earlier file be at work, which would answer to this one's issuers and be counted.

    Its namespaces go as well, with whatever it has made there by hand that looks like the operator's.
    """
    module = request.path
    if any(item.path == module and "cluster" in getattr(item, "fixturenames", ()) for item in request.session.items):
        cluster = request.getfixturevalue("cluster")
        observer.alone(cluster)
        cluster.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one file: while it is there, no other event loop can run in the thread of the tests."""
    with browsing.browser() as started:
        yield started


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    """The local cluster; whatever a test makes of the operator, it is the default one afterwards."""
    made = World(Local(cluster))
    try:
        yield made
    finally:
        made.close()
        cluster.up()
