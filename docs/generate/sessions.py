"""Records docs/sessions: what `kubectl certward` shows on the local cluster. Run by `make sessions`.

The cluster has to be up. The commands are really typed, on a terminal. Each page makes a namespace of its own, named in
PAGES, and deletes it in the end; one that is left over from before is deleted first.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

import session_pages
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.ports import Ports
from e2e.local import Local
from e2e.world import World
from recording import REPLACEMENTS, Page

SESSIONS = Path(__file__).resolve().parents[1] / "sessions"
#: File, title, namespace, and what is done.
PAGES = (
    ("automatic-certificates", "Turn automatic certificates on", "garden", session_pages.automatic),
    ("a-failing-domain", "A domain that fails, explained", "bakery", session_pages.failing),
    ("from-a-bought-certificate", "From a bought certificate to automatic ones", "cinema", session_pages.migration),
    ("a-change-of-tls", "A change of TLS, and whom it locks out", "museum", session_pages.policy),
    ("errors", "Errors and exit codes", "library", session_pages.errors),
    ("from-cert-manager", "From cert-manager", "shop-harbour", session_pages.cert_manager),
)


def main(names: Sequence[str]) -> int:
    """Record the pages of these names, or all; returns the exit status."""
    unknown = set(names) - {name for name, *_ in PAGES}
    if unknown:
        sys.stderr.write(
            f"There is no page {', '.join(sorted(unknown))}; there are {', '.join(p[0] for p in PAGES)}.\n"
        )
        return 2
    SESSIONS.mkdir(exist_ok=True)
    try:
        for name, title, namespace, script in PAGES:
            if names and name not in names:
                continue
            sys.stdout.write(f"{name}\n")
            with _scene(title, namespace) as (page, scene):
                script(page, scene)
            (SESSIONS / f"{name}.md").write_text(page.text(), encoding="utf-8")
    except (ClusterError, RuntimeError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    (SESSIONS / "README.md").write_text(_contents(), encoding="utf-8")
    return 0


@contextmanager
def _scene(title: str, namespace: str) -> Iterator[tuple[Page, session_pages.Scene]]:
    cluster = Cluster()
    env = cluster.env
    cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found")
    host, _, _ = env["CLUSTER_HTTP"].rpartition(":")
    shell = {
        **{key: value for key, value in env.items() if key in ("CLUSTER_HTTP", "CLUSTER_HTTPS")},
        "CLUSTER_DNS": f"{host}:{Ports(cluster.state.root / 'ports.json').get('dns')}",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "KUBECACHEDIR": str(cluster.state.root / "kubectl-cache"),
        "KUBECONFIG": "kubeconfig",
    }
    world = World(Local(cluster))
    with tempfile.TemporaryDirectory() as folder:
        config = yaml.safe_load(cluster.state.admin_kubeconfig.read_text(encoding="utf-8"))
        config["contexts"][0]["context"]["namespace"] = namespace
        (Path(folder) / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
        try:
            yield (
                Page(title, Path(folder), shell),
                session_pages.Scene(cluster, world, Path(folder), namespace),
            )
        finally:
            world.close()
            cluster.close()


def _contents() -> str:
    lines = [
        "# Recorded sessions",
        "",
        "What `kubectl certward` shows, typed on the local cluster and recorded by `make sessions`, on a terminal of",
        "120 columns. Command lines, output and exit codes (where they are not 0) are exact; colours are left out.",
        "",
        *(f"- [{title}]({name}.md)" for name, title, *_ in PAGES),
        "",
        "The local cluster has no load balancer and a DNS of its own. So what looks from where it is typed is told",
        "where to look: `$CLUSTER_DNS` is that DNS, `$CLUSTER_HTTP` and `$CLUSTER_HTTPS` are Traefik.",
        "",
        "What differs from run to run is replaced:",
        "",
        "| what | by |",
        "|---|---|",
        *(f"| {what} | `{_as_shown(instead)}` |" for what, _, instead in REPLACEMENTS),
        "| the folder in which it is typed | `~` |",
    ]
    return "\n".join(lines) + "\n"


def _as_shown(instead: str) -> str:
    return instead.replace(r"\1:", "").replace(r"\1", "day")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
