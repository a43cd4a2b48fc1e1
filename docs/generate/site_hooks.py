"""The hooks of mkdocs, which calls them by their names; what they do is in site_links.py, which needs no mkdocs."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from site_links import DOCS, ROOT, SHELF, led, outside, shelf_of, shelved


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file and folder outside of docs/ that a page links to, and for what those link to."""
    done: set[str] = set()
    waiting = [
        target
        for file in files.documentation_pages()
        for target in outside(Path(file.abs_src_path).read_text(encoding="utf-8"), f"{DOCS}/{file.src_uri}")
    ]
    while waiting:
        path = waiting.pop()
        if path in done:
            continue
        done.add(path)
        files.append(File.generated(config, shelf_of(path), content=shelved(path)))
        if path.endswith(".md"):
            waiting += outside((ROOT / path).read_text(encoding="utf-8"), path)
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """A page with its links out of docs/ led to the pages that stand for what they mean."""
    uri = page.file.src_uri
    if uri.startswith(f"{SHELF}/"):
        return markdown  # its links were led when it was made
    return led(markdown, source=f"{DOCS}/{uri}", at=uri)
