"""`python tests/chaos run`: faults of all kinds on the local cluster, judged all along; usually by `make chaos`.

`python tests/chaos mutations` runs operators that make one mistake each on purpose, each of which has to be found. What
is found is printed and kept in build/chaos/. It ends with 1 where an invariant was broken, or a mistake not found.
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from chaos import report
from chaos.run import Wish, perform
from chaos.world import Size
from cluster import processes, wish
from cluster import up as cluster_up
from cluster.handle import Cluster
from cluster.paths import CHECKOUT

_SEED = 20261126
_FOLDER = CHECKOUT / "build" / "chaos"


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    cluster = Cluster()
    was_running = bool(processes.running(cluster.state))
    try:
        if options.command == "mutations":
            return 1
        size = Size(options.domains * 7 // 16, options.domains // 4, options.domains // 4, options.domains // 16)
        asked = Wish(options.seed, options.faults, options.minutes, size, tuple(options.only or ()))
        outcome = perform(cluster, asked, lambda words: print(words, flush=True))
        told = report.facts(outcome)
        print(report.words(told), flush=True)
        print(report.keep(told, options.folder))
        return 1 if outcome.broken or outcome.unfinished else 0
    except KeyboardInterrupt:
        return 130
    finally:
        cluster.close()
        if was_running:
            cluster_up.up(wish.from_environment())
        else:
            cluster.down()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=_SEED, help="the faults follow from it (default %(default)s)")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where results are kept (default %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="faults of all kinds")
    run.add_argument("--faults", type=int, default=210, help="how many (default %(default)s)")
    run.add_argument("--minutes", type=float, default=30, help="no further fault after this (default %(default)s)")
    run.add_argument("--domains", type=int, default=32, help="how many (default %(default)s)")
    run.add_argument("--only", action="append", metavar="KIND", help="only this kind; may be repeated")
    commands.add_parser("mutations", help="operators with one mistake each, which has to be found")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
