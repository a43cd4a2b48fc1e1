"""Hostile, broken and slow clients against every HTTP server of Certward, all at once; see docs/testing.md."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fuzz.campaign import Result, run
from fuzz.surfaces import running

#: How many requests each server is sent, at least; which ones they are beside the known tricks.
NUMBER = int(os.environ.get("CERTWARD_FUZZ_CASES") or "600")
SEED = os.environ.get("CERTWARD_FUZZ_SEED") or "1"
SLOW = 120


#: The servers, and how they log.
SERVERS = {"answerer": "text", "health": "json", "dashboard": "text"}


def campaign(name: str) -> Result:
    with running(name, style=SERVERS[name]) as server:
        return run(server, seed=SEED, number=NUMBER, slow=SLOW)


@pytest.fixture(scope="module")
def campaigns(reported: Callable[[Result], None]) -> dict[str, Result]:
    """All at the same time, since most of it is waiting for slow clients to be cut."""
    with ThreadPoolExecutor() as pool:
        results = dict(zip(SERVERS, pool.map(campaign, SERVERS), strict=True))
    for result in results.values():
        reported(result)
    return results


@pytest.mark.parametrize("name", SERVERS)
def test_clients_that_mean_no_good_get_nothing_and_keep_nobody_out(name: str, campaigns: dict[str, Result]) -> None:
    result = campaigns[name]
    assert not result.wrong, result.told()
    assert result.cases >= NUMBER
    assert result.slow_clients == SLOW
    assert result.good > 50
    # That all were refused, or all answered, would mean that something else was looked at.
    assert all(result.statuses[status] > 50 for status in (200, 400, 404))
