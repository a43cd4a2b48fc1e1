"""A command line on a pseudo-terminal, and what a person sees there, as text without escape codes."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 120, 50
PROMPT = b"[y/N]: "

_TOKEN = re.compile(r"\x1b\[(?P<arguments>[?0-9;]*)(?P<final>[A-Za-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command has left on the terminal.

    Attributes:
        code: its exit code.
        lines: what stands there at the end.
        passing: what stood at the end of it for a while and was then overwritten, in its order, each once in a row.
    """

    code: int
    lines: tuple[str, ...]
    passing: tuple[tuple[str, ...], ...]


class Screen:
    """As much of a terminal as progress needs: lines that are written, gone back over, erased and written anew.

    It has no width, so nothing is wrapped here; programs are told the width and see to it themselves.
    """

    def __init__(self) -> None:
        self.lines = [""]
        self.passing: list[tuple[str, ...]] = []
        self._row = self._column = 0
        self._has_written = False

    def feed(self, text: str) -> None:
        """Take in what a program has written.

        Raises:
            ValueError: it uses an escape code that is not known here.
        """
        for token in _TOKEN.finditer(text):
            if token["text"]:
                self._write(token["text"])
            elif token["control"] == "\r":
                self._column = 0
            elif token["control"] == "\n":
                self._row += 1
                if self._row == len(self.lines):
                    self.lines.append("")
            else:
                self._escape(token["final"], token["arguments"])

    def _write(self, text: str) -> None:
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)
        self._has_written = True

    def _escape(self, final: str, arguments: str) -> None:
        if final == "A":
            self._row = max(self._row - int(arguments or 1), 0)
        elif final == "K" and arguments == "2":
            self._keep()
            self.lines[self._row] = ""
        elif final not in "mhl":  # colours, and whether the cursor is seen
            raise ValueError(f"the escape code {arguments}{final} is not known")

    def _keep(self) -> None:
        """Keep what is about to be erased: the lines of which the last one is erased first."""
        if self._has_written:
            self.passing.append(tuple(line.rstrip() for line in self.lines))
            self._has_written = False


def run(line: str, *, folder: Path, environment: Mapping[str, str], answers: Sequence[str] = ()) -> Shown:
    """Run a line of bash on a terminal of its own.

    Args:
        line: as it is typed. Its exit code is that of its first program that fails (`pipefail`).
        folder: where it is typed.
        environment: of the shell.
        answers: typed at each question (`[y/N]: `), in their order.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    process = subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", line],
        env={**environment, "TERM": "xterm-256color"},
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written, left = b"", list(answers)
    while chunk := _read(ours):
        written += chunk
        if left and written.endswith(PROMPT):
            os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    screen = Screen()
    screen.feed(written.decode())
    return Shown(process.wait(), _without_end(screen.lines), _changes(screen))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the program has ended
        return b""


def _without_end(lines: Sequence[str]) -> tuple[str, ...]:
    kept = [line.rstrip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _changes(screen: Screen) -> tuple[tuple[str, ...], ...]:
    """Of each moment, the lines that were overwritten later."""
    found = []
    for moment in screen.passing:
        same = 0
        while same < min(len(moment), len(screen.lines)) and moment[same] == screen.lines[same].rstrip():
            same += 1
        found.append(_without_end(moment[same:]))
    return tuple(found)
