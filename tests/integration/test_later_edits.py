"""What is routed stays, whatever older objects of other namespaces are made to say later."""

import uuid

from cluster.handle import Cluster
from e2e.world import Domain, World
from integration import observer


def told_of(world: World, namespace: str) -> tuple[str, list[str]]:
    """Why an App is not served, and the backends that are its own."""
    app = world.get("app.certward.dev", namespace, "shop")
    is_seen = app["status"]["observedGeneration"] == app["metadata"]["generation"]
    ready = observer.condition(app, "Ready")
    return ready["reason"] if is_seen else "", app["status"].get("backends") or []


def test_an_older_app_takes_no_host_down_by_naming_another_service(cluster: Cluster, world: World) -> None:
    """Traefik joins namespace, Service and port by hyphens, so <team>-a/shop and <team>/a-shop are one to it."""
    team = f"later-{uuid.uuid4().hex[:8]}"
    other = f"{team}-a"
    world.shop(team)
    world.backend(team, "a-shop")
    world.shop(other)
    world.app(team, automatic=True)
    own = world.domain(team)
    world.until_dated("app.certward.dev", team, "shop")
    world.app(other, automatic=True)
    www = world.domain(other)
    world.wait_issued(own, www)
    backend = f"{other}-shop-8080"
    world.until(lambda: told_of(world, other)[1] == [backend], "the younger App is told what is its own")
    routes = uids(world, www)

    with world.watch(www) as watch:
        world.app(team, automatic=True, service={"name": "a-shop", "port": 8080})
        world.until(lambda: told_of(world, team) == ("ServiceNameCollides", []), "the older App is refused")
        world.until(lambda: world.routes(team) == set(), "it is not routed any more")
        # A process that has seen nothing of what came first, and another edit under its eyes.
        cluster.up(operators=0)
        world.app(team, automatic=True, service={"name": "a-shop", "port": 8080}, httpsRedirect=False)
        cluster.up()
        world.until(lambda: told_of(world, team) == ("ServiceNameCollides", []), "it is refused again")
        world.app(other, automatic=True, paths=[{"path": "/x", "service": {"name": "shop", "port": 8080}}])
        world.until(lambda: told_of(world, other) == ("Served", [backend]), "the younger one is edited as well")
        assert told_of(world, team) == ("ServiceNameCollides", [])
    assert watch.failures == []
    assert watch.requests > 0
    assert uids(world, www) == routes
    assert world.https_get(www.hostname).backend == "shop"

    world.delete("app.certward.dev", other, "shop")
    world.wait_issued(own)
    world.until(lambda: world.https_get(own.hostname).backend == "a-shop", "whoever waited has it then")
    world.until(lambda: told_of(world, team)[1] == [f"{team}-a-shop-8080"], "and is told so")


def uids(world: World, domain: Domain) -> set[str]:
    """Which Ingresses a Domain has: one that is made anew has another uid."""
    of = (f"--namespace={domain.namespace}", f"--selector=certward.dev/domain={domain.name}")
    return set(world.kubectl("get", "ingresses", *of, "-o", "jsonpath={.items[*].metadata.uid}").split())
