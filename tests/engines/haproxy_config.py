"""What HAProxy Ingress (0.14 to 0.16) writes for HAProxy, given Ingresses: its converters and templates retold.

Sources: pkg/converters/ingress (ingress.go, annotations/*.go, defaults.go), pkg/haproxy/config.go and
rootfs/etc/templates/haproxy/haproxy.tmpl of jcmoraisjr/haproxy-ingress. Told are the keys that the dialect uses, in the
places where the template has them; what it does in Lua (the 404 page) is said in HAProxy's own words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engines import Manifest

_PREFIX = "haproxy-ingress.github.io/"
_HOST_KEYS = {"ssl-ciphers", "ssl-cipher-suites", "ssl-options-host", "tls-alpn"}
_BACKEND_KEYS = {"config-backend"}
#: defaults.go; the rest of it is in _GLOBAL. Old processes are given 10 minutes there instead of a second.
_DEFAULTS = {
    "hsts": "true",
    "hsts-include-subdomains": "false",
    "hsts-max-age": "15768000",
    "hsts-preload": "false",
    "ssl-redirect": "true",
}
_NO_TLS_REDIRECT = "/.well-known/acme-challenge"
_GLOBAL = """\
global
    hard-stop-after 1s
    tune.ssl.default-dh-param 2048
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384\
:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256\
:DHE-RSA-AES256-GCM-SHA384
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
    ssl-default-bind-options no-sslv3 no-tlsv10 no-tlsv11 no-tls-tickets
"""
_DEFAULTS_SECTION = """
defaults
    option http-server-close
    timeout client          50s
    timeout connect         5s
    timeout http-request    5s
    timeout server          50s
"""
_REQUEST_BASE = """\
    http-request set-var(req.path) path
    http-request set-var(req.host) hdr(host),field(1,:),lower
    http-request set-var(req.base) var(req.host),concat(\\#,req.path)
"""


@dataclass
class Backend:
    """A Service's port."""

    service: str
    id: str
    keys: dict[str, str] = field(default_factory=dict)
    paths: list["Route"] = field(default_factory=list)


@dataclass
class Route:
    """A path of a host, with the keys of the path's scope."""

    host: "HostOf"
    path: str
    backend: Backend
    keys: Mapping[str, str]
    id: str


@dataclass
class HostOf:
    """A hostname with the keys of the host's scope."""

    name: str
    keys: dict[str, str] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    secret: tuple[str, str] | None = None


@dataclass
class Model:
    """Hosts and backends, by name."""

    hosts: dict[str, HostOf] = field(default_factory=dict)
    backends: dict[str, Backend] = field(default_factory=dict)

    @classmethod
    def of(cls, ingresses: Sequence[Manifest], *, has_snippets: bool = True) -> "Model":
        """Read Ingresses, oldest first: of two that disagree on a key, a path or a certificate the older one counts.

        Args:
            ingresses: in the order of their creation.
            has_snippets: False as with --disable-config-keywords=*.
        """
        model = cls()
        for ingress in ingresses:
            meta = ingress["metadata"]
            given = meta.get("annotations", {})
            keys = {key.removeprefix(_PREFIX): value for key, value in given.items() if key.startswith(_PREFIX)}
            if not has_snippets:
                keys.pop("config-backend", None)
            for rule in ingress["spec"]["rules"]:
                host = model.hosts.setdefault(rule["host"], HostOf(rule["host"]))
                host.keys = {key: keys[key] for key in sorted(_HOST_KEYS & set(keys))} | host.keys
                for path in rule["http"]["paths"]:
                    model._add(host, meta["namespace"], path, keys)
                for tls in ingress["spec"].get("tls", ()):
                    if host.name in tls["hosts"] and host.secret is None:
                        host.secret = (meta["namespace"], tls["secretName"])
        return model

    def _add(self, host: HostOf, namespace: str, path: Manifest, keys: Mapping[str, str]) -> None:
        if path["pathType"] != "Prefix":
            raise NotImplementedError(path["pathType"])
        if any(route.path == path["path"] for route in host.routes):
            return
        service = path["backend"]["service"]
        (port,) = service["port"].values()
        name = f"{namespace}/{service['name']}:{port}"
        backend = self.backends.setdefault(name, Backend(name, re.sub("[/:]", "_", name)))
        backend.keys = {key: keys[key] for key in sorted(_BACKEND_KEYS & set(keys))} | backend.keys
        own = {key: value for key, value in keys.items() if key not in _HOST_KEYS | _BACKEND_KEYS}
        route = Route(host, path["path"], backend, _DEFAULTS | own, f"path{len(backend.paths) + 1:02d}")
        backend.paths.append(route)
        host.routes.append(route)


def write(
    model: Model,
    folder: Path,
    *,
    http: tuple[str, int],
    https: tuple[str, int],
    certificates: Mapping[tuple[str, str], Path],
    default: Path,
    servers: Mapping[str, tuple[str, int]],
    configmap: Mapping[str, str],
) -> Path:
    """Write configuration, certificate list and maps; return the path of the configuration.

    Args:
        model: what is to be served.
        folder: where the files go.
        http, https: addresses of the two entries.
        certificates: file with chain and key of each Secret that exists.
        default: file with the certificate for names that have none.
        servers: where each Service answers.
        configmap: keys of the global scope: config-global, config-frontend and ssl-redirect-code.
    """
    crt_list = [f"{default} !*"]
    for host in sorted(model.hosts.values(), key=lambda host: host.name):
        if host.secret:
            options = _bind_options(host.keys)
            crt_list.append(f"{certificates.get(host.secret, default)}{options and f' [{options}]'} {host.name}")
    (folder / "_front_bind_crt.list").write_text("\n".join(crt_list) + "\n", encoding="utf-8")
    every = [route for host in model.hosts.values() for route in host.routes]
    secured = [route for route in every if route.host.secret]
    code = f" code {configmap['ssl-redirect-code']}" if "ssl-redirect-code" in configmap else ""
    frontend = list(_snippet(configmap.get("config-frontend", "")))
    parts = [_GLOBAL, *_snippet(configmap.get("config-global", "")), _DEFAULTS_SECTION]
    for backend in sorted(model.backends.values(), key=lambda backend: backend.id):
        parts += [f"{line}\n" for line in _backend(backend, folder, servers[backend.service], code)]
    parts += [
        "\nbackend _error404\n    mode http\n    http-request return status 404\n",
        f"\nfrontend _front_http\n    mode http\n    bind {http[0]}:{http[1]}\n",
        _REQUEST_BASE,
        *_lookup("req.backend", "_front_http_host", every, folder),
        *frontend,
        "    use_backend %[var(req.backend)] if { var(req.backend) -m found }\n    default_backend _error404\n",
        f"\nfrontend _front_https\n    mode http\n    bind {https[0]}:{https[1]} ssl alpn h2,http/1.1",
        f" crt-list {folder}/_front_bind_crt.list ca-ignore-err all crt-ignore-err all\n",
        _REQUEST_BASE,
        *_lookup("req.hostbackend", "_front_https_host", secured, folder),
        *frontend,
        "    use_backend %[var(req.hostbackend)] if { var(req.hostbackend) -m found }\n    default_backend _error404\n",
    ]
    config = folder / "haproxy.cfg"
    config.write_text("".join(parts), encoding="utf-8")
    return config


def _bind_options(keys: Mapping[str, str]) -> str:
    """What stands in brackets in the certificate list; its end is copied from the annotation as it is."""
    named = {"tls-alpn": "alpn", "ssl-ciphers": "ciphers", "ssl-cipher-suites": "ciphersuites"}
    words = [f"{word} {keys[key]}" for key, word in named.items() if key in keys]
    return " ".join([*words, *([keys["ssl-options-host"]] if keys.get("ssl-options-host") else [])])


def _lookup(variable: str, name: str, routes: Sequence[Route], folder: Path, value: str = "backend") -> Iterator[str]:
    """Set a variable from maps by host and path, longest path first; names with a wildcard come last, as patterns."""
    entries: dict[str, list[tuple[str, str]]] = {"dir": [], "reg": []}
    for route in sorted(routes, key=lambda route: (route.host.name, route.path), reverse=True):
        target = route.backend.id if value == "backend" else route.id
        if route.host.name.startswith("*."):
            rest = "" if route.path.endswith("/") else "(/.*)?"
            key = f"^[^.]+{re.escape(route.host.name[1:])}#{re.escape(route.path)}{rest}"
            entries["reg"].append((key, target))
        else:
            entries["dir"].append((f"{route.host.name}#{route.path}", target))
    entries["reg"].sort(key=lambda entry: (-len(entry[0]), entry[0]))
    is_first = True
    for method, found in entries.items():
        if found:
            file = folder / f"{name}__{method}.map"
            file.write_text("".join(f"{key} {target}\n" for key, target in found), encoding="utf-8")
            condition = "" if is_first else f" if !{{ var({variable}) -m found }}"
            yield f"    http-request set-var({variable}) var(req.base),map_{method}({file}){condition}\n"
            is_first = False


def _snippet(text: str) -> Iterator[str]:
    return (f"    {line}\n" for line in text.splitlines())


def _backend(backend: Backend, folder: Path, server: tuple[str, int], code: str) -> Iterator[str]:
    yield f"\nbackend {backend.id}\n    mode http\n    balance roundrobin\n    acl https-request ssl_fc"
    for route in backend.paths:
        yield f"    # {route.id} = {route.host.name}{route.path}"
    yield "".join(_lookup("txn.pathID", f"_back_{backend.id}_idpath", backend.paths, folder, "id")).rstrip("\n")
    for route in backend.paths:
        if _redirects(route):
            condition = f"!https-request {{ var(txn.pathID) -m str {route.id} }}"
            yield f"    http-request redirect scheme https{code} if {condition}"
    for index, route in enumerate(backend.paths):
        ranges = [part.strip() for part in route.keys.get("allowlist-source-range", "").split(",") if part.strip()]
        for start in range(0, len(ranges), 10):
            yield f"    acl allow_rule_src{index} src {' '.join(ranges[start : start + 10])}"
        if ranges:
            yield f"    http-request deny if {{ var(txn.pathID) -m str {route.id} }} !allow_rule_src{index}"
    yield "    http-request del-header x-forwarded-for\n    option forwardfor"
    for line in backend.keys.get("config-backend", "").splitlines():
        yield f"    {line}"
    for route in backend.paths:
        if route.keys["hsts"] == "true":
            subdomains = "; includeSubDomains" if route.keys["hsts-include-subdomains"] == "true" else ""
            preload = "; preload" if route.keys["hsts-preload"] == "true" else ""
            header = f'"max-age={route.keys["hsts-max-age"]}{subdomains}{preload}"'
            condition = f"{'' if _redirects(route) else 'https-request '}{{ var(txn.pathID) -m str {route.id} }}"
            yield f"    http-response set-header Strict-Transport-Security {header} if {condition}"
    yield f"    server srv001 {server[0]}:{server[1]} weight 1"


def _redirects(route: Route) -> bool:
    is_asked = route.keys["ssl-redirect"] == "true" and route.host.secret is not None
    return is_asked and not route.path.startswith(_NO_TLS_REDIRECT)
