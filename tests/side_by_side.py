"""What a run of several workers needs beside pytest-xdist: a cluster for each, an order, and what is told at the end.

A worker is a process of pytest of its own, which PYTEST_XDIST_WORKER in its environment names; the process that hands
the tests out and prints collects none itself.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster import processes, up
from cluster.paths import CHECKOUT, State, default_state, worker_state, write_atomically

#: Where the logs of a cluster are kept that a failed run has taken down.
KEPT_LOGS = CHECKOUT / "build" / "cluster-logs"
#: By what workers send their lines to the process that prints them.
_SENT = "told_at_the_end"
#: The file in the folder of a worker's cluster with the id of the run that it is of.
_RUN = "run"


def worker() -> str:
    """The name of this worker; empty in a run without workers."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")


def own_state() -> State:
    """The state of the cluster that this process of pytest uses, and no other at the same time."""
    return worker_state(worker()) if worker() else default_state()


def begin(state: State) -> None:
    """Take down what another run has left of this worker's cluster, and note that it is of this run from now on."""
    up.down(state)
    write_atomically(state.folder / _RUN, os.environ["PYTEST_XDIST_TESTRUNUID"])


def take_down(workers: Mapping[str, str]) -> None:
    """End the clusters of workers that have not done so themselves: they crashed, or the run was interrupted.

    Args:
        workers: by their names, the id of the run that they were started in.
    """
    for name, run in workers.items():
        state = worker_state(name)
        noted = state.folder / _RUN
        if noted.exists() and noted.read_text() == run:
            if processes.everything(state):
                keep_logs(state)
                up.down(state)
            noted.unlink()


def keep_logs(state: State) -> str:
    """Copy the logs of a cluster to where they stay when it is taken down; returns a line that says where."""
    kept = KEPT_LOGS / str(state.root.relative_to(state.checkout).parts[0]).lstrip(".")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(state.logs, kept)
    return str(kept.relative_to(CHECKOUT))


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Put files that need the cluster before those that do not, and first those that ask for the longest time.

    Workers take file after file in this order, so that what is left for the end is short, and they end together.
    The tests of a file stay as they are.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)

    def rank(of: list[pytest.Item]) -> tuple[float, bool]:
        asked = [mark.args[0] for item in of if (mark := item.get_closest_marker("timeout"))]
        return -max(asked, default=0), not any(item.get_closest_marker("cluster") for item in of)

    return [item for of in sorted(files.values(), key=rank) for item in of]


def ingress(config: pytest.Config) -> str:
    """The ingress controllers that this run is about, with the worker of each where they have one."""
    told = [re.search(r"//env:INGRESS=([^/]+)", spec) for spec in config.getoption("tx", None) or ()]
    named = [f"{found[1]} (gw{number})" for number, found in enumerate(told) if found]
    return ", ".join(named) or os.environ.get("INGRESS") or "traefik"


class Closing:
    """Lines for the end of the run, by their heading: this process's own, and what workers have sent."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(self, heading: str, lines: Iterable[str]) -> None:
        """Have these lines printed below the heading, after those that it has."""
        self._lines.setdefault(heading, []).extend(lines)

    def send(self, output: dict[str, Any]) -> None:
        """Put all of them into what a worker hands over when it ends."""
        output[_SENT] = self._lines

    def take(self, output: dict[str, Any]) -> None:
        """Add what a worker has handed over."""
        for heading, lines in output.get(_SENT, {}).items():
            self.add(heading, lines)

    def write(self, reporter: pytest.TerminalReporter) -> None:
        """Print them."""
        for heading, lines in sorted(self._lines.items()):
            reporter.section(heading)
            for line in lines:
                reporter.line(line)
