"""How the demo shows what it does: lines for a person, a mark for each proof, a summary at the end."""

import contextlib
import http.client
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable

from kubernetes import client

from cluster import binaries, processes
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.operator_process import is_operator
from cluster.waiting import NotInTime

TROUBLE = (OSError, http.client.HTTPException, ValueError, KeyError, ClusterError, NotInTime, client.ApiException)


class Screen:
    """What the demo prints: plain lines, with bold and colours only where a terminal shows them."""

    def __init__(self) -> None:
        self._is_plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        try:
            "✓✗→".encode(sys.stdout.encoding or "ascii")
            self.good, self.bad, self.arrow = "✓", "✗", "→"
        except UnicodeEncodeError:
            self.good, self.bad, self.arrow = "ok", "FAILED", "->"
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        self.proofs: list[tuple[str, bool]] = []

    def _styled(self, code: str, text: str) -> str:
        return text if self._is_plain else f"\x1b[{code}m{text}\x1b[0m"

    def heading(self, text: str) -> None:
        """Print the title of what comes next."""
        print(f"\n{self._styled('1', f'== {text}')}", flush=True)

    def line(self, text: str = "") -> None:
        """Print lines, indented."""
        for part in text.splitlines() or [""]:
            print(f"   {part}".rstrip(), flush=True)

    def command(self, text: str) -> None:
        """Print a command that is run, as one would type it."""
        print(self._styled("36", f"   $ {text}"), flush=True)

    def prove(self, what: str, proof: Callable[[], str]) -> None:
        """Print whether a proof held, with what was seen; what it raises is the reason why not."""
        try:
            seen, held = proof(), True
        except TROUBLE as error:
            seen, held = _in_words(error), False
        self.proofs.append((what, held))
        mark = self._styled("32", self.good) if held else self._styled("31;1", self.bad)
        print(f"   {mark} {what}", flush=True)
        for part in seen.splitlines():
            print(f"       {part}", flush=True)

    def attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do something; if it cannot be done, that counts as a proof that failed, and nothing as one that held."""
        try:
            work()
        except TROUBLE as error:
            trouble = error
            self.prove(what, lambda: _raise(trouble))

    def outcome(self, what: str, held: bool) -> None:
        """Print one line of the summary."""
        mark = self._styled("32", self.good) if held else self._styled("31;1", self.bad)
        print(f"   {mark} {what}", flush=True)


def summary(cluster: Cluster, screen: Screen, seconds: float, namespace: str, hostname: str) -> bool:
    """Print what was proved and how to go on; tell whether all held."""
    screen.heading(f"Summary: the demo's own part took {seconds:.1f} s")
    for what, held in screen.proofs:
        screen.outcome(what, held)
    all_held = bool(screen.proofs) and all(held for _, held in screen.proofs)
    env, state = cluster.env, cluster.state
    if not all_held:
        screen.heading("Some of it did not hold. What to look at")
        for name in sorted(processes.running(state)):
            if is_operator(name):
                screen.line(processes.tail(state, name))
        screen.line(f"and what every part of the cluster logs, in {env['CLUSTER_LOGS']}")
    kubectl = "kubectl" if shutil.which("kubectl") else shlex.quote(str(binaries.binary("kubectl")))
    screen.heading("To look further, in this folder")
    for command in (
        "set -a; . .cluster/env; set +a",
        f"{kubectl} get certward -A",
        f"{kubectl} -n {namespace} get domain shop -o yaml",
        f'curl --cacert "$CLUSTER_CA" --connect-to "::$CLUSTER_HTTPS" https://{hostname}/',
        f'openssl s_client -connect "$CLUSTER_HTTPS" -servername {hostname} -CAfile "$CLUSTER_CA" </dev/null',
        "tail -f $CLUSTER_OPERATOR_LOGS",
    ):
        screen.command(command)
    screen.line("to stop it all:")
    screen.command("make cluster-down")
    return all_held


def _in_words(error: Exception) -> str:
    if isinstance(error, client.ApiException):  # its own text is a page of headers
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return f"the API server says {error.status}: {json.loads(error.body)['message']}"
    return str(error) or type(error).__name__


def _raise(error: Exception) -> str:
    raise error
