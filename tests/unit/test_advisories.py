"""What is made of pip-audit's words: known, nothing known, and above all not found out."""

import json

import pytest

from advisories import CLEAR, FOUND, UNKNOWN, judge

CLEAN = {"name": "idna", "version": "3.20", "vulns": []}
#: As pip-audit 2.10 puts it for a package that the service does not have, with exit status 0.
PASSED_OVER = {
    "name": "jinja2",
    "skip_reason": "Dependency not found on PyPI and could not be audited: jinja2 (3.1)",
}
BAD = {
    "name": "idna",
    "version": "3.6",
    "vulns": [{"id": "PYSEC-2024-60", "aliases": ["CVE-2024-3651"], "fix_versions": ["3.7"], "description": "..."}],
}
ENDLESS = {"name": "old", "version": "1", "vulns": [{"id": "GHSA-x", "aliases": [], "fix_versions": []}]}
CASES = {
    "all clear": ([CLEAN], CLEAR, "no advisory is known for any of 1 packages"),
    "one is known": ([CLEAN, BAD], FOUND, "idna 3.6: PYSEC-2024-60, CVE-2024-3651; mended in 3.7"),
    "one that nothing mends": ([ENDLESS], FOUND, "old 1: GHSA-x; no version is without it"),
    "one is passed over": ([CLEAN, PASSED_OVER], UNKNOWN, "1 of 2 packages are not known to the service: jinja2"),
    "one is known and one passed over": ([PASSED_OVER, BAD], FOUND, "CVE-2024-3651"),
    "none was asked for": ([], UNKNOWN, "it was asked none"),
}


@pytest.mark.parametrize(("found", "status", "words"), CASES.values(), ids=CASES)
def test_what_was_found(found, status, words):
    verdict = judge(json.dumps({"dependencies": found, "fixes": []}), "")
    assert verdict.status == status
    assert words in verdict.lines[0]


@pytest.mark.parametrize("printed", ["", "Traceback", "{}"])
def test_no_answer_is_not_taken_for_a_good_one(printed):
    verdict = judge(printed, "Traceback\nProxyError: refused\n")
    assert verdict.status == UNKNOWN
    assert "could not be asked for: ProxyError: refused" in verdict.lines[0]
    assert "Nothing is said of the packages" in verdict.lines[1]


def test_many_that_are_passed_over_are_not_all_named():
    verdict = judge(json.dumps({"dependencies": [PASSED_OVER] * 100}), "")
    assert verdict.lines[0].endswith("jinja2, jinja2, jinja2, jinja2, jinja2, ...")
