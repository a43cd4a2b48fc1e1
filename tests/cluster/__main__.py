"""`python tests/cluster/__main__.py up|down|env|status`: the local cluster from a shell; usually by `make`.

up      bring the cluster into the state that OPERATORS, INGRESS and CLUSTER_OPERATOR_CONFIG_PATCH wish for
down    end it and forget its data; also those that test workers have left
env     print the environment file
status  print each part with its process id
fetch   build or fetch the programs that up would need, and those that are named
"""

import shlex
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: the package is the folder, so its parent has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cluster import processes, progress
from cluster import up as cluster_up
from cluster.environment import read
from cluster.errors import ClusterError
from cluster.paths import default_state, states
from cluster.wish import from_environment


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    commands = {"up": _up, "down": _down, "env": _env, "status": _status}
    command, *more = arguments or [""]
    if command == "fetch":
        commands["fetch"] = lambda: _fetch(more)
    if command not in commands or (more and command != "fetch"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return commands[command]()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here, `make cluster-down` clears it", file=sys.stderr)
        return 130


def _up() -> int:
    env = cluster_up.up(from_environment())
    progress.say(f"the cluster is up: http {env['CLUSTER_HTTP']}, https {env['CLUSTER_HTTPS']}")
    progress.say(f"to use it: set -a; . {shlex.quote(str(default_state().env))}; set +a")
    return 0


def _down() -> int:
    for state in states():
        cluster_up.down(state)
    progress.say("the cluster is down")
    return 0


def _env() -> int:
    read(default_state())
    print(default_state().env.read_text(), end="")
    return 0


def _status() -> int:
    found = processes.running(default_state())
    for name, process in sorted(found.items()):
        print(f"{name:20} {process.pid:>8}  {processes.log_file(default_state(), name)}")
    if not found:
        print("nothing runs")
    return 0 if found else 3


def _fetch(more: list[str]) -> int:
    cluster_up.fetch(from_environment(), more)
    progress.say("all programs are there")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
