"""What somebody changes by hand is put back, at the latest at the next look (the probe interval)."""

import json

import pytest

from e2e.world import World, serial

pytestmark = pytest.mark.cluster


def test_what_is_changed_by_hand_is_put_back(world: World) -> None:
    """Several hosts at once, since each may take a whole probe interval."""
    namespace = world.shop()
    world.app(namespace, automatic=True)
    deleted, changed, bare = (world.domain(namespace, name) for name in ("deleted", "changed", "bare"))
    world.wait_issued(deleted, changed, bare)
    hosts = deleted, changed, bare
    serials = {host: world.served_leaf(host.hostname).serial_number for host in hosts}
    orders = world.orders()

    kind, role = world.plane.secure
    world.delete(kind, namespace, f"certward-deleted-{role}")
    away = [{"op": "replace", "path": world.plane.hostname_at, "value": world.hostname("away")}]
    world.kubectl(
        *("patch", kind, f"certward-changed-{role}", f"--namespace={namespace}"),
        *("--type=json", "-p", json.dumps(away)),
    )
    world.delete("secret", namespace, "bare-tls")
    for host in (deleted, changed):
        gone = host.hostname
        world.until(lambda gone=gone: gone_from_https(world, gone), "it is gone from HTTPS")

    in_time = world.platform.probe_interval + world.platform.patience
    for host in (deleted, changed):
        back = host.hostname
        world.until(lambda back=back: world.https_get(back).backend == "shop", f"{host.name} is put back", in_time)
        status = world.wait_issued(host)
        assert serial(status) == serials[host]
    world.wait_issued(bare, not_serial=serials[bare], timeout=in_time)
    assert world.served_leaf(bare.hostname).serial_number != serials[bare]
    assert world.https_get(bare.hostname).backend == "shop"
    assert world.orders() in (None, (orders or 0) + 1)


def gone_from_https(world: World, hostname: str) -> bool:
    return not world.is_served(hostname) or world.https_get(hostname).status == 404
