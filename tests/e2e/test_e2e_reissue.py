"""New certificates for hosts that have one: no client notices more than another serial number."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.outside import key_type
from e2e.world import Domain, World, condition, serial

pytestmark = pytest.mark.cluster


@pytest.fixture
def www(world: World) -> Domain:
    """A Domain with a certificate."""
    namespace = world.shop()
    world.app(namespace, automatic=True)
    domain = world.domain(namespace)
    world.wait_issued(domain)
    world.until(lambda: world.http_get(domain.hostname).status in (301, 308), "all routes are in place")
    return domain


def reissue(world: World, www: Domain, cause: Callable[[], None]) -> dict[str, Any]:
    """Cause a new certificate while a client watches; returns the status afterwards."""
    old = world.served_leaf(www.hostname)
    with world.watch(www) as watch:
        world.until(lambda: watch.requests > 3, "the watch has begun")
        cause()
        status = world.wait_issued(www, not_serial=old.serial_number)
        after = watch.requests
        world.until(lambda: watch.requests > after + 3, "the watch goes on after the change")
    new = world.served_leaf(www.hostname)
    assert watch.failures == []
    assert watch.serials == [old.serial_number, new.serial_number]
    assert old.public_key() != new.public_key()
    return status


def test_a_refresh_reissues_once_without_an_interruption(world: World, www: Domain) -> None:
    orders = world.orders()
    status = reissue(
        world, www, lambda: world.annotate("domain", www.namespace, www.name, "certward.dev/refresh=first")
    )
    assert status["handled"] == {"refresh": "first"}
    number = serial(status)

    # The same value again, and other changes of the object, are no new request.
    world.annotate("domain", www.namespace, www.name, "certward.dev/refresh=first")
    world.annotate("domain", www.namespace, www.name, "example.com/touched=yes")
    world.app(www.namespace, automatic=True, httpsRedirect=False)
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "the operator has seen it all")
    assert serial(world.wait_issued(www)) == number
    assert world.orders() in (None, (orders or 0) + 1)

    status = reissue(
        world, www, lambda: world.annotate("domain", www.namespace, www.name, "certward.dev/refresh=second")
    )
    assert status["handled"] == {"refresh": "second"}
    assert world.orders() in (None, (orders or 0) + 2)


def test_another_key_type_reissues_without_a_gap_and_back(world: World, www: Domain) -> None:
    assert key_type(world.served_leaf(www.hostname)) == "ECDSA-P256"
    for asked in ("RSA-2048", "ECDSA-P384"):
        wanted = {"keyType": asked}
        status = reissue(world, www, lambda: world.app(www.namespace, automatic=True, certificates=wanted))  # noqa: B023
        assert status["certificate"]["keyType"] == asked
        assert key_type(world.served_leaf(www.hostname)) == asked
        world.until(
            lambda: condition(world.status(www), "PolicyEnforced") == "True", "what is served agrees with the profile"
        )
    # Asking for nothing any more is no reason to replace a key that the profile can serve.
    orders = world.orders()
    world.app(www.namespace, automatic=True, httpsRedirect=False)
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "the operator has seen it")
    assert world.wait_issued(www)["certificate"]["keyType"] == "ECDSA-P384"
    assert world.orders() == orders
