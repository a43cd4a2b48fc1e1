"""etcd, kube-apiserver and kube-controller-manager, and the kubeconfigs to reach them."""

import base64
from pathlib import Path

import yaml

from cluster import web
from cluster.binaries import binary
from cluster.part import Part
from cluster.paths import State, service_network, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports

_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


def server(ports: Ports) -> str:
    """Return the API server's URL."""
    return f"https://127.0.0.1:{ports.get('apiserver')}"


def etcd(state: State, ports: Ports) -> Part:
    """Return etcd; its data need not outlive a crash of the machine, so it does not wait for the disk."""
    client = f"http://127.0.0.1:{ports.get('etcd')}"
    peer = f"http://127.0.0.1:{ports.get('etcd-peer')}"
    flags = [
        f"--data-dir={state.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return Part(
        "etcd",
        (str(binary("etcd")), *flags),
        ports=("etcd", "etcd-peer"),
        ready=lambda: web.answers(f"{client}/health"),
    )


def apiserver(state: State, ports: Ports, pki: Pki) -> Part:
    """Return the API server, with RBAC and an audit log of every request."""
    policy = state.root / "audit-policy.yaml"
    write_atomically(policy, _AUDIT_POLICY)
    port = ports.get("apiserver")
    flags = [
        f"--etcd-servers=http://127.0.0.1:{ports.get('etcd')}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--tls-cert-file={pki.certificate('apiserver')}",
        f"--tls-private-key-file={pki.key('apiserver')}",
        f"--client-ca-file={pki.ca}",
        f"--service-account-key-file={pki.service_account_public_key}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={service_network(state)}.0.0/16",
        "--authorization-mode=RBAC",
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={state.audit_log}",
        "--audit-log-format=json",
        # In megabytes: one file for the cluster's life, so that nothing which is counted is lost.
        "--audit-log-maxsize=1000000",
    ]
    return Part(
        "apiserver",
        (str(binary("kube-apiserver")), *flags),
        inputs=(policy, pki.certificate("apiserver"), pki.service_account_key),
        ports=("apiserver",),
        ready=lambda: web.answers(f"{server(ports)}/readyz", ca=pki.ca, client=pki.both("admin")),
        timeout=90,
    )


def controller_manager(state: State, ports: Ports, pki: Pki) -> Part:
    """Return the controller manager; without leader election, which would only make it start later."""
    kubeconfig = state.root / "controller-manager.kubeconfig"
    write_kubeconfig(kubeconfig, ports, pki, client="controller-manager")
    port = ports.get("controller-manager")
    flags = [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={pki.certificate('apiserver')}",
        f"--tls-private-key-file={pki.key('apiserver')}",
        f"--service-account-private-key-file={pki.service_account_key}",
        f"--root-ca-file={pki.ca}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--controllers=*,-nodeipam",
        "--profiling=false",
    ]
    return Part(
        "controller-manager",
        (str(binary("kube-controller-manager")), *flags),
        inputs=(kubeconfig,),
        ports=("controller-manager",),
        ready=lambda: web.answers(f"https://127.0.0.1:{port}/healthz", ca=pki.ca),
    )


def write_kubeconfig(
    file: Path,
    ports: Ports,
    pki: Pki,
    *,
    client: str = "",
    token_file: Path | None = None,
    namespace: str = "default",
) -> None:
    """Write a kubeconfig whose user is a client certificate, or a token that is read anew from its file."""
    user = (
        {"tokenFile": str(token_file)}
        if token_file
        else {
            "client-certificate-data": base64.b64encode(pki.certificate(client).read_bytes()).decode(),
            "client-key-data": base64.b64encode(pki.key(client).read_bytes()).decode(),
        }
    )
    authority = base64.b64encode(pki.ca.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "local",
        "clusters": [{"name": "local", "cluster": {"server": server(ports), "certificate-authority-data": authority}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user", "namespace": namespace}}],
    }
    write_atomically(file, yaml.safe_dump(config, sort_keys=False), 0o600)
