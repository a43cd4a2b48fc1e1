"""Where things are: the checkout, this cluster's state in it, and the user's cache."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
CHECKOUT = SOURCES.parent.parent

#: What the folder of a worker's cluster, and a worker, are called; a number follows.
_OF_WORKER, _WORKER = ".cluster-", "gw"


@dataclass(frozen=True)
class State:
    """The files of one cluster, all beneath `root`; removing `root` forgets the cluster.

    Attributes:
        root: the folder of these files, in the checkout or, of a test worker's cluster, in a folder there.
        number: which of the checkout's clusters it is: 0 is the one that people use, the workers' are 1 and on.
    """

    root: Path
    number: int = 0

    @property
    def folder(self) -> Path:
        """The folder that `root` lies in, which stays when the cluster is forgotten."""
        return self.root.parent

    @property
    def checkout(self) -> Path:
        """The checkout that it is a cluster of."""
        return self.folder.parent if self.number else self.folder

    @property
    def env(self) -> Path:
        """The environment file, to be sourced by a shell."""
        return self.root / "env"

    @property
    def pids(self) -> Path:
        """A folder with one file for each part, which holds its process id."""
        return self.root / "pids"

    @property
    def ports(self) -> Path:
        """The port of each listener, in JSON."""
        return self.root / "ports.json"

    @property
    def logs(self) -> Path:
        """A folder with one log for each part."""
        return self.root / "logs"

    @property
    def pki(self) -> Path:
        """The certificates and keys of the control plane and of Pebble's own listener."""
        return self.root / "pki"

    @property
    def audit_log(self) -> Path:
        """What the API server was asked, one JSON object a line."""
        return self.root / "audit.log"

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig of system:masters."""
        return self.root / "admin.kubeconfig"

    @property
    def operator_kubeconfig(self) -> Path:
        """The kubeconfig with the operator's own ServiceAccount."""
        return self.root / "certward.kubeconfig"

    @property
    def operator_config(self) -> Path:
        """The operator's configuration in use."""
        return self.root / "operator.yaml"


def default_state() -> State:
    """Return the state of this checkout's cluster."""
    return State(CHECKOUT / ".cluster")


def worker_state(worker: str) -> State:
    """Return the state of the cluster that one of several test workers has for itself; pytest-xdist calls it `gw0`."""
    return State(CHECKOUT / f"{_OF_WORKER}{worker}" / "state", 1 + int(worker.removeprefix(_WORKER)))


def states() -> list[State]:
    """Return the state of this checkout's cluster, and those of its test workers that there have been."""
    found = sorted(CHECKOUT.glob(f"{_OF_WORKER}{_WORKER}*"))
    return [default_state(), *(worker_state(folder.name.removeprefix(_OF_WORKER)) for folder in found)]


def cache() -> Path:
    """Return the user's cache for what is expensive to make and the same in every checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "certward"


def service_network(state: State) -> str:
    """Return the first two octets of the ClusterIPs, `127.N`, with N from 64 to 191 by the checkout's path.

    Loopback addresses let a Service's ClusterIP be a listening process without kube-proxy, and the hash keeps
    two checkouts on one machine apart. The clusters of one checkout have networks that follow one another.
    """
    digest = hashlib.sha256(str(state.checkout.resolve()).encode()).digest()
    return f"127.{64 + (int.from_bytes(digest[:8], 'big') + state.number) % 128}"


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a killed run, never leaves half of it behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
