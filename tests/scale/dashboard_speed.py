"""How long the dashboard takes for a page and for a live update, at 1,000 Domains; it needs no cluster.

The server runs as `kubectl certward dashboard` runs it and is asked over loopback, so a figure holds everything but the
browser. Before each live update one Domain changes, as a watch would tell it.
"""

import argparse
import http.client
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

if __package__ in (None, ""):  # run by its path: tests/ has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from rich.console import Console
from rich.table import Table

from certward.dashboard.security import COOKIE
from certward.dashboard.store import Store
from dashboard import worlds
from dashboard.serving import Served, serving
from scale.meter import machine

_PAGES = {"overview": "", "domains": "domains", "a search": "domains?q=shop+www", "apps": "apps", "budget": "budget"}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    console = Console()
    store = worlds.big(worlds.now(), options.domains)
    table = Table(
        "", "median", "95 %", "longest", title=f"{options.domains} Domains, {options.runs} runs, milliseconds"
    )
    with serving(store) as served:
        for name, path in _PAGES.items():
            _row(table, f"page: {name}", options.runs, lambda path=path: _ask(served, path))
        for name, path in _PAGES.items():
            _row(table, f"live update: {name}", options.runs, lambda path=path: _update(served, store, path))
        _row(table, "live update: nothing new", options.runs, lambda: _ask(served, "domains", part=True, seen=True))
    console.print(f"[dim]{machine()}[/dim]")
    console.print(table)
    return 0


def _row(table: Table, name: str, runs: int, run: Callable[[], float]) -> None:
    run()
    times = sorted(run() * 1000 for _ in range(runs))
    table.add_row(name, *(f"{one:.1f}" for one in (statistics.median(times), times[int(runs * 0.95)], times[-1])))


def _update(served: Served, store: Store, path: str) -> float:
    now = worlds.now()
    mark = str(time.monotonic_ns())
    body = worlds.domain("www.shop-0.example.com", "shop-0", "team-00", now, reason="Changed", message=mark)
    started = time.perf_counter()
    store.change("Domain", "MODIFIED", body)
    return time.perf_counter() - started + _ask(served, path, part=True)


def _ask(served: Served, path: str, *, part: bool = False, seen: bool = False) -> float:
    host, _, port = served.authority.partition(":")
    connection = http.client.HTTPConnection(host, int(port))
    headers = {"Cookie": f"{COOKIE}={served.keys.session}", **({"HX-Request": "true"} if part else {})}
    url = f"{served.keys.base}{path}"
    if seen:
        connection.request("GET", url, headers=headers)
        text = connection.getresponse().read().decode()
        url += "?seen=" + text.split('name="seen" value="', 1)[1].split('"', 1)[0]
    started = time.perf_counter()
    connection.request("GET", url, headers=headers)
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - started
    connection.close()
    if answer.status not in (200, 204):
        raise SystemExit(f"{path}: {answer.status}")
    return took


if __name__ == "__main__":
    sys.exit(main())
