"""The ingress data planes that INGRESS can name. A new one is one entry in the table here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import binaries, web
from cluster.errors import WishInvalid
from cluster.part import Part
from cluster.paths import State
from cluster.ports import Ports


@dataclass(frozen=True)
class DataPlane:
    """How one data plane is run, and what it needs in the cluster beforehand."""

    name: str
    parts: Callable[[State, Ports], list[Part]]
    objects: tuple[dict[str, Any], ...] = ()
    files: tuple[Callable[[], Path], ...] = field(default=())
    programs: tuple[str, ...] = ()


def named(name: str) -> DataPlane:
    """Return the data plane; raises WishInvalid with the list of those that there are."""
    if name not in _TABLE:
        raise WishInvalid(f"INGRESS={name} is not supported; supported: {', '.join(sorted(_TABLE))}")
    return _TABLE[name]


def _traefik(state: State, ports: Ports) -> list[Part]:
    web_port, tls_port = ports.get("traefik-web"), ports.get("traefik-websecure")
    flags = [
        f"--entrypoints.web.address=127.0.0.1:{web_port}",
        f"--entrypoints.websecure.address=127.0.0.1:{tls_port}",
        "--providers.kubernetesingress=true",
        # Requests go to the Service's ClusterIP, which is a loopback address here, and not to endpoints.
        "--providers.kubernetesingress.nativelbbydefault=true",
        "--providers.kubernetesingress.strictprefixmatching=true",
        "--providers.kubernetesingress.ingressendpoint.ip=127.0.0.1",
        "--providers.kubernetescrd=true",
        "--providers.kubernetescrd.nativelbbydefault=true",
        # The default of 2 s would be most of every latency that is measured here.
        "--providers.providersthrottleduration=100ms",
        "--accesslog=false",
        "--log.level=INFO",
        "--log.nocolor=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    return [
        Part(
            "traefik",
            (str(binaries.binary("traefik")), *flags),
            env={"KUBECONFIG": str(state.admin_kubeconfig)},
            ports=("traefik-web", "traefik-websecure"),
            ready=lambda: web.answers(f"http://127.0.0.1:{web_port}/", status=404),
        )
    ]


_TRAEFIK_CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "traefik"},
    "spec": {"controller": "traefik.io/ingress-controller"},
}

_TABLE = {
    plane.name: plane
    for plane in (
        DataPlane("traefik", _traefik, (_TRAEFIK_CLASS,), (binaries.traefik_crds,), ("traefik",)),
        DataPlane("none", lambda _state, _ports: []),
    )
}
