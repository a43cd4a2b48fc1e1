"""The bench's own code at a small size: its figures are those of what happened, and it can fail."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cluster.handle import Cluster
from scale import results
from scale.__main__ import run
from scale.scenarios import Scenario
from scale.stand import Stand

BURST = Scenario("burst", 5)


@pytest.fixture
def stand(cluster: Cluster) -> Stand:
    """The bench on the session's cluster and operator, with namespaces of its own."""
    return Stand(Cluster(cluster.state), Console(file=StringIO(), width=120), fresh=False, quiet_seconds=0.5)


def test_a_burst_is_measured(stand: Stand, tmp_path: Path) -> None:
    assert run(stand, BURST, tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.name == "burst-5.json"
    told = json.loads(file.read_text())
    assert {"date", "machine", "versions", "scenario", "operator"} <= set(told)
    assert {"cpu", "cores", "load", "load_before"} <= set(told["machine"])
    figures = told["figures"]
    assert (figures["domains"], figures["ready"], figures["proven"]) == (5, 5, 5)
    assert 0 < figures["ready_seconds"]["min"] <= figures["ready_seconds"]["max"]
    assert figures["ready_seconds"]["max"] == pytest.approx(figures["all_ready_seconds"], abs=0.001)
    assert figures["all_ready_seconds"] <= figures["all_proven_seconds"]
    assert figures["ca_requests_per_domain"]["POST /order-plz"] >= 1
    assert figures["api_writes_per_domain"]["patch secrets"] >= 1  # the certificate
    assert figures["operator_cpu_seconds"] > 0
    assert figures["operator_peak_rss_mib"] > 10
    assert figures["stages"]["ca finalize"]["times"] >= 1
    assert sum(stage.get("share", 0) for stage in figures["stages"].values()) == pytest.approx(1, abs=0.01)
    assert "| burst-5 |" in "\n".join(results.markdown(results.kept(tmp_path)))


def test_what_is_missing_is_named(stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stand.limit = 0.01
    assert not run(stand, BURST, tmp_path)
    assert "Ready: 0 of 5" in capsys.readouterr().err
    (result,) = results.kept(tmp_path)
    assert "not within 0.01 s" in result["failed"]
    assert "figures" not in result
    assert "**failed**" in "\n".join(results.markdown([result]))
