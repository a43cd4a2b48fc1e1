"""What every test can ask for: above all the local cluster, brought up once for the whole session."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from cluster import processes
from cluster.handle import Cluster
from integration import observer, refusals

# CI runs the same examples each time, so that it fails only because of a change; elsewhere new ones are tried.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("default", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.hookimpl(tryfirst=True)  # before the -m option chooses among the items
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test that needs the local cluster, directly or through another fixture; leave them out elsewhere."""
    local = [item for item in items if "cluster" in getattr(item, "fixturenames", ())]
    for item in local:
        item.add_marker(pytest.mark.cluster)
    if local and (os.environ.get("CLUSTER") or "local") != "local":
        config.hook.pytest_deselected(items=local)
        items[:] = [item for item in items if item not in local]


def pytest_report_header() -> str:
    """Say which ingress controller this run is about."""
    return f"ingress: {os.environ.get('INGRESS') or 'traefik'}"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The local cluster with one operator; it is left as it was found: running, or not there at all.

    A test that changes the number of operators or their configuration asks for the default again at its
    end, by `cluster.up()`.
    """
    handle = Cluster()
    was_running = bool(processes.running(handle.state))
    handle.up(operators=int(os.environ.get("OPERATORS") or "1"))
    try:
        yield handle
    finally:
        handle.close()
        if not was_running:
            handle.down()


@pytest.fixture(scope="module", autouse=True)
def nothing_refused(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever the tests of a file have the operator do, its rights have to be enough for it.

    A file that takes rights away on purpose says so by a constant TAKES_RIGHTS_AWAY.
    """
    items = (item for item in request.session.items if item.path == request.path)
    is_concerned = any("cluster" in getattr(item, "fixturenames", ()) for item in items)
    if not is_concerned or getattr(request.module, "TAKES_RIGHTS_AWAY", False):
        yield
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    log = observer.AuditLog(cluster)
    yield
    assert refusals.refused(cluster, log) == set(), "the operator lacks rights"
