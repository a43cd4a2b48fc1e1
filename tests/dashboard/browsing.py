"""A real headless browser, and what it complains of."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, Request, sync_playwright

from cluster.chromium import chromium

#: Milliseconds that a page is given, on a machine that does other things as well.
PATIENCE = 20_000
#: How many Domains the first page counts.
DOMAINS = "document.querySelector('.figure b').textContent"


@contextmanager
def browser() -> Iterator[Browser]:
    """Start it; its own sandbox needs rights that a user of a container does not have."""
    found = chromium()
    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=str(found.program), env={**os.environ, **found.environment}, chromium_sandbox=False
        )
        try:
            yield started
        finally:
            started.close()


@dataclass
class Tab:
    """One page in a context of its own, with its complaints and the hosts that it has asked."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What is shown of the page that changes."""
        return self.page.inner_text("main")

    def enter(self, url: str) -> str:
        """Open the URL that lets in; where the pages are."""
        self.page.goto(url)
        base = url.partition("enter?")[0]
        self.page.wait_for_url(base)
        return base

    def until(self, script: str, timeout: int = PATIENCE) -> None:
        """Wait until an expression in JavaScript holds; as a function, since the page's policy forbids `eval`."""
        self.page.wait_for_function(f"() => {script}", timeout=timeout)

    def dialog(self) -> str:
        """What is asked, once it is."""
        self.page.locator("dialog[open] h1").wait_for()
        return self.page.inner_text("dialog")

    def asked(self, request: Request) -> None:
        """The page asks for something."""
        self.requests.append(request)

    def until_text(self, text: str) -> None:
        """Wait until a text is shown somewhere."""
        self.page.get_by_text(text).first.wait_for(timeout=PATIENCE)


@contextmanager
def tab(of: Browser, **options: Any) -> Iterator[Tab]:
    """Open one; at its end nothing may have been complained of."""
    context = of.new_context(**options)
    context.set_default_timeout(PATIENCE)
    made = Tab(context.new_page())
    made.page.on("console", lambda message: made.complaints.append(f"{message.type}: {message.text}"))
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on("request", made.asked)
    try:
        yield made
    finally:
        context.close()
