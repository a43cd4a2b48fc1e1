"""Writes manifests/gitops/argocd/argocd-cm.yaml from the Lua beside it, as Argo CD takes it. Run by `make docs`.

Argo CD's scripts cannot load one another, so each gets common.lua before its own part.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "manifests" / "gitops" / "argocd"
CONFIG_MAP = FOLDER / "argocd-cm.yaml"
KINDS = ("App", "Domain", "TLSPolicy")


def patch() -> str:
    """The patch of Argo CD's ConfigMap."""
    lines = ["# Made from the Lua beside it by `make docs`; change that.", "data:"]
    for kind in KINDS:
        parts = [(FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in ("common", kind.lower())]
        lines.append(f"  resource.customizations.health.certward.dev_{kind}: |")
        lines += [f"    {line}".rstrip() for line in "\n".join(parts).splitlines()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    CONFIG_MAP.write_text(patch(), encoding="utf-8")
    sys.stdout.write(f"{CONFIG_MAP}\n")
