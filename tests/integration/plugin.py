"""`kubectl certward` as a user types it: the real plugin, found by the real kubectl."""

import base64
import json
import os
import pty
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from cluster.binaries import binary
from cluster.handle import Cluster


@dataclass(frozen=True)
class Ran:
    """What a command has told."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The result of `-o json`."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the lines of a table; columns are two blanks apart or more."""
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in self.out.splitlines()]


class Plugin:
    """Runs the plugin with a kubeconfig, in a namespace of it."""

    def __init__(self, cluster: Cluster, namespace: str = "default", kubeconfig: Path | None = None) -> None:
        self.kubectl = binary("kubectl")
        self.namespace = namespace
        self._kubeconfig = kubeconfig or cluster.state.admin_kubeconfig
        self._cache = cluster.state.root / "kubectl-cache"

    @property
    def environment(self) -> dict[str, str]:
        """As in a shell whose PATH holds the programs of the package."""
        scripts = Path(sys.executable).parent
        return {
            **os.environ,
            "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", "")]),
            "KUBECONFIG": str(self._kubeconfig),
            "KUBECACHEDIR": str(self._cache),
        }

    def line(self, *words: str) -> list[str]:
        """The command line."""
        options = [] if {"-n", "-A"} & set(words) or not self.namespace else ["-n", self.namespace]
        return [str(self.kubectl), "certward", *words, *options]

    def __call__(self, *words: str, code: int = 0) -> Ran:
        """Run it without a terminal; the exit code has to be this one."""
        ran = self.run(*words)
        assert ran.code == code, (words, ran)
        return ran

    def run(self, *words: str) -> Ran:
        """Run it without a terminal, whatever the exit code is."""
        done = subprocess.run(
            self.line(*words),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in ran.err, ran.err
        assert "\x1b" not in ran.out + ran.err
        return ran

    def json(self, *words: str, code: int = 0) -> Any:
        """The result as programs read it."""
        return self(*words, "-o", "json", code=code).data

    def on_terminal(self, *words: str, typed: str = "") -> tuple[int, str]:
        """Run it on a terminal of 80 columns; the exit code, and all that is shown there."""
        ours, theirs = pty.openpty()
        inherited = {name: value for name, value in self.environment.items() if name != "NO_COLOR"}
        environment = {**inherited, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        process = subprocess.Popen(self.line(*words), env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not read:
                break
            shown += read
        os.close(ours)
        return process.wait(timeout=120), shown.decode()


def account(cluster: Cluster, namespace: str, folder: Path, server: str = "") -> tuple[str, Path]:
    """A ServiceAccount without any right: its name, and a kubeconfig of it.

    Args:
        cluster: where it is made.
        namespace: in which it is, and which its context names.
        folder: for the kubeconfig.
        server: that it goes by, other than the cluster's own address.
    """
    name = f"user-{uuid.uuid4().hex[:6]}"
    core = client.CoreV1Api(cluster.api)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
    file = write_kubeconfig(
        folder / f"{name}.kubeconfig",
        server=server or cluster.api.configuration.host,
        ca=Path(cluster.api.configuration.ssl_ca_cert).read_bytes(),
        bearer=core.create_namespaced_service_account_token(name, namespace, {"spec": {}}).status.token,
        namespace=namespace,
    )
    return name, file


def bind(cluster: Cluster, namespace: str, name: str, role: str, kind: str = "ClusterRole", *, of: str = "") -> None:
    """Give a ServiceAccount a role in its namespace, by a binding of its name; or that of `of`, by one of this name."""
    client.RbacAuthorizationV1Api(cluster.api).create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": of or name, "namespace": namespace}],
        },
    )


def kubeconfig_of_viewer(cluster: Cluster, folder: Path, namespace: str, role: str = "view") -> Path:
    """A kubeconfig of a ServiceAccount that has one of the cluster's own roles in a namespace, and nothing else."""
    name, file = account(cluster, namespace, folder)
    bind(cluster, namespace, name, role)
    return file


def write_kubeconfig(
    file: Path, *, server: str, bearer: str, ca: bytes = b"", namespace: str = "", context: str = "it"
) -> Path:
    """Write a kubeconfig with one context."""
    authority = {"certificate-authority-data": base64.b64encode(ca).decode()} if ca else {}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": "it", "cluster": {"server": server, **authority}}],
        "users": [{"name": "it", "user": {"token": bearer}}],
        "contexts": [{"name": context, "context": {"cluster": "it", "user": "it", "namespace": namespace}}],
    }
    file.write_text(yaml.safe_dump(content))
    file.chmod(0o600)
    return file


def until_may(cluster: Cluster, plugin: Plugin, words: Sequence[str]) -> None:
    """Wait until a role that was just bound is in force."""
    cluster.wait_for(
        lambda: (
            subprocess.run(plugin.line(*words), env=plugin.environment, capture_output=True, check=False).returncode
            == 0
        ),
        20,
        f"{words} is allowed",
    )
