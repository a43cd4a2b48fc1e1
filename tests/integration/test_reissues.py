"""A CA that advises to replace each certificate that it has just given: that is followed, and ever less often."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cluster.handle import Cluster
from cluster.pki import Pki
from faulty.faults import Fault, Kind, Script, Strike
from faulty.proxy import Proxy
from integration import observer
from integration.own_ca import Handshakes, OwnPebble

#: Seconds.
LIFETIME = observer.setting("CERTWARD_TEST_REISSUED_LIFETIME", 90)
#: How old a certificate is at least before it is replaced by advice: a tenth of its life, twice that, a third of it.
PAUSES = (LIFETIME / 10, LIFETIME / 5, LIFETIME / 3)
#: Seconds that an order takes on a busy machine.
ORDER = 12


@pytest.fixture
def faulty(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[OwnPebble, Proxy]]:
    """A CA whose advice on each certificate is a window that has passed."""
    profiles = {"default": {"description": "for advice", "validityPeriod": LIFETIME + 1}}  # Pebble takes a second off
    pki = Pki(cluster.state.pki)
    with OwnPebble(cluster, tmp_path, "hasty", profiles=profiles) as pebble:
        upstream = pebble.directory.removesuffix("/dir")
        with Proxy(upstream, ca=pki.ca, certificate=pki.both("pebble")) as proxy:
            proxy.plan = Script([Strike(Kind.RENEWAL_INFO, Fault.PASSED_WINDOW, times=10_000)])
            cluster.up(patch={"issuers": [pebble.issuer(directory=proxy.directory)]})
            yield pebble, proxy
            cluster.up()


def test_advice_that_has_always_passed_is_followed_after_ever_longer_pauses(
    cluster: Cluster, faulty: tuple[OwnPebble, Proxy]
) -> None:
    pebble, proxy = faulty
    namespace = observer.new_shop(cluster, "hasty")
    observer.apply(cluster, namespace, observer.domain("www", namespace))
    observer.until_settled(cluster, namespace, ["www"])
    orders = proxy.journal.orders
    with Handshakes(cluster, [observer.hostname("www", namespace)], pebble.roots(), rate=10) as handshakes:
        cluster.wait_for(lambda: len(orders()) > len(PAUSES), sum(PAUSES) + len(PAUSES) * ORDER, "all replacements")
        observer.until_settled(cluster, namespace, ["www"])
    gaps = [after.at - before.at for before, after in pairwise(orders())]
    asked = len(proxy.journal.requests(kind=Kind.RENEWAL_INFO))
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")
    print(f"\norders after {', '.join(f'{gap:.1f}' for gap in gaps)} s; advice was asked for {asked} times")
    assert handshakes.failures == []
    assert asked >= len(gaps), "each time it was advised"
    for gap, pause in zip(gaps, PAUSES, strict=True):
        assert pause <= gap <= pause + ORDER
