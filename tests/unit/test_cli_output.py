"""Results: whole and plain where they are not read on a terminal."""

import io
import json

import pytest
import yaml

from certward.cli.output import Format, Output

LONG = "The CA cannot reach http://www.example.com/.well-known/acme-challenge/ because " + "of this and that, " * 20


def shown(form: Format = Format.TABLE) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Output(form, out, err), out, err


def test_a_table_is_aligned_and_whole() -> None:
    output, out, _ = shown()
    output.table(["Domain", "Status", "Reason"], [["a.example.com", "Failing", LONG], ["b.example.com", "OK", ""]])

    lines = out.getvalue().splitlines()
    assert lines[0] == "Domain         Status   Reason"
    assert lines[1] == f"a.example.com  Failing  {LONG}".rstrip()
    assert lines[2] == "b.example.com  OK"
    assert "\x1b" not in out.getvalue()


def test_columns_without_content_are_left_out() -> None:
    output, out, _ = shown()
    output.table(["Namespace", "Domain", "Reason", "Status"], [["", "a", "", "OK"], ["", "b", "", ""]])

    assert out.getvalue() == "Domain  Status\na       OK\nb\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_on_a_terminal_sentences_are_folded_and_names_never(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    hostname = "a-rather-long-name.of-a-team.example.com"
    Output(Format.TABLE, out, io.StringIO()).table(["Domain", "Status", "Reason"], [[hostname, "Failing", LONG]])

    lines = out.getvalue().splitlines()
    assert lines[1].startswith(f"{hostname}  Failing  The CA")
    is_room = columns >= len(f"{hostname}  Failing  ") + 24
    assert all(len(line.rstrip()) <= columns for line in lines) is is_room
    assert " ".join(out.getvalue().split()).count("of this and that,") == 20 or is_room


def test_a_line_break_in_a_cell_does_not_break_a_row() -> None:
    output, out, _ = shown()
    output.table(["A", "B"], [["one\ntwo", "x"]])

    assert out.getvalue().splitlines()[1] == "one two  x"


@pytest.mark.parametrize(("form", "read"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_programs_get_data_and_nothing_else(form, read) -> None:
    output, out, err = shown(form)
    output.heading("not for programs")
    output.line("nor this")
    output.table(["A"], [["b"]])
    output.data([{"name": "bücher", "none": None, "text": LONG}])
    output.say("on the way")

    assert read(out.getvalue()) == [{"name": "bücher", "none": None, "text": LONG}]
    assert err.getvalue() == "on the way\n"
