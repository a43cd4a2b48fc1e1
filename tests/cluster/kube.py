"""What is put into the cluster: definitions, manifests, and what a cluster without pods needs besides."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from cluster import operator_process, web
from cluster.binaries import binary
from cluster.control_plane import server
from cluster.errors import ClusterError
from cluster.own_address import own_address
from cluster.paths import CHECKOUT, State, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports
from cluster.waiting import wait_for
from cluster.wish import Wish

# Never contacted: a cluster without pods has to name some address, and loopback is refused (RFC 5737, 3).
DOCUMENTATION_NETWORK = "192.0.2"
NOWHERE = f"{DOCUMENTATION_NETWORK}.100"


def kubectl(state: State, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
    """Run kubectl as admin and return what it prints; raises ClusterError with its complaint."""
    environment = os.environ | {
        "KUBECONFIG": str(state.admin_kubeconfig),
        "KUBECACHEDIR": str(state.root / "kubectl-cache"),
    }
    done = subprocess.run(
        [str(binary("kubectl")), *arguments],
        env=environment,
        input=input,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL if input is None else None,
    )
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def apply(state: State, documents: Iterable[dict[str, Any]]) -> None:
    """Apply objects on the server's side, taking over what another manager holds."""
    text = yaml.safe_dump_all(documents, sort_keys=False)
    kubectl(
        state,
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=certward-cluster",
        "-f",
        "-",
        input=text,
    )


def definitions(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the product's own CRDs, and those in `files`."""
    own = (file for file in sorted((CHECKOUT / "crds").glob("*.yaml")) if file.name != "kustomization.yaml")
    return [document for file in (*own, *files) for document in yaml.safe_load_all(file.read_text()) if document]


def await_definitions(ports: Ports, pki: Pki, documents: Iterable[dict[str, Any]]) -> None:
    """Wait until the API server serves every kind that the definitions among the documents name."""
    wanted = {
        (document["spec"]["group"], version["name"], document["spec"]["names"]["plural"])
        for document in documents
        if document["kind"] == "CustomResourceDefinition"
        for version in document["spec"]["versions"]
        if version["served"]
    }
    for group, version, plural in sorted(wanted):
        url = f"{server(ports)}/apis/{group}/{version}/{plural}?limit=1"
        wait_for(
            lambda url=url: web.answers(url, ca=pki.ca, client=pki.both("admin")),
            30,
            f"the API serves {plural}.{group}",
        )


def base(state: State, configuration: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of manifests/base with the operator's configuration of this cluster.

    There are no Deployments among them: there are no nodes to run them on.
    """
    rendered = kubectl(state, "kustomize", str(CHECKOUT / "manifests" / "base"))
    objects = [document for document in yaml.safe_load_all(rendered) if document and document["kind"] != "Deployment"]
    for each in objects:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "certward-config":
            each["data"] = {"config.yaml": yaml.safe_dump(_readable_elsewhere(configuration), sort_keys=False)}
    return objects


def _readable_elsewhere(configuration: dict[str, Any]) -> dict[str, Any]:
    """The configuration with roots in the place of the names of files that hold them."""

    def inlined(issuer: dict[str, Any]) -> dict[str, Any]:
        bundle = str(issuer.get("caBundle") or "")
        if not bundle or "-----BEGIN " in bundle:  # a whole PEM is too long for the name of a file
            return issuer
        return {**issuer, "caBundle": Path(bundle).read_text()} if Path(bundle).is_file() else issuer

    return {**configuration, "issuers": [inlined(issuer) for issuer in configuration.get("issuers") or ()]}


def endpoint_address(wish: Wish) -> str:
    """Return the address of this machine at which endpoints have to listen; empty when nothing contacts them.

    Raises:
        ClusterError: a data plane contacts endpoints, and the machine has no such address.
    """
    return own_address() if any(plane.contacts_endpoints for plane in wish.planes) else ""


def operator_endpoints(replicas: int, port: int, address: str = "") -> dict[str, Any]:
    """Return the EndpointSlice that the replicas' pods would have; `address` is that of all, where it matters."""
    numbered = [f"{DOCUMENTATION_NETWORK}.{10 + number}" for number in range(replicas)]
    return endpoint_slice(
        operator_process.NAMESPACE,
        "certward",
        [address] if address and replicas else numbered,
        [{"name": "http01", "port": port, "protocol": "TCP"}],
    )


def endpoint_slice(namespace: str, service: str, addresses: list[str], ports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an EndpointSlice of a Service that no controller knows the endpoints of."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-local",
            "namespace": namespace,
            "labels": {
                "kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": "certward-cluster",
            },
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": ports,
    }


def write_operator_token(state: State) -> None:
    """Write a new token of the operator's ServiceAccount, good for 30 days, into the file that it reads."""
    token = kubectl(
        state,
        "create",
        "token",
        operator_process.SERVICE_ACCOUNT,
        f"--namespace={operator_process.NAMESPACE}",
        "--duration=720h",
    )
    write_atomically(operator_process.token_file(state), token.strip(), 0o600)
