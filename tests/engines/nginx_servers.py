"""What ingress-nginx makes of Ingresses: the servers of its nginx, as its sources say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engines import Manifest, Refused, Secrets

PREFIX = "nginx.ingress.kubernetes.io"
#: The controller's defaults (config.go).
DEFAULTS = {
    "ssl-protocols": "TLSv1.2 TLSv1.3",
    "ssl-ciphers": (
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
        "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
    ),
    "ssl-ecdh-curve": "auto",
    "ssl-redirect": "true",
    "force-ssl-redirect": "false",
    "http-redirect-code": "308",
    "no-tls-redirect-locations": "/.well-known/acme-challenge",
    "whitelist-source-range": "",
    "hsts": "true",
    "hsts-max-age": "31536000",
    "hsts-include-subdomains": "true",
    "strict-validate-path-type": "true",
}
#: internal/ingress/annotations/sslcipher/main.go
VALID_CIPHERS = re.compile(r"(?:(?:[A-Za-z0-9!:+\-_])*(?:@STRENGTH)*(?:@SECLEVEL=[0-5])*(?:@STRENGTH)*)*")
#: internal/ingress/inspector
VALID_PATH = re.compile(r"/[A-Za-z0-9_/-]*")


@dataclass
class Location:
    path: str
    path_type: str
    upstream: str
    annotations: Mapping[str, str]


@dataclass
class Server:
    """What the controller makes of all Ingresses for a host."""

    hostname: str
    locations: list[Location] = field(default_factory=list)
    ciphers: str = ""
    prefer_server: str = ""
    secret: tuple[str, str] | None = None


def servers_of(objects: Sequence[Manifest], secrets: Secrets, config: Mapping[str, str]) -> list[Server]:
    """The servers that the controller makes of these Ingresses, which stand in the order of their age.

    Raises:
        Refused: what the admission webhook would refuse.
    """
    servers: dict[str, Server] = {}
    for manifest in objects:
        spec, meta = manifest["spec"], manifest["metadata"]
        annotations = {
            key.removeprefix(f"{PREFIX}/"): value
            for key, value in meta.get("annotations", {}).items()
            if key.startswith(f"{PREFIX}/")
        }
        for rule in spec["rules"]:
            server = servers.setdefault(rule["host"], Server(rule["host"]))
            ciphers = annotations.get("ssl-ciphers", "")
            if not VALID_CIPHERS.fullmatch(ciphers):
                raise Refused(f"{meta['name']}: annotation ssl-ciphers is invalid")
            server.ciphers = server.ciphers or ciphers
            preference = {"true": "on", "false": "off"}.get(annotations.get("ssl-prefer-server-ciphers", ""), "")
            server.prefer_server = server.prefer_server or preference
            if server.secret is None:
                of_host = (tls for tls in spec.get("tls", ()) if rule["host"] in tls["hosts"])
                named = ((meta["namespace"], tls["secretName"]) for tls in of_host)
                server.secret = next((secret for secret in named if secret in secrets), None)
            for path in rule.get("http", {}).get("paths", ()):
                _add(server, path, annotations, meta, config)
    for server in servers.values():
        server.locations = [spread for location in server.locations for spread in _spread(location)]
        server.locations.sort(key=lambda location: (-len(location.path), location.path))
        if not any(location.path == "/" for location in server.locations):
            server.locations.append(Location("/", "Prefix", "upstream-default-backend", {}))
    return sorted(servers.values(), key=lambda server: server.hostname)


def _add(
    server: Server, path: Manifest, annotations: Mapping[str, str], meta: Manifest, config: Mapping[str, str]
) -> None:
    kind = path["pathType"]
    is_strict = kind != "ImplementationSpecific" and config["strict-validate-path-type"] == "true"
    if is_strict and not VALID_PATH.fullmatch(path["path"]):
        raise Refused(f"path {path['path']} cannot be used with pathType {kind}")
    if any(there.path == path["path"] for there in server.locations):
        raise Refused(f'host "{server.hostname}" and path "{path["path"]}" is already defined')
    service = path["backend"]["service"]
    port = service["port"].get("number", service["port"].get("name"))
    upstream = f"{meta['namespace']}/{service['name']}:{port}"
    # SetDefaultNGINXPathType, after the check
    settled = "Prefix" if kind == "ImplementationSpecific" else kind
    server.locations.append(Location(path["path"], settled, upstream, annotations))


def _spread(location: Location) -> list[Location]:
    """updateServerLocations: a path of type Prefix ends at a slash or at its end."""
    if location.path == "/" or location.path_type != "Prefix":
        return [location]
    below = location.path if location.path.endswith("/") else f"{location.path}/"
    return [
        Location(below, "Prefix", location.upstream, location.annotations),
        Location(location.path, "Exact", location.upstream, location.annotations),
    ]


def server_name(hostname: str) -> str:
    """buildServerName: a wildcard is a regular expression for one label."""
    if not hostname.startswith("*."):
        return hostname
    rest = hostname.removeprefix("*.").replace(".", r"\.")
    return f'"~^(?<subdomain>[\\w-]+)\\.{rest}$"'
