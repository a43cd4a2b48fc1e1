"""Names that lead nowhere, applied before good ones of the same team: these are issued as if they were alone."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import dns.rcode
import pytest

from cluster.handle import Cluster
from integration import observer
from integration.dns_world import failing
from integration.preflight_cluster import CLOSED, HANGING, Outside, answered

DEAD = observer.setting("CERTWARD_TEST_DEAD_NAMES", 40)
GOOD = observer.setting("CERTWARD_TEST_GOOD_NAMES", 10)
#: Seconds for the good ones, with what a busy machine may take longer; the figure that counts is printed.
PATIENCE = 60

Spoil = Callable[[Outside, str], Any]
#: What is wrong with a dead name, and the reason that its status gives; most of them are not there at all.
WRONG: tuple[tuple[str, Spoil], ...] = (
    ("DNSNotFound", lambda outside, host: outside.zone.odd.update({host: failing(dns.rcode.NXDOMAIN)})),
    ("DNSNotFound", lambda outside, host: outside.zone.odd.update({host: answered()})),
    ("DNSNotFound", lambda outside, host: outside.zone.odd.update({host: failing(dns.rcode.SERVFAIL)})),
    ("DNSNotFound", lambda outside, host: outside.zone.odd.update({host: failing(dns.rcode.NXDOMAIN)})),
    ("DNSWrongTarget", lambda outside, host: outside.zone.odd.update({host: answered(("A", "203.0.113.7"))})),
    ("ChallengeUnreachable", lambda outside, host: outside.point(host, CLOSED)),
    ("DNSNotFound", lambda outside, host: outside.zone.odd.update({host: failing(dns.rcode.NXDOMAIN)})),
    ("ChallengeUnreachable", lambda outside, host: outside.point(host, HANGING)),
)


@pytest.fixture
def outside(cluster: Cluster) -> Iterator[Outside]:
    observer.alone(cluster)
    made = Outside(cluster)
    try:
        cluster.up(patch=made.patch())
        yield made
        observer.alone(cluster)  # before the dead ones come to life
        cluster.up()
    finally:
        made.close()


def test_good_names_do_not_wait_for_dead_ones(cluster: Cluster, outside: Outside) -> None:
    namespace = observer.new_shop(cluster, "graveyard")
    reasons = {f"dead-{number:03}": WRONG[number % len(WRONG)] for number in range(DEAD)}
    for name, (_, spoil) in reasons.items():
        spoil(outside, observer.hostname(name, namespace))
    ca, good = observer.CALog(cluster), [f"good-{number:03}" for number in range(GOOD)]

    begun = time.monotonic()
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in reasons))
    applied = time.monotonic() - begun
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in good))
    begun = time.monotonic()

    def missing() -> set[str]:
        found = observer.domains(cluster, namespace)
        return {name for name in good if observer.status(found[name]).get("state") != "CertIssued"}

    cluster.wait_for(lambda: not missing(), PATIENCE, "all good ones are issued")
    took = time.monotonic() - begun
    observer.until_settled(cluster, namespace, good, 30)
    print(f"\n{DEAD} dead names, applied in {applied:.1f} s, then {GOOD} good ones: all CertIssued after {took:.1f} s")

    def told() -> dict[str, str]:
        found = observer.domains(cluster, namespace)
        return {name: observer.status(found[name]).get("reason", "") for name in reasons}

    wanted = {name: reason for name, (reason, _) in reasons.items()}
    cluster.wait_for(lambda: told() == wanted, 120, "every dead name is told why")
    print(f"the dead ones are all told why {time.monotonic() - begun:.1f} s after: {dict(Counter(wanted.values()))}")
    assert len(ca.orders()) == GOOD, "a dead name costs the CA nothing"
