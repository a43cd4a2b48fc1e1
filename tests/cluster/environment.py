"""The environment file: how everything else finds the cluster."""

import shlex
from pathlib import Path

from cluster import acme_ca, kube, operator_process, processes
from cluster.dataplane import entry
from cluster.errors import ClusterError
from cluster.paths import State, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports
from cluster.wish import Wish


def issuance_chain(state: State) -> Path:
    """Return the file of Pebble's roots and intermediates."""
    return state.root / "issuance-ca.pem"


def write(state: State, ports: Ports, pki: Pki, wish: Wish) -> dict[str, str]:
    """Write `.cluster/env` for what runs now, and return it."""
    replicas = operator_process.names(wish.operators)
    running = processes.running(state)
    first = entry(0, ports)
    values = {
        "KUBECONFIG": state.admin_kubeconfig,
        "CERTWARD_KUBECONFIG": state.operator_kubeconfig,
        "CLUSTER_HTTP": first.http,
        "CLUSTER_HTTPS": first.https,
        "CLUSTER_CA": issuance_chain(state),
        "CLUSTER_ACME_DIRECTORY": acme_ca.directory(ports),
        "CLUSTER_ACME_MANAGEMENT": acme_ca.management(ports),
        "CLUSTER_ACME_CA": pki.ca,
        "CLUSTER_DNS": acme_ca.dns_server(ports),
        "CLUSTER_DNS_API": acme_ca.dns_api(ports),
        "CLUSTER_AUDIT_LOG": state.audit_log,
        "CLUSTER_OPERATOR_CONFIG": state.operator_config,
        "CLUSTER_OPERATOR_PIDS": " ".join(str(running[name].pid) for name in replicas if name in running),
        "CLUSTER_OPERATOR_LOGS": " ".join(str(processes.log_file(state, name)) for name in replicas),
        "CLUSTER_LOGS": state.logs,
        "CLUSTER_ENDPOINT_ADDRESS": kube.endpoint_address(wish),
    }
    for number, plane in enumerate(wish.planes):
        name, at = plane.name.upper().replace("-", "_"), entry(number, ports)
        values |= {f"CLUSTER_HTTP_{name}": at.http, f"CLUSTER_HTTPS_{name}": at.https}
    told = {key: str(value) for key, value in values.items()}
    lines = (f"{key}={shlex.quote(value) if value else ''}\n" for key, value in told.items())
    write_atomically(state.env, "".join(lines))
    return told


def read(state: State) -> dict[str, str]:
    """Return what the environment file says; raises ClusterError when the cluster is not up."""
    try:
        text = state.env.read_text()
    except FileNotFoundError:
        raise ClusterError("the local cluster is not up; `make cluster-up` starts it") from None
    pairs = (line.partition("=") for line in text.splitlines() if line)
    return {key: " ".join(shlex.split(value)) for key, _, value in pairs}
