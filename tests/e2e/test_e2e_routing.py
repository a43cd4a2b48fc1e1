"""Where requests go: paths, ports by name, a changed Service, trusted ranges."""

import pytest

from e2e.world import World

pytestmark = pytest.mark.cluster

#: Kept for documentation (RFC 5737); nobody comes from there.
FOREIGN = "203.0.113.0/24"


def test_domains_of_an_app_share_its_paths_and_follow_its_service(world: World) -> None:
    namespace = world.shop()
    world.backend(namespace, "api")
    world.backend(namespace, "next")
    paths = [{"path": "/api", "service": {"name": "api", "port": "http"}}]
    world.app(namespace, automatic=True, paths=paths, httpsRedirect=False)
    domains = world.domain(namespace, "www"), world.domain(namespace, "shop")
    world.wait_issued(*domains)
    expected = {"/": "shop", "/api": "api", "/api/v1/orders": "api", "/apiary": "shop"}
    for domain in domains:
        for path, backend in expected.items():
            assert world.https_get(domain.hostname, path).backend == backend, path
            assert world.http_get(domain.hostname, path).backend == backend, path

    world.app(namespace, automatic=True, paths=paths, service={"name": "next", "port": "http"}, httpsRedirect=False)
    for domain in domains:
        host = domain.hostname
        world.until(lambda host=host: world.https_get(host).backend == "next", "HTTPS follows the Service")
        world.until(lambda host=host: world.http_get(host).backend == "next", "HTTP follows the Service")
        assert world.https_get(host, "/api").backend == "api"

    world.app(namespace, automatic=True, service={"name": "next", "port": "http"}, httpsRedirect=False)
    for domain in domains:
        host = domain.hostname
        world.until(lambda host=host: world.https_get(host, "/api").backend == "next", "the path is gone")


@pytest.mark.parametrize("redirect", [True, False], ids=["redirecting", "serving both"])
def test_trusted_ranges_hold_for_the_app_and_never_for_the_ca(world: World, redirect: bool) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True, httpsRedirect=redirect, network={"trustedRanges": [world.platform.own_range]})
    www = world.domain(namespace)
    world.wait_issued(www)
    open_statuses = {301, 308} if redirect else {200}
    assert world.https_get(www.hostname).backend == "shop"
    world.until(lambda: world.http_get(www.hostname).status in open_statuses, "plain HTTP is let through")

    world.app(namespace, automatic=True, httpsRedirect=redirect, network={"trustedRanges": [FOREIGN]})
    world.until(lambda: world.https_get(www.hostname).status == 403, "HTTPS is refused")
    # Where the ingress redirects before it looks who asks, strangers learn no more than that there is HTTPS.
    strangers = open_statuses if redirect and world.plane.redirects_strangers else {403}
    world.until(lambda: world.http_get(www.hostname).status in strangers, "plain HTTP is refused")

    api = world.domain(namespace, "api")
    world.wait_issued(api)
    assert world.https_get(api.hostname).status == 403
    world.until(lambda: world.http_get(api.hostname).status in strangers, "so is that of a new host")

    world.app(namespace, automatic=True, httpsRedirect=redirect)
    for host in (www.hostname, api.hostname):
        world.until(lambda host=host: world.https_get(host).backend == "shop", "HTTPS is open again")
        world.until(lambda host=host: world.http_get(host).status in open_statuses, "plain HTTP is open again")
