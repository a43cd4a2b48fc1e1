"""Traefik, one process with its own controller."""

import json
import os
from pathlib import Path

from cluster import binaries, web
from cluster.dataplane import WEB, WEBSECURE, DataPlane, Entry
from cluster.part import Part
from cluster.paths import State, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports

_CRDS = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"
_CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "traefik"},
    "spec": {"controller": "traefik.io/ingress-controller"},
}


def _default_certificate(state: State) -> Path:
    """Write the file that names Traefik's default certificate.

    Without one Traefik makes an RSA key with every configuration that it takes up, which was half of its work in a
    burst of new hosts.
    """
    pki = Pki(state.pki)
    file = state.root / "traefik.yaml"
    shown = {"certFile": str(pki.certificate("ingress")), "keyFile": str(pki.key("ingress"))}
    write_atomically(file, json.dumps({"tls": {"stores": {"default": {"defaultCertificate": shown}}}}).encode())
    return file


def throttle() -> str:
    """How often Traefik takes up changes at most: its own default, 2 s, would be most of each latency measured here."""
    return os.environ.get("CLUSTER_TRAEFIK_THROTTLE") or "100ms"


def _parts(state: State, _ports: Ports, entry: Entry) -> list[Part]:
    flags = [
        f"--entrypoints.web.address={entry.http}",
        f"--entrypoints.websecure.address={entry.https}",
        "--providers.kubernetesingress=true",
        # Requests go to the Service's ClusterIP, which is a loopback address here, and not to endpoints.
        "--providers.kubernetesingress.nativelbbydefault=true",
        "--providers.kubernetesingress.strictprefixmatching=true",
        # No ingressendpoint: published addresses are written into every Ingress, at five a second by the client's own
        # limit, and Traefik takes up no routes meanwhile. The operator is told where the entries are.
        "--providers.kubernetescrd=true",
        "--providers.kubernetescrd.nativelbbydefault=true",
        # Without the latter two each change of an object has all routes read anew: a quarter of the machine in a burst.
        f"--providers.providersthrottleduration={throttle()}",
        f"--providers.kubernetesingress.throttleduration={throttle()}",
        f"--providers.kubernetescrd.throttleduration={throttle()}",
        f"--providers.file.filename={_default_certificate(state)}",
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
            ports=(WEB, WEBSECURE),
            ready=lambda: web.answers(f"http://{entry.http}/", status=404),
        )
    ]


def crds() -> Path:
    """Return the file with the definitions of Traefik's custom resources, out of its Go module."""
    return binaries.module_file("traefik", "github.com/traefik/traefik/v3", _CRDS)


DATA_PLANE = DataPlane("traefik", _parts, objects=(_CLASS,), files=(crds,), programs=("traefik",))
