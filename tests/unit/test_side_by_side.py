import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import side_by_side
from cluster import paths, processes
from cluster.paths import CHECKOUT, default_state, service_network, states, worker_state, write_atomically
from cluster.ports import Ports
from cluster.processes import Command
from cluster.waiting import wait_for

WORKERS = [f"gw{number}" for number in range(8)]


def test_the_clusters_of_a_checkout_share_neither_folder_nor_network() -> None:
    found = [default_state(), *map(worker_state, WORKERS)]

    assert {state.checkout for state in found} == {CHECKOUT}
    assert len({state.folder for state in found}) == len(found)
    assert len({service_network(state) for state in found}) == len(found)


def test_no_two_clusters_of_a_user_share_a_port_even_where_nothing_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first, second = tmp_path / "one" / "ports.json", tmp_path / "two" / "ports.json"
    Ports(first).pick("etcd")
    write_atomically(first, json.dumps({f"part-{port}": port for port in range(20000, 26000)}))

    ports = Ports(second)
    assert all(ports.pick(f"part-{number}") >= 26000 for number in range(30))
    first.unlink()  # as when its cluster is taken down
    assert any(ports.pick(f"part-{number}") < 26000 for number in range(30))


def test_the_clusters_that_workers_have_left_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CHECKOUT", tmp_path)
    first, second = worker_state("gw0"), worker_state("gw1")
    for state in (first, second):
        state.folder.mkdir()

    assert states() == [default_state(), first, second]


def test_the_cluster_of_a_worker_that_has_died_is_taken_down_and_that_of_another_run_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (paths, side_by_side):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    monkeypatch.setattr(side_by_side, "KEPT_LOGS", tmp_path / "build")
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "this run")
    died, other = worker_state("gw0"), worker_state("gw1")
    for state in (died, other):
        side_by_side.begin(state)
        processes.start(state, Command("etcd", ("/bin/sh", "-c", "echo last words; exec sleep 600")))
        wait_for(lambda state=state: "last words" in processes.tail(state, "etcd"), 10, "it has started")
    try:
        side_by_side.take_down({"gw0": "this run", "gw1": "another run"})
        assert processes.running(died) == {}
        assert "last words" in (tmp_path / "build" / "cluster-gw0" / "etcd.log").read_text()
        assert set(processes.running(other)) == {"etcd"}
    finally:
        side_by_side.take_down({"gw1": "this run"})
    assert processes.running(other) == {}


def _run(folder: Path, *options: str, **files: str) -> str:
    """Run pytest over these files with the conftest of this suite, and return what it prints."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = cluster\n")
    (folder / "conftest.py").write_text((CHECKOUT / "tests" / "conftest.py").read_text())
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "INGRESS"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment | {"PYTHONPATH": f"{CHECKOUT / 'tests'}:{CHECKOUT / 'operator'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


BY_FILE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


def test_what_workers_have_to_tell_is_told_at_the_end_and_their_failures_are_named(tmp_path: Path) -> None:
    told = _run(
        tmp_path,
        *BY_FILE,
        test_a="def test_it(closing):\n    closing.add('what was seen', ['of a'])",
        test_b="def test_it(closing):\n    closing.add('what was seen', ['of b'])",
        test_c="def test_it():\n    print('as it was')\n    assert False",
    )

    section = re.search(r"^=+ what was seen =+\n(.*)\n(.*)\n", told, re.MULTILINE)
    assert section, told
    assert sorted(section.groups()) == ["of a", "of b"]
    assert re.search(r"^\[gw[01]\] linux", told, re.MULTILINE)
    assert "as it was" in told
    assert re.search(r"^=+ 1 failed, 2 passed in .*=+$", told.splitlines()[-1])


def test_files_that_take_long_are_handed_out_first_and_their_tests_stay_in_order(tmp_path: Path) -> None:
    plain = "def test_z(): pass\ndef test_y(): pass\n"
    needs = f"import pytest\npytestmark = pytest.mark.cluster\n{plain}"
    slow = f"import pytest\n{plain}@pytest.mark.timeout(900)\ndef test_x(): pass\n"
    told = _run(tmp_path, "-n", "1", *BY_FILE[2:], "-v", test_a=plain, test_b=needs, test_c=slow, test_d=plain)

    order = [f"{file}:{name}" for file, name in re.findall(r"PASSED test_(.)\.py::test_(.)", told)]
    assert order == ["c:z", "c:y", "c:x", "b:z", "b:y", "a:z", "a:y", "d:z", "d:y"]


def test_each_worker_may_have_an_ingress_controller_of_its_own(tmp_path: Path) -> None:
    seen = "import os\ndef test_it(closing):\n    closing.add('ingress seen', [os.environ['INGRESS']])"
    planes = [option for name in ("one", "two") for option in ("--tx", f"popen//env:INGRESS={name}")]
    told = _run(tmp_path, "--dist", "each", *planes, test_a=seen)

    assert "ingress: one (gw0), two (gw1)" in told
    assert {"one", "two"} <= set(told.splitlines())
    assert "2 passed in" in told.splitlines()[-1]
