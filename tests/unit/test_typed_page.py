"""Commands of pages: read, typed and compared; and the files that the tutorial shows."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.typed_page import Mismatch, Shell, Step, masked, shows, steps

CHECKOUT = Path(__file__).parents[2]
TUTORIAL = CHECKOUT / "docs" / "tutorial.md"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(tmp_path, {"PATH": os.environ["PATH"]}, {str(tmp_path): "/home/you"})
    yield opened
    opened.close()


def test_a_block_is_read_command_by_command() -> None:
    text = "Words.\n\n```console\n$ one\na\n\nb\n$ two\n```\n\n```sh\nthree\n```\n\n```console\n$ four\nc\n```\n"
    assert steps(text) == [Step("one", "a\n\nb"), Step("two", ""), Step("four", "c")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NAME   AGE\nwww-tls   2      1s", "NAME  AGE\nwww-tls  2  3m20s"),
        ("[  11.9s] http 127.0.0.1:20803", "[   2.0s] http 127.0.0.1:1234"),
        ("www  CertIssued  2027-02-21T16:20:54Z  5s", "www  CertIssued  2026-01-01T00:00:00Z  1h"),
        ("www  Cert issued  about 1 hour", "www  Cert issued  less than a minute"),
        ("Next renewal: a.example.com, 2027-01-24 03:15 UTC (in 2 months).",) * 2,
        (
            "Next renewal: a.example.com, 2027-01-24 03:15 UTC (in 2 months).",
            "Next renewal: b.example.com, 2027-01-25 03:15 UTC (in 59 days).",
        ),
    ],
)
def test_what_differs_from_run_to_run_is_masked(one: str, other: str) -> None:
    assert masked(one) == masked(other)
    assert shows(one, other)


@pytest.mark.parametrize(
    ("said", "expected", "is_right"),
    [
        ("a\nb\nc", "a\n...\nc", True),
        ("a\nc", "a\n...\nc", True),
        ("a\nb", "a\n...\nc", False),
        ("c", "...\nc", True),
        ("", "", True),
        ("a", "", False),
        ("", "a", False),
        ("a.b", "a+b", False),
        ("Failing", "CertIssued", False),
    ],
)
def test_a_gap_stands_for_any_lines(said: str, expected: str, is_right: bool) -> None:
    assert shows(said, expected) is is_right


def test_what_is_set_stays_set(shell: Shell) -> None:
    shell.follow(
        [
            Step("word=hello; export OTHER=there", ""),
            Step('echo "$word" "$OTHER"; pwd; echo told >&2', "hello there\n/home/you\ntold"),
            Step("false", ""),
            Step("echo $?", "1"),
            Step("cat", ""),
        ]
    )


@pytest.mark.parametrize(
    "typed",
    [
        [Step("echo one", "two")],
        [Step("false", "")],
        [Step("exit 3", "")],
        [Step("echo one", "")],
    ],
    ids=["other words", "a failure", "the shell ends", "more than is shown"],
)
def test_what_is_not_as_the_page_says_is_told(shell: Shell, typed: list[Step]) -> None:
    with pytest.raises(Mismatch, match=re.escape(f"$ {typed[0].command}")):
        shell.follow(typed)


def test_a_command_that_does_not_end_is_told(shell: Shell) -> None:
    with pytest.raises(Mismatch, match="has not ended within"):
        shell.run("read -r _ < <(tail -f /dev/null)", timeout=0.2)


def test_the_tutorial_shows_the_files_that_are_applied() -> None:
    shown = dict(
        re.findall(r'^```yaml title="([^"]+)"\n(.*?)^```$', TUTORIAL.read_text(), flags=re.MULTILINE | re.DOTALL)
    )
    there = sorted((CHECKOUT / "examples" / "tutorial").glob("*.yaml"))
    assert shown == {str(path.relative_to(CHECKOUT)): path.read_text() for path in there}


def test_every_file_is_applied_by_the_tutorial() -> None:
    commands = "\n".join(step.command for step in steps(TUTORIAL.read_text()))
    applied = re.findall(r"-f (examples/\S+\.yaml)", commands)
    assert applied == sorted(applied)
    assert {Path(name).name for name in applied} == {p.name for p in (CHECKOUT / "examples/tutorial").glob("*.yaml")}
