"""An operator whose clock is wrong: hosts stay served, no order is wasted, and the status says what is the matter.

To such an operator the clocks of everybody else are wrong, those of the CA and of the API server among them.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster import kube, operator_process, pki, waiting
from cluster.handle import Cluster
from cluster.paths import service_network
from cluster.ports import Ports
from integration import observer
from integration.own_ca import Handshakes, OwnPebble

TEN_MINUTES = 600
#: Seconds; a certificate that lives so long is due at half of it, and one that has just come is left for a tenth.
BRIEF = 90
#: Seconds; so little that the test can wait until the clock of the CA is no longer ahead of a certificate.
LITTLE = 15
NOT_VALID_YET = "The certificate that is served is not valid yet by the operator's clock"


@contextmanager
def skewed(
    cluster: Cluster, seconds: int, log: Path, patch: Mapping[str, observer.Object] | None = None
) -> Iterator[None]:
    """The operator, with a clock that is ahead by so much; negative: behind. `patch` is of its configuration."""
    cluster.up(operators=0)
    state, name = cluster.state, "certward-0"
    ports, keys = Ports(state.root / "ports.json"), pki.ensure(state.pki, service_network(state))
    config = operator_process.configuration(cluster.wish(patch=patch), ports, keys)
    operator_process.write_configuration(state, config)
    part = operator_process.replica(state, ports, name)
    paths = [str(Path(__file__).parent / "skewed"), *filter(None, [part.env.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "CLOCK_SKEW": str(seconds)}
    environment = {**os.environ, **part.env, **own}
    kube.apply(state, [kube.operator_endpoints(1, ports.get("http01"), kube.endpoint_address(cluster.wish()))])
    with log.open("wb") as output:
        process = subprocess.Popen(part.argv, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        waiting.wait_for(lambda: (operator_process.health_of(ports, name) or {}).get("leader"), 60, "it leads")
        yield
        assert observer.metric(cluster, "certward_bugs_total") == 0
    finally:
        process.terminate()
        process.wait(20)
        cluster.up()


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[str]:
    """A namespace with a Domain `before`, whose certificate is from when the clock was right."""
    namespace = observer.new_shop(cluster, "clocks")
    observer.apply(cluster, namespace, observer.domain("before", namespace))
    observer.until_settled(cluster, namespace, ["before"])
    yield namespace
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def serial(cluster: Cluster, namespace: str, name: str) -> str:
    found: str = observer.get(cluster, namespace, name)["status"]["certificate"]["serialNumber"]
    return found


def refresh(cluster: Cluster, namespace: str, name: str) -> None:
    cluster.kubectl(
        "-n", namespace, "annotate", "--overwrite", "domain", name, f"certward.dev/refresh={datetime.now(UTC)}"
    )


def until_another(cluster: Cluster, namespace: str, name: str, before: str) -> None:
    """Wait until a Domain is settled with another certificate."""

    def is_another() -> bool:
        one = observer.get(cluster, namespace, name)
        return observer.is_settled(one) and one["status"]["certificate"]["serialNumber"] != before

    cluster.wait_for(is_another, 60, "another certificate")


def test_a_clock_that_is_ahead(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    ca, first = observer.CALog(cluster), serial(cluster, shop, "before")
    hosts = [observer.hostname("before", shop)]
    with Handshakes(cluster, hosts, observer.roots(cluster), rate=10) as handshakes:
        with skewed(cluster, TEN_MINUTES, tmp_path / "operator.log"):
            observer.apply(cluster, shop, observer.domain("new", shop))
            observer.until_settled(cluster, shop, ["before", "new"])
            refresh(cluster, shop, "before")
            until_another(cluster, shop, "before", first)
        second = serial(cluster, shop, "before")
        refresh(cluster, shop, "before")
        until_another(cluster, shop, "before", second)
        observer.until_settled(cluster, shop, ["before", "new"])
    assert handshakes.failures == []
    assert len(ca.orders()) == len(ca.issued()) == 3


def test_a_clock_that_is_behind(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    ca, first = observer.CALog(cluster), serial(cluster, shop, "before")
    roots, names = observer.roots(cluster), ("before", "new")
    with skewed(cluster, -TEN_MINUTES, tmp_path / "operator.log"):
        observer.apply(cluster, shop, observer.domain("new", shop))

        def told() -> str:
            ready = observer.condition(observer.get(cluster, shop, "new"), "Ready")
            return str(ready["message"]) if ready.get("reason") == "NotServed" else ""

        message = cluster.wait_for(lambda: told() if told().startswith(NOT_VALID_YET) else "", 60, "what is the matter")
        print(f"\n{message}")
        assert observer.status(observer.get(cluster, shop, "new"))["state"] == "CertIssued"
        # Clients, whose clocks are right, are served all the time.
        assert [observer.https_status(cluster, observer.hostname(name, shop), roots) for name in names] == [200, 200]
    observer.until_settled(cluster, shop, names)
    assert serial(cluster, shop, "before") == first
    assert len(ca.orders()) == len(ca.issued()) == 1


def test_a_certificate_that_is_not_valid_yet_waits_while_the_one_before_is(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    ca, first, hostname = observer.CALog(cluster), serial(cluster, shop, "before"), observer.hostname("before", shop)

    def age() -> timedelta:
        return datetime.now(UTC) - observer.served_leaf(cluster, hostname).not_valid_before_utc

    cluster.wait_for(lambda: age() > timedelta(seconds=LITTLE), LITTLE * 2, "a certificate that is old enough")
    with Handshakes(cluster, [hostname], observer.roots(cluster), rate=10) as handshakes:
        with skewed(cluster, -LITTLE, tmp_path / "operator.log"):
            observer.until_settled(cluster, shop, ["before"])
            refresh(cluster, shop, "before")
            cluster.wait_for(ca.issued, 30, "the new certificate at the CA")
            youngest = age()
            while serial(cluster, shop, "before") == first:
                youngest = min(youngest, age())
            until_another(cluster, shop, "before", first)
        observer.until_settled(cluster, shop, ["before"])
    assert youngest >= timedelta(seconds=LITTLE - 1), "to the operator it is valid from then on"
    assert handshakes.failures == []
    assert len(ca.orders()) == 1


def test_a_clock_that_is_ahead_by_half_of_a_lifetime_has_no_certificate_replaced_at_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    profiles = {"default": {"description": "for renewals", "validityPeriod": BRIEF + 1}}  # Pebble takes a second off
    with OwnPebble(cluster, tmp_path, "brief", profiles=profiles) as pebble:
        says, namespace = pebble.says(), observer.new_shop(cluster, "ahead")
        hosts = [observer.hostname("due", namespace)]
        patch = {"issuers": [pebble.issuer()]}
        with skewed(cluster, BRIEF * 5 // 9, tmp_path / "operator.log", patch):
            observer.apply(cluster, namespace, observer.domain("due", namespace))
            started = cluster.wait_for(lambda: says.issued() and datetime.now(UTC), 30, "the first certificate")
            with Handshakes(cluster, hosts, pebble.roots(), rate=10) as handshakes:
                cluster.wait_for(lambda: len(says.issued()) > 2, BRIEF, "two more")
                took = datetime.now(UTC) - started
            orders = len(says.orders())
        cluster.kubectl("-n", namespace, "delete", "domains", "--all")
    print(f"\n{orders} orders in {took}; {handshakes.count} handshakes")
    # A tenth, then a fifth: not one after the other.
    assert took >= timedelta(seconds=BRIEF * 0.3 - 1)
    assert orders == 3
