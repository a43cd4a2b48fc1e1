"""The recorder of docs/sessions: what a terminal shows, as text, and what differs from run to run taken out."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "docs" / "generate"))

import recording
import terminal


def run(line: str, tmp_path: Path, *answers: str) -> terminal.Shown:
    return terminal.run(line, folder=tmp_path, environment={"PATH": "/usr/bin:/bin"}, answers=answers)


def test_lines_and_the_exit_code(tmp_path: Path) -> None:
    shown = run(r"test -t 1 && printf 'a\n\033[31mred\033[0m  \n\n' && exit 3", tmp_path)

    assert shown == terminal.Shown(3, ("a", "red"), ())


def test_a_pipe_fails_with_its_first_program(tmp_path: Path) -> None:
    assert run("false | true", tmp_path).code == 1


def test_questions_are_answered_in_their_order(tmp_path: Path) -> None:
    asking = "read -r -p 'First? [y/N]: ' a; read -r -p 'Second? [y/N]: ' b; echo $a $b"

    assert run(asking, tmp_path, "y", "n").lines == ("First? [y/N]: y", "Second? [y/N]: n", "y n")


def test_progress_that_is_overwritten_is_kept_aside() -> None:
    screen = terminal.Screen()
    screen.feed(
        "begin\r\n\x1b[?25lone\r\n1 s\r\x1b[2K\x1b[1A\x1b[2Ktwo\r\n2 s\r\n\r\x1b[1A\x1b[2K\x1b[1A\x1b[2Kend\r\n"
    )

    assert [line for line in screen.lines if line] == ["begin", "end"]
    assert screen.passing == [("begin", "one", "1 s"), ("begin", "two", "2 s", "")]


def test_an_escape_code_that_is_not_known_is_told() -> None:
    with pytest.raises(ValueError, match="5J"):
        terminal.Screen().feed("\x1b[5J")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("until 2026-12-01T11:00:30.5Z.", "until YYYY-MM-DDThh:mm:ssZ."),
        ("2026-12-01 11:00 UTC (in 6 days)", "YYYY-MM-DD hh:mm UTC (in N days)"),
        ("expires 2026-12-15", "expires YYYY-MM-DD"),
        ("revision 2026-11", "revision 2026-11"),
        ("https://127.0.0.1:27944 answers", "https://127.0.0.1:PORT answers"),
        ("12 s\nin 12 s", "N s\nin 12 s"),
        ("/home/me/shop.crt", "~/shop.crt"),
    ],
)
def test_what_differs_from_run_to_run_is_replaced(text: str, normalized: str) -> None:
    assert recording.normalized(text, "/home/me") == normalized


def test_a_page_is_what_was_typed_and_shown(tmp_path: Path) -> None:
    page = recording.Page("Title", tmp_path, {})
    page.say("Look:")
    page.run("echo hello")
    page.run("exit 4", code=4)
    with pytest.raises(RuntimeError, match="exit 1 instead of 0"):
        page.run("false")

    assert page.text().endswith("Look:\n\n```console\n$ echo hello\nhello\n\n$ exit 4\n$ echo $?\n4\n```\n")
