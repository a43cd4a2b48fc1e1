"""What came of the campaigns, as a table in Markdown."""

from collections.abc import Iterable

from fuzz.campaign import Result

_COLUMNS = (
    "surface",
    "cases",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "closed",
    "without an answer",
    "good requests",
    "slowest, ms",
    "slow clients",
    "held, s",
    "memory, MiB",
    "descriptors",
    "log lines",
)


def table(results: Iterable[Result]) -> list[str]:
    """Its lines: what was sent, what came back, what good requests felt, and what the server had before and after."""
    return [_row(_COLUMNS), _row("---" for _ in _COLUMNS), *(_row(_cells(result)) for result in results)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(of: Result) -> Iterable[str]:
    by_class = [sum(count for status, count in of.statuses.items() if status // 100 == first) for first in (2, 3, 4, 5)]
    memory = " -> ".join(f"{kib / 1024:.0f}" for kib in of.memory)
    return (
        of.surface,
        str(of.cases),
        *map(str, by_class),
        str(of.closed),
        str(of.unanswered),
        str(of.good),
        f"{of.slowest * 1000:.0f}",
        str(of.slow_clients),
        f"{of.longest_held:.1f}",
        memory,
        " -> ".join(map(str, of.descriptors)),
        str(of.lines),
    )
