"""Bringing the cluster into the wished state: what runs already is kept, only the difference is done."""

import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cluster import (
    acme_ca,
    binaries,
    control_plane,
    environment,
    kube,
    operator_process,
    pki,
    processes,
    progress,
)
from cluster.dataplane import entry
from cluster.errors import ClusterError
from cluster.part import Part
from cluster.paths import State, default_state, service_network
from cluster.ports import Ports, is_free
from cluster.supervisor import Supervisor
from cluster.wish import Wish

_OPERATOR_TIMEOUT = 60.0


def up(wish: Wish, state: State | None = None) -> dict[str, str]:
    """Bring the cluster into the wished state and return what its environment file says.

    With operators, it returns when one of them leads and has synced. Raises ClusterError, whose message
    holds the end of the log concerned; what runs then stays, to be looked at, and the next call goes on
    from there.
    """
    state = state or default_state()
    with _alone(state):
        _require_linux()
        kube.endpoint_address(wish)  # before anything is built for nothing
        fetch(wish)
        files = [file() for plane in wish.planes for file in plane.files]
        ports = Ports(state.root / "ports.json")
        keys = pki.ensure(state.pki, service_network(state))
        supervisor = Supervisor(state)
        parts = _parts(state, ports, keys, wish)
        supervisor.end_unwanted({part.name for part in parts.all})
        if _keep_ports(state, ports, parts.all):
            parts = _parts(state, ports, keys, wish)
        control_plane.write_kubeconfig(state.admin_kubeconfig, ports, keys, client="admin")
        _Run(state, ports, keys, wish, parts, supervisor).all(kube.definitions(files))
        return environment.write(state, ports, keys, wish)


def fetch(wish: Wish, more: Iterable[str] = ()) -> None:
    """Build or fetch every program that the wish needs, and `more`, as far as it is not there yet."""
    for program in (*binaries.NEEDED, *(name for plane in wish.planes for name in plane.programs), *more):
        binaries.binary(program)
    for program_of in (wheel for plane in wish.planes for wheel in plane.wheels):
        program_of()


def down(state: State | None = None) -> None:
    """End every process of the cluster and forget its data; the user's cache stays."""
    state = state or default_state()
    with _alone(state):
        found = processes.everything(state)
        operators = [process for process in found if operator_process.is_operator(process.name)]
        if found:
            progress.say(f"ending {', '.join(sorted({process.name for process in found}))}")
        # First the operators, so that they can still say goodbye to the API server.
        processes.end(state, operators, grace=10)
        processes.end(state, [process for process in found if process not in operators], grace=3)
        shutil.rmtree(state.root, ignore_errors=True)


class _Run:
    """One call of `up`."""

    def __init__(
        self, state: State, ports: Ports, keys: pki.Pki, wish: Wish, parts: "_Parts", supervisor: Supervisor
    ) -> None:
        self._state, self._ports, self._keys, self._wish = state, ports, keys, wish
        self._parts, self._supervisor = parts, supervisor

    def all(self, definitions: list[dict[str, object]]) -> None:
        """Do what is to be done, in the order in which the parts need one another."""
        state, supervisor, parts = self._state, self._supervisor, self._parts
        supervisor.launch([parts.etcd, *parts.authority])
        supervisor.settle([parts.etcd])
        supervisor.launch([parts.apiserver])
        supervisor.settle([parts.apiserver])
        supervisor.launch([parts.manager])
        self._fill(definitions)
        supervisor.launch(parts.planes)  # they look for their definitions when they start
        self._write_operator_files()
        supervisor.settle(parts.authority)  # an operator asks them when it starts
        acme_ca.write_issuance_chain(environment.issuance_chain(state), self._ports, self._keys)
        supervisor.launch(parts.operators)
        supervisor.settle([parts.manager, *parts.planes])
        self._await_leader(parts.operators)
        if not supervisor.are_alive(parts.all):
            self._await_leader(parts.operators)  # one was still saying that it is ready while it was ending
        processes.record(state)

    def _await_leader(self, operators: list[Part]) -> None:
        if operators:
            what = "leader among the operators"
            self._supervisor.settle(operators, until=self._has_leader, what=what, timeout=_OPERATOR_TIMEOUT)

    def _has_leader(self) -> bool:
        names = operator_process.names(self._wish.operators)
        told = (operator_process.health_of(self._ports, name) for name in names)
        return any(health is not None and health.get("leader") for health in told)

    def _fill(self, definitions: list[dict[str, object]]) -> None:
        """Apply definitions, manifests and what a cluster without pods needs, and wait until it is served."""
        state = self._state
        wish, ports = self._wish, self._ports
        endpoints = kube.operator_endpoints(wish.operators, ports.get("http01"), kube.endpoint_address(wish))
        objects = [each for plane in wish.planes for each in plane.objects]
        groups = {each["spec"]["group"] for each in definitions if each["kind"] == "CustomResourceDefinition"}
        later = [each for each in objects if each["apiVersion"].partition("/")[0] in groups]
        at_once = [each for each in objects if each not in later]
        kube.apply(
            state,
            [
                *definitions,
                *kube.base(state, operator_process.configuration(wish, ports, self._keys)),
                *at_once,
                endpoints,
            ],
        )
        kube.await_definitions(ports, self._keys, definitions)
        if later:
            kube.apply(state, later)
        # What kubectl has cached may be older than the definitions.
        shutil.rmtree(state.root / "kubectl-cache", ignore_errors=True)

    def _write_operator_files(self) -> None:
        state, ports, keys = self._state, self._ports, self._keys
        config = operator_process.configuration(self._wish, ports, keys)
        operator_process.write_configuration(state, config)
        token = operator_process.token_file(state)
        control_plane.write_kubeconfig(
            state.operator_kubeconfig, ports, keys, token_file=token, namespace=operator_process.NAMESPACE
        )
        kube.write_operator_token(state)


@dataclass(frozen=True)
class _Parts:
    """The parts of the wished state, by the order in which they are started."""

    etcd: Part
    apiserver: Part
    manager: Part
    authority: list[Part]
    planes: list[Part]
    operators: list[Part]

    @property
    def all(self) -> list[Part]:
        return [self.etcd, self.apiserver, self.manager, *self.authority, *self.planes, *self.operators]


def _parts(state: State, ports: Ports, keys: pki.Pki, wish: Wish) -> _Parts:
    return _Parts(
        etcd=control_plane.etcd(state, ports),
        apiserver=control_plane.apiserver(state, ports, keys),
        manager=control_plane.controller_manager(state, ports, keys),
        authority=[acme_ca.challtestsrv(ports), acme_ca.pebble(state, ports, keys, sleeps=wish.pebble_sleeps)],
        planes=[
            part for number, plane in enumerate(wish.planes) for part in plane.parts(state, ports, entry(number, ports))
        ],
        operators=[operator_process.replica(state, ports, name) for name in operator_process.names(wish.operators)],
    )


def _keep_ports(state: State, ports: Ports, parts: Sequence[Part]) -> bool:
    """Give another port to each listener that does not run and whose port a stranger has taken meanwhile.

    Returns:
        Whether there was one, so that the parts have other arguments now.
    """
    now = processes.running(state)
    held = {name for part in parts if part.name in now for name in part.ports}
    is_changed = False
    for name in dict.fromkeys(name for part in parts for name in part.ports if name not in held):
        port = ports.get(name)
        if not is_free(port):
            progress.say(f"port {port} of {name} is taken by another program; it gets {ports.pick(name)}")
            is_changed = True
    return is_changed


def _require_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise ClusterError("the local cluster needs Linux: all of 127.0.0.0/8 as loopback, /proc, and the wheels")


@contextlib.contextmanager
def _alone(state: State) -> Iterator[None]:
    """Keep two runs for one cluster apart; the lock is on the folder that its own is in, so that no file is left."""
    state.folder.mkdir(exist_ok=True)
    handle = os.open(state.folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.ticking("another run is at work on this cluster; waiting for it"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
