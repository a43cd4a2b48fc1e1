"""`make audit`: asks PyPI whether advisories are known for what uv.lock pins, and tells that apart from no answer.

pip-audit looks each package up by its version in PyPI's JSON API, which has the advisories of the Python Packaging
Advisory Database. Where that has no such package, as a mirror without the API says of all of them, pip-audit passes
over it and ends with "No known vulnerabilities found". So what it has passed over counts here as not known.

Exit status: 0 nothing is known, 1 something is, 2 it could not be found out.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

CLEAR, FOUND, UNKNOWN = 0, 1, 2
_ROOT = Path(__file__).parents[1]
_MOST_NAMED = 5


class Verdict(NamedTuple):
    """What came of it: the exit status, and lines for people."""

    status: int
    lines: list[str]


def judge(printed: str, complaint: str) -> Verdict:
    """What pip-audit has said.

    Args:
        printed: its standard output, JSON where it came to an end.
        complaint: its standard error.
    """
    try:
        found = json.loads(printed)["dependencies"]
    except (ValueError, KeyError):
        last = (complaint.strip().splitlines() or ["it said nothing"])[-1]
        return Verdict(UNKNOWN, [f"the advisories could not be asked for: {last}", *_ELSEWHERE])
    known = [f"{_named(each)}: {_advisory(one)}" for each in found for one in each.get("vulns", ())]
    passed_over = [str(each["name"]) for each in found if "skip_reason" in each]
    if known:
        return Verdict(FOUND, known)
    if passed_over or not found:
        names = ", ".join(passed_over[:_MOST_NAMED]) + (", ..." if len(passed_over) > _MOST_NAMED else "")
        told = (
            f"{len(passed_over)} of {len(found)} packages are not known to the service: {names or 'it was asked none'}"
        )
        return Verdict(UNKNOWN, [told, *_ELSEWHERE])
    return Verdict(CLEAR, [f"no advisory is known for any of {len(found)} packages"])


_ELSEWHERE = [
    "Nothing is said of the packages by this. Run it where https://pypi.org/pypi/<name>/<version>/json answers."
]


def _named(dependency: Mapping[str, Any]) -> str:
    return f"{dependency['name']} {dependency['version']}"


def _advisory(one: Mapping[str, Any]) -> str:
    names = ", ".join((one["id"], *one.get("aliases", ())))
    mended = ", ".join(one.get("fix_versions", ()))
    return f"{names}; {f'mended in {mended}' if mended else 'no version is without it'}"


def main() -> int:
    """Export what is pinned, have it looked up, and say what came of it."""
    uv = os.environ.get("UV") or "uv"
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "requirements.txt"
        export = (
            "export",
            "--all-groups",
            "--no-emit-project",
            "--format",
            "requirements-txt",
            "--output-file",
            pinned,
        )
        _run(uv, *export).check_returncode()
        look = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
        done = _run(uv, "run", "--isolated", "--only-group", "audit", "pip-audit", "--requirement", pinned, *look)
    verdict = judge(done.stdout, done.stderr)
    for line in verdict.lines:
        print(line, file=sys.stderr if verdict.status else sys.stdout)
    return verdict.status


def _run(uv: str, command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    told = [uv, command, "--frozen", "--quiet", *arguments]
    return subprocess.run(told, cwd=_ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
