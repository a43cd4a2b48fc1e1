"""Links of the pages: to files and headings that are there, also where no site is built; and what the site adds."""

import re
from pathlib import Path

import pytest
import yaml

from generators import generator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*(page for page in DOCS.rglob("*.md") if "generate" not in page.parts)]
    + [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
)
_LINK = re.compile(r"(?<!\\)\[[^\]\[]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names of its headings, as code hosts and mkdocs make them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(page)):
        if ":" in link:
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        is_there = there.exists() and there.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_menu_of_the_site() -> None:
    def files(entry: object) -> list[str]:
        if isinstance(entry, dict):
            return [name for value in entry.values() for name in files(value)]
        return [name for each in entry for name in files(each)] if isinstance(entry, list) else [str(entry)]

    menu = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert len(set(menu)) == len(menu)
    assert set(menu) == {str(page.relative_to(DOCS)) for page in PAGES if page.is_relative_to(DOCS)}


@pytest.mark.parametrize(
    ("source", "at", "text", "led"),
    [
        ("docs/a.md", "a.md", "[x](../README.md)", "[x](repository/README.md)"),
        ("docs/decisions/a.md", "decisions/a.md", "[x](../metrics.md#tls)", "[x](../metrics.md#tls)"),
        ("docs/a.md", "a.md", "[x](decisions)", "[x](decisions/README.md)"),
        ("docs/a.md", "a.md", "[x](../kind-config.yaml)", "[x](repository/kind-config.yaml.md)"),
        ("docs/a.md", "a.md", "[x](../examples/demo)", "[x](repository/examples/demo/index.md)"),
        ("docs/a.md", "a.md", "[x](../.ci/run)", "[x](repository/ci/run.md)"),
        ("CONTRIBUTING.md", "repository/CONTRIBUTING.md", "[x](docs/cli.md#tls)", "[x](../cli.md#tls)"),
        ("docs/a.md", "a.md", "[x](nowhere.md) [y](https://example.com/) [z](#here)", None),
        ("docs/a.md", "a.md", "```sh\n[x](../README.md)\n```\n", None),
    ],
)
def test_links_out_of_the_docs_lead_to_pages_of_the_site(source: str, at: str, text: str, led: str | None) -> None:
    assert generator("site_links").led(text, source=source, at=at) == (led or text)


def test_what_is_linked_to_is_put_into_the_site() -> None:
    made = generator("site_links")
    assert made.outside("[a](../kind-config.yaml) [b](cli.md) [c](../README.md)", "docs/a.md") == [
        "kind-config.yaml",
        "README.md",
    ]
    assert "`2-app.yaml`" in made.shelved("examples/demo")
    assert "kind: Cluster" in made.shelved("kind-config.yaml")
