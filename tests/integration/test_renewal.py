"""Renewals in time, one after the other, and all at once when the CA says so; clients notice neither.

Both run at the same time, at one CA with two profiles: one so short that certificates are renewed over and over, and
one long enough that only the CA's advice makes them be replaced.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from cluster.handle import Cluster
from integration import observer
from integration.own_ca import Handshakes, OwnPebble, Statuses

DOMAINS = observer.setting("CERTWARD_TEST_RENEWAL_DOMAINS", 12)
ROUNDS = observer.setting("CERTWARD_TEST_RENEWAL_ROUNDS", 2)
#: Seconds; a sixth of it is the least that is left for a renewal.
LIFETIME = observer.setting("CERTWARD_TEST_RENEWAL_LIFETIME", 60)
REVOKED = observer.setting("CERTWARD_TEST_REVOKED_DOMAINS", 20)
#: Seconds; a CA is asked for its advice each tenth of it, and not more often than each minute.
LONGER = 600
#: Handshakes a second, over all hosts.
RATE = observer.setting("CERTWARD_TEST_HANDSHAKES", 30)
SECOND = timedelta(seconds=1)


@dataclass
class Story:
    """What was seen while certificates were renewed."""

    namespaces: dict[str, str]
    pebble: OwnPebble
    log: observer.CALog
    roots: str
    statuses: Statuses
    handshakes: dict[str, Handshakes] = field(default_factory=dict)
    #: When the CA began to advise the replacement of which certificates: Domain -> serial number.
    advised_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    advised: dict[str, str] = field(default_factory=dict)


def names(count: int) -> list[str]:
    """So many Domains."""
    return [f"d{number:03}" for number in range(count)]


def certificates(cluster: Cluster, namespace: str) -> dict[str, observer.Object]:
    """status.certificate of each Domain."""
    found = observer.domains(cluster, namespace)
    return {name: observer.status(one).get("certificate") or {} for name, one in found.items()}


@pytest.fixture(scope="module")
def story(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Everything from the first certificates to the last renewal."""
    profiles = {
        "brief": {"description": "for renewals", "validityPeriod": LIFETIME + 1},  # Pebble takes a second off
        "longer": {"description": "for advice", "validityPeriod": LONGER + 1},
    }
    with ExitStack() as stack:
        pebble = stack.enter_context(OwnPebble(cluster, tmp_path_factory.mktemp("brief"), "brief", profiles=profiles))
        stack.callback(cluster.up)
        cluster.up(patch={"issuers": [pebble.issuer(profile="brief")]})
        namespaces = {kind: cluster.namespace(kind) for kind in ("renewed", "revoked")}
        for namespace in namespaces.values():
            cluster.backend(namespace, "shop")
            stack.callback(cluster.kubectl, "-n", namespace, "delete", "domains", "--all")
        told = Story(namespaces, pebble, pebble.says(), pebble.roots(), Statuses(cluster, namespaces["renewed"]))
        stack.enter_context(told.statuses)

        revoked, renewed = namespaces["revoked"], namespaces["renewed"]
        for namespace, profile, count in ((revoked, "longer", REVOKED), (renewed, "brief", DOMAINS)):
            domains = (observer.domain(name, namespace) for name in names(count))
            observer.apply(cluster, namespace, observer.app(profile=profile), *domains)
        observer.until_settled(cluster, revoked, names(REVOKED), 60 + REVOKED)
        observer.until_settled(cluster, renewed, names(DOMAINS), 60)
        for kind, count in (("renewed", DOMAINS), ("revoked", REVOKED)):
            hosts = [observer.hostname(name, namespaces[kind]) for name in names(count)]
            handshakes = Handshakes(cluster, hosts, told.roots, RATE / 2)
            told.handshakes[kind] = stack.enter_context(handshakes)

        told.advised = {name: one["serialNumber"] for name, one in certificates(cluster, revoked).items()}
        for name in names(REVOKED):
            leaf = x509.load_pem_x509_certificate(observer.secret(cluster, revoked, f"{name}-tls")["tls.crt"])
            pem = leaf.public_bytes(serialization.Encoding.PEM).decode()
            pebble.advise(pem, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
        told.advised_at = datetime.now(UTC)
        yield told


def renewals(story: Story, name: str) -> list[tuple[float, observer.Object]]:
    """The first status of each certificate of a Domain, without an order that is still open, with when it came."""
    seen: dict[str, tuple[float, observer.Object]] = {}
    for at, told in story.statuses.of(name):
        serial = (told.get("certificate") or {}).get("serialNumber")
        if serial and "order" not in told and told["state"] == "CertIssued":
            seen.setdefault(serial, (at, told))
    return list(seen.values())


def moment(text: str) -> datetime:
    """A time of a status; whole seconds, rounded down."""
    return datetime.fromisoformat(text)


def leaves(handshakes: Handshakes) -> dict[str, list[x509.Certificate]]:
    """What each host has shown."""
    shown: dict[str, list[x509.Certificate]] = {hostname: [] for hostname in handshakes.hostnames}
    for hostname, leaf in list(handshakes.shown):
        shown[hostname].append(x509.load_der_x509_certificate(leaf))
    return shown


def test_a_mass_revocation_is_followed_by_replacements_of_all(cluster: Cluster, story: Story) -> None:
    namespace = story.namespaces["revoked"]

    def replaced() -> set[str]:
        now = certificates(cluster, namespace)
        return {name for name, before in story.advised.items() if now[name].get("serialNumber") != before}

    def are_all_replaced() -> bool:
        return len(replaced()) == REVOKED

    # It was asked when the certificate was new, and is asked again a minute later, for all that it says "six hours".
    cluster.wait_for(are_all_replaced, 75 + REVOKED, "all replaced")
    after = observer.until_settled(cluster, namespace, names(REVOKED), 20)
    handshakes = story.handshakes["revoked"]
    cluster.wait_for(lambda: len(handshakes.leaves()) == 2 * REVOKED, 20, "clients that saw all")
    starts = [moment(one["status"]["certificate"]["notBefore"]) for one in after.values()]
    print(
        f"\n{REVOKED} certificates were to be replaced at once: first {min(starts) - story.advised_at}, last "
        f"{max(starts) - story.advised_at} after the CA began to say so; {handshakes.count} handshakes"
    )
    assert handshakes.failures == []
    # One replacement each, and no more: the new ones have a window that lies ahead.
    assert {one["status"]["certificate"]["serialNumber"] for one in after.values()}.isdisjoint(story.advised.values())
    for one in after.values():
        certificate = one["status"]["certificate"]
        assert moment(certificate["renewalTime"]) >= moment(certificate["notBefore"]) + timedelta(seconds=LONGER / 2)


def test_certificates_are_renewed_again_and_again_without_a_gap(cluster: Cluster, story: Story) -> None:
    def is_done() -> bool:
        return all(len(renewals(story, name)) > ROUNDS for name in names(DOMAINS))

    cluster.wait_for(is_done, ROUNDS * LIFETIME + 30, f"{ROUNDS} renewals of all")
    handshakes = story.handshakes["renewed"]
    # A new key each time, and every one of them was seen by clients.
    cluster.wait_for(lambda: min(map(len, leaves(handshakes).values())) > ROUNDS, 20, "clients that saw the last ones")
    assert handshakes.failures == []

    late, left, points = [], [], []
    for name in names(DOMAINS):
        told = [status["certificate"] for _, status in renewals(story, name)][: ROUNDS + 1]
        for before, after in pairwise(told):
            start, end = moment(before["notBefore"]), moment(before["notAfter"])
            due, renewed = moment(before["renewalTime"]), moment(after["notBefore"])
            assert end - start == timedelta(seconds=LIFETIME)
            assert timedelta(seconds=LIFETIME / 2) - SECOND <= due - start <= timedelta(seconds=LIFETIME * 5 / 6)
            assert due - SECOND <= renewed < end, name
            late.append((renewed - due) / SECOND)
            left.append((end - renewed) / SECOND)
            points.append((renewed - start) / timedelta(seconds=LIFETIME))
    keys = [observer.spki(leaf.public_key()) for shown in leaves(handshakes).values() for leaf in shown]
    print(
        f"\n{DOMAINS} certificates of {LIFETIME} s, {ROUNDS} renewals each; {handshakes.count} handshakes without a "
        f"failure; renewed between {min(points):.2f} and {max(points):.2f} of the lifetime, at most {max(late):.0f} s "
        f"after it was due, with {min(left):.0f} s left at least"
    )
    assert len(set(keys)) == len(keys)
    # Spread over the window from half to five sixths: not two thirds of them in one quarter of it.
    quarters = [min(int((point - 0.5) / (1 / 3) * 4), 3) for point in points]
    assert max(quarters.count(quarter) for quarter in range(4)) <= len(points) * 2 / 3, sorted(points)


def test_renewals_are_linked_to_what_they_replace(story: Story) -> None:
    placed, issued, links = story.log.orders(), story.log.issued(), story.pebble.replacements()
    hosts = DOMAINS + REVOKED
    print(f"\n{len(placed)} orders, {len(issued)} certificates, {len(links)} orders that say what they replace")

    # Each order but the first one of each host names the certificate before it, and none names one twice. Pebble does
    # not find a short serial number whose DER form has a zero in front; such a renewal goes on without the link.
    short = [serial for serial in issued.values() if len(serial) < 16]
    assert hosts <= len(placed) - len(links) <= hosts + len(short)
    assert set(links) <= set(placed)
    assert set(links.values()) <= set(issued)
    assert len(set(links.values())) == len(links)
    assert len(placed) - len(issued) <= 1, "one may be open at this moment"


def test_nothing_is_written_between_renewals(story: Story) -> None:
    gaps, noise = 0, []
    for name in names(DOMAINS):
        statuses = story.statuses.of(name)
        for settled_at, status in renewals(story, name)[:ROUNDS]:
            due = moment(status["certificate"]["renewalTime"]).timestamp()
            gaps += 1
            noise += [(name, later) for at, later in statuses if settled_at < at < due and later != status]
    print(f"\n{gaps} times between two certificates, {len(noise)} statuses written meanwhile")
    assert noise == []
