"""Writes manifests/monitoring: the rules for the Prometheus Operator, and the Grafana dashboard.

The rules come from rules.yaml there, the panels from dashboard.yaml beside this file. Run by `make docs`; a test
compares the files with what this would write.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
MONITORING = HERE.parents[1] / "manifests" / "monitoring"
RULES = MONITORING / "rules.yaml"
PROMETHEUS_RULE = MONITORING / "prometheusrule.yaml"
DASHBOARD = MONITORING / "grafana-dashboard.json"

#: Where this repository's files can be read in a browser, such as https://git.example.net/certward/blob/main; empty as
#: long as they are published nowhere. With it the PrometheusRule gets the annotation `runbook_url`, which tools link.
PUBLISHED_AT = ""

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: Width and height of panels, in the units of Grafana's grid, which is 24 wide.
_SIZES = {"stat": (4, 4), "timeseries": (8, 8), "table": (8, 8)}
_GRID = 24


def prometheus_rule(published_at: str = PUBLISHED_AT) -> str:
    """The rules as the Prometheus Operator takes them.

    Args:
        published_at: URL of this repository's files; where there is one, paths of runbooks become URLs below it.
    """
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for annotations in (rule["annotations"] for group in groups for rule in group["rules"]):
        if published_at:
            annotations["runbook_url"] = f"{published_at.rstrip('/')}/{annotations.pop('runbook')}"
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "certward",
            "namespace": "certward-system",
            "labels": {"app.kubernetes.io/name": "certward"},
        },
        "spec": {"groups": groups},
    }
    written = yaml.safe_dump(rule, sort_keys=False, width=120, allow_unicode=True)
    return f"# Made from rules.yaml by `make docs`; change that one.\n{written}"


def dashboard() -> str:
    """The dashboard, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in yaml.safe_load((HERE / "dashboard.yaml").read_text(encoding="utf-8")):
        panels.append({"type": "row", "title": row["title"], "collapsed": False, "panels": [], **_at(0, y, _GRID, 1)})
        x, y, height = 0, y + 1, 0
        for panel in row["panels"]:
            width, tall = _SIZES[panel.get("kind", "timeseries")]
            if x + width > _GRID:
                x, y = 0, y + height
            panels.append({**_panel(panel), **_at(x, y, width, tall)})
            x, height = x + width, tall
        y += height
    made = {
        "uid": "certward",
        "title": "Certward",
        "description": "Certificates and TLS of Apps and Domains, and the operator at work. docs/metrics.md explains.",
        "tags": ["certward", "tls"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }
    return json.dumps(made, indent=1) + "\n"


def _panel(panel: Mapping[str, Any]) -> dict[str, Any]:
    kind = panel.get("kind", "timeseries")
    defaults: dict[str, Any] = {"unit": panel.get("unit", "short")}
    if "red" in panel:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel["red"]}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel["meaning"],
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend or "__auto",
                "instant": kind != "timeseries",
                "range": kind == "timeseries",
                "format": "table" if kind == "table" else "time_series",
            }
            for number, (query, legend) in enumerate(panel["queries"].items())
        ],
    }


def _at(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"gridPos": {"x": x, "y": y, "w": width, "h": height}}


if __name__ == "__main__":
    PROMETHEUS_RULE.write_text(prometheus_rule(), encoding="utf-8")
    DASHBOARD.write_text(dashboard(), encoding="utf-8")
    sys.stdout.write(f"{PROMETHEUS_RULE}\n{DASHBOARD}\n")
