"""Writes docs/ingress-controllers.md from the dialects' own tables and from other-controllers.yaml beside this file.

Run by `make docs`; a test compares the page with what this would write.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from certward.model import profiles
from certward.model.suites import VERSIONS
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect
from certward.render.registry import DIALECTS

HERE = Path(__file__).parent
PAGE = HERE.parent / "ingress-controllers.md"


def page() -> str:
    """The whole page."""
    parts = [(HERE / "introduction.md").read_text(), *_table(_overview())]
    for dialect in DIALECTS.values():
        parts += ["", *_about(dialect)]
    parts += ["", "## Without a dialect", ""]
    parts += [
        "Facts about other controllers, for the choice of one and for what the generic dialect's `NotEnforceable`",
        "means there. None of these was run with Certward.",
        "",
    ]
    others = yaml.safe_load((HERE / "other-controllers.yaml").read_text())
    columns = ("versions", "suites", "tls13", "groups", "hsts", "same_host", "challenge")
    heads = ("versions", "suites to TLS 1.2", "TLS 1.3 suites", "groups", "HSTS", "two for one host", "challenge path")
    rows = [[f"{o['name']} ({o['version']})", *(_plain(o, column) for column in columns)] for o in others]
    parts += _table([["controller", *heads], *rows])
    parts += ["", "Sources:", "", *(f"- {o['name']}: {o['source']}" for o in others)]
    return "\n".join(parts) + "\n"


def _overview() -> list[list[str]]:
    heads = ["dialect", "versions per host", "suites to TLS 1.2", "their order", "TLS 1.3 suites", "groups"]
    rows = [[*heads, "HSTS", "redirect", "trusted ranges"]]
    for dialect in DIALECTS.values():
        can = dialect.capabilities
        rows.append(
            [
                f"`{dialect.name}`",
                _versions(can),
                f"{len(can.suites)} known" if can.suites else "no",
                _yes(can.orders_suites),
                _yes(can.sets_tls13_suites),
                ", ".join(sorted(can.groups)) or "no",
                _yes(can.sends_hsts),
                _yes(can.redirects),
                _yes(can.restricts_ranges),
            ]
        )
    return rows


def _about(dialect: Dialect) -> list[str]:
    can = dialect.capabilities
    controllers = ", ".join(f"`{name}`" for name in dialect.controllers) or "any other"
    lines = [f"### {dialect.name}", "", f"- Controller: {controllers}. Written: {', '.join(dialect.kinds)}."]
    if can.version:
        lines.append(f"- Facts: version {can.version}; {can.source}.")
    if can.tried:
        lines.append(f"- Tried: {can.tried}")
    lines.append(f"- A route of somebody else for the same host {can.foreign_route}.")
    if can.cluster_wide:
        lines.append(f"- For the administrator: {can.cluster_wide}")
    lines += ["", "What it can be told of each profile, per host:", "", *_table(_profiles(can))]
    return lines


def _profiles(can: Capabilities) -> list[list[str]]:
    rows = [["revision", "profile", "versions", "suites to TLS 1.2 that it lacks", "groups that it lacks"]]
    for profile in profiles.TABLE.values():
        promised = profiles.versions(profile)
        versions = [version for version in promised if version in can.versions]
        lacking = [suite for suite in profile.suites if suite not in can.suites]
        groups = [group for group in profile.groups if group not in can.groups]
        row = [_some(versions, promised), _lacks(lacking, profile.suites), _lacks(groups, profile.groups)]
        rows.append([profile.revision, profile.name, *row])
    return rows


def _some(found: list[str], wanted: tuple[str, ...]) -> str:
    if not found:
        return "not settable"
    return "all" if len(found) == len(wanted) else f"only {', '.join(found)}"


def _lacks(lacking: list[str], wanted: tuple[str, ...]) -> str:
    if not lacking:
        return "none"
    return "not settable" if len(lacking) == len(wanted) else ", ".join(lacking)


def _versions(can: Capabilities) -> str:
    known = [version for version in VERSIONS if version in can.versions]
    return f"{known[0]} to {known[-1]}" if known else "no"


def _plain(row: Mapping[str, str], column: str) -> str:
    return {"listener": "per listener", "cluster": "for the whole cluster"}.get(row[column], row[column])


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _table(rows: list[list[str]]) -> list[str]:
    head, *body = rows
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in body)]


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
