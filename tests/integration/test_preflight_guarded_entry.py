"""An allow list for the whole entry of the ingress: no App can exempt the CA from it, and the administrator is told."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from certward.names import CHALLENGE_PATH
from cluster import binaries
from cluster.handle import Cluster
from e2e.local import Local
from e2e.world import World, condition
from integration.pebble_world import end, free_ports

pytestmark = pytest.mark.by_hand

#: Kept for documentation (RFC 5737); nobody comes from there.
NOBODY = "203.0.113.0/24"


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    made = World(Local(cluster))
    yield made
    made.close()


def guarded(cluster: Cluster, middleware: str, http: str, https: str, log: Path) -> subprocess.Popen[bytes]:
    """Start another Traefik, for the same class and at ports of its own, with a middleware on its plain entry."""
    flags = [
        f"--entrypoints.web.address={http}",
        f"--entrypoints.web.http.middlewares={middleware}@kubernetescrd",
        f"--entrypoints.websecure.address={https}",
        "--providers.kubernetesingress=true",
        "--providers.kubernetesingress.nativelbbydefault=true",
        "--providers.kubernetescrd=true",
        "--providers.kubernetescrd.nativelbbydefault=true",
        "--providers.providersthrottleduration=100ms",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    environment = {**os.environ, "KUBECONFIG": str(cluster.state.admin_kubeconfig)}
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(binaries.binary("traefik")), *flags], stdout=output, stderr=subprocess.STDOUT, env=environment
        )


def test_the_administrator_is_asked_to_exempt_the_challenge_path(
    cluster: Cluster, world: World, tmp_path: Path
) -> None:
    namespace = world.shop()
    guard = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": {"name": "nobody", "namespace": namespace},
        "spec": {"ipAllowList": {"sourceRange": [NOBODY]}},
    }
    world.apply(guard)
    http, https = (f"127.0.0.1:{port}" for port in free_ports(2))
    with ExitStack() as stack:
        process = guarded(cluster, f"{namespace}-nobody", http, https, tmp_path / "traefik.log")
        stack.callback(end, process)
        stack.callback(cluster.up)
        cluster.up(patch={"ingress": {"classes": {"traefik": {"probe": {"httpAddress": http}}}}})
        orders = world.orders()
        world.app(namespace, automatic=True)
        www = world.domain(namespace)

        status = world.wait_state(www, "Failing", "ChallengeBlocked", 60)

        assert status["message"] == (
            f"The ingress answers 403 for {www.hostname}{CHALLENGE_PATH}, so no CA can validate the hostname; the "
            "administrator has to exempt this path from the allow list or login that holds for the whole ingress."
        )
        assert condition(status, "Ready") == "False"
        assert "order" not in status
        assert world.orders() == orders

        guard["spec"] = {"ipAllowList": {"sourceRange": [NOBODY, world.platform.own_range]}}
        world.apply(guard)
        world.wait_issued(www, timeout=60)
