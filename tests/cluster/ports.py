"""Free ports, remembered so that every part keeps its own over restarts."""

import contextlib
import fcntl
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path

from cluster.errors import ClusterError
from cluster.paths import cache, write_atomically

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
        with _taken_elsewhere(self._file.absolute()) as others:
            taken = others | set(self._known.values())
            for port in random.sample(range(_LOWEST, _HIGHEST), 200):
                if port not in taken and is_free(port):
                    self._known[name] = port
                    write_atomically(self._file, json.dumps(self._known, indent=1, sort_keys=True))
                    return port
        raise ClusterError(f"no free port between {_LOWEST} and {_HIGHEST} for {name}: is something leaking listeners?")


@contextlib.contextmanager
def _taken_elsewhere(file: Path) -> Iterator[set[int]]:
    """The ports of all other clusters of this user, in any checkout, also of what does not listen yet or just now.

    Two clusters that start at the same time would give one port to two listeners now and then. So their files are
    listed in the user's cache, as long as they are there; while this context lasts, nobody else picks a port.
    """
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "clusters").open("a+") as listed:
        fcntl.flock(listed, fcntl.LOCK_EX)
        listed.seek(0)
        others = [other for other in map(Path, listed.read().splitlines()) if other != file and other.exists()]
        yield {port for other in others for port in _read(other).values()}
        listed.truncate(0)
        listed.writelines(f"{each}\n" for each in [*others, file])


def _read(file: Path) -> dict[str, int]:
    try:
        return {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}  # there is none yet, or it is not ours any more; new ports are as good
