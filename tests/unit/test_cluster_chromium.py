"""Where the browser of the tests comes from, and what is said where none can be had. No browser is started here."""

import os
from pathlib import Path

import pytest

from cluster import binaries, chromium, wheels
from cluster.errors import BuildFailed
from cluster.paths import SOURCES

#: What the package would hold: npm's place is taken by a script that makes it.
FAKE_NPM = """
bin=node_modules/@sparticuz/chromium/bin
mkdir -p $bin npm
echo 'echo it' > $bin/chromium.br
for name in al2023 swiftshader fonts; do mkdir -p $name.d/$name; tar cf $bin/$name.tar.br -C $name.d $name; done
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of which the test says what is there, with a shell's tools, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "mkdir", "tar", "cat", "echo"):
        (folder / tool).symlink_to(Path("/bin") / tool)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def program(folder: Path, name: str, does: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o755)
    return file


def test_the_chromium_on_path_is_taken(path: Path) -> None:
    there = program(path, "google-chrome", "echo Chrome 150")
    assert chromium.chromium() == chromium.Browser(there)
    assert binaries.binary("chromium") == there


def test_a_script_that_only_says_how_to_install_it_is_passed_over(path: Path) -> None:
    program(path, "chromium-browser", "echo install the snap >&2; exit 1")
    there = program(path, "google-chrome", "echo Chrome 150")
    assert chromium.chromium().program == there


def test_it_is_fetched_once_without_any_right_beyond_the_users(path: Path, tmp_path: Path) -> None:
    program(path, "node", 'if [ "$1" = --version ]; then echo v24.1.0; else cat; fi')
    npm = program(path, "npm", f'echo "$@" > {tmp_path}/given\n{FAKE_NPM}')
    found = chromium.chromium()
    assert (tmp_path / "given").read_text().startswith("ci --ignore-scripts ")
    assert found.program.is_relative_to(tmp_path / "cache")
    assert os.access(found.program, os.X_OK)
    assert sorted(one.name for one in found.program.parent.parent.iterdir()) == [found.program.parent.name]
    assert not (found.program.parent / "node_modules").exists()
    npm.unlink()
    assert chromium.chromium() == found


def test_where_none_can_be_had_it_is_said_what_is_missing(path: Path, tmp_path: Path) -> None:
    program(path, "node", 'if [ "$1" = --version ]; then echo v24.1.0; else cat; fi')
    program(path, "npm", "echo ENOTFOUND: the registry cannot be resolved >&2; exit 1")
    with pytest.raises(BuildFailed, match="install Chromium, or run this again with the network there") as failed:
        chromium.chromium()
    assert "there is no chromium on PATH that starts" in str(failed.value)
    assert "ENOTFOUND" in str(failed.value)
    program(path, "npm", f"{FAKE_NPM}\nrm -f $bin/fonts.tar.br; ln -s /dev/null $bin/none")
    (path / "rm").symlink_to("/bin/rm")
    (path / "ln").symlink_to("/bin/ln")
    with pytest.raises(BuildFailed, match="cannot be unpacked"):
        chromium.chromium()
    assert list((tmp_path / "cache" / "certward" / "browsers").iterdir()) == []


@pytest.mark.parametrize("node", ["v12.22.0", "", "not a version"])
def test_a_node_that_is_too_old_gives_way_to_the_one_of_a_wheel(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    program(path, "node", f"echo {node}")
    program(path, "npm", "exit 1")
    wheel = tmp_path / "wheel" / "bin"
    wheel.mkdir(parents=True)
    # Asked to run npm it is npm, else it unpacks.
    there = program(wheel, "node", f'[ "$2" = ci ] || exec cat\n{FAKE_NPM}')
    monkeypatch.setattr(wheels, "node", lambda: there)
    assert os.access(chromium.chromium().program, os.X_OK)


def test_where_no_node_can_be_had_either_chromium_is_what_is_missing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_wheel() -> Path:
        raise BuildFailed("node is not on PATH and its wheel could not be fetched")

    program(path, "npm", "exit 1")
    monkeypatch.setattr(wheels, "node", no_wheel)
    with pytest.raises(BuildFailed, match="install Chromium, or run this again") as failed:
        chromium.chromium()
    assert "its wheel could not be fetched" in str(failed.value)


def test_what_is_fetched_is_pinned_by_digest_and_names_no_host() -> None:
    lock = (SOURCES / "browser" / "package-lock.json").read_text()
    assert lock.count('"integrity": "sha512-') == lock.count('"version": "')
    assert "http" not in lock
