"""A real Prometheus scrapes the operator: the page of metrics is true, and every query of ours can be answered."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import binaries
from cluster.handle import Cluster
from integration import observer, prometheus_server
from integration.prometheus_server import RULES, Prometheus

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(certward_[a-z_]+)` \| (gauge|counter|histogram) \|([^|]*)\|", re.MULTILINE)


def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    promtool = binaries.binary("promtool")
    subprocess.run([promtool, "check", "rules", "--lint-fatal", RULES], check=True)
    subprocess.run([promtool, "test", "rules", Path(__file__).parent / "alert_rules_test.yaml"], check=True)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    """An App with a Domain that is served, one whose hostname is taken, and two policies that conflict."""
    made = observer.new_shop(cluster, "metrics")
    policy: dict[str, Any] = {"apiVersion": observer.API_VERSION, "kind": "TLSPolicy", "spec": {"profile": "modern"}}
    rival = observer.domain("younger", made)  # of those made within a second the first by name would have it
    rival["spec"]["hostname"] = observer.hostname("www", made)
    observer.apply(cluster, made, observer.domain("www", made))
    observer.until_settled(cluster, made, ["www"])
    observer.apply(cluster, made, rival, *({**policy, "metadata": {"name": name}} for name in ("first", "second")))
    return made


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, once it has scraped what the namespace holds."""
    target = f"127.0.0.1:{observer.health_port(cluster)}"
    with prometheus_server.running(tmp_path_factory.mktemp("prometheus"), [target]) as server:
        expiry = f'certward_certificate_expiry_timestamp_seconds{{namespace="{namespace}"}}'
        refused = 'certward_policy_conditions{type="Accepted",reason="Conflicted"} > 0'
        cluster.wait_for(lambda: server.query(expiry) and server.query(refused), 60, "the first scrapes")
        yield server


def test_the_operator_is_scraped(prometheus: Prometheus, cluster: Cluster, namespace: str) -> None:
    assert [value for _, value in prometheus.query("up")] == [1]
    assert prometheus.query("sum(certward_leader)") == [({}, 1)]
    ((labels, at),) = prometheus.query(f'certward_certificate_expiry_timestamp_seconds{{namespace="{namespace}"}}')
    assert (labels["domain"], labels["hostname"]) == ("www", observer.hostname("www", namespace))
    leaf = observer.served_leaf(cluster, observer.hostname("www", namespace))
    assert at == leaf.not_valid_after_utc.timestamp()
    assert prometheus.query('certward_domains{state="Waiting",reason="HostnameTaken"} > 0')
    assert prometheus.query('certward_apps{profile="modern",revision="2026-11"} > 0')
    assert prometheus.query("certward_time_to_certificate_seconds_count > 0")
    assert prometheus.query('certward_certificates_issued_total{issuer="pebble",renewal="false"} > 0')


def test_the_page_of_metrics_is_true(prometheus: Prometheus) -> None:
    rows = ROW.findall((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))
    page = {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    told = {entry["metric"]: entry["type"] for entry in prometheus.api("targets/metadata")}
    assert {name: kind for name, kind in told.items() if name.startswith("certward_")} == {
        name: kind for name, (kind, _) in page.items()
    }
    seen = prometheus.api("series", **{"match[]": '{__name__=~"certward_.+"}'})
    for series in seen:
        name = re.sub(r"_(bucket|count|sum)$", "", series["__name__"])
        labels = {label for label, value in series.items() if label not in {"__name__", "job", "instance", "le"}}
        kind, documented = page.get(name) or page[series["__name__"]]
        assert labels <= documented, (series, kind)
    # Failed attempts have a series only once there was one.
    names = {re.sub(r"_(bucket|count|sum)$", "", series["__name__"]) for series in seen}
    assert set(page) - names <= {"certward_failures_total"}


def queries() -> list[tuple[str, str]]:
    """(what it is of, PromQL) of every alert and panel."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found = [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    dashboard = json.loads((RULES.parent / "grafana-dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", ())]
    return found


def test_every_query_of_alerts_and_dashboard_can_be_answered(prometheus: Prometheus) -> None:
    told = {entry["metric"] for entry in prometheus.api("targets/metadata")}
    for of, expression in queries():
        prometheus.query(expression.replace("$__rate_interval", "1m"))
        asked = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\bcertward_\w+", expression)}
        assert asked, of
        assert asked <= told, of


def test_an_alert_is_raised_by_what_is_scraped(prometheus: Prometheus, cluster: Cluster) -> None:
    alert = 'ALERTS{alertname="CertwardPolicyRefused",alertstate="pending",reason="Conflicted"}'
    cluster.wait_for(lambda: prometheus.query(alert), 30, "the alert is pending")
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    assert len(rules) == len({rule["name"] for rule in rules})
