"""The surfaces as a client sees them: started, measured from outside, and what a good request and answer are."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz.servers import THUMBPRINTS

TESTS = Path(__file__).resolve().parent.parent
#: The example of RFC 8555.
CHALLENGED = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
CHALLENGE = "/.well-known/acme-challenge/"


@dataclass(frozen=True)
class Surface:
    """What a server is for, in bytes.

    Attributes:
        name: of the server.
        good: a request that it answers with 200.
        proof: what the answer to that holds.
        paths: what there is, without the base.
        base: what all paths begin with.
        host: what it is called.
        headers: what a request of somebody who is let in carries beside Host.
        methods: what it takes.
        largest: bytes of the largest answer that it may give.
    """

    name: str
    good: bytes
    proof: bytes
    paths: tuple[str, ...]
    base: str
    host: str
    largest: int
    headers: bytes = b""
    methods: tuple[str, ...] = ("GET", "HEAD")
    secrets: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    key: str = ""


@dataclass
class Running:
    """A server that runs.

    Attributes:
        surface: what it is.
        address: where it listens.
        process: that it is.
        log: the file of what it logs.
    """

    surface: Surface
    address: tuple[str, int]
    process: subprocess.Popen[bytes]
    log: Path
    _room: dict[str, int] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def resident(self) -> int:
        """Resident memory in KiB; 0 where it has ended."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def descriptors(self) -> int:
        """Open files and sockets; 0 where it has ended."""
        with suppress(OSError):
            return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        return 0

    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="surrogateescape")


@contextmanager
def running(name: str, fault: str = "", *, style: str = "text") -> Iterator[Running]:
    """Run a server in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, str(TESTS / "fuzz" / "servers.py"), name, fault, style],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=written,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent / "operator"), str(TESTS)])},
            )
        try:
            line = process.stdout.readline()
            assert line, f"the server did not start: {log.read_text()}"
            facts = json.loads(line)
            yield Running(SURFACES[name](facts), (facts["host"], facts["port"]), process, log)
        finally:
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def request(target: str, host: str, headers: bytes = b"", *, method: str = "GET") -> bytes:
    """A request as it should be."""
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode() + headers + b"\r\n"


def _answerer(_: dict[str, Any]) -> Surface:
    host = "www.example.com"
    return Surface(
        name="answerer",
        good=request(f"{CHALLENGE}{CHALLENGED}", host),
        proof=f"{CHALLENGED}.{THUMBPRINTS[host]}".encode(),
        paths=(f"{CHALLENGE}{CHALLENGED}", CHALLENGE, "/"),
        base=CHALLENGE,
        host=host,
        largest=512,
        guarded=tuple(THUMBPRINTS.values()),
    )


def _health(facts: dict[str, Any]) -> Surface:
    host = f"{facts['host']}:{facts['port']}"
    return Surface(
        name="health",
        good=request("/metrics", host),
        proof=b"certward_leader 1.0",
        paths=("/healthz", "/readyz", "/metrics", "/"),
        base="/",
        host=host,
        largest=1 << 20,
    )


def _dashboard(facts: dict[str, Any]) -> Surface:
    host, keys = f"{facts['host']}:{facts['port']}", facts["keys"]
    base, headers = f"/{keys['room']}/", f"Cookie: certward={keys['session']}\r\n".encode()
    shop = f"{base}apps/team-a/shop"
    pages = tuple(f"{base}{page}" for page in ("", "domains", "apps", "policies", "budget", "static/app.js"))
    return Surface(
        name="dashboard",
        good=request(base, host, headers),
        proof=b"<title>",
        paths=(*pages, shop, f"{shop}/automatic?to=on", f"{shop}/profile", f"{shop}/profile/change?profile=modern"),
        base=base,
        host=host,
        largest=512 << 10,
        headers=headers,
        methods=("GET", "HEAD", "POST"),
        secrets=(keys["session"], keys["entry"]),
        guarded=(keys["form"], keys["run"]),
        key=keys["form"],
    )


SURFACES = {"answerer": _answerer, "health": _health, "dashboard": _dashboard}
