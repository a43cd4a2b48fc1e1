"""An allow list for the whole entry of the ingress: no App can exempt the CA from it, and the administrator is told."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from certward.names import CHALLENGE_PATH
from cluster.handle import Cluster
from e2e.local import Local
from e2e.world import World, condition
from integration.own_traefik import OwnTraefik

#: Kept for documentation (RFC 5737); nobody comes from there.
NOBODY = "203.0.113.0/24"


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    made = World(Local(cluster))
    yield made
    made.close()


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
    middlewares = f"--entrypoints.web.http.middlewares={namespace}-nobody@kubernetescrd"
    with ExitStack() as stack:
        guarded = stack.enter_context(OwnTraefik(cluster, tmp_path / "traefik.log", middlewares))
        stack.callback(cluster.up)
        cluster.up(patch={"ingress": {"classes": {"traefik": {"probe": {"httpAddress": guarded.http}}}}})
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
