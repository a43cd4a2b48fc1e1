"""The table of docs/gitops.md: what Argo CD and Flux make of each state. Run by `make docs`; a test compares."""

import sys
from pathlib import Path

from gitops import rules, states

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gitops.md"
BEGIN, END = "<!-- made by `make docs` -->\n", "<!-- end -->\n"


def rows() -> list[tuple[str, ...]]:
    """Kind, state in words, state and reason as the status has them, Argo CD, Flux, kstatus alone."""
    found = []
    for kind, words, obj in states.objects():
        status = obj["status"]
        said = "/".join(filter(None, (status.get("state", ""), status.get("reason", ""))))
        found.append((kind, words, said, rules.argocd(obj)[0], rules.flux(obj), rules.kstatus(obj)))
    return found


def page() -> str:
    """The page with the table as it would be made now."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    lines = []
    for kind in ("Domain", "App", "TLSPolicy"):
        lines += ["", f"| {kind} | Argo CD | Flux |", "|---|---|---|"]
        for each, words, said, argo, flux, _ in rows():
            if each == kind:
                lines.append(f"| {words}{f' (`{said}`)' if said else ''} | {argo} | {flux} |")
    return before + BEGIN + "\n".join(lines) + "\n\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
