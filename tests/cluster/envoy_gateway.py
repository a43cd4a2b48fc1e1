"""Envoy Gateway as plain processes: it reads the cluster and runs Envoy as its child.

What is unlike a real installation: the proxy is a process on this machine (provider Host) and not a Deployment, which
leaves the Gateway without an address (Programmed=False, AddressNotAssigned); requests go to the Services' ClusterIPs,
which are loopback addresses here; and a patch makes the listeners bind on loopback.

What cannot be changed: Envoy Gateway's own ports are fixed, so that one machine can run one of these at a time, and
listen on every address: 18000 and 18002 for its proxies, 9443 for the API server. All three speak TLS with a
certificate of its own authority, and the first one only to clients that have one, too.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from cluster import binaries, processes, web, wheels
from cluster.dataplane import WEB, WEBSECURE, DataPlane, Entry
from cluster.errors import ClusterError
from cluster.part import Part
from cluster.paths import SOURCES, State, write_atomically
from cluster.ports import Ports, is_free

#: Both of the name of the part and of the folder with its module.
NAME = "envoy-gateway"
NAMESPACE = "envoy-gateway-system"
#: The Gateway that listeners attach to.
GATEWAY = "edge"
ENVOY_VERSION = "1.40.0"

_FOLDER = SOURCES / NAME
_CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
_ADMIN = "envoy-gateway-admin"
_TOOLS = ("unshare", "mount", "chroot", "setpriv")
_FIXED_PORTS = (18000, 18002, 9443, 19003)
_HEALTH_LISTENER = "envoy-gateway-proxy-ready-0.0.0.0-19003"


def parts(state: State, ports: Ports, entry: Entry) -> list[Part]:
    """Return the one part: a script, with Envoy Gateway as its child, with Envoy as its.

    Raises ClusterError where this machine does not let it run.
    """
    _require_namespaces()
    folder = state.root / NAME
    home = {key: str(folder / key) for key in ("configHome", "dataHome", "stateHome", "runtimeDir")}
    config, wanted = folder / "config.yaml", folder / "objects.yaml"
    if NAME not in processes.running(state):
        _require_ports()
        # Where it looks before it would download one.
        envoy = Path(home["dataHome"]) / "envoy-versions" / ENVOY_VERSION / "bin" / "envoy"
        envoy.parent.mkdir(parents=True, exist_ok=True)
        envoy.unlink(missing_ok=True)
        envoy.symlink_to(wheels.envoy())
    _write(config, yaml.safe_dump(_configuration(home, ports), sort_keys=False))
    _write(wanted, yaml.safe_dump_all(_objects(entry), sort_keys=False))
    command = ("/bin/sh", str(_FOLDER / "start.sh"), "outside", str(folder), str(binaries.binary(NAME)))
    environment = {
        "KUBECONFIG": str(state.admin_kubeconfig),
        "KUBECACHEDIR": str(state.root / "kubectl-cache"),
        "KUBECTL": str(binaries.binary("kubectl")),
        "ENVOY_GATEWAY_NAMESPACE": NAMESPACE,
    }
    url = f"http://{entry.http}/"
    return [
        Part(
            NAME,
            (*command, "server", "--config-path", str(config)),
            env=environment,
            inputs=(config, wanted, _FOLDER / "start.sh"),
            ports=(WEB, WEBSECURE, _ADMIN),
            ready=lambda: web.answers(url, status=404),
            grace=10,
        )
    ]


def _objects(entry: Entry) -> list[dict[str, Any]]:
    """Return the class, its proxy's settings, and the Gateway that hosts attach to."""
    proxy = {
        "provider": {"type": "Host", "host": {"envoyVersion": ENVOY_VERSION}},
        # To ClusterIPs and not to endpoints.
        "routingType": "Service",
        "logging": {"level": {"default": "warn"}},
        "telemetry": {"accessLog": {"disable": True}},
    }
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "namespace": NAMESPACE, "name": "local"}
    everybody = {"namespaces": {"from": "All"}}
    listener = {"name": "http", "port": entry.web, "protocol": "HTTP", "allowedRoutes": everybody}
    gateway = {"gatewayClassName": NAME, "listeners": [listener], "allowedListeners": everybody}
    patches = [
        {
            "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": name,
            "operation": {"op": "replace", "path": "/address/socket_address/address", "value": entry.address},
        }
        for name in (f"tcp-{entry.web}", f"tcp-{entry.websecure}", _HEALTH_LISTENER)
    ]
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY}
    patch = {"targetRef": target, "type": "JSONPatch", "jsonPatches": patches}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _object("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", "local", proxy),
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": NAME},
            "spec": {"controllerName": _CONTROLLER, "parametersRef": parameters},
        },
        _object("gateway.networking.k8s.io/v1", "Gateway", GATEWAY, gateway),
        _object("gateway.envoyproxy.io/v1alpha1", "EnvoyPatchPolicy", "loopback", patch),
    ]


def gateway_crds() -> Path:
    """Return the file with the definitions of the Gateway API's standard channel, out of its Go module."""
    # Without its admission policy, which only matters to whoever changes the definitions later.
    return binaries.module_file(NAME, "sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_[!v]*")


def envoy_crds() -> Path:
    """Return the file with the definitions of Envoy Gateway's own kinds, out of its Go module."""
    path = "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_*.yaml"
    return binaries.module_file(NAME, "github.com/envoyproxy/gateway", path)


def _configuration(home: dict[str, str], ports: Ports) -> dict[str, Any]:
    infrastructure = {"type": "Host", "host": home}
    # Alone it needs no election, which would take most of its start.
    kubernetes = {"leaderElection": {"disable": True}, "client": {"rateLimit": {"qps": 500, "burst": 1000}}}
    resource = {"type": "Kubernetes", "kubernetes": kubernetes}
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": _CONTROLLER},
        "provider": {"type": "Custom", "custom": {"resource": resource, "infrastructure": infrastructure}},
        "admin": {"address": {"host": "127.0.0.1", "port": ports.get(_ADMIN)}},
        "logging": {"level": {"default": "info"}},
        "extensionApis": {"enableEnvoyPatchPolicy": True, "enableBackend": False},
        # A listener is named for its port, and not for the first host on it: so the patches find it, and no host that
        # comes or goes makes Envoy close the connections of all (envoyproxy/gateway issue 6534).
        "runtimeFlags": {"enabled": ["XDSNameSchemeV2"]},
        "telemetry": {"metrics": {"prometheus": {"disable": True}}},
    }


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        write_atomically(file, text)


def _object(api_version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


@functools.cache
def _require_namespaces() -> None:
    """Say so before anything is started where nobody may have a mount namespace of his own."""
    searched = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    if missing := [name for name in _TOOLS if not shutil.which(name, path=searched)]:
        raise ClusterError(
            f"INGRESS=envoy-gateway needs {', '.join(missing)} (of util-linux and coreutils); install them"
        )
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", "--propagation", "private", *as_root, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]  # noqa: S108 - in a namespace that ends with it
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(
            "INGRESS=envoy-gateway cannot run here: Envoy Gateway reads its certificates from /certs, so it needs a "
            "mount namespace of its own, and this machine grants none to this user.\n"
            f"{' '.join(command)}: {done.stderr.strip()}\n"
            "Run it as root, or let users have namespaces (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also "
            "kernel.apparmor_restrict_unprivileged_userns=0), or use INGRESS=contour, which needs none."
        )


def _require_ports() -> None:
    taken = [str(port) for port in _FIXED_PORTS if not is_free(port)]
    if taken:
        raise ClusterError(
            f"INGRESS=envoy-gateway needs port {', '.join(taken)}, which nothing can change and another program has; "
            "is the cluster of another checkout up with it?"
        )


def _gateway(entry: Entry) -> dict[str, Any]:
    return {"namespace": NAMESPACE, "name": GATEWAY, "httpPort": entry.web, "httpsPort": entry.websecure}


DATA_PLANE = DataPlane(
    NAME,
    parts,
    files=(gateway_crds, envoy_crds),
    programs=(NAME,),
    wheels=(wheels.envoy,),
    gateway=_gateway,
)
