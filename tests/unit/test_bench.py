"""What the bench says and counts by itself."""

import json
import ssl

import pytest
from rich.console import Console

from scale import costs, curve, results, scenarios, stages
from scale.drivers.certward import told
from scale.following import TooLate, everything
from scale.local_ca import LocalCA
from scale.scenarios import Scenario, Unknown
from scale.sni_server import Hosts


@pytest.mark.parametrize(
    ("words", "operator", "expected"),
    [
        (["burst"], "certward", [Scenario("burst", 50)]),
        (["burst-200", "burst-200", "latency"], "certward", [Scenario("burst", 200), Scenario("latency", 20)]),
        (["burst-7"], "cert-manager", [Scenario("burst", 7)]),
    ],
)
def test_scenarios_are_chosen_by_name_and_size(words, operator, expected):
    assert scenarios.chosen(words, operator) == expected


def test_usual_and_all_scenarios_are_there():
    assert {each.name for each in scenarios.chosen([], "certward")} == {
        "latency-20",
        "burst-50",
        "burst-200",
        "failover-50",
    }
    assert {each.kind for each in scenarios.chosen(["all"], "cert-manager")} == set(scenarios.FOR_ALL)
    for each in scenarios.chosen(["all"], "certward"):
        assert callable(each.module.measure)
        assert callable(each.module.show)
        assert each.kind in scenarios.listing()


@pytest.mark.parametrize(
    ("word", "operator"),
    [
        *((word, "certward") for word in ("bursts", "burst-", "burst-0", "burst--1", "burst-x", "burst-9999999")),
        ("renewal-5", "cert-manager"),
    ],
)
def test_what_is_no_scenario_is_refused(word, operator):
    with pytest.raises(Unknown, match=word):
        scenarios.chosen([word], operator)


def test_percentiles_are_of_the_nearest_rank():
    assert costs.summed_up(range(1, 101)) == {"min": 1, "median": 50.5, "p90": 90, "p99": 99, "max": 100}
    assert costs.summed_up([2.0]) == {"min": 2, "median": 2, "p90": 2, "p99": 2, "max": 2}


def test_stages_are_shares_of_what_workers_did():
    before = {"gather": (1.0, 10.0)}
    after = {"gather": (4.0, 20.0), "ca order": (1.0, 5.0), "preflight from outside": (9.0, 5.0), "idle": (0.0, 0.0)}
    found = stages.per_issuance(before, after, 5)
    assert found["gather"] == {"seconds": 0.6, "times": 2.0, "share": 0.75}
    assert found["ca order"]["share"] == 0.25
    assert "share" not in found["preflight from outside"]
    assert "idle" not in found


def test_a_wait_that_is_over_names_what_is_missing():
    with pytest.raises(TooLate, match=r"burst: not within 0 s \(Ready: 1 of 2\)\. 1 Failing"):
        everything({"Ready": lambda: 1}, 2, "burst", 0, trouble=lambda: "1 Failing")


def test_trouble_is_told_by_reason_with_an_example():
    failing = {"state": "Failing", "reason": "DNSNotFound", "message": "No such name."}
    words = told({"a.example": failing, "b.example": failing, "c.example": {}})
    assert words == "2 Failing (DNSNotFound), as a.example: No such name.; 1 no status, as c.example: no message"


def test_a_curve_has_at_least_two_sizes():
    assert [curve.sizes(size) for size in (1, 16, 1000, 10000)] == [[1], [4, 16], [100, 1000], [100, 1000, 10000]]


def test_results_become_tables(tmp_path):
    machine = {"cpu": "A CPU", "cores": 2, "kernel": "6.1", "load_before": 0.5, "load": 1.5}
    price = {
        "operator_cpu_seconds_per_domain": 0.1,
        "api_writes_per_domain_total": 10,
        "api_reads_per_domain_total": 20,
    }
    times = {"synced_after_seconds": 1.0, "all_compared_after_seconds": 2.0}
    point = {"domains": 100, "rss_mib": 95.0, **times, "idle_cpu_share": 0.01, "burst": price}
    of = {"operator": "certward", "date": "2026-11-25T10:00:00+00:00", "machine": machine}
    for result in (
        {**of, "scenario": "curve-100", "figures": {"points": [point]}},
        {**of, "scenario": "burst-1000", "figures": {"all_ready_seconds": 61.234}},
        {**of, "scenario": "burst-50", "failed": "50 at once: not within 1 s"},
        {**of, "scenario": "burst-50", "operator": "cert-manager", "figures": {"all_ready_seconds": 10}},
    ):
        name = f"{result['scenario']}.{result['operator']}.json"
        (tmp_path / name).write_text(json.dumps(result))
    lines = list(results.markdown(results.kept(tmp_path)))
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|") and not line.startswith("|---")]
    assert rows == ["burst", "burst-50 (cert-manager)", "burst-50", "burst-1000", "curve", "100 Domains"]
    assert len({line.count("|") for line in lines[:5]}) == 1
    assert "| 61.23 s |" in lines[4]
    assert lines[-1].startswith("2026-11-25, 2 cores of A CPU, kernel 6.1")


def test_the_stand_in_serves_what_its_folder_holds(tmp_path):
    authority, hosts = LocalCA(), Hosts(tmp_path)
    assert hosts.context("a.example") is None
    (tmp_path / "a.example.pem").write_bytes(b"".join(authority.issue("a.example")))
    first = hosts.context("a.example")
    assert first is not None
    assert hosts.context("a.example") is first
    assert hosts.context("../a.example") is not None  # whatever is asked for, it is looked for in the folder
    assert hosts.choose(None, "b.example", first) == ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    assert hosts.choose(None, None, first) == ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


def test_figures_are_shown(capsys):
    stages.show({"gather": {"seconds": 0.5, "times": 2, "share": 1.0}}, Console(width=100))
    assert "100.0%" in capsys.readouterr().out
