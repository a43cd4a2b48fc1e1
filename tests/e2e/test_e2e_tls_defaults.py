"""Apps pinned to the defaults of different years, side by side on one port."""

import pytest

from e2e import policies
from e2e.outside import key_type
from e2e.world import World, condition, serial

pytestmark = pytest.mark.cluster

PIN = "certward.dev/tls-default-revision"
#: Revision that an App is pinned to ("" for none) -> versions that its hosts accept, key of its certificates.
DEFAULTS = {
    "2017-09": (["TLSv1.0", "TLSv1.1", "TLSv1.2"], "RSA-2048"),
    "2018-06": (["TLSv1.1", "TLSv1.2"], "RSA-2048"),
    "": (["TLSv1.2", "TLSv1.3"], "ECDSA-P256"),
}
NEWEST = "2026-11"


def test_apps_keep_the_default_that_they_are_pinned_to(world: World) -> None:
    namespace = world.shop()
    domains = {}
    for revision in DEFAULTS:
        name = f"of-{revision or 'today'}"
        world.app(namespace, name, automatic=True, annotations={PIN: revision} if revision else None)
        domains[revision] = world.domain(namespace, name, app=name)
    world.wait_issued(*domains.values())

    for revision, (versions, key) in DEFAULTS.items():
        domain = domains[revision]

        def is_enforced(domain=domain, versions=versions) -> bool:
            return policies.is_told(world, domain, set(versions), domain.name)

        world.until(is_enforced, f"PolicyEnforced of {domain.name}")
        possible = sorted(world.plane.offers(set(versions)))
        assert world.protocols(domain.hostname) == set(possible), revision
        assert key_type(world.served_leaf(domain.hostname)) == key
        assert world.https_get(domain.hostname).backend == "shop"
        served = world.status(domain)["served"]
        assert (served["minVersion"], served["maxVersion"]) == (possible[0], possible[-1])
        app = world.get("app", namespace, domain.name)
        tls = app["status"]["tls"]
        assert (tls["profile"], tls["revision"], tls["policy"]) == ("default", revision or NEWEST, "")
        assert (tls["minVersion"], tls["maxVersion"]) == (versions[0], versions[-1])
        assert app["metadata"]["annotations"][PIN] == revision or NEWEST
        assert app["status"]["certificates"]["keyType"] == key


def test_an_app_that_asks_for_a_key_that_its_profile_cannot_serve_is_told(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True, annotations={PIN: "2018-06"}, certificates={"keyType": "ECDSA-P256"})
    www = world.domain(namespace)
    orders = world.orders()
    status = world.wait_state(www, "Failed", "KeyTypeNotServed")
    assert "ECDSA-P256" in status["message"]
    assert "RSA-2048" in status["message"]
    assert condition(status, "Stalled") == "True"
    assert world.orders() == orders
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "plain HTTP works all the same")

    world.app(namespace, automatic=True, annotations={PIN: "2018-06"})
    assert world.wait_issued(www)["certificate"]["keyType"] == "RSA-2048"


def test_moving_an_app_to_an_older_default_changes_the_certificate_first(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    number = serial(world.wait_issued(www))
    with world.watch(www) as watch:
        world.annotate("app", namespace, "shop", f"{PIN}=2018-06")
        status = world.wait_issued(www, not_serial=number)
        older = world.plane.offers({"TLSv1.1", "TLSv1.2"})
        world.until(lambda: world.protocols(www.hostname) == older, "the older default is served")
    assert watch.failures == []
    assert status["certificate"]["keyType"] == "RSA-2048"

    # The newer default can serve an RSA key as well, so that waits for the next renewal.
    with world.watch(www) as watch:
        world.annotate("app", namespace, "shop", f"{PIN}={NEWEST}")
        world.until(lambda: world.protocols(www.hostname) == {"TLSv1.2", "TLSv1.3"}, "today's default is served")
    assert watch.failures == []
    assert serial(world.wait_issued(www)) == serial(status)
