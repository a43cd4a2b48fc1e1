"""What the chaos suite is made of, as far as it can be tried without a cluster."""

import errno
import os
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chaos.load import help_on
from chaos.plan import chance_of
from chaos.record import Record
from chaos.world import Host, Size, World
from cluster.handle import Cluster

_SABOTEUR = Path(__file__).parent / "saboteur"
_LOOK = """
import datetime, os, time
seen = time.time(), time.time_ns() / 1e9, datetime.datetime.now(datetime.UTC).timestamp()
try:
    os.write(2, b"a line of the log")
except OSError as error:
    os._exit(error.errno)
print(*seen)
"""


def looked(file: Path, skew: float, *, is_full: bool) -> subprocess.CompletedProcess[str]:
    """What a Python sees whose clock and disk are set so."""
    file.write_bytes(struct.pack("<d?7x", skew, is_full))
    environment = {**os.environ, "PYTHONPATH": str(_SABOTEUR), "CHAOS_CONTROL": str(file), "CHAOS_MUTATION": ""}
    command = [sys.executable, "-c", _LOOK]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("skew", [0.0, 3600.0, -90.0])
def test_a_clock_is_wrong_by_as_much_as_it_is_told(tmp_path: Path, skew: float) -> None:
    done = looked(tmp_path / "control", skew, is_full=False)
    assert (done.returncode, done.stderr) == (0, "a line of the log")
    ahead = [float(word) - datetime.now(UTC).timestamp() for word in done.stdout.split()]
    assert len(ahead) == 3
    assert all(skew - 20 < one <= skew + 1 for one in ahead)


def test_a_full_disk_refuses_each_line(tmp_path: Path) -> None:
    done = looked(tmp_path / "control", 0, is_full=True)
    assert (done.returncode, done.stderr) == (errno.ENOSPC, "")


class Told(World):
    """Domains as they are told here, and what is asked of them."""

    def domains(self) -> list[dict[str, Any]]:
        return self.told

    def patch_domain(self, host: Host, body: dict[str, Any]) -> None:
        self.asked.append((host.name, *body["metadata"]["annotations"]))


@pytest.fixture
def world() -> Told:
    made = Told(Cluster(), Size(), Record())
    made.told, made.asked = [], []
    for number in range(4):
        made.adopt(Host("team", f"d{number}", "steady"), "the first certificate")
    return made


def test_a_domain_that_is_taken_is_not_taken_twice(world: Told) -> None:
    chance = chance_of(1, "test")
    taken = [world.take(chance, "steady") for _ in range(4)]
    assert {host.name for host in taken} == {"d0", "d1", "d2", "d3"}
    assert world.idle() == []
    world.give(taken[2])
    assert world.idle() == [world.take(chance)] == [taken[2]]


@pytest.mark.parametrize(
    ("state", "reason", "after", "is_helped"),
    [
        ("Failing", "ChallengeUnreachable", 600, True),
        ("CertIssued", "OrderInvalid", 600, True),
        ("Failing", "ChallengeUnreachable", 50, False),
        ("Failing", "CAUnavailable", 3600, False),
        ("Waiting", "RateLimited", 3600, False),
    ],
)
def test_an_administrator_helps_only_where_a_validation_has_failed(
    world: Told, state: str, reason: str, after: int, is_helped: bool
) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=after)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"state": state, "reason": reason, "attempts": {"failures": 2, "nextAttempt": until}}
    world.told = [{"metadata": {"namespace": "team", "name": "d1"}, "status": status}]
    help_on(world)
    assert world.asked == ([("d1", "certward.dev/refresh")] if is_helped else [])
    assert len(world.record.helped) == is_helped


def test_chances_of_a_run_are_the_same_each_time() -> None:
    assert chance_of(1, "load").random() == chance_of(1, "load").random() != chance_of(2, "load").random()
