"""Where the time of an issuance goes, by the operator's own metric certward_stage_seconds."""

import http.client
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from cluster import operator_process, web
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.ports import Ports

#: stage -> (seconds, how often)
Stages = dict[str, tuple[float, float]]
#: Not in a worker: it goes on beside them, so it is no part of the sum.
_BESIDE = ("preflight from outside", "api POST Event", "api GET Lease", "api PUT Lease", "api POST Lease")


def metrics(cluster: Cluster, replica: str = "certward-0") -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample of a replica's /metrics by its name and sorted labels; raises ClusterError."""
    port = Ports(cluster.state.root / "ports.json").get(f"{replica}-health")
    try:
        status, body = web.get(f"http://127.0.0.1:{port}/metrics", timeout=30.0)
    except (OSError, http.client.HTTPException) as error:
        raise ClusterError(f"{replica} tells no metrics: {error}") from error
    if status != http.HTTPStatus.OK:
        raise ClusterError(f"{replica} answers {status} to /metrics")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def is_leader(cluster: Cluster, replica: str) -> bool:
    """Tell whether a replica says that it works."""
    told = operator_process.health_of(Ports(cluster.state.root / "ports.json"), replica)
    return bool(told and told.get("leader"))


def read(cluster: Cluster) -> Stages:
    """Return what the stages have taken so far in the one replica that runs."""
    found = metrics(cluster)
    names = {labels[0][1] for name, labels in found if name == "certward_stage_seconds_sum"}

    def value(suffix: str, stage: str) -> float:
        return found[f"certward_stage_seconds_{suffix}", (("stage", stage),)]

    return {name: (value("sum", name), value("count", name)) for name in names}


def per_issuance(before: Stages, after: Stages, issuances: int) -> dict[str, dict[str, float]]:
    """-> stage: its seconds and how often, for each issuance, and its share of all that the workers were busy with."""
    none = (0.0, 0.0)
    grown = {
        name: (after[name][0] - before.get(name, none)[0], after[name][1] - before.get(name, none)[1]) for name in after
    }
    total = sum(seconds for name, (seconds, _) in grown.items() if name not in _BESIDE)
    return {
        name: {
            "seconds": round(seconds / issuances, 5),
            "times": round(times / issuances, 2),
            **({} if name in _BESIDE else {"share": round(seconds / total, 4) if total else 0.0}),
        }
        for name, (seconds, times) in sorted(grown.items(), key=lambda item: -item[1][0])
        if times
    }


def show(stages: dict[str, dict[str, Any]], console: Console) -> None:
    """Print them, the longest first."""
    table = Table(title="Where the workers' time of one issuance goes")
    for heading in ("stage, without those within it", "times", "seconds", "share"):
        table.add_column(heading, justify="left" if heading.startswith("stage") else "right")
    for name, of in stages.items():
        share = f"{of['share']:.1%}" if "share" in of else "beside"
        table.add_row(name, f"{of['times']:.2f}", f"{of['seconds']:.4f}", share)
    table.add_section()
    busy = sum(of["seconds"] for of in stages.values() if "share" in of)
    table.add_row("all workers", "", f"{busy:.4f}", "100.0%")
    console.print(table)
