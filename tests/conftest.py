"""What every test can ask for: above all the local cluster, brought up once for the whole session."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from cluster import processes
from cluster.handle import Cluster

# CI runs the same examples each time, so that it fails only because of a change; elsewhere new ones are tried.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("default", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.hookimpl(tryfirst=True)  # before the -m option chooses among the items
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the cluster, directly or through another fixture."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


def pytest_report_header() -> str:
    """Say which ingress controller this run is about."""
    return f"ingress: {os.environ.get('INGRESS') or 'traefik'}"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The local cluster with one operator; it is left as it was found: running, or not there at all.

    A test that changes the number of operators or their configuration asks for the default again at its
    end, by `cluster.up()`.
    """
    wanted = os.environ.get("CLUSTER") or "local"
    if wanted != "local":
        pytest.exit(f"CLUSTER={wanted}: these tests run on the local cluster only so far", returncode=2)
    handle = Cluster()
    was_running = bool(processes.running(handle.state))
    handle.up(operators=int(os.environ.get("OPERATORS") or "1"))
    try:
        yield handle
    finally:
        handle.close()
        if not was_running:
            handle.down()
