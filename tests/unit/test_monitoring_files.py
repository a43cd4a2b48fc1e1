"""Alert rules, runbooks, dashboard and the page of metrics belong together; tests/integration runs them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from generators import generator

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "manifests" / "monitoring"
ALERTS = [
    rule
    for group in yaml.safe_load((MONITORING / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
METRIC = re.compile(r"\bcertward_[a-z_]+\b")
IDS = [alert["alert"] for alert in ALERTS]


def documented():
    """The metrics that docs/metrics.md lists."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(certward_[a-z_]+)` \| (?:gauge|counter|histogram) \|", text, re.MULTILINE))


def queried(expression):
    """The metrics that a query asks for, by the name of their family."""
    return {re.sub(r"_bucket$", "", name) for name in METRIC.findall(expression)}


@pytest.mark.parametrize("alert", ALERTS, ids=IDS)
def test_an_alert_says_what_it_means_and_where_to_read_on(alert):
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    told = alert["annotations"]
    assert set(told) == {"summary", "description", "runbook"}
    assert told["summary"].endswith(".")
    page, _, anchor = told["runbook"].partition("#")
    assert anchor == alert["alert"].lower()
    assert f"\n## {alert['alert']}\n" in (ROOT / page).read_text(encoding="utf-8")
    assert queried(alert["expr"]) <= documented()


@pytest.mark.parametrize("base", ["https://git.example.net/certward/blob/main", "https://git.example.net/certward/"])
def test_where_the_files_are_published_a_runbook_is_a_url(base):
    made = yaml.safe_load(generator("monitoring").prometheus_rule(base))
    found = [rule["annotations"] for group in made["spec"]["groups"] for rule in group["rules"]]
    assert [told["runbook_url"] for told in found] == [
        f"{base.rstrip('/')}/{alert['annotations']['runbook']}" for alert in ALERTS
    ]
    assert not any("runbook" in told for told in found)


def test_nothing_that_is_no_url_is_called_one():
    text = (MONITORING / "prometheusrule.yaml").read_text(encoding="utf-8")
    for url in re.findall(r"runbook_url: (\S+)", text):
        assert url.startswith("https://")


def test_each_runbook_is_of_an_alert_and_says_how_to_look_and_mend():
    text = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections] == IDS
    for section in sections:
        for part in ("**Means**", "**Look**", "**Mend**"):
            assert part in section, section.splitlines()[0]


def test_each_alert_has_a_unit_test_in_which_it_fires():
    tests = (ROOT / "tests" / "integration" / "alert_rules_test.yaml").read_text(encoding="utf-8")
    fired = set(re.findall(r'ALERTS\{alertname="(\w+)",alertstate="firing"', tests))
    for test in yaml.safe_load(tests)["tests"]:
        fired |= {rule["alertname"] for rule in test.get("alert_rule_test", ()) if rule["exp_alerts"]}
    assert fired == set(IDS)


def test_the_dashboard_asks_for_documented_metrics_only():
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    assert len(queries) > len(DASHBOARD["panels"]) / 2
    for query in queries:
        assert queried(query), query
        assert queried(query) <= documented(), query


def test_panels_lie_beside_each_other():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_component_lists_every_file():
    component = yaml.safe_load((MONITORING / "kustomization.yaml").read_text(encoding="utf-8"))
    (dashboard,) = component["configMapGenerator"]
    files = [*component["resources"], *(file.partition("=")[2] for file in dashboard["files"])]
    here = {path.name for path in MONITORING.iterdir()}
    assert sorted(files) == sorted(here - {"kustomization.yaml", "rules.yaml"})


def test_the_service_monitor_finds_the_metrics():
    monitor = yaml.safe_load((MONITORING / "servicemonitor.yaml").read_text(encoding="utf-8"))
    services = list(yaml.safe_load_all((ROOT / "manifests" / "base" / "services.yaml").read_text(encoding="utf-8")))
    base = yaml.safe_load((ROOT / "manifests" / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    labels = {name: value for pair in base["labels"] for name, value in pair["pairs"].items()}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert monitor["metadata"]["namespace"] == base["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert endpoint["port"] in [port["name"] for service in services for port in service["spec"]["ports"]]
    assert endpoint["honorLabels"] is True
