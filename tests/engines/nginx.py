"""nginx as ingress-nginx would run it.

The rig reads Ingresses, Secrets and the controller's ConfigMap as ingress-nginx 1.15 does (getBackendServers and
createServers in internal/ingress/controller/controller.go; the annotations' parsers; the defaults in config.go), writes
what its template (rootfs/etc/nginx/template/nginx.tmpl) would write of them, as far as it matters here, and runs that.
What the image does in Lua is written as plain nginx: the redirect (lua_ingress.lua) as a rule of the same phase, the
header HSTS as add_header, the certificate by server name (certificate.lua) as ssl_certificate of the host's server.

The image's nginx is 1.27.1 with OpenSSL 3.5, this one is 1.31.3 with 3.3. What that changes: up to 1.29.1 the protocol
versions of the default server hold for all; the template writes them once for all anyhow, but the security level that
TLS 1.0 and 1.1 need has to stand in the default server's list of suites as well, which here it need not. OpenSSL 3.5
offers X25519MLKEM768 of itself; 3.3 does not know it, and a list of groups with it is refused.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from certward.probe.httpget import http_get
from certward.probe.link import ProbeFailed
from certward.render.dialects import Dialect
from certward.render.dialects.ingress_nginx import IngressNginx
from cluster import wheels
from cluster.waiting import wait_for
from engines import Manifest, Refused, Secrets, free_ports, self_signed
from engines.nginx_servers import DEFAULTS, Location, Server, server_name, servers_of


class Nginx:
    """One nginx on loopback.

    Args:
        folder: an empty one, for its files.
        configmap: data of the controller's ConfigMap; what it lacks is the controller's default.
        name: for tables.
    """

    def __init__(self, folder: Path, configmap: Mapping[str, str] | None = None, name: str = "nginx 1.31.3") -> None:
        self.name = name
        self.dialect: Dialect = IngressNginx()
        self._config = DEFAULTS | dict(configmap or {})
        self._folder = folder
        self._generation = 0
        http_port, https_port, self._app_port, self._status_port = free_ports(4)
        self.http = ("127.0.0.1", http_port)
        self.https = ("127.0.0.1", https_port)
        pem, key = self_signed("Kubernetes Ingress Controller Fake Certificate")
        self._write("default.pem", pem)
        self._write("default.key", key)
        (folder / "nginx.conf").write_text(self._text([], {}), encoding="utf-8")
        self._check("nginx.conf")
        command = self._command("nginx.conf")
        with (folder / "stderr.log").open("wb") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)
        wait_for(self._is_current, what=f"{name} answers", every=0.02, ignore=(ProbeFailed,))

    def configure(self, objects: Sequence[Manifest], secrets: Secrets) -> None:
        self._generation += 1
        servers = servers_of(objects, secrets, self._config)
        for (namespace, name), (pem, key) in secrets.items():
            self._write(f"{namespace}_{name}.pem", pem)
            self._write(f"{namespace}_{name}.key", key)
        (self._folder / "next.conf").write_text(self._text(servers, secrets), encoding="utf-8")
        try:
            self._check("next.conf")
        except Refused:
            self._generation -= 1
            raise
        before = self._workers()
        (self._folder / "next.conf").replace(self._folder / "nginx.conf")
        self._process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: self._is_current() and not before & self._workers(),
            what=f"{self.name} takes up its configuration",
            every=0.02,
            ignore=(ProbeFailed,),
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _write(self, name: str, pem: bytes) -> None:
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    def _command(self, conf: str) -> list[str]:
        return [str(wheels.nginx()), "-p", str(self._folder), "-c", conf, "-e", "error.log"]

    def _check(self, conf: str) -> None:
        done = subprocess.run([*self._command(conf), "-t", "-q"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(done.stderr)

    def _workers(self) -> set[str]:
        with contextlib.suppress(OSError):
            pid = self._process.pid
            return set(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())
        return set()

    def _is_current(self) -> bool:
        """Whether a worker answers that has the configuration written last."""
        answer = http_get(("127.0.0.1", self._status_port), "status", "/")
        return answer.body == f"generation {self._generation}".encode()

    def _text(self, servers: Sequence[Server], secrets: Secrets) -> str:
        config = self._config
        blocks = "".join(self._server(server, secrets) for server in servers)
        return f"""daemon off;
pid nginx.pid;
worker_processes 1;
worker_shutdown_timeout 1s;
error_log error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    server_names_hash_max_size 1024;
    server_names_hash_bucket_size 256;
    port_in_redirect off;
    ssl_protocols {config["ssl-protocols"]};
    ssl_early_data off;
    ssl_session_cache shared:SSL:1m;
    ssl_session_timeout 10m;
    ssl_session_tickets off;
    ssl_ciphers '{config["ssl-ciphers"]}';
    ssl_prefer_server_ciphers on;
    ssl_ecdh_curve {config["ssl-ecdh-curve"]};
    ssl_certificate default.pem;
    ssl_certificate_key default.key;
    server {{
        listen 127.0.0.1:{self._app_port};
        return 200 $http_x_upstream;
    }}
    server {{
        listen 127.0.0.1:{self._status_port};
        return 200 "generation {self._generation}";
    }}
    server {{
        server_name _;
        listen {self.http[0]}:{self.http[1]} default_server;
        listen {self.https[0]}:{self.https[1]} default_server ssl;
        http2 on;
        ssl_reject_handshake off;
        location / {{ return 404; }}
    }}
{blocks}}}
"""

    def _server(self, server: Server, secrets: Secrets) -> str:
        lines = [
            f"server_name {server_name(server.hostname)};",
            f"listen {self.http[0]}:{self.http[1]};",
            f"listen {self.https[0]}:{self.https[1]} ssl;",
            "http2 on;",
        ]
        if server.secret in secrets:
            name = "{}_{}".format(*server.secret)
            lines += [f"ssl_certificate {name}.pem;", f"ssl_certificate_key {name}.key;"]
        if server.ciphers:
            lines.append(f"ssl_ciphers {server.ciphers};")
        if server.prefer_server:
            lines.append(f"ssl_prefer_server_ciphers {server.prefer_server};")
        has_certificate = server.secret in secrets
        for location in server.locations:
            lines += self._location(location, has_certificate=has_certificate)
        return "    server {\n" + "".join(f"        {line}\n" for line in lines) + "    }\n"

    def _location(self, location: Location, *, has_certificate: bool) -> list[str]:
        config = self._config
        modifier = "= " if location.path_type == "Exact" else ""
        lines = [f"location {modifier}{location.path} {{"]
        if self._redirects(location, has_certificate=has_certificate):
            lines.append(
                f"    if ($scheme = http) {{ return {config['http-redirect-code']} https://$host$request_uri; }}"
            )
        ranges = location.annotations.get("whitelist-source-range", config["whitelist-source-range"])
        if listed := [item.strip() for item in ranges.split(",") if item.strip()]:
            lines += [f"    allow {item};" for item in sorted(listed)] + ["    deny all;"]
        if config["hsts"] == "true":
            scope = "; includeSubDomains" if config["hsts-include-subdomains"] == "true" else ""
            lines.append("    set $hsts '';")
            lines.append(f"    if ($scheme = https) {{ set $hsts 'max-age={config['hsts-max-age']}{scope}'; }}")
            lines.append("    add_header Strict-Transport-Security $hsts always;")
        lines.append(f"    proxy_set_header X-Upstream {location.upstream};")
        lines.append(f"    proxy_pass http://127.0.0.1:{self._app_port};")
        return [*lines, "}"]

    def _redirects(self, location: Location, *, has_certificate: bool) -> bool:
        """redirect_to_https of lua_ingress.lua."""
        config = self._config
        excepted = [item.strip() for item in config["no-tls-redirect-locations"].split(",") if item.strip()]
        if any(location.path.startswith(item) for item in excepted):
            return False
        if location.annotations.get("force-ssl-redirect", config["force-ssl-redirect"]) == "true":
            return True
        return location.annotations.get("ssl-redirect", config["ssl-redirect"]) == "true" and has_certificate
