"""Starting, finding and ending the processes of one cluster, and no others.

Each process carries a mark in its environment, which names the cluster and the part, and the fingerprint of
what it was started with. The mark survives whatever happens to the files: a process is ours exactly when
/proc shows the mark, so a reused process id, a zombie (whose environment is empty) or a lost file of ids
never leads to a wrong kill.
"""

import hashlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.errors import ClusterError
from cluster.paths import State, write_atomically
from cluster.waiting import wait_for

_MARK = "CERTWARD_CLUSTER_PART"
_FINGERPRINT = "CERTWARD_CLUSTER_FINGERPRINT"
# A part sees only these of the caller's variables: above all no proxies, and nothing that differs between
# two shells.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "XDG_CACHE_HOME")
# The inner shell writes its own process id, then becomes the part; the outer one ends at once, so that the
# part belongs to init and not to us. A run that is killed between the two leaves a marked process, which is
# found again.
_BECOME = 'echo "$$" >"$1.new" && mv "$1.new" "$1" && shift && exec "$@"'
_DETACH = '/bin/sh -c "$0" sh "$@" &'


@dataclass(frozen=True)
class Command:
    """What a part is started with; `inputs` are files that it reads at start only."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()

    def fingerprint(self) -> str:
        """Return a hash that changes when the part would have to be started anew."""
        digest = hashlib.sha256(repr((self.argv, sorted(self.env.items()))).encode())
        for file in self.inputs:
            digest.update(str(file).encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Process:
    """A live process of this cluster; `started` is in clock ticks since boot."""

    name: str
    pid: int
    started: int
    fingerprint: str


def _look(pid: int) -> tuple[str, int, dict[str, str]] | None:
    """Return state letter, start time and environment of a process; None when it is gone or hidden."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except (OSError, IndexError):
        return None
    pairs = (entry.decode(errors="replace").partition("=") for entry in environ.split(b"\0") if entry)
    return fields[0], int(fields[19]), {key: value for key, _, value in pairs}


def _is_gone(pid: int) -> bool:
    seen = _look(pid)
    return seen is None or seen[0] in "ZX"


def _mark(state: State, name: str) -> str:
    return f"{state.root}:{name}"


def identify(state: State, pid: int) -> Process | None:
    """Return this process if it is a live one of the cluster."""
    seen = _look(pid)
    if seen is None or seen[0] in "ZX":
        return None
    root, _, name = seen[2].get(_MARK, "").rpartition(":")
    if root != str(state.root) or not name:
        return None
    return Process(name, pid, seen[1], seen[2].get(_FINGERPRINT, ""))


def everything(state: State) -> list[Process]:
    """Return every live process of the cluster, children of parts included, oldest first."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = [process for process in (identify(state, pid) for pid in pids) if process]
    return sorted(found, key=lambda process: (process.started, process.pid))


def running(state: State) -> dict[str, Process]:
    """Return each part's process: the one in its file of ids, else its oldest."""
    result: dict[str, Process] = {}
    for process in everything(state):
        if process.name not in result or recorded_pid(state, process.name) == process.pid:
            result[process.name] = process
    return result


def recorded_pid(state: State, name: str) -> int | None:
    """Return the process id in the part's file, whether or not it lives."""
    try:
        return int((state.pids / name).read_text())
    except (OSError, ValueError):
        return None


def record(state: State) -> None:
    """Make the files of process ids say what runs, and nothing else."""
    now = running(state)
    for name, process in now.items():
        if recorded_pid(state, name) != process.pid:
            write_atomically(state.pids / name, f"{process.pid}\n")
    for file in state.pids.iterdir():
        if file.name not in now:
            file.unlink(missing_ok=True)


def start(state: State, command: Command) -> Process:
    """Start a part in the background, its output appended to its log, and return its process.

    Raises ClusterError with the end of the log when it does not even come to life.
    """
    state.pids.mkdir(parents=True, exist_ok=True)
    state.logs.mkdir(parents=True, exist_ok=True)
    file = state.pids / command.name
    file.unlink(missing_ok=True)
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        **command.env,
        _MARK: _mark(state, command.name),
        _FINGERPRINT: command.fingerprint(),
    }
    with log_file(state, command.name).open("ab") as log:
        log.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} start: {' '.join(command.argv)}\n".encode())
        log.flush()
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, _BECOME, str(file), *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
            check=True,
        )
    pid = wait_for(lambda: recorded_pid(state, command.name), 10, f"{command.name} writes its process id", every=0.005)
    # While it turns from the shell into the part, its environment is not there for a moment.
    limit = time.monotonic() + 2
    while (process := identify(state, pid)) is None or _is_becoming(pid):
        if time.monotonic() > limit or _is_gone(pid):
            raise ClusterError(f"{command.name} ended at once\n{tail(state, command.name)}")
        time.sleep(0.002)
    return process


def _is_becoming(pid: int) -> bool:
    """Tell whether a process is still the shell that is about to become a part."""
    try:
        return _BECOME.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def end(state: State, processes: Iterable[Process], grace: float) -> None:
    """End processes and return when they are gone; what lives after `grace` seconds gets SIGKILL."""
    left = [process for process in processes if send(state, process, signal.SIGTERM)]
    for process in left:  # one that is stopped would not see the first signal
        send(state, process, signal.SIGCONT)
    for sign, patience in ((None, grace), (signal.SIGKILL, 10.0)):
        if sign is not None:
            for process in left:
                send(state, process, sign)
        limit = time.monotonic() + patience
        while left and time.monotonic() < limit:
            left = [process for process in left if not has_ended(process)]
            time.sleep(0.01 if left else 0)
    if left:
        raise ClusterError(f"these processes do not end, not even by SIGKILL: {[p.pid for p in left]}")


def send(state: State, process: Process, sign: signal.Signals) -> bool:
    """Send a signal, and tell whether it went out: never to another process that now has the same id."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        # The handle keeps the id from being reused, so what is identified now is what gets the signal.
        if identify(state, process.pid) != process:
            return False
        signal.pidfd_send_signal(handle, sign)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def has_ended(process: Process) -> bool:
    """Tell whether a process has ended with all that it held.

    Its environment goes before its sockets do, so `identify` loses sight of it while its ports are still taken.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return True
    try:
        started = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
        return started != process.started or bool(select.select([handle], [], [], 0)[0])
    except OSError:
        return True
    finally:
        os.close(handle)


def log_file(state: State, name: str) -> Path:
    """Return the part's log file."""
    return state.logs / f"{name}.log"


def tail(state: State, name: str, lines: int = 25) -> str:
    """Return the end of a part's log, with its path above."""
    file = log_file(state, name)
    try:
        text = file.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        text = ["(no log)"]
    return "\n".join([f"--- the end of {file}:", *(f"    {line}" for line in text)])
