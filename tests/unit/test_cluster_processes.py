import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import processes
from cluster.errors import ClusterError
from cluster.paths import State
from cluster.processes import Command
from cluster.waiting import wait_for

SLEEPER = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)")
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
STUBBORN = (sys.executable, "-c", DEAF)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / ".cluster")
    yield state
    processes.end(state, processes.everything(state), grace=0)


def test_a_started_part_is_found_by_name_and_file_and_logs(state: State) -> None:
    command = Command("etcd", SLEEPER)
    process = processes.start(state, command)

    assert processes.running(state) == {"etcd": process}
    assert int((state.pids / "etcd").read_text()) == process.pid
    assert process.fingerprint == command.fingerprint()
    wait_for(lambda: "here" in processes.tail(state, "etcd"), 10, "the part writes its log")


def test_an_ended_part_is_gone(state: State) -> None:
    process = processes.start(state, Command("etcd", SLEEPER))

    processes.end(state, [process], grace=10)

    assert processes.running(state) == {}


def test_a_part_that_ignores_sigterm_is_killed(state: State) -> None:
    process = processes.start(state, Command("etcd", STUBBORN))
    wait_for(lambda: "deaf" in processes.tail(state, "etcd"), 10, "the part is deaf")

    processes.end(state, [process], grace=0.1)

    assert processes.running(state) == {}


def test_a_part_is_found_without_its_file(state: State) -> None:
    process = processes.start(state, Command("etcd", SLEEPER))
    (state.pids / "etcd").unlink()

    assert processes.running(state) == {"etcd": process}


def test_the_files_are_put_right(state: State) -> None:
    process = processes.start(state, Command("etcd", SLEEPER))
    (state.pids / "etcd").unlink()
    (state.pids / "traefik").write_text("1\n")

    processes.record(state)

    assert {file.name: file.read_text() for file in state.pids.iterdir()} == {"etcd": f"{process.pid}\n"}


def test_a_stranger_with_a_recorded_id_is_neither_found_nor_signalled(state: State) -> None:
    started = processes.start(state, Command("etcd", SLEEPER))
    with subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL) as stranger:
        (state.pids / "etcd").write_text(str(stranger.pid))
        reused = processes.Process("etcd", stranger.pid, started.started, started.fingerprint)

        assert processes.send(state, reused, signal.SIGKILL) is False
        assert processes.running(state) == {"etcd": started}
        assert stranger.poll() is None
        stranger.kill()


def test_a_part_of_another_cluster_is_not_ours(state: State, tmp_path: Path) -> None:
    processes.start(state, Command("etcd", SLEEPER))

    assert processes.everything(State(tmp_path / "elsewhere")) == []


def test_a_zombie_does_not_count_as_running(state: State) -> None:
    environment = os.environ | {"CERTWARD_CLUSTER_PART": f"{state.root}:etcd"}
    with subprocess.Popen(SLEEPER, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert [process.pid for process in processes.everything(state)] == [child.pid]
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and nobody has collected it

        assert processes.everything(state) == []


def test_a_program_that_does_not_start_is_said_with_its_log(state: State) -> None:
    with pytest.raises(ClusterError, match=r"(?s)etcd ended at once.*/no/such/program"):
        processes.start(state, Command("etcd", ("/no/such/program",)))


def test_the_fingerprint_follows_arguments_environment_and_inputs(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("one")
    command = Command("etcd", ("etcd", "--a"), {"A": "1"}, (file,))
    before = command.fingerprint()

    assert Command("etcd", ("etcd", "--a"), {"A": "1"}, (file,)).fingerprint() == before
    assert Command("etcd", ("etcd", "--b"), {"A": "1"}, (file,)).fingerprint() != before
    assert Command("etcd", ("etcd", "--a"), {"A": "2"}, (file,)).fingerprint() != before
    file.write_text("two")
    assert command.fingerprint() != before
