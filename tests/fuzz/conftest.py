"""The report at the end of a run."""

from collections.abc import Callable

import pytest

from fuzz.campaign import Result
from fuzz.report import table

_RESULTS = pytest.StashKey[list[Result]]()


@pytest.fixture(scope="session")
def reported(pytestconfig: pytest.Config) -> Callable[[Result], None]:
    """Takes the result of a campaign into the report."""
    return pytestconfig.stash.setdefault(_RESULTS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the report, where there is one."""
    if results := config.stash.get(_RESULTS, []):
        terminalreporter.section("hostile clients")
        for line in table(results):
            terminalreporter.line(line)
