"""Bringing the cluster into the wished state: what runs already is kept, only the difference is done."""

import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator

from cluster import (
    acme_ca,
    binaries,
    control_plane,
    dataplanes,
    environment,
    kube,
    operator_process,
    pki,
    processes,
    progress,
)
from cluster.errors import ClusterError
from cluster.part import Part
from cluster.paths import SOURCES, State, default_state, service_network
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
    with _alone():
        _require_linux()
        plane = dataplanes.named(wish.ingress)
        for program in (*binaries.NEEDED, *plane.programs):
            binaries.binary(program)
        files = [file() for file in plane.files]
        ports = Ports(state.root / "ports.json")
        _keep_ports(state, ports, wish)
        keys = pki.ensure(state.pki, service_network(state))
        control_plane.write_kubeconfig(state.admin_kubeconfig, ports, keys, client="admin")
        _Run(state, ports, keys, wish, plane).all(kube.definitions(files))
        return environment.write(state, ports, keys, wish)


def down(state: State | None = None) -> None:
    """End every process of the cluster and forget its data; the user's cache stays."""
    state = state or default_state()
    with _alone():
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

    def __init__(self, state: State, ports: Ports, keys: pki.Pki, wish: Wish, plane: dataplanes.DataPlane) -> None:
        self._state, self._ports, self._keys, self._wish, self._plane = state, ports, keys, wish, plane
        self._supervisor = Supervisor(state)

    def all(self, definitions: list[dict[str, object]]) -> None:
        """Do what is to be done, in the order in which the parts need one another."""
        state, ports, keys, supervisor = self._state, self._ports, self._keys, self._supervisor
        etcd = control_plane.etcd(state, ports)
        apiserver = control_plane.apiserver(state, ports, keys)
        manager = control_plane.controller_manager(state, ports, keys)
        dns = acme_ca.challtestsrv(ports)
        authority = acme_ca.pebble(state, ports, keys, sleeps=self._wish.pebble_sleeps)
        plane = self._plane.parts(state, ports)
        surroundings = [etcd, apiserver, manager, dns, authority, *plane]
        replicas = operator_process.names(self._wish.operators)
        supervisor.end_unwanted({part.name for part in surroundings} | {*replicas})
        supervisor.launch([etcd, dns, authority])
        supervisor.settle([etcd])
        supervisor.launch([apiserver])
        supervisor.settle([apiserver])
        supervisor.launch([manager])
        self._fill(definitions)
        supervisor.launch(plane)  # it looks for its definitions when it starts
        self._write_operator_files()
        supervisor.settle([dns, authority])  # an operator asks both when it starts
        acme_ca.write_issuance_chain(environment.issuance_chain(state), ports, keys)
        operators = [operator_process.replica(state, ports, name) for name in replicas]
        supervisor.launch(operators)
        supervisor.settle([manager, *plane])
        self._await_leader(operators)
        if not supervisor.are_alive([*surroundings, *operators]):
            self._await_leader(operators)  # one was still saying that it is ready while it was ending
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
        endpoints = kube.operator_endpoints(self._wish.operators, self._ports.get("http01"))
        kube.apply(state, [*definitions, *kube.base(state), *self._plane.objects, endpoints])
        kube.await_definitions(self._ports, self._keys, definitions)
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


def _keep_ports(state: State, ports: Ports, wish: Wish) -> None:
    """Give another port to each listener that does not run and whose port a stranger has taken meanwhile."""
    now = processes.running(state)
    owners = {
        "etcd": ("etcd", "etcd-peer"),
        "apiserver": ("apiserver",),
        "controller-manager": ("controller-manager",),
        "challtestsrv": ("dns", "challtestsrv-management"),
        "pebble": ("pebble", "pebble-management"),
        "traefik": ("traefik-web", "traefik-websecure"),
        **{name: (f"{name}-health",) for name in operator_process.names(wish.operators)},
    }
    listeners = [name for part, names in owners.items() if part not in now for name in names]
    if not any(operator_process.is_operator(name) for name in now):
        listeners.append("http01")
    for name in listeners:
        port = ports.get(name)
        if not is_free(port):
            progress.say(f"port {port} of {name} is taken by another program; it gets {ports.pick(name)}")


def _require_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise ClusterError("the local cluster needs Linux: all of 127.0.0.0/8 as loopback, /proc, and the wheels")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep two runs in one checkout apart; the lock is on the folder of sources, so that no file is left."""
    handle = os.open(SOURCES, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.ticking("another run is at work on this checkout's cluster; waiting for it"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
