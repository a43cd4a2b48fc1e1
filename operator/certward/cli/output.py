"""How results are shown: tables for people, JSON and YAML for programs.

On a terminal tables are coloured, and sentences in them fit its width. Anywhere else they are plain text: whole, one
line for each row, columns two spaces apart. Results go to stdout; what is told on the way goes to stderr.
"""

import enum
import json
import sys
from collections.abc import Sequence
from typing import TextIO

GAP = "  "
_LONG = 24  # columns that a sentence has at least; whatever is shorter is never folded


class Format(enum.StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


#: Words that have a colour wherever they stand alone in a cell.
STYLES = {
    "Cert issued": "green",
    "OK": "green",
    "Enabled": "green",
    "True": "green",
    "In Progress": "cyan",
    "DNS Verified": "cyan",
    "Waiting": "cyan",
    "Failing": "yellow",
    "Failed": "red",
    "False": "red",
    "Missing": "red",
    "broken": "red",
    "warning": "yellow",
}


class Output:
    """Where a command's results go, in the format that was asked for."""

    def __init__(self, form: Format = Format.TABLE, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.form = form
        self._stdout = stdout
        self._stderr = stderr

    @property
    def stdout(self) -> TextIO:
        """Where results go."""
        return self._stdout or sys.stdout

    @property
    def stderr(self) -> TextIO:
        """Where everything else goes."""
        return self._stderr or sys.stderr

    @property
    def is_table(self) -> bool:
        """Whether people read it."""
        return self.form is Format.TABLE

    def data(self, value: object) -> None:
        """Write a result for programs, as `-o` says."""
        if self.form is Format.YAML:
            import yaml

            self.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
        else:
            self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str = "") -> None:
        """A line of a result for people; nothing where programs read."""
        if self.is_table:
            self.stdout.write(f"{text}\n")

    def heading(self, text: str) -> None:
        """A headline of a result for people."""
        self.line(f"=== {text}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table for people; columns in which every cell is empty are left out."""
        if not self.is_table:
            return
        kept = [at for at in range(len(columns)) if not rows or any(row[at] for row in rows)]
        names = [columns[at] for at in kept]
        cells = [[" ".join(row[at].split()) for at in kept] for row in rows]
        if self.stdout.isatty():
            _on_terminal(self.stdout, names, cells)
        else:
            for text in plain(names, cells):
                self.stdout.write(f"{text}\n")

    def say(self, text: str) -> None:
        """Tell something on the way; it is no result."""
        self.stderr.write(f"{text}\n")
        self.stderr.flush()

    def warn(self, text: str) -> None:
        """Warn of something that does not stop the command."""
        self.say(f" !  {text}")


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text, whole, without blanks at their ends."""
    table = [list(columns), *[list(row) for row in rows]]
    widths = [max(len(row[at]) for row in table) for at in range(len(columns))]
    return [GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _on_terminal(stdout: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    folded = [
        width > _LONG and any(" " in cell for cell in column)
        for width, column in zip(widths, zip(*rows, strict=True), strict=True)
    ]
    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="bold")
    for name, is_folded in zip(columns, folded, strict=True):
        table.add_column(name, overflow="fold", no_wrap=not is_folded)
    for row in rows:
        table.add_row(*[Text(cell, style=STYLES.get(cell, "")) for cell in row])
    console = Console(file=stdout, highlight=False)
    gaps = len(GAP) * len(columns)
    least = sum(_LONG if is_folded else width for width, is_folded in zip(widths, folded, strict=True)) + gaps
    if least > console.width:
        # Names that are cut into pieces cannot be read or copied: leave it to the terminal, as kubectl does.
        console.width = sum(widths) + gaps
    console.print(table)
