"""A page of docs/sessions: prose, and command lines that were really typed, with what they showed."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import terminal

#: What differs from run to run: what it is, how it is found, what stands in its place (just as long where it can be).
REPLACEMENTS = (
    ("a time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "YYYY-MM-DDThh:mm:ssZ"),
    ("a time", r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "YYYY-MM-DD hh:mm UTC"),
    ("a date", r"\b\d{4}-\d\d-\d\d\b", "YYYY-MM-DD"),
    ("how long until then", r"\bin \d+ (day|month)s", r"in N \1s"),
    ("the seconds that have passed", r"(?m)^\d+ s$", "N s"),
    ("a fingerprint", r"\b[0-9a-f]{64}\b", "<fingerprint>"),
    ("a serial number", r'(?<="serialNumber": ")[0-9a-f]+', "<serial number>"),
    ("the number of the CA of this run", r"\bCA [0-9a-f]{6}\b", "CA xxxxxx"),
    ("a port of this machine", r"(127\.0\.0\.1):\d{4,5}", r"\1:PORT"),
    ("a random ending of a name", r"\buser-[0-9a-f]{6}\b", "user-xxxxxx"),
)
_INTRODUCTION = (
    "Recorded on the local cluster by `make sessions`; [what is replaced](README.md) differs from run to run."
)


def normalized(text: str, folder: str = "") -> str:
    """A text with what differs from run to run replaced, as REPLACEMENTS says; `folder` is where it was typed."""
    for _, pattern, instead in REPLACEMENTS:
        text = re.sub(pattern, instead, text)
    return text.replace(folder, "~") if folder else text


class Page:
    """A page that is being recorded.

    Args:
        title: its headline.
        folder: where the commands are typed.
        environment: of the shell, beside that of this process.
    """

    def __init__(self, title: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = {**os.environ, **environment}
        self._lines = [f"# {title}", "", _INTRODUCTION]
        self._is_open = False

    def say(self, text: str) -> None:
        """A paragraph."""
        self._close()
        self._lines += ["", " ".join(text.split())]

    def run(self, line: str, *, code: int = 0, answers: Sequence[str] = ()) -> None:
        """Type a line, and record what it shows and its exit code.

        Args:
            line: of bash.
            code: the exit code that it has to have.
            answers: what is typed at its questions.

        Raises:
            RuntimeError: it has another exit code.
        """
        sys.stdout.write(f"  $ {line}\n")
        sys.stdout.flush()
        shown = terminal.run(line, folder=self.folder, environment=self._environment, answers=answers)
        if shown.code != code:
            raise RuntimeError("\n".join([f"{line}: exit {shown.code} instead of {code}", *shown.lines]))
        self._open()
        self._lines += [f"$ {line}", *self._normalized(shown.lines)]
        if code:
            self._lines += ["$ echo $?", str(code)]
        if passing := self._once(shown.passing):
            self.say("While it waited, these lines stood at the end and were overwritten, one after the other:")
            self._lines += ["", "```text", *"\n\n".join(passing).splitlines(), "```"]

    def text(self) -> str:
        """The page."""
        self._close()
        return "\n".join(self._lines) + "\n"

    def _once(self, passing: Sequence[Sequence[str]]) -> list[str]:
        found: list[str] = []
        for moment in passing:
            text = "\n".join(self._normalized(moment))
            if text and text not in found[-1:]:
                found.append(text)
        return found

    def _normalized(self, lines: Sequence[str]) -> list[str]:
        return normalized("\n".join(lines), str(self.folder)).splitlines()

    def _open(self) -> None:
        self._lines += [""] if self._is_open else ["", "```console"]
        self._is_open = True

    def _close(self) -> None:
        if self._is_open:
            self._lines.append("```")
        self._is_open = False
