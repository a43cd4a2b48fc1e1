"""Figures as files: build/bench/<scenario>.json, with where and when they came to be; and as a Markdown table."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.handle import Cluster
from cluster.paths import CHECKOUT
from scale.meter import machine, versions

FOLDER = CHECKOUT / "build" / "bench"
Result = dict[str, Any]


def keep(
    scenario: str, operator: str, figures: Mapping[str, Any], cluster: Cluster, *, load: float, folder: Path = FOLDER
) -> Path:
    """Write the figures of a scenario and return the file.

    Args:
        scenario: with its size, such as `burst-50`.
        operator: the driver's name.
        figures: what the scenario has returned.
        cluster: where it was.
        load: the machine's load before it began.
        folder: where to.
    """
    return _write(scenario, operator, {"versions": versions(cluster, operator), "figures": dict(figures)}, load, folder)


def keep_failure(scenario: str, operator: str, words: str, *, load: float, folder: Path = FOLDER) -> Path:
    """Write that there are no figures, and why, in the place of older ones."""
    return _write(scenario, operator, {"failed": words}, load, folder)


def _write(scenario: str, operator: str, what: Result, load: float, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (f"{scenario}.json" if operator == "certward" else f"{scenario}.{operator}.json")
    result = {
        "scenario": scenario,
        "operator": operator,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {**machine(), "load_before": round(load, 2)},
        **what,
    }
    file.write_text(json.dumps(result, indent=1) + "\n")
    return file


def kept(folder: Path = FOLDER) -> list[Result]:
    """Return all results, in the order of their scenarios' names and sizes."""
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda result: (*_order(result["scenario"]), result["operator"]))


def _order(scenario: str) -> tuple[int, str, int]:
    name, _, size = scenario.partition("-")
    order = list(_COLUMNS)
    return (order.index(name) if name in order else len(order), name, int(size or 0))


def _seconds(*path: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda figures: f"{_at(figures, path):.2f} s" if _at(figures, path) is not None else "-"


def _number(*path: str, form: str = "{:.1f}") -> Callable[[Mapping[str, Any]], str]:
    return lambda figures: form.format(_at(figures, path)) if _at(figures, path) is not None else "-"


def _at(figures: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = figures
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


_PRICE = {
    "CPU each": _number("operator_cpu_seconds_per_domain", form="{:.3f} s"),
    "API writes each": _number("api_writes_per_domain_total"),
    "API reads each": _number("api_reads_per_domain_total"),
    "CA requests each": _number("ca_requests_per_domain_total"),
    "peak memory": _number("operator_peak_rss_mib", form="{:.0f} MiB"),
}
_BURST = {
    "all Ready": _seconds("all_ready_seconds"),
    "all proven": _seconds("all_proven_seconds"),
    "median": _seconds("ready_seconds", "median"),
    "p99": _seconds("ready_seconds", "p99"),
    **_PRICE,
}
#: scenario -> heading -> its cell.
_COLUMNS: dict[str, dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "latency": {
        "HTTPS, median": _seconds("https_seconds", "median"),
        "HTTPS, max": _seconds("https_seconds", "max"),
        "Ready, median": _seconds("ready_seconds", "median"),
        "Ready, max": _seconds("ready_seconds", "max"),
        **_PRICE,
    },
    "burst": _BURST,
    "renewal": _BURST,
    "policy": {
        "all enforced": _seconds("all_enforced_seconds"),
        "median": _seconds("enforced_seconds", "median"),
        "hosts scanned": _number("sampled", form="{}"),
        **_PRICE,
    },
    "restart": {
        "synced": _seconds("synced_after_seconds"),
        "new Domain proven": _seconds("new_proven_after_seconds"),
        "all compared": _seconds("all_compared_after_seconds"),
        "writes": _number("writes", form="{}"),
        "memory": _number("rss_mib", form="{:.0f} MiB"),
        "idle": _number("idle_cpu_share", form="{:.1%}"),
    },
    "rest": {
        "looks a second": _number("looks_per_second", form="{:.2f}"),
        "share of a core": _number("cpu_share", form="{:.1%}"),
        "CPU of a look": _number("cpu_seconds_per_look", form="{:.4f} s"),
        "writes": _number("writes", form="{}"),
        "memory": _number("rss_mib", form="{:.0f} MiB"),
    },
    "failover": {
        "other leads": _seconds("other_leads_after_seconds"),
        "other issues": _seconds("other_issues_after_seconds"),
        "all proven": _seconds("all_proven_after_seconds"),
        "lost": _number("lost", form="{}"),
    },
    "churn": {
        "memory, beginning": _number("trends", "rss_mib", "beginning", form="{:.1f} MiB"),
        "middle": _number("trends", "rss_mib", "middle", form="{:.1f} MiB"),
        "end": _number("trends", "rss_mib", "end", form="{:.1f} MiB"),
        "a minute": _number("trends", "rss_mib", "slope_per_minute", form="{:+.3f} MiB"),
        "± error": _number("trends", "rss_mib", "slope_standard_error", form="{:.3f}"),
        "handles, beginning": _number("trends", "handles", "beginning"),
        "handles, end": _number("trends", "handles", "end"),
        "oldest due key": _seconds("trends", "queue_age_seconds", "most"),
        "operations": _number("operations_total", form="{}"),
        "amiss": lambda figures: str(len(figures["wrong"])),
        "verdict": _number("verdict", form="{}"),
    },
}


def markdown(results: Iterable[Result]) -> Iterator[str]:
    """The results as Markdown, line by line: a table for each kind of scenario, then machine and date of each."""
    all_of = list(results)
    for name in dict.fromkeys(result["scenario"].partition("-")[0] for result in all_of):
        of_it = [result for result in all_of if result["scenario"].partition("-")[0] == name]
        if name == "curve":
            for result in of_it:
                yield from _curve(result)
            continue
        columns = _COLUMNS[name]
        yield f"| {name} | {' | '.join(columns)} |"
        yield f"|---|{'---|' * len(columns)}"
        for result in of_it:
            yield _row(_label(result), result, columns)
        yield ""
    for where in dict.fromkeys(_where(result) for result in all_of):
        of_it = [result for result in all_of if _where(result) == where]
        labels = ", ".join(f"{_label(result)} ({_state(result['machine'])})" for result in of_it)
        yield f"{where}. With the machine's load before each, and what it took for a fixed piece of work: {labels}."


def _row(label: str, result: Result, columns: Mapping[str, Callable[[Mapping[str, Any]], str]]) -> str:
    if "failed" in result:
        return f"| {label} | **failed**: {result['failed']} |{' |' * (len(columns) - 1)}"
    return f"| {label} | {' | '.join(cell(result['figures']) for cell in columns.values())} |"


def _curve(result: Result) -> Iterator[str]:
    columns = {
        "memory": _number("rss_mib", form="{:.0f} MiB"),
        "LIST and sync": _seconds("synced_after_seconds"),
        "all compared": _seconds("all_compared_after_seconds"),
        "idle": _number("idle_cpu_share", form="{:.1%}"),
        "CPU of one more": _number("burst", "operator_cpu_seconds_per_domain", form="{:.3f} s"),
        "API requests of one more": lambda figures: (
            f"{figures['burst']['api_writes_per_domain_total'] + figures['burst']['api_reads_per_domain_total']:.1f}"
        ),
    }
    yield f"| curve | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    if "failed" in result:
        yield _row(_label(result), result, columns)
    else:
        for point in result["figures"]["points"]:
            yield _row(f"{point['domains']} Domains", {"figures": point}, columns)
    yield ""


def _label(result: Result) -> str:
    return result["scenario"] if result["operator"] == "certward" else f"{result['scenario']} ({result['operator']})"


def _state(machine: Mapping[str, Any]) -> str:
    """How busy the machine was, and how quick it was then."""
    yardstick = machine.get("yardstick_seconds")
    return f"{machine['load_before']:.1f}" + (f", {yardstick * 1000:.0f} ms" if yardstick else "")


def _where(result: Result) -> str:
    of = result["machine"]
    told = ", ".join(f"{name} {value}" for name, value in (result.get("versions") or {}).items())
    day = result["date"].partition("T")[0]
    return f"{day}, {of['cores']} cores of {of['cpu']}, kernel {of['kernel']}{f'; {told}' if told else ''}"
