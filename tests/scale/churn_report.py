"""What a churn comes to: trends and verdicts from its samples, what is wrong with it, and how it is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from scale import costs, trend

#: A line may rise by so much over the run: 8 MiB or 5 % of the beginning, whichever is more; 5 threads and handles.
_MEMORY_MIB, _MEMORY_SHARE, _COUNT = 8.0, 0.05, 5.0
#: The oldest due key may get older by so much over the run, and never be older than so much, in seconds.
_AGE, _AGE_MOST = 5.0, 30.0
_WATCHED = {
    "rss_mib": "memory, MiB",
    "threads": "threads",
    "handles": "open handles",
    "queue_due": "keys due",
    "queue_age_seconds": "oldest due key, s",
}
#: For information: they are not what is measured. Pebble keeps every order and certificate in memory for ever.
_TOLD = {"traefik_rss_mib": "Traefik, MiB", "pebble_rss_mib": "Pebble, MiB"}
CRITERION = (
    "growing: a line by least squares through all that comes after the first tenth rises over the run, and the last "
    "tenth lies above the beginning, by more than "
    f"{_MEMORY_MIB:g} MiB and {_MEMORY_SHARE:.0%} of the beginning (memory), {_COUNT:g} (threads, handles, due keys) "
    f"or {_AGE:g} s (age), and its slope is more than {trend.ERRORS:g} standard errors above 0; or a due key is older "
    f"than {_AGE_MOST:g} s"
)
Figures = dict[str, Any]


def trends(taken: Sequence[Mapping[str, Any]], length: float) -> Figures:
    """Return a trend and a verdict for each series of samples, and the verdict of the whole."""
    found: dict[str, Figures] = {}
    for name in (*_WATCHED, *_TOLD):
        line = trend.of([each["at_seconds"] for each in taken], [each[name] for each in taken], length)
        limit = _limit(name, line)
        verdict = line.verdict(limit)
        if name == "queue_age_seconds" and line.most > _AGE_MOST:
            verdict = trend.GROWING
        found[name] = {
            "beginning": round(line.beginning, 3),
            "middle": round(line.middle, 3),
            "end": round(line.end, 3),
            "most": line.most,
            "slope_per_minute": round(line.slope, 5),
            "slope_standard_error": round(line.error, 5),
            "growth": round(line.growth, 3),
            "growth_allowed": round(limit, 3),
            "verdict": verdict if name in _WATCHED else "",
        }
    is_growing = trend.GROWING in {each["verdict"] for each in found.values()}
    return {"criterion": CRITERION, "trends": found, "verdict": trend.GROWING if is_growing else trend.FLAT}


def _limit(name: str, line: trend.Trend) -> float:
    if name.endswith("_mib"):
        return max(_MEMORY_MIB, _MEMORY_SHARE * line.beginning)
    return _AGE if name == "queue_age_seconds" else _COUNT


def wrong(figures: Mapping[str, Any]) -> list[str]:
    """Return what ought not to be, a sentence each; empty when all is well."""
    left = figures["left"]
    words = [
        f"{_WATCHED[name]}: growing, by {each['growth']:.1f} over the run (allowed: {each['growth_allowed']:.1f}), "
        f"{each['most']:.1f} at most"
        for name, each in figures["trends"].items()
        if each["verdict"] == trend.GROWING
    ]
    words += [f"not settled: {each}" for each in figures["failures"]]
    for where in ("in_namespaces", "in_cluster", "in_metrics"):
        words += [f"left {where.replace('_', ' ')}: {each}" for each in left[where]]
    words += [f"left in memory: {count} entries of {name}" for name, count in left["in_memory"].items()]
    bugs = left["sample"]["bugs"]
    return words + ([f"{bugs:g} passes ended with a mistake of the operator's: see its log"] if bugs else [])


def show(figures: Mapping[str, Any], console: Console) -> None:
    """Print the figures for people."""
    title = (
        f"{figures['seconds']} s of churn among {figures['domains']} Domains, {figures['rate_per_second']:g} a second"
    )
    table = Table(title=title)
    for heading in ("", "begin", "middle", "end", "most", "a minute", "± error", "verdict"):
        table.add_column(heading, justify="left" if heading in ("", "verdict") else "right")
    for name, label in (_WATCHED | _TOLD).items():
        of = figures["trends"][name]
        cells = [f"{of[part]:.1f}" for part in ("beginning", "middle", "end", "most")]
        cells += [f"{of['slope_per_minute']:+.3f}", f"{of['slope_standard_error']:.3f}", of["verdict"]]
        table.add_row(label, *cells)
    console.print(table)
    for name, label in (_WATCHED | _TOLD).items():
        values = [each[name] for each in figures["samples"]]
        bounds = f"{min(values):.1f} to {max(values):.1f}"
        console.print(f"{trend.spark(values)}  {label}: {bounds}", highlight=False, soft_wrap=True)
    console.print(f"[dim]{figures['criterion']}[/dim]", highlight=False)
    _show_operations(figures, console)
    _show_left(figures["left"], console)
    _show_grown(figures["grown"], console)
    console.print(f"verdict: [bold]{figures['verdict']}[/bold]; failures: {len(figures['failures'])}", highlight=False)


def _show_operations(figures: Mapping[str, Any], console: Console) -> None:
    table = Table("operation", "times", title=f"{figures['operations_total']} operations, seed {figures['seed']}")
    for name, count in figures["operations"].items():
        table.add_row(name, str(count))
    table.add_row("Domains created, deleted or renewed by them", str(figures["domains_moved"]))
    console.print(table)
    causes = figures["settled_seconds"]
    costs.show_times(f"{figures['settled']} times a Domain had to follow, looked at every second", causes, console)
    states = sorted({state for each in figures["samples"] for state in each["sockets"]})
    most = {state: max(each["sockets"].get(state, 0) for each in figures["samples"]) for state in states}
    console.print(f"sockets at most: {', '.join(f'{count} {state}' for state, count in most.items())}", highlight=False)


def _show_grown(grown: Mapping[str, Any], console: Console) -> None:
    malloc = ", ".join(f"{name.replace('_', ' ')} {size / 2**20:+.1f} MiB" for name, size in grown["malloc"].items())
    types = ", ".join(f"{name} {count:+d}" for name, count in list(grown["by_type"].items())[:8])
    console.print(
        f"inside, before the churn to its end: {grown['objects']:+d} objects, {grown['blocks']:+d} blocks of Python; "
        f"malloc: {malloc or 'not told'}; most: {types or 'none'}",
        highlight=False,
    )


def _show_left(left: Mapping[str, Any], console: Console) -> None:
    table = Table("once all is deleted, this still names it", "how many", title="What is left")
    for where in ("in_namespaces", "in_cluster", "in_metrics"):
        table.add_row(where.replace("_", " "), str(len(left[where])))
    for name, count in left["in_memory"].items():
        table.add_row(name, f"{count}, and nothing bounds it")
    for name, count in left["in_memory_for_a_time"].items():
        table.add_row(name, f"{count}, bounded")
    table.add_row("texts anywhere in the operator", f"{left['texts']}, {left['texts_bytes'] / 1024:.0f} KiB")
    objects = left["objects"]
    table.add_row("objects of Python there, before and after", f"{objects['before']}, {objects['after']}")
    console.print(table)
