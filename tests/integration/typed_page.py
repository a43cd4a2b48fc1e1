"""Pages that show commands with what they print: read, typed in one shell, and compared.

In a block of the language `console` a line that begins with `$ ` is typed, and what follows it is what it shows.
A line `...` stands for any lines. A command has to end with 0, unless the next one is `echo $?`, which shows what it
ended with.
"""

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.waiting import NotInTime, wait_for

#: What differs from run to run, in the order in which it is replaced.
MASKS = (
    (r"(?m)^\[ *\d+\.\d+s\]", "[SECONDS]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME"),
    (r"\bin (\d+|about \d+|less than a) (minute|hour|day|month)s?\b", "in A WHILE"),
    (r"\b(less than a minute|\d+ minutes?|about \d+ hours?)(?= *$)", "A WHILE"),
    (r"(?m)(?<=\s)(\d+[dhms])+$", "AGE"),
    (r"(127\.\d+\.\d+\.\d+):\d{4,5}", r"\1:PORT"),
    (r"(?<=Next renewal: )\S+,", "HOSTNAME,"),
    (r"(?m)[ \t]+$", ""),
    (r" {2,}", "  "),  # columns are as wide as what stands in them
)
#: What may be typed again until it shows what it should: it changes nothing, and what it shows may take a moment.
_READS = re.compile(
    r"(kubectl get|kubectl certward (explain|tls -n|domains -n|certs auto -n)|curl) .*", flags=re.DOTALL
)
_PATIENCE, _PAUSE = 30.0, 0.5
_GAP = "..."


@dataclass(frozen=True)
class Step:
    """A command, and what the page says that it shows."""

    command: str
    shown: str


class Mismatch(AssertionError):
    """A command has not shown what the page says."""


def steps(text: str) -> list[Step]:
    """The commands of a text's blocks, in their order."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    found: list[Step] = []
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append(Step(command, shown.strip("\n")))
    return found


def masked(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text.strip("\n")


def shows(said: str, expected: str) -> bool:
    """Whether what a command has shown is what the page says."""
    lines = masked(expected).splitlines()
    pattern = "".join(r"(?:.*\n)*?" if line == _GAP else f"{re.escape(line)}\n" for line in lines)
    return re.fullmatch(pattern, masked(said) + "\n" if masked(said) else "") is not None


class Shell:
    """One bash in which everything is typed, so that what is set stays set.

    Args:
        folder: where it starts.
        environment: all of its environment.
        renamed: texts of the output that are replaced, such as the folder's path.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], renamed: Mapping[str, str] | None = None) -> None:
        self._renamed = dict(renamed or {})
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._marker = f"--ended-{os.getpid()}-{id(self)}--"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def run(self, command: str, timeout: float = 120.0) -> tuple[str, int]:
        """Type a command; returns what it has shown, on stdout and stderr, and what it ended with.

        Raises:
            Mismatch: it has not ended in time, or has taken the shell with it.
        """
        assert self._process.stdin is not None
        # Its exit status is what the next command finds in $?, as if nothing had been typed in between.
        told = f"__ended=$?; printf '\\n%s %s\\n' '{self._marker}' $__ended; (exit $__ended)"
        self._process.stdin.write(f"{{ {command}\n}} </dev/null\n{told}\n")
        self._process.stdin.flush()
        said, deadline = [], time.monotonic() + timeout
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise Mismatch(f"$ {command}\nhas not ended within {timeout:g} s:\n{''.join(said)}") from None
            if not line:
                raise Mismatch(f"$ {command}\nhas ended the shell:\n{''.join(said)}")
            if line.startswith(self._marker):
                return self._rename("".join(said)).strip("\n"), int(line.split()[1])
            said.append(line)

    def follow(self, typed: list[Step], *, slow: Mapping[str, float] | None = None) -> None:
        """Type each command and compare.

        Args:
            typed: the commands.
            slow: how long those may take that take longer than others, in seconds.

        Raises:
            Mismatch: one has shown something else, or ended otherwise, than the page says.
        """
        for number, step in enumerate(typed):
            following = typed[number + 1].command if number + 1 < len(typed) else ""
            self._follow(step, may_fail=following == "echo $?", timeout=(slow or {}).get(step.command, 120.0))

    def close(self) -> None:
        """End the shell and what still runs in it."""
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=10)
        self._reader.join(timeout=10)
        if self._process.stdout:
            self._process.stdout.close()

    def _follow(self, step: Step, *, may_fail: bool, timeout: float) -> None:
        problem = ""

        def is_right() -> bool:
            nonlocal problem
            said, code = self.run(step.command, timeout)
            problem = f"$ {step.command}\nhas shown (and ended with {code}):\n{said}\ninstead of:\n{step.shown}"
            return shows(said, step.shown) and (code == 0 or may_fail)

        try:
            wait_for(is_right, _PATIENCE if _READS.fullmatch(step.command) else 0.0, step.command, _PAUSE)
        except NotInTime:
            raise Mismatch(problem) from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _rename(self, text: str) -> str:
        for old, new in self._renamed.items():
            text = text.replace(old, new)
        return text
