"""The page of threats claims nothing without a test that is there, or the words that there is none."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "threat-model.md"
HEAD = ["threat", "what prevents it", "shown by", "what is left"]
_TEST = re.compile(r"`([^`]+)`")


def rows(text: str) -> list[list[str]]:
    """The rows of tables of threats, as cells."""
    found, is_threats = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells or set(line) <= set("|-"):
            is_threats = is_threats and bool(cells)
        elif cells == HEAD:
            is_threats = True
        elif is_threats:
            found.append(cells)
    return found


ROWS = rows(PAGE.read_text(encoding="utf-8"))


def problem(cells: list[str]) -> str:
    """What is wrong with a row; empty when nothing is."""
    if len(cells) != len(HEAD) or not all(cells):
        return "it has an empty cell"
    shown = cells[HEAD.index("shown by")]
    if shown == "no test":
        return ""
    named = _TEST.findall(shown)
    if not named or _TEST.sub("", shown).strip(", "):
        return "it names no test, or more than tests"
    for each in named:
        file, _, function = each.partition("::")
        if not (TESTS / file).is_file():
            return f"there is no {file}"
        source = (TESTS / file).read_text(encoding="utf-8")
        if not re.search(rf"^\s*(async )?def {function or 'test_'}", source, flags=re.MULTILINE):
            return f"{file} has no {function}"
    return ""


@pytest.mark.parametrize("cells", ROWS, ids=[cells[0] for cells in ROWS])
def test_a_threat_has_tests_that_are_there_and_says_what_is_left(cells: list[str]) -> None:
    assert problem(cells) == ""


def test_each_actor_has_threats() -> None:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    without = {section.splitlines()[0] for section in sections if not rows(section)}
    assert without == {"What is worth something", "Where trust ends", "Not looked at"}
    assert len(sections) - len(without) > 5


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["a", "b", "`unit/test_nothing.py`", "c"], "there is no unit/test_nothing.py"),
        (["a", "b", "`unit/test_logs.py::test_nothing`", "c"], "has no test_nothing"),
        (["a", "b", "careful review", "c"], "names no test"),
        (["a", "b", "`unit/test_logs.py` and review", "c"], "more than tests"),
        (["a", "b", "no test", ""], "an empty cell"),
    ],
)
def test_a_claim_without_a_test_is_noticed(cells: list[str], words: str) -> None:
    assert words in problem(cells)
