"""What is looked at before a CA is asked, through the whole operator: names and sites that are not in order."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dns.rcode
import pytest

from cluster.handle import Cluster
from e2e.local import Local
from e2e.world import Domain, Status, World, condition
from integration.dns_world import failing
from integration.preflight_cluster import (
    CLOSED,
    HANGING,
    INGRESS,
    INSIDE,
    LISTENER,
    PAGE,
    Outside,
    answered,
    redirect_to_itself,
)
from integration.web_world import redirect, reply

#: Kept for documentation (RFC 5737, RFC 3849): nobody is there, and nobody is asked.
ELSEWHERE, ELSEWHERE_6 = "203.0.113.7", "2001:db8::7"
INNER = "inner.example.com"
#: Seconds: what may come from an ingress that is slower than others is not told before 20 have passed.
TOLD, MENDED = 60, 90
_SET = f"Set an A record with the value {INGRESS}, {LISTENER}, {CLOSED} and {HANGING}."
_ONE_OF = f"{INGRESS}, {LISTENER}, {CLOSED} or {HANGING}"
_PATH = "http://{host}/.well-known/acme-challenge/"
_LET = f"Let requests for {_PATH} through to this platform, without login or redirect."
_OPEN = f"Have port 80 opened there for everybody, since the CA asks for {_PATH}."


@dataclass(frozen=True)
class Case:
    """Something that is wrong with a hostname, and what its owner is told."""

    reason: str
    message: str
    spoil: Callable[[Outside, str], Any]
    is_pointed_here: bool = True


def pointing(*addresses: str) -> Callable[[Outside, str], Any]:
    return lambda outside, host: [outside.point(host, address) for address in addresses]


def site(page: Callable[..., Any]) -> Callable[[Outside, str], Any]:
    """The hostname leads to a site that answers by itself."""

    def spoil(outside: Outside, host: str) -> None:
        outside.pages[host] = page
        outside.point(host, LISTENER)

    return spoil


def odd(answer: Callable[..., Any]) -> Callable[[Outside, str], Any]:
    return lambda outside, host: outside.zone.odd.update({host: answer})


def to_inner(location: str) -> Callable[[Outside, str], Any]:
    """A site that sends the operator to where strangers must not lead it."""

    def spoil(outside: Outside, host: str) -> None:
        outside.point(INNER, INSIDE)
        site(redirect(location.format(port=outside.web.port)))(outside, host)

    return spoil


def caa(*records: tuple[str, str]) -> Callable[[Outside, str], Any]:
    policies = [{"tag": tag, "value": value} for tag, value in records]
    return lambda outside, host: outside.tell("add-caa", host, policies=policies)


def elsewhere(where: str) -> str:
    return f"{{host}} points to {where}, but it has to point to {_ONE_OF}. {_SET}"


def stray(where: str) -> str:
    return (
        f"{{host}} has an AAAA record with the value {where}, which is not an address on the public Internet, while "
        "its A record is right. CAs try IPv6 first: delete the AAAA record."
    )


def answers(words: str) -> str:
    return f"{LISTENER}, to which {{host}} points, {words} when asked for the CA's challenge. {_LET}"


CASES = {
    "no such name": Case(
        "DNSNotFound", f"{{host}} has no address in the DNS. {_SET}", odd(failing(dns.rcode.NXDOMAIN)), False
    ),
    "no records": Case("DNSNotFound", f"{{host}} has no address in the DNS. {_SET}", odd(answered()), False),
    "broken zone": Case(
        "DNSNotFound",
        "The DNS servers of {host} fail when they are asked for it. Have the DNS provider check the zone and its "
        "DNSSEC.",
        lambda outside, host: outside.tell("set-servfail", host),
        False,
    ),
    "elsewhere": Case("DNSWrongTarget", elsewhere(ELSEWHERE), pointing(ELSEWHERE), False),
    "stray AAAA": Case("DNSStrayAAAA", stray(ELSEWHERE_6), pointing(ELSEWHERE_6), False),
    "CAA": Case(
        "CAAForbids",
        "The CAA records of {host} let only other.example issue for {host}, not pebble.letsencrypt.org. Add the record "
        '{host} CAA 0 issue "pebble.letsencrypt.org".',
        caa(("issue", "other.example")),
    ),
    "closed port": Case(
        "ChallengeUnreachable",
        f"{CLOSED}, to which {{host}} points, refuses connections at port 80. {_OPEN}",
        pointing(CLOSED),
    ),
    "hanging port": Case(
        "ChallengeUnreachable",
        f"{HANGING}, to which {{host}} points, accepts connections at port 80, but does not answer in time. {_OPEN}",
        pointing(HANGING),
    ),
    "login page": Case("ChallengeBlocked", answers("answers with a page of its own"), site(reply(200, PAGE))),
    "forbidden": Case("ChallengeBlocked", answers("answers with status 403"), site(reply(403))),
    "circle": Case("ChallengeBlocked", answers("redirects without end"), site(redirect_to_itself)),
    "CDN": Case(
        "CDNInterferes",
        "Cloudflare stands before {host} and answers with status 403 when asked for the CA's challenge. Let it pass "
        f"requests for {_PATH} on to {INGRESS}, {LISTENER}, {CLOSED} and {HANGING} unchanged, or switch its proxy off "
        "for this name.",
        site(reply(403, Server="cloudflare")),
    ),
    "metadata service": Case("DNSWrongTarget", elsewhere("169.254.169.254"), pointing("169.254.169.254"), False),
    "private": Case("DNSWrongTarget", elsewhere("10.0.0.1"), pointing("10.0.0.1"), False),
    "loopback": Case("DNSWrongTarget", elsewhere(INSIDE), pointing(INSIDE), False),
    "loopback 6": Case("DNSStrayAAAA", stray("::1"), pointing("::1"), False),
    "redirect inside": Case(
        "ChallengeBlocked", answers(f"redirects to {INNER}, which has no public address"), to_inner(f"http://{INNER}/")
    ),
    "redirect to an address": Case(
        "ChallengeBlocked",
        answers("redirects to something other than a hostname, which CAs do not follow"),
        to_inner(f"http://{INSIDE}/"),
    ),
    "redirect to a port": Case(
        "ChallengeBlocked",
        answers(f"redirects to {INNER} at a port other than 80 and 443, which CAs do not follow"),
        to_inner(f"http://{INNER}:{{port}}/"),
    ),
}
#: Those whose owners do not wait for the next attempt.
IMPATIENT = ("broken zone", "elsewhere", "CAA", "closed port", "circle", "CDN")


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    made = World(Local(cluster))
    yield made
    made.close()


@pytest.fixture(scope="module")
def outside(cluster: Cluster) -> Iterator[Outside]:
    made = Outside(cluster)
    try:
        cluster.up(patch=made.patch())
        yield made
        cluster.up()
    finally:
        made.close()


class Spoilt:
    """A Domain for each case, and what their statuses said once they said something."""

    def __init__(self, world: World, outside: Outside) -> None:
        self.orders_before = world.orders()
        namespace = world.shop()
        world.app(namespace, automatic=True)
        self.domains: dict[str, Domain] = {}
        for number, (name, case) in enumerate(CASES.items()):
            host = world.hostname()
            case.spoil(outside, host)
            self.domains[name] = world.domain(namespace, f"d{number}", hostname=host)
        limit = time.monotonic() + TOLD
        self.told: dict[str, Status] = {}
        for name, one in self.domains.items():
            left = max(limit - time.monotonic(), 1.0)
            self.told[name] = world.wait_state(one, "Failing", CASES[name].reason, left)
        self.orders_after = world.orders()
        self.inside = outside.reached_inside()


@pytest.fixture(scope="module")
def spoilt(world: World, outside: Outside) -> Spoilt:
    return Spoilt(world, outside)


@pytest.mark.parametrize("name", CASES)
def test_the_owner_is_told_what_to_set(spoilt: Spoilt, name: str) -> None:
    case, told = CASES[name], spoilt.told[name]
    message = case.message.format(host=spoilt.domains[name].hostname)
    assert (told["state"], told["reason"], told["message"]) == ("Failing", case.reason, message)
    assert told["attempts"]["nextAttempt"]
    assert condition(told, "Ready") == "False"
    assert "order" not in told
    if case.reason.startswith("DNS"):
        assert condition(told, "DNSVerified") == "False"
        assert condition(told, "DNSVerified", field="reason") == case.reason
        assert condition(told, "DNSVerified", field="message") == message
    else:
        assert condition(told, "DNSVerified") == "True"
    assert told["dns"]["verified"] is case.is_pointed_here


def test_no_ca_was_asked(spoilt: Spoilt) -> None:
    assert spoilt.orders_after == spoilt.orders_before


def test_nobody_was_led_inside(spoilt: Spoilt) -> None:
    assert spoilt.inside == []


def test_what_is_mended_is_issued(world: World, outside: Outside, spoilt: Spoilt) -> None:
    patient = [one for name, one in spoilt.domains.items() if name not in IMPATIENT]
    impatient = [spoilt.domains[name] for name in IMPATIENT]
    for one in spoilt.domains.values():
        outside.right(one.hostname)
    started = time.monotonic()
    for one in impatient:
        world.annotate("domain", one.namespace, one.name, "certward.dev/refresh=now")
    world.wait_issued(*impatient, timeout=MENDED)
    print(f"\nrefreshed ones issued {time.monotonic() - started:.1f} s after they were mended")
    world.wait_issued(*patient, timeout=MENDED)
    print(f"others issued {time.monotonic() - started:.1f} s after they were mended")
    for one in spoilt.domains.values():
        status = world.status(one)
        assert condition(status, "DNSVerified") == "True"
        assert status["dns"]["verified"] is True


def test_a_site_that_passes_the_challenge_on_is_right(world: World, outside: Outside) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True)
    host = world.hostname()
    outside.point(host, LISTENER)
    www = world.domain(namespace, hostname=host)
    assert world.wait_issued(www, timeout=MENDED)["dns"]["verified"] is True
    assert any(asked == host for _, asked, _ in outside.web.hits)


def test_mode_warn_lets_the_ca_decide(cluster: Cluster, world: World, outside: Outside) -> None:
    cluster.up(patch=outside.patch("warn"))
    namespace = world.shop()
    world.app(namespace, automatic=True)
    host = world.hostname()
    outside.zone.odd[host] = answered(("A", ELSEWHERE))

    www = world.domain(namespace, hostname=host)

    status = world.wait_issued(www, timeout=MENDED)
    assert condition(status, "DNSVerified") == "Unknown"
    assert condition(status, "DNSVerified", field="reason") == "Doubtful"
    assert condition(status, "DNSVerified", field="message") == elsewhere(ELSEWHERE).format(host=host)
    assert status["dns"]["verified"] is False


def test_mode_off_asks_nobody(cluster: Cluster, world: World, outside: Outside) -> None:
    cluster.up(patch=outside.patch("off"))
    namespace = world.shop()
    world.app(namespace, automatic=True)
    host = world.hostname()
    outside.zone.odd[host] = failing(dns.rcode.NXDOMAIN)

    www = world.domain(namespace, hostname=host)

    status = world.wait_issued(www, timeout=MENDED)
    assert outside.asked_for(host) == []
    assert condition(status, "DNSVerified", field="reason") == "Validated"
