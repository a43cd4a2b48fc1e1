"""`kubectl certward dashboard` as it is typed, and an API server that can be away for it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cluster.handle import Cluster
from integration import observer
from integration.plugin import Plugin


def served_app(cluster: Cluster) -> str:
    """A namespace with one App, whose one hostname is served; its name."""
    name = cluster.namespace("page")
    cluster.backend(name, "shop")
    observer.apply(cluster, name, observer.app(), observer.domain("shop", name))
    observer.until_settled(cluster, name, ["shop"])
    return name


@contextmanager
def dashboard(plugin: Plugin, *words: str) -> Iterator[str]:
    """Run it until the end of the block; the URL that it prints. Ctrl-C has to end it in good order."""
    line = plugin.line("dashboard", "--no-open", *words)
    # In a group of its own, as a shell starts it: the signal goes to kubectl and to the plugin.
    process = subprocess.Popen(
        line, env=plugin.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdout is not None
    try:
        yield _url(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            _, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
    assert "Traceback" not in err, err


def _url(process: subprocess.Popen[str]) -> str:
    told = ""
    for line in process.stdout or ():
        told += line
        if found := re.search(r"http://127\.[\d.]+:\d+/\S+", line):
            return found[0]
    raise AssertionError(f"no URL was printed: {told}{process.stderr.read() if process.stderr else ''}")


@dataclass
class Relay:
    """A TCP relay to a server, which can be cut and mended."""

    target: tuple[str, int]
    _listener: socket.socket = field(init=False)
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    _is_cut: bool = False

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every connection, and refuse new ones at once."""
        self._is_cut = True
        for pair in self._pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                ours.close()
                continue
            theirs = socket.create_connection(self.target)
            self._pairs.append((ours, theirs))
            for source, target in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: Any) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()
