"""The operator as processes of this machine: its configuration, its replicas, and how one sees a leader."""

import hashlib
import http.client
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster import acme_ca, traefik, web
from cluster.dataplane import DataPlane, Entry, entry
from cluster.part import Part
from cluster.paths import CHECKOUT, State, write_atomically
from cluster.pki import Pki
from cluster.ports import Ports
from cluster.wish import Wish

NAMESPACE = "certward-system"
SERVICE_ACCOUNT = "certward"
#: In the environment of whoever brings the cluster up: folders of Python for the operator's process.
PYTHONPATH = "CLUSTER_OPERATOR_PYTHONPATH"
_TARGET = "127.0.0.1"


def names(count: int) -> list[str]:
    """Return the stable names of so many replicas."""
    return [f"certward-{number}" for number in range(count)]


def is_operator(part: str) -> bool:
    """Tell whether a part is a replica of the operator."""
    return part.startswith("certward-")


def configuration(wish: Wish, ports: Ports, pki: Pki) -> dict[str, Any]:
    """Return the operator's configuration for the local cluster, the wish's patch merged over it."""
    # Without a data plane a class stays, so that the configuration is valid; nothing serves it.
    planes = wish.planes or (traefik.DATA_PLANE,)
    default = {
        "issuers": [
            {
                "name": "pebble",
                "directory": acme_ca.directory(ports),
                "email": "ops@example.com",
                "caBundle": str(pki.ca),
                "limits": {
                    "ordersPer3h": 0,
                    "certificatesPerRegisteredDomainPer7d": 0,
                    "duplicatesPer7d": 0,
                    "failuresPerHostnamePer1h": 0,
                },
            }
        ],
        "challenge": {"http01": {"port": ports.get("http01"), "advertise": "auto"}},
        "ingress": {
            "defaultClass": planes[0].name,
            "classes": {plane.name: _class(plane, entry(number, ports)) for number, plane in enumerate(planes)},
        },
        "dns": {"target": _TARGET, "resolvers": [acme_ca.dns_server(ports)], "preflight": "enforce"},
        "tls": {"defaultRevision": "2026-11"},
        "probe": {"interval": "30s", "perSecond": 50},
    }
    return merged(default, wish.patch)


def _class(plane: DataPlane, at: Entry) -> dict[str, Any]:
    """What the operator is told of one data plane's class."""
    return {
        "dialect": plane.name,
        **({"gateway": plane.gateway(at)} if plane.gateway else {}),
        # Where it listens is where its hostnames have to point; the first one's address is the target of all others.
        **({} if at.address == _TARGET else {"dnsTarget": at.address}),
        "probe": {"httpAddress": at.http, "httpsAddress": at.https},
    }


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `patch` merged over it: mappings recursively, anything else replaced."""
    result = dict(base)
    for key, value in patch.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def write_configuration(state: State, config: Mapping[str, Any]) -> None:
    """Write the configuration if it differs from what is there."""
    text = yaml.safe_dump(dict(config), sort_keys=False)
    if not state.operator_config.exists() or state.operator_config.read_text() != text:
        write_atomically(state.operator_config, text)


def replica(state: State, ports: Ports, name: str) -> Part:
    """Return one replica of the operator, with the rights of its own ServiceAccount."""
    health = f"{name}-health"
    argv = [sys.executable, "-m", "certward"]
    argv += ["--config", str(state.operator_config), "--namespace", NAMESPACE, "--replica", name]
    argv += ["--listen-health", f"127.0.0.1:{ports.get(health)}", "--answer-peers", "127.0.0.0/8"]
    environment = {
        "KUBECONFIG": str(state.operator_kubeconfig),
        "PYTHONUNBUFFERED": "1",
        # So that a changed operator is started anew; it reads this nowhere.
        "CERTWARD_CLUSTER_SOURCES": _sources(),
        # Python of somebody else's in the same process, as a sitecustomize: the bench looks into it so.
        **({"PYTHONPATH": os.environ[PYTHONPATH]} if os.environ.get(PYTHONPATH) else {}),
    }
    return Part(
        name,
        tuple(argv),
        env=environment,
        inputs=(state.operator_config,),
        ports=(health, "http01"),
        ready=lambda: health_of(ports, name) is not None,
        grace=20,
    )


def health_of(ports: Ports, name: str) -> dict[str, Any] | None:
    """Return what a replica says of itself, or None as long as it is not ready."""
    try:
        status, body = web.get(f"http://127.0.0.1:{ports.get(f'{name}-health')}/readyz")
        told = json.loads(body) if status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return told if isinstance(told, dict) and told.get("synced") and told.get("replica") == name else None


def _sources() -> str:
    digest = hashlib.sha256()
    for file in sorted((CHECKOUT / "operator").rglob("*.py")):
        digest.update(str(file.relative_to(CHECKOUT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def token_file(state: State) -> Path:
    """Return the file that holds the operator's token; its kubeconfig names it, so that it is read anew."""
    return state.root / "certward.token"
