"""What every test can ask for: above all the local cluster, brought up once for the whole session.

Where there are several workers, each has a session, and a cluster, of its own.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

import side_by_side
from cluster import processes
from cluster.handle import Cluster
from integration import observer, refusals

_CLOSING = pytest.StashKey[side_by_side.Closing]()
_WORKERS = pytest.StashKey[dict[str, str]]()

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
    if side_by_side.worker():
        items[:] = side_by_side.longest_first(items)


def pytest_configure(config: pytest.Config) -> None:
    """Have a place for what is told at the end, and for who works."""
    config.stash[_CLOSING] = side_by_side.Closing()
    config.stash[_WORKERS] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send it, where this is a worker, to the process that prints."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        session.config.stash[_CLOSING].send(output)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Note who works in this run."""
    node.config.stash[_WORKERS][node.gateway.id] = node.workerinput["testrunuid"]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no cluster of a worker behind, however the run has ended."""
    side_by_side.take_down(config.stash.get(_WORKERS, {}))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker has sent; one that has crashed has sent nothing."""
    node.config.stash[_CLOSING].take(getattr(node, "workeroutput", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print it."""
    config.stash[_CLOSING].write(terminalreporter)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which ingress controller this run is about."""
    return f"ingress: {side_by_side.ingress(config)}"


@pytest.fixture(scope="session")
def closing(pytestconfig: pytest.Config) -> side_by_side.Closing:
    """Takes lines that are printed at the end of the run."""
    return pytestconfig.stash[_CLOSING]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, closing: side_by_side.Closing) -> Iterator[Cluster]:
    """The local cluster with one operator; it is left as it was found: running, or not there at all.

    A worker's is its own, and always new: what a run that was killed has left of it is taken down first.

    A test that changes the number of operators or their configuration asks for the default again at its
    end, by `cluster.up()`.
    """
    handle = Cluster(side_by_side.own_state())
    if side_by_side.worker():
        side_by_side.begin(handle.state)
    was_running = bool(processes.running(handle.state))
    handle.up(operators=int(os.environ.get("OPERATORS") or "1"))
    try:
        yield handle
    finally:
        handle.close()
        if not was_running:
            if request.session.testsfailed:
                closing.add("logs of clusters", [side_by_side.keep_logs(handle.state)])
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
