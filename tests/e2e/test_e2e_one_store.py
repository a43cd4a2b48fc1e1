"""Traefik has one store of certificates for all hosts and chooses by names alone: what that means for bought ones."""

from contextlib import ExitStack

import pytest

from e2e.bought import Seller, tls_secret
from e2e.shops import Shop, go_on, source_of, streams
from e2e.world import World, condition, serial

pytestmark = pytest.mark.cluster


def test_those_that_share_a_certificate_go_over_together(world: World, seller: Seller) -> None:
    """One of two cannot have an automatic certificate yet; the other one's waits, and says for whom."""
    namespace = world.shop()
    hosts = [world.hostname("a"), world.hostname("b")]
    chain, key, _ = seller.sell(hosts)
    world.apply(tls_secret("bought", namespace, chain, key))
    bought = {"manual": [{"secretName": "bought"}]}
    for name in ("shop", "other"):
        world.app(namespace, name, automatic=False, certificates=bought)
    a = world.domain(namespace, "a", app="shop", hostname=hosts[0])
    b = world.domain(namespace, "b", app="other", hostname=hosts[1])
    ready = lambda one, source: source_of(world.status(one)) == source  # noqa: E731
    world.until(lambda: ready(a, "Manual") and ready(b, "Manual"), "both are served the bought one")

    world.app(namespace, "shop", automatic=True, certificates=bought)
    told = lambda: "Domain b" in world.status(a).get("message", "") and world.status(a)  # noqa: E731
    status = world.until(told, "a waits for b")
    assert (status["state"], status["reason"]) == ("CertIssued", "")
    assert status["message"] == (
        "The automatic certificate is there and is served once that of Domain b is, too: both are served with Secret "
        "bought, and the ingress has one store for all of them."
    )
    assert condition(status, "Ready") == "True"
    assert condition(status, "Reconciling") == "True"
    assert world.secret(a)

    world.app(namespace, "other", automatic=True, certificates=bought)
    world.until(lambda: ready(a, "Automatic") and ready(b, "Automatic"), "both are served their own")


def test_what_the_ingress_does_not_show_is_switched_back(world: World, shop: Shop) -> None:
    """Somebody's own Ingress keeps the bought certificate in the ingress's store, so that it goes on being shown."""
    keeper = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "keeper", "namespace": shop.namespace},
        "spec": {
            "ingressClassName": world.plane.name,
            "tls": [{"secretName": "bought"}],
            "rules": [
                {
                    "host": world.hostname("keeper"),
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "shop", "port": {"number": 8080}}},
                            }
                        ]
                    },
                }
            ],
        },
    }
    world.apply(keeper)
    with ExitStack() as stack:
        running = streams(stack, shop)
        shop.app(automatic=True)
        # Of two that fit, Traefik shows the one whose list of names sorts higher: for the first host the bought one.
        first, second = shop.domains
        shop.wait("Automatic", second)
        (status,) = shop.wait("Manual", first, reason="NotServed")
        assert status["state"] == "CertIssued"
        assert status["message"] == (
            "The ingress did not show the automatic certificate within 30 seconds, so that it serves the one in Secret "
            "bought again; look for another route or certificate for the host. It is tried again."
        )
        assert serial(status) == shop.leaf.serial_number
        # An edit tries again at once.
        world.delete("ingress", shop.namespace, "keeper")
        shop.poke()
        shop.wait("Automatic")
        go_on(shop, running)
    for one in running:
        assert one.failures == [], f"of {len(one.requests)} requests"
