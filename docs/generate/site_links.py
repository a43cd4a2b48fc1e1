"""What site_hooks.py adds to mkdocs: pages for what docs/ links to outside of itself, and links that lead there.

On a code host a link such as `../examples/install/traefik.yaml` shows the file. A site of docs/ alone does not have it.
So each file and folder that a page links to becomes a page below `repository/`: Markdown as it is, anything else in a
block of code, a folder as a list. A link to nothing stays as it is, and mkdocs refuses it.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
#: Where those pages lie in the site.
SHELF = "repository"

_FENCE = re.compile(r"^ *(```|~~~)")
_LINK = re.compile(r"(?<!!)(\[[^\]\[]*\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".json": "json", ".lua": "lua", ".toml": "toml"}
_HIDDEN = (".", "__pycache__")


def shelf_of(path: str) -> str:
    """The page of the site for a file or folder of the repository; mkdocs leaves out what begins with a dot."""
    shown = "/".join(part.lstrip(".") for part in path.split("/"))
    if path.endswith(".md"):
        return f"{SHELF}/{shown}"
    return f"{SHELF}/{shown}/index.md" if (ROOT / path).is_dir() else f"{SHELF}/{shown}.md"


def shelved(path: str) -> str:
    """What that page says."""
    there = ROOT / path
    if path.endswith(".md"):
        return led(there.read_text(encoding="utf-8"), source=path, at=shelf_of(path))
    if there.is_dir():
        names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in there.iterdir() if _is_shown(each))
        return "\n".join([f"# {path}/", "", "A folder of the repository.", "", *(f"- `{name}`" for name in names), ""])
    fence = "`" * 6
    text = there.read_text(encoding="utf-8")
    return f"# {path}\n\nA file of the repository.\n\n{fence}{_LANGUAGES.get(there.suffix, 'text')}\n{text}\n{fence}\n"


def outside(text: str, source: str) -> list[str]:
    """The files and folders outside of docs/ that a text links to; `source` is where it lies in the repository."""
    found = (_target(match[2], source) for line, is_prose in _lines(text) if is_prose for match in _LINK.finditer(line))
    return [path for path in found if path and not _is_inside(path)]


def led(text: str, *, source: str, at: str) -> str:
    """A text whose links fit the site.

    Args:
        text: Markdown.
        source: where it lies in the repository.
        at: where it lies in the site.
    """

    def replaced(match: re.Match[str]) -> str:
        path = _target(match[2], source)
        if path is None:
            return match[0]
        to = path.removeprefix(f"{DOCS}/") if _is_inside(path) else shelf_of(path)
        return f"{match[1]}{posixpath.relpath(to, posixpath.dirname(at) or '.')}{match[3]}"

    return "".join(_LINK.sub(replaced, line) if is_prose else line for line, is_prose in _lines(text))


def _target(link: str, source: str) -> str | None:
    """What of the repository a link means; None where it is none of its files."""
    if ":" in link or link.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    there = ROOT / path
    if path.startswith("..") or not there.exists():
        return None
    return f"{path}/README.md" if (there / "README.md").is_file() else path


def _is_inside(path: str) -> bool:
    return path.startswith(f"{DOCS}/") and not path.startswith(f"{DOCS}/generate")


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(_HIDDEN)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is prose and not code."""
    is_code = False
    for line in text.splitlines(keepends=True):
        is_fence = _FENCE.match(line) is not None
        yield line, not (is_code or is_fence)
        is_code = is_code is not is_fence
