"""The report at the end of a run."""

from collections.abc import Callable, Iterator

import pytest

from fuzz.campaign import Result
from fuzz.report import table
from side_by_side import Closing


@pytest.fixture(scope="session")
def reported(closing: Closing) -> Iterator[Callable[[Result], None]]:
    """Takes the result of a campaign into the report."""
    results: list[Result] = []
    yield results.append
    closing.add("hostile clients", table(results))
