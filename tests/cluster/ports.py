"""Free ports, remembered so that every part keeps its own over restarts."""

import json
import random
import socket
from pathlib import Path

from cluster.errors import ClusterError
from cluster.paths import states, write_atomically

# Below the range from which Linux takes the ports of outgoing connections (32768 and up), so that a part
# which is down for a moment finds its port still free.
_LOWEST, _HIGHEST = 20000, 32000


def is_free(port: int, address: str = "0.0.0.0") -> bool:
    """Tell whether a TCP and a UDP server could listen on this port of the address."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            if kind == socket.SOCK_STREAM:  # a server restarts over its old connections' TIME_WAIT
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    sock.listen(1)
            except OSError:
                return False
    return True


class Ports:
    """The port of each listener by its name, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)

    def get(self, name: str) -> int:
        """Return the listener's port; it is picked and remembered at the first call."""
        if name not in self._known:
            self.pick(name)
        return self._known[name]

    def pick(self, name: str) -> int:
        """Give the listener another free port, remember and return it."""
        taken = set(self._known.values()) | self._of_others()
        for port in random.sample(range(_LOWEST, _HIGHEST), 200):
            if port not in taken and is_free(port):
                self._known[name] = port
                write_atomically(self._file, json.dumps(self._known, indent=1, sort_keys=True))
                return port
        raise ClusterError(f"no free port between {_LOWEST} and {_HIGHEST} for {name}: is something leaking listeners?")

    def _of_others(self) -> set[int]:
        """The ports of the checkout's other clusters, also of what does not listen just now."""
        files = (state.ports for state in states())
        return {port for file in files if file != self._file for port in _read(file).values()}


def _read(file: Path) -> dict[str, int]:
    try:
        return {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}  # there is none yet, or it is not ours any more; new ports are as good
