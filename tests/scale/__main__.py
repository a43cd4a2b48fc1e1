"""`python tests/scale run [SCENARIO ...]`: measures an operator on the local cluster; usually by `make bench`.

A scenario may have a size behind it: burst-200. Without any, the usual ones are run; `all` runs everything. Figures are
printed and kept in build/bench/; `python tests/scale table` prints what is kept as Markdown. The cluster is brought up
and taken down again, unless it was up before. It ends with 1 when a scenario has not come to its end, or has
found something amiss.
"""

import argparse
import os
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from kubernetes.client import ApiException
from rich.console import Console
from rich.markup import escape

from cluster import processes, wish
from cluster import up as cluster_up
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.waiting import NotInTime
from scale import drivers, results, scenarios
from scale.scenarios import Scenario
from scale.stand import Stand

_NOTE = "Everything, the client included, runs on this machine; the CA does not sleep before it validates."


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "table":
        print("\n".join(results.markdown(results.kept(options.folder))))
        return 0
    try:
        chosen = scenarios.chosen(options.scenario, options.operator)
    except scenarios.Unknown as error:
        parser.error(str(error))
    cluster = Cluster()
    stand = Stand(cluster, Console(), options.operator, options.limit, idle_seconds=options.idle)
    was_running = bool(processes.running(cluster.state))
    try:
        outcomes = [run(stand, scenario, options.folder) for scenario in chosen]
    except KeyboardInterrupt:
        return 130
    finally:
        cluster.close()
        if was_running:
            cluster_up.up(wish.from_environment())
        else:
            cluster.down()
    return 0 if all(outcomes) else 1


def run(stand: Stand, scenario: Scenario, folder: Path) -> bool:
    """Measure, show and keep one scenario; tells whether it came to its end and found nothing amiss."""
    load = os.getloadavg()[0]
    stand.console.rule(f"{scenario.name}, {stand.operator}")
    cores = len(os.sched_getaffinity(0))
    if load > cores:
        print(f"the machine is busy (load {load:.1f} on {cores} cores): times will say little", file=sys.stderr)
    try:
        figures = scenario.module.measure(stand, scenario.size)
    except (ClusterError, NotInTime, ApiException, OSError) as error:
        print(f"error: {scenario.name}: {error}", file=sys.stderr, flush=True)
        results.keep_failure(scenario.name, stand.operator, str(error), load=load, folder=folder)
        return False
    file = results.keep(scenario.name, stand.operator, figures, stand.cluster, load=load, folder=folder)
    scenario.module.show(figures, stand.console)
    stand.console.print(f"[dim]{_NOTE} Kept in {escape(str(file))}[/dim]", soft_wrap=True)
    wrong = figures.get("wrong") or []
    for words in wrong:
        print(f"error: {scenario.name}: {words}", file=sys.stderr, flush=True)
    return not wrong


def _parser() -> argparse.ArgumentParser:
    usual, everything = " ".join(scenarios.USUAL), " ".join(scenarios.ALL)
    parser = argparse.ArgumentParser(
        prog="python tests/scale",
        description=__doc__,
        epilog=f"scenarios:\n{scenarios.listing()}\n\nusual: {usual}\nall: {everything}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|table")
    running = commands.add_parser("run", help="measure")
    running.add_argument("scenario", nargs="*", help="such as latency, burst-200, all")
    running.add_argument("--operator", choices=drivers.OPERATORS, default="certward", help="default: %(default)s")
    running.add_argument(
        "--limit", type=float, default=0.0, metavar="SECONDS", help="how long to wait for one thing (default: by size)"
    )
    running.add_argument(
        "--idle",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long idle CPU is watched (default: %(default)g)",
    )
    table = commands.add_parser("table", help="print what is kept as Markdown")
    for each in (running, table):
        each.add_argument("--folder", type=Path, default=results.FOLDER, help="where figures are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
