"""Take the pictures of docs/dashboard.md: the dashboard's own server with objects that are made up, in a browser.

Run by `make pictures`.
"""

from pathlib import Path

from dashboard import browsing, worlds
from dashboard.serving import serving

IMAGES = Path(__file__).resolve().parents[1] / "images"

#: File -> the world, the page, light or dark, width and height.
PICTURES = {
    "dashboard-overview.png": (worlds.small, "", "light", 1180, 800),
    "dashboard-1000.png": (worlds.big, "", "dark", 1180, 900),
    "dashboard-domains.png": (worlds.big, "domains", "light", 1180, 760),
    "dashboard-narrow.png": (worlds.big, "domains", "dark", 390, 844),
}


def main() -> None:
    """Write them all."""
    IMAGES.mkdir(exist_ok=True)
    now = worlds.now()
    with browsing.browser() as started:
        for name, (world, page, scheme, width, height) in PICTURES.items():
            size = {"width": width, "height": height}
            with serving(world(now)) as served, browsing.tab(started, color_scheme=scheme, viewport=size) as tab:
                tab.enter(served.entry)
                tab.page.goto(f"{served.base}{page}")
                tab.page.screenshot(path=IMAGES / name)


if __name__ == "__main__":
    main()
