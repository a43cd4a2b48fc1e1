"""`python tests/chaos run`: faults of all kinds on the local cluster, judged all along; usually by `make chaos`.

`python tests/chaos mutations` runs operators that make one mistake each on purpose, each of which has to be found. What
is found is printed and kept in build/chaos/. It ends with 1 where an invariant was broken, or a mistake not found.
"""

import argparse
import shutil
import signal
import sys
from pathlib import Path

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from chaos import mutations, report
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is taken down all the same
    cluster = Cluster()
    was_running = bool(processes.running(cluster.state))
    try:
        return _try_mutations(cluster, options) if options.command == "mutations" else _run(cluster, options)
    except KeyboardInterrupt:
        return 130
    finally:
        _keep_logs(cluster, options.folder)
        cluster.close()
        if was_running:
            cluster_up.up(wish.from_environment())
        else:
            cluster.down()


def _keep_logs(cluster: Cluster, folder: Path) -> None:
    """The logs of the parts go with the cluster; those of the last run are kept."""
    kept = folder / "logs"
    shutil.rmtree(kept, ignore_errors=True)
    if cluster.state.logs.is_dir():
        shutil.copytree(cluster.state.logs, kept)


def _run(cluster: Cluster, options: argparse.Namespace) -> int:
    """Inject faults; returns 1 where an invariant was broken or the plan was not carried out."""
    size = Size(options.domains * 7 // 16, options.domains // 4, options.domains // 4, options.domains // 16)
    asked = Wish(options.seed, options.faults, options.minutes, size, tuple(options.only or ()))
    outcome = perform(cluster, asked, lambda words: print(words, flush=True))
    told = report.facts(outcome)
    print(report.words(told), flush=True)
    print(report.keep(told, options.folder))
    return 1 if outcome.broken or outcome.unfinished else 0


def _try_mutations(cluster: Cluster, options: argparse.Namespace) -> int:
    """Try each mistake; returns 1 where one was not found, or something else was."""
    wrong = []
    for mistake in options.only or mutations.EXPECTED:
        told = mutations.try_one(cluster, mistake, options.seed, lambda words: print(f"  {words}", flush=True))
        report.keep({**told, "mutation": mistake or "no-mistake"}, options.folder)
        words = mutations.verdict(mistake, told)
        wrong += [words] if words else []
        first = next((one for found in told["broken"].values() for one in found), "nothing is broken")
        print(f"{'WRONG' if words else 'right':6}{mistake or 'no mistake'}: {first}", flush=True)
        cluster.close()
    print("\n".join(wrong) or "each mistake breaks its invariant and no other", flush=True)
    return 1 if wrong else 0


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
    tried = commands.add_parser("mutations", help="operators with one mistake each, which has to be found")
    tried.add_argument("--only", action="append", choices=list(mutations.EXPECTED), help="only this; may be repeated")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
