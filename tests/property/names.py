"""By which names controllers tell objects apart: worked out anew here, and not by the operator's own functions."""

import hashlib
import re

from certward.model.resources import App, Domain
from certward.names import CHALLENGE_SERVICE
from certward.render.dialects import Host
from certward.render.manifests import Manifest


def digest(owner: App | Domain) -> str:
    """What keeps the names of two Apps' or Domains' objects apart."""
    name = owner.object_name if isinstance(owner, Domain) else owner.meta.name
    return hashlib.sha256(f"{owner.meta.namespace}/{name}".encode()).hexdigest()[:12]


def flat(text: str) -> str:
    """Traefik's provider.Normalize, as far as names of Kubernetes have it."""
    return "-".join(re.findall(r"[^\W_]+", text))


def reference(owner: App | Domain, role: str, *, is_flat: bool) -> str:
    """How an annotation names a Middleware (flat) or a TLSOption of this App or Domain."""
    name = f"{owner.meta.namespace}-certward-{role}-{digest(owner)}"
    return f"{flat(name) if is_flat else name}@kubernetescrd"


def traefik_names(manifest: Manifest) -> set[tuple[str, str]]:
    """Under which names Traefik 3.7 keeps what a manifest says, but for backends (pkg/provider/kubernetes)."""
    meta, kind = manifest["metadata"], manifest["kind"]
    own = f"{meta['namespace']}-{meta['name']}"
    if kind in ("Middleware", "TLSOption"):
        return {(kind, flat(own) if kind == "Middleware" else own)}
    if kind != "Ingress":
        return set()
    return {
        ("router", flat(f"{own}-{rule['host']}{path['path']}"))
        for rule in manifest["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def backends(host: Host) -> set[str]:
    """A host's backends as Traefik and ingress-nginx name them: namespace, Service and port, joined by hyphens."""
    challenge = [(CHALLENGE_SERVICE, host.challenge_port)] if host.routes.challenge else []
    services = [*((each.name, each.port) for each in host.app.services), *challenge]
    return {flat(f"{host.app.meta.namespace}-{name}-{port}") for name, port in services}
