"""cert-manager's controllers as a process of the local cluster, and what has to be in the cluster for them.

Its definitions come from the same module as the program. Its webhook does not run: the definitions name none, and the
API server checks objects by their schemas alone. That spares cert-manager a call for each write of its own objects.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import control_plane, kube, processes
from cluster.binaries import binary, module_file
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.paths import State, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports

NAME = "cert-manager"
API_USER = f"system:serviceaccount:{NAME}:{NAME}"
ISSUER = "bench"
_ACCOUNT = "bench-account"
_MODULE = "github.com/cert-manager/cert-manager"
_GRACE = 3.0


@dataclass(frozen=True)
class Settings:
    """What is changed of cert-manager's defaults.

    Attributes:
        flags: of the controller, called as the real one's.
        has_self_check: whether it looks at each challenge itself before it lets the CA look: five times, 2 s apart.
            Without, the issuer has `waitInsteadOfSelfCheck: 0s`.
    """

    flags: tuple[str, ...] = ()
    has_self_check: bool = True


_RAISED = (
    "--concurrent-workers=200",
    "--max-concurrent-challenges=1000",
    # Without effect here: for an API server that shares itself out fairly, as by default, it sets itself no limit.
    "--kube-api-qps=1000",
    "--kube-api-burst=2000",
)
#: As it is installed; more workers than any self-check can keep busy; and no self-check besides.
SETTINGS = {
    "defaults": Settings(),
    "raised": Settings(_RAISED),
    "unchecked": Settings(_RAISED, has_self_check=False),
}


def install(cluster: Cluster) -> None:
    """Put definitions, namespace, ServiceAccount and its token in place, as far as they are not there yet."""
    state = cluster.state
    ports, pki = _where(state)
    definitions = module_file("cert-manager-controller", _MODULE, "deploy/crds/*cert-manager.io_*.yaml").read_text()
    documents = [each for each in yaml.safe_load_all(definitions) if each]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAME}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    rights: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAME}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{NAME}-bench"},
            "subjects": [subject],
            "roleRef": role,
        },
    ]
    kube.apply(state, [*documents, *rights])
    kube.await_definitions(ports, pki, documents)
    token = kube.kubectl(state, "create", "token", NAME, f"--namespace={NAME}", "--duration=720h")
    token_file = state.root / f"{NAME}.token"
    write_atomically(token_file, token.strip(), 0o600)
    control_plane.write_kubeconfig(state.root / f"{NAME}.kubeconfig", ports, pki, token_file=token_file)


def start(cluster: Cluster, settings: Settings, self_check_proxy: str) -> processes.Process:
    """Start the controllers.

    Args:
        cluster: where `install` has been.
        settings: what is changed of the defaults.
        self_check_proxy: host:port that answers the self-check. That asks http://HOSTNAME/, and port 80 is not an
            ordinary user's; but it goes by HTTP_PROXY, which nothing else of cert-manager's does: all else is https.
    """
    kubeconfig = f"--kubeconfig={cluster.state.root / f'{NAME}.kubeconfig'}"
    argv = (str(binary("cert-manager-controller")), kubeconfig, *settings.flags)
    return processes.start(
        cluster.state, processes.Command(NAME, argv, env={"HTTP_PROXY": f"http://{self_check_proxy}"})
    )


def require_alive(cluster: Cluster) -> None:
    """Raise ClusterError, with the end of its log, if it does not run."""
    if NAME not in processes.running(cluster.state):
        raise ClusterError(f"cert-manager ended\n{processes.tail(cluster.state, NAME)}")


def issuer(cluster: Cluster, settings: Settings) -> dict[str, Any]:
    """Return the ClusterIssuer: the cluster's CA, HTTP-01 by an Ingress for each challenge."""
    env = cluster.env
    bundle = base64.b64encode(Path(env["CLUSTER_ACME_CA"]).read_bytes()).decode()
    solver: dict[str, Any] = {"http01": {"ingress": {"ingressClassName": ISSUER}}}
    if not settings.has_self_check:
        solver["waitInsteadOfSelfCheck"] = "0s"
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": {"name": ISSUER},
        "spec": {
            "acme": {
                "server": env["CLUSTER_ACME_DIRECTORY"],
                "email": "ops@example.com",
                "caBundle": bundle,
                "privateKeySecretRef": {"name": _ACCOUNT},
                "solvers": [solver],
            }
        },
    }


def remove(cluster: Cluster) -> None:
    """End the process, and delete what `install` and the issuer have left, except for the definitions."""
    running = processes.running(cluster.state)
    processes.end(cluster.state, [running[NAME]] if NAME in running else [], grace=_GRACE)
    for what in (
        ("clusterissuer", ISSUER),
        ("secret", _ACCOUNT, "--namespace=kube-system"),
        ("clusterrolebinding", f"{NAME}-bench"),
        ("namespace", NAME),
    ):
        # Waited for: the next `install` cannot fill a namespace that is going.
        cluster.kubectl("delete", *what, "--ignore-not-found", "--timeout=60s")


def _where(state: State) -> tuple[Ports, Pki]:
    return Ports(state.root / "ports.json"), Pki(state.pki)
