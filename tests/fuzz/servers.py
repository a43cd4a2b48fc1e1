"""A program that runs one HTTP server of Certward as it is, for a client that means it no good.

It tells as JSON what the client has to know, logs to standard error as the operator does, and ends with its input. Only
what is served is loaded.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from certward import logs
from certward.acme.http01 import Answerer
from fuzz import faults
from thumbprints import by_hostname

#: Hostnames whose challenges are answered, and what with.
THUMBPRINTS = {"www.example.com": "THUMBPRINT-OF-WWW", "shop.example.com": "THUMBPRINT-OF-SHOP"}
#: Domains that the metrics tell of, so that an answer is as large as on a platform.
DOMAINS = 500

Facts = dict[str, Any]


@contextmanager
def answerer(fault: str) -> Iterator[Facts]:
    """The server for challenges."""
    kind, options = faults.ANSWERERS.get(fault, (Answerer, {}))
    with closing(kind("127.0.0.1", 0, by_hostname(THUMBPRINTS), **options)) as server:
        server.start()
        yield {"host": "127.0.0.1", "port": server.port}


@contextmanager
def health(_: str) -> Iterator[Facts]:
    """/healthz, /readyz and /metrics, with what an operator with many Domains tells."""
    from certward.runtime.server import HealthServer
    from fuzz import scraped

    scraped.register(DOMAINS)
    server = HealthServer("127.0.0.1", 0, health=lambda: "", readiness=lambda: (True, {"replica": "a"}))
    with closing(server):
        server.start()
        yield {"host": "127.0.0.1", "port": server.port}


@contextmanager
def dashboard(_: str) -> Iterator[Facts]:
    """The dashboard, with an API server that answers and lets the user change everything."""
    from certward.cli.context import Flags, Session
    from certward.dashboard.changing import Changing
    from dashboard import serving, worlds
    from dashboard.api_server import api_server

    now = worlds.now()
    bodies = [worlds.app("shop", "team-a", now), worlds.domain("www.example.com", "shop", "team-a", now)]
    with tempfile.TemporaryDirectory() as folder, api_server(*bodies) as world:
        session = Session(Flags(kubeconfig=str(world.kubeconfig(Path(folder)))))
        changing = Changing(session, "certward-system")
        with serving.serving(worlds.big(now, 200), changing) as served:
            host, _, port = served.authority.partition(":")
            keys = {name: getattr(served.keys, name) for name in ("room", "entry", "session", "form", "run")}
            yield {"host": host, "port": int(port), "keys": keys}


SERVERS = {"answerer": answerer, "health": health, "dashboard": dashboard}


def main() -> None:
    """Serve until the input ends."""
    name, fault, style = sys.argv[1:]
    if name != "dashboard":
        logs.set_up("info", style)
    with SERVERS[name](fault) as facts:
        faults.begin(fault)
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
