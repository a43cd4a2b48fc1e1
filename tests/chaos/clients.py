"""Clients that never rest: handshakes at every host, with SNI, verified against the CA's roots."""

import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import NamedTuple, Self

from cryptography import x509

from cluster.handle import Cluster

_THREADS = 4
#: Seconds; on two cores with everything else on them one may take its time.
_PATIENCE = 10.0


@dataclass(frozen=True)
class Refused:
    """A handshake that a client would not have accepted; times in seconds since the epoch."""

    hostname: str
    begun: float
    ended: float
    error: str


class Shown(NamedTuple):
    """A good handshake: when it began, in seconds since the epoch, and the serial number of the certificate."""

    begun: float = 0.0
    serial: int = 0


class Clients:
    """Handshakes in turn at all hosts that were `met`; `with Clients(...) as clients`.

    A host counts from the first handshake on that was good.

    Args:
        cluster: its ingress is asked.
        roots_pem: what the clients trust.
        rate: handshakes a second, over all hosts.

    Attributes:
        refused: what went wrong.
        done: how many were made at hosts that count.
    """

    def __init__(self, cluster: Cluster, roots_pem: str, rate: float) -> None:
        host, _, port = cluster.env["CLUSTER_HTTPS"].rpartition(":")
        self._address, self._gap = (host, int(port)), 1 / rate
        self._context = ssl.create_default_context(cadata=roots_pem)
        self._hosts: list[str] = []
        self._served: dict[str, Shown] = {}
        self._begun, self._next = 0.0, 0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        self.refused: list[Refused] = []
        self.done = 0

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE * 2)

    def meet(self, hostname: str) -> None:
        """Ask a host from now on."""
        with self._lock:
            self._hosts.append(hostname)

    def leave(self, hostname: str) -> None:
        """Ask a host no more: it is taken down by its owner."""
        with self._lock:
            self._hosts.remove(hostname)
            self._served.pop(hostname, None)

    def shown(self, hostname: str) -> Shown:
        """The last good handshake there; all zero where there was none."""
        with self._lock:
            return self._served.get(hostname, Shown())

    def problem(self, hostname: str) -> str:
        """What is wrong at a host now; empty where nothing is."""
        try:
            self._shake(hostname)
        except OSError as error:
            return _words(error)
        return ""

    def _work(self) -> None:
        while True:
            with self._lock:
                number, self._next = self._next, self._next + 1
            if self._stop.wait(max(self._begun + number * self._gap - time.monotonic(), 0)):
                return
            with self._lock:
                hostname = self._hosts[number % len(self._hosts)] if self._hosts else ""
            if hostname:
                self._ask(hostname)

    def _ask(self, hostname: str) -> None:
        begun, serial, problem = time.time(), 0, ""
        try:
            serial = self._shake(hostname)
        except OSError as error:
            problem = _words(error)
        with self._lock:
            if hostname not in self._hosts or (problem and hostname not in self._served):
                return
            self.done += 1
            if problem:
                self.refused.append(Refused(hostname, begun, time.time(), problem))
            else:
                self._served[hostname] = max(Shown(begun, serial), self._served.get(hostname, Shown()))

    def _shake(self, hostname: str) -> int:
        with (
            socket.create_connection(self._address, _PATIENCE) as plain,
            self._context.wrap_socket(plain, server_hostname=hostname) as connection,
        ):
            der = connection.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number


def _words(error: OSError) -> str:
    return str(error) or repr(error)
