"""docs/tutorial.md and the README's demo, typed as they stand, in a clone of the checkout with a cluster of its own.

The pages bring a cluster up and take it down again, so it cannot be the one that other tests share. Clusters of two
checkouts never meet.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.binaries import binary
from cluster.paths import CHECKOUT, State, default_state, service_network, worker_state
from cluster.waiting import wait_for
from integration.typed_page import Shell, Step, steps

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

#: What a fresh clone does not have, at its top and anywhere.
_LEFT_OUT = frozenset({".git", ".venv", ".cluster", ".hypothesis", "dist", "build"})
_LEFT_OUT_ANYWHERE = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info")
#: As the pages call the clone.
_SHOWN = "/home/you/certward"
#: With everything to be installed, and built where that was never done.
_SLOW = {"make cluster-up": 1500.0, "make demo": 1500.0}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of what is in the checkout; its cluster is down in the end, whatever happened."""
    folder = tmp_path_factory.mktemp("clone")
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    taken = {service_network(default_state()), *(service_network(worker_state(f"gw{n}")) for n in range(workers))}
    names = (f"certward{number}" for number in range(100))
    made = next(folder / name for name in names if service_network(State(folder / name / ".cluster")) not in taken)
    shutil.copytree(CHECKOUT, made, ignore=_left_out, symlinks=True)
    yield made
    subprocess.run(["make", "cluster-down"], cwd=made, env=environment(), capture_output=True, check=False)


def _left_out(folder: str, names: list[str]) -> set[str]:
    top = {name for name in names if name in _LEFT_OUT or name.startswith(".cluster-")}
    return (top if Path(folder) == CHECKOUT else set()) | _LEFT_OUT_ANYWHERE(folder, names)


@pytest.fixture
def shell(clone: Path) -> Iterator[Shell]:
    """A shell in the clone, with nothing of this run's own environment that is about a cluster."""
    cache = {"KUBECACHEDIR": str(clone.parent / "kubectl-cache")}  # ports come again, in clusters of other runs
    opened = Shell(clone, environment() | cache, {str(clone): _SHOWN})
    yield opened
    opened.close()


def environment() -> dict[str, str]:
    """As in a new shell of a user who has kubectl."""
    about = ("CLUSTER", "CERTWARD", "OPERATORS", "INGRESS", "KUBECONFIG", "MAKE", "MFLAGS", "VIRTUAL_ENV", "POD_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(about)}
    own = str(CHECKOUT / ".venv")
    path = [part for part in kept.get("PATH", "").split(os.pathsep) if not part.startswith(own)]
    return kept | {"PATH": os.pathsep.join([str(binary("kubectl").parent), *path]), "NO_COLOR": "1", "TERM": "dumb"}


def section(page: Path, heading: str) -> str:
    """The text below a heading of a page."""
    parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (part for part in parts if part.startswith(f"{heading}\n"))
    return text


def lines(text: str) -> list[str]:
    """The shell commands of a text whose output is not shown."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_tutorial_does_what_it_says(shell: Shell, clone: Path) -> None:
    typed = steps((clone / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    assert typed[0].command == "make cluster-up"
    assert typed[-1].command == "make cluster-down"
    shell.follow(typed, slow=_SLOW)
    assert not (clone / ".cluster").exists()


def test_the_readmes_demo_does_what_it_says(shell: Shell, clone: Path) -> None:
    """Its blocks without an output have to succeed; `make cluster-down` is done last, although it stands earlier."""
    readme = clone / "README.md"
    demo, seen = section(readme, "Demo"), section(readme, "What you write, what you see")
    quick = lines(demo)
    assert quick[0] == "make demo"
    down = next(line for line in quick if line.startswith("make cluster-down"))
    for line in quick:
        if line != down:
            said, code = shell.run(line, _SLOW.get(line, 120.0))
            assert code == 0, f"$ {line}\n{said}"
    shell.run('export PATH="$PWD/.venv/bin:$PATH"')  # as docs/cli.md has it installed
    before, _, after = seen.partition("To have a Domain tried again")
    shell.follow(_of_console(before))
    for line in lines(after):
        said, code = shell.run(line)
        assert code == 0, f"$ {line}\n{said}"
        _until_handled(shell, line)
    shell.follow(_of_console(after))
    said, code = shell.run(down)
    assert code == 0, said


def _of_console(text: str) -> list[Step]:
    found = steps(text)
    assert found
    return found


def _until_handled(shell: Shell, line: str) -> None:
    """What an annotation asks for is done before the next one is set; a reader takes longer than that, too."""
    asked = re.search(r"annotate domain (\S+) -n (\S+) .*certward\.dev/(refresh|revoke)=", line)
    assert asked, line
    name, namespace, what = asked.groups()
    told = f"kubectl get domain {name} -n {namespace} -o jsonpath='{{.status.handled.{what}}}'"
    wait_for(lambda: shell.run(told) != ("", 0), 30, f"{what} is handled")
    said, code = shell.run(f"kubectl wait domain/{name} -n {namespace} --for=condition=Ready --timeout=30s")
    assert code == 0, said
