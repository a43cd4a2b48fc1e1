"""The preflight against real servers: what a stranger may not make the operator do."""

from contextlib import closing, suppress
from ipaddress import ip_address

import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certward.probe.caa import CAAPolicy
from certward.probe.fetch import Fetcher, Ports
from certward.probe.preflight import Preflight, preflight
from certward.probe.public import network
from certward.probe.resolver import Resolver
from integration.preflight_world import ELSEWHERE, HERE, NAME, THIRD, World
from integration.web_world import THUMBPRINT, redirect, right


@pytest.fixture
def world(tmp_path):
    with closing(World(tmp_path)) as world:
        yield world


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.3/",
        "http://[::1]/",
        "http://inner.test/",
        "https://inner.test/",
        "http://mixed.test/",
        "http://inner.test:8080/",
        "http://user:word@inner.test/",
        "//inner.test/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_inwards_is_refused_without_a_connection(world, location):
    world.point(NAME, ELSEWHERE)
    world.point("inner.test", THIRD)
    world.point("mixed.test", "169.254.169.254", "10.0.0.1")
    world.point("mixed.test", "::ffff:127.0.0.3", kind="AAAA")
    world.allowed = [network(ELSEWHERE)]
    world.web.serve(ELSEWHERE, redirect(location))
    for address in (THIRD, "::1"):
        world.web.serve(address, right)
        world.tls.serve(address, right)
    outcome = world.run(target=())
    assert (outcome.verdict, outcome.reason) == ("blocked", "ChallengeBlocked")
    assert world.web.connections == [ELSEWHERE]
    assert not world.tls.connections


def test_the_ports_of_the_exceptions_hold_for_nobody_else(world):
    world.allowed = []
    fetcher = Fetcher(world.resolver, ports=Ports(world.web.port, world.tls.port))
    asked = [fetcher._port(ip_address("198.41.0.4"), port, [network(HERE)]) for port in (80, 443)]
    assert asked == [80, 443]
    assert fetcher._port(ip_address(HERE), 80, [network(HERE)]) == world.web.port


def test_an_address_is_not_resolved_again(world):
    """A name that changes its address between the check and the connection gains nothing by it."""
    world.allowed = [network(ELSEWHERE)]
    answers = iter([ELSEWHERE, THIRD, THIRD, THIRD])

    def rebinding(query, _is_tcp):
        if query.question[0].rdtype == dns.rdatatype.A:
            world.zone.set("rebind.test", "A", next(answers))
        return world.zone.reply(query, "rebind.test", dns.rdatatype.to_text(query.question[0].rdtype)).to_wire()

    world.zone.odd["rebind.test"] = rebinding
    for address in (ELSEWHERE, THIRD):
        world.web.serve(address, right)
    assert world.run("rebind.test", target=()).verdict == "passed"
    assert world.web.connections == [ELSEWHERE]


def test_all_looks_together_have_an_end(world):
    """A chain of slow redirects is given up."""

    def slow(connection, host, path):
        connection.settimeout(0.3)
        with suppress(TimeoutError):
            connection.recv(1)
        return redirect(f"{path}~")(connection, host, path)

    world.point(NAME, HERE)
    world.web.serve(HERE, slow)
    fetcher = Fetcher(world.resolver, ports=Ports(world.web.port), hop_seconds=1, total_seconds=1)
    question = Preflight(CAAPolicy((), "", "http-01", is_wildcard=False), (HERE,), THUMBPRINT)
    outcome = preflight(NAME, question, fetcher)
    assert outcome.reason == "ChallengeBlocked"
    assert len(world.web.hits) <= 4


HEADS = st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 X\r\nLocation: ", b"HTTP/1.1 200 OK\r\nserver:"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADS, st.binary(max_size=200))
def test_whatever_a_web_server_sends_there_is_an_outcome(shared, head, rest):
    shared.answer = head + rest
    assert shared.run(target=()).reason in ("ChallengeBlocked", "ChallengeUnreachable", "CDNInterferes")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(2, 200), st.binary(min_size=1, max_size=20))
def test_whatever_a_dns_server_sends_there_is_an_outcome(shared, at, damage):
    def damaged(query, _is_tcp):
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        wire = shared.zone.reply(query, NAME, kind).to_wire()
        return wire[:at] + damage + wire[at + len(damage) :]

    shared.answer = b""
    shared.zone.odd[NAME] = damaged
    shared.resolver = Resolver([shared.zone.server], timeout=0.02, lifetime=0.03, per_second=10_000)
    try:
        shared.run(target=())
    finally:
        shared.zone.odd.clear()
        shared.resolver = shared.resolver_of(shared.zone)


@pytest.fixture
def shared(world):
    """A world for many examples: one web server, whose answer each sets."""
    world.point(NAME, HERE)
    world.point(NAME, '0 issue "ca.example"', kind="CAA")
    world.answer = b""
    world.web.serve(HERE, lambda *_: world.answer)
    return world
