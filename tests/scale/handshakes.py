"""The bench's own handshakes: what a client is shown for a hostname, looked at until it is what it ought to be."""

import heapq
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from hashlib import sha256

#: Seconds until a host is looked at again that did not show what it ought to.
_AGAIN = 0.05
_PATIENCE = 5.0
#: Few, so that the client takes little from what it measures.
_THREADS = 2


class Prover:
    """Looks at each host that it is given, again and again until a handshake shows its certificate. For many threads.

    Args:
        address: host:port of the ingress.
        trust: the roots in which a chain has to end.
    """

    def __init__(self, address: str, trust: ssl.SSLContext) -> None:
        self._address, self._trust = address, trust
        self._lock = threading.Condition()
        self._due: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._wanted: dict[str, str] = {}
        self._proven: dict[str, float] = {}
        self._problems: dict[str, str] = {}
        self._is_closed = False
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        for worker in self._workers:
            worker.start()

    def add(self, hostname: str, fingerprint: str = "") -> None:
        """Look at a host from now on.

        Args:
            hostname: it has to be in the certificate, and the chain has to be good.
            fingerprint: SHA-256 of the certificate as hex digits, where only that one counts.
        """
        with self._lock:
            self._wanted[hostname] = fingerprint
            heapq.heappush(self._due, (time.monotonic(), next(self._numbers), hostname))
            self._lock.notify()

    def proven(self) -> Mapping[str, float]:
        """-> hostname: the time.monotonic() at which a handshake has shown it."""
        with self._lock:
            return dict(self._proven)

    def trouble(self) -> str:
        """One line about a host that has not been proven yet; empty where there is none."""
        with self._lock:
            problem = next(iter(self._problems.items()), None)
            count = len(self._problems)
        return f"{count} not proven, as {problem[0]}: {problem[1]}" if problem else ""

    def close(self) -> None:
        """Look no more."""
        with self._lock:
            self._is_closed = True
            self._lock.notify_all()
        for worker in self._workers:
            worker.join(_PATIENCE * 2)

    def _work(self) -> None:
        while (hostname := self._take()) is not None:
            problem = look(self._address, hostname, self._trust, self._wanted[hostname])
            with self._lock:
                if problem:
                    self._problems[hostname] = problem
                    heapq.heappush(self._due, (time.monotonic() + _AGAIN, next(self._numbers), hostname))
                else:
                    self._problems.pop(hostname, None)
                    self._proven.setdefault(hostname, time.monotonic())

    def _take(self) -> str | None:
        with self._lock:
            while not self._is_closed:
                pause = self._due[0][0] - time.monotonic() if self._due else None
                if pause is not None and pause <= 0:
                    return heapq.heappop(self._due)[2]
                self._lock.wait(pause)
            return None


def look(address: str, hostname: str, trust: ssl.SSLContext, fingerprint: str = "") -> str:
    """One handshake; returns what is wrong with what it shows, or nothing."""
    host, _, port = address.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), timeout=_PATIENCE) as plain,
            trust.wrap_socket(plain, server_hostname=hostname) as secured,
        ):
            shown = sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        return str(error)
    return f"it shows {shown[:16]}… and not {fingerprint[:16]}…" if fingerprint and shown != fingerprint else ""


def escort(ready: Callable[[], Mapping[str, float]], prover: Prover, stop: threading.Event) -> threading.Thread:
    """Have each host looked at from when it is ready; returns the thread that sees to it, which ends with `stop`."""

    def run() -> None:
        known: set[str] = set()
        while not stop.wait(0.01):
            for hostname in ready().keys() - known:
                known.add(hostname)
                prover.add(hostname)

    thread = threading.Thread(target=run, name="escort", daemon=True)
    thread.start()
    return thread
