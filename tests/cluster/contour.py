"""Contour with an Envoy of its own, as two processes of one user.

Contour sends requests to the addresses of EndpointSlices, which may not be loopback ones; see own_address. Envoy takes
127.0.0.1 as the source of its connections, so that what listens there can go on dropping all peers but loopback ones.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from cluster import binaries, web, wheels
from cluster.dataplane import WEB, WEBSECURE, DataPlane, Entry
from cluster.errors import ClusterError
from cluster.part import Part
from cluster.paths import State, write_atomically
from cluster.ports import Ports

_MODULE = "github.com/projectcontour/contour"
_CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "contour"},
    # Contour goes by the name of the class and reads no IngressClass; this is what its users write there.
    "spec": {"controller": "projectcontour.io/ingress-controller"},
}
_UNWANTED = ("extensionservices", "tlsroutes", "grpcroutes", "tcproutes", "backendtlspolicies")


def _parts(state: State, ports: Ports, entry: Entry) -> list[Part]:
    xds, health, admin = ports.get("contour-xds"), ports.get("contour-health"), ports.get("contour-envoy-admin")
    stats, debug = ports.get("contour-envoy-stats"), ports.get("contour-debug")
    flags = [
        "--insecure",
        "--ingress-class-name=contour",
        f"--kubeconfig={state.admin_kubeconfig}",
        "--disable-leader-election",
    ]
    flags += ["--xds-address=127.0.0.1", f"--xds-port={xds}"]
    flags += ["--health-address=127.0.0.1", f"--health-port={health}", "--http-address=127.0.0.1"]
    flags += [
        f"--http-port={health}",
        "--debug-http-address=127.0.0.1",
        f"--debug-http-port={debug}",
    ]
    flags += [f"--envoy-service-http-address={entry.address}", f"--envoy-service-http-port={entry.web}"]
    flags += [f"--envoy-service-https-address={entry.address}", f"--envoy-service-https-port={entry.websecure}"]
    flags += ["--envoy-http-access-log=/dev/null", "--envoy-https-access-log=/dev/null"]
    flags += ["--stats-address=127.0.0.1", f"--stats-port={stats}", f"--ingress-status-address={entry.address}"]
    flags += [f"--disable-feature={name}" for name in _UNWANTED]
    bootstrap = _bootstrap(state, xds, admin)
    envoy = [str(wheels.envoy()), "-c", str(bootstrap), "--log-level", "warning", "--use-dynamic-base-id"]
    # Its listeners come from Contour; by its name here it is started anew when they are to be elsewhere.
    envoy += ["--service-cluster", "projectcontour", "--service-node", entry.http, "--concurrency", "2"]
    return [
        Part(
            "contour",
            (str(binaries.binary("contour")), "serve", *flags),
            ports=("contour-xds", "contour-health", "contour-debug"),
            ready=lambda: web.answers(f"http://127.0.0.1:{health}/healthz"),
        ),
        Part(
            "contour-envoy",
            tuple(envoy),
            inputs=(bootstrap,),
            ports=(WEB, WEBSECURE, "contour-envoy-admin", "contour-envoy-stats"),
            ready=lambda: web.answers(f"http://127.0.0.1:{admin}/ready"),
        ),
    ]


def _bootstrap(state: State, xds: int, admin: int) -> Path:
    """Write what Envoy starts with: Contour's own words, with the source of connections added."""
    told, file = state.root / "contour-bootstrap.json", state.root / "contour-envoy.json"
    command = [str(binaries.binary("contour")), "bootstrap", str(told), "--namespace=projectcontour"]
    command += ["--xds-address=127.0.0.1", f"--xds-port={xds}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)} failed:\n{done.stderr}")
    config: dict[str, Any] = json.loads(told.read_text())
    # Its socket for administration is at a fixed path, and the path of a checkout may be too long for one.
    interface = {"socket_address": {"address": "127.0.0.1", "port_value": admin}}
    config["admin"] = {"address": interface}
    (own,) = (cluster for cluster in config["static_resources"]["clusters"] if cluster["name"] == "envoy-admin")
    own["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": interface}}]}]
    config["cluster_manager"] = {"upstream_bind_config": {"source_address": {"address": "127.0.0.1", "port_value": 0}}}
    write_atomically(file, json.dumps(config, indent=1))
    return file


def crds() -> Path:
    """Return the file with the definitions of Contour's custom resources, out of its Go module."""
    return binaries.module_file("contour", _MODULE, "examples/contour/01-crds.yaml")


DATA_PLANE = DataPlane(
    "contour",
    _parts,
    objects=(_CLASS,),
    files=(crds,),
    programs=("contour",),
    wheels=(wheels.envoy,),
    contacts_endpoints=True,
)
