"""DNS lookups against real servers: Pebble's, and one that misbehaves as told."""

from contextlib import closing
from ipaddress import IPv4Address, IPv6Address

import dns.rcode
import pytest

from certward.probe.caa import CAARecord
from certward.probe.resolver import Broken, Found, NotFound, Resolver, Unanswered, system_servers
from integration.dns_world import Challtestsrv, Zone, failing, foreign, garbage, silent, truncated
from integration.pebble_world import free_ports


@pytest.fixture(scope="module")
def challtestsrv(tmp_path_factory):
    with closing(Challtestsrv(tmp_path_factory.mktemp("dns"))) as server:
        yield server


@pytest.fixture
def zone():
    with closing(Zone()) as server:
        yield server


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def resolver_of(*servers, **options):
    return Resolver([each.server for each in servers], **({"timeout": 0.3, "lifetime": 2.0} | options))


def ipv4(*texts):
    return tuple(IPv4Address(text) for text in texts)


def test_challtestsrv_addresses(challtestsrv):
    challtestsrv.tell("add-a", "a.example.com", addresses=["192.0.2.2", "192.0.2.1"])
    challtestsrv.tell("add-aaaa", "a.example.com", addresses=["2001:db8::1"])
    resolver = resolver_of(challtestsrv)
    assert resolver.ipv4("a.example.com") == Found(ipv4("192.0.2.1", "192.0.2.2"))
    assert resolver.ipv6("a.example.com") == Found((IPv6Address("2001:db8::1"),))
    assert resolver.ipv6("b.example.com") == Found(())


def test_challtestsrv_alias(challtestsrv):
    challtestsrv.tell("set-cname", "www.example.com", target="edge.example.net")
    challtestsrv.tell("add-a", "edge.example.net", addresses=["192.0.2.9"])
    assert resolver_of(challtestsrv).ipv4("www.example.com") == Found(ipv4("192.0.2.9"), ("edge.example.net",))


def test_an_alias_that_the_server_does_not_follow_is_followed(challtestsrv):
    # challtestsrv goes one step only.
    challtestsrv.tell("set-cname", "one.example.com", target="two.example.com")
    challtestsrv.tell("set-cname", "two.example.com", target="three.example.com")
    challtestsrv.tell("add-caa", "three.example.com", policies=[{"tag": "issue", "value": "ca.example"}])
    found = resolver_of(challtestsrv).caa("one.example.com")
    assert found == Found((CAARecord(0, "issue", "ca.example"),), ("two.example.com", "three.example.com"))


def test_challtestsrv_failure(challtestsrv):
    challtestsrv.tell("set-servfail", "broken.example.com")
    assert resolver_of(challtestsrv).ipv4("broken.example.com") == Broken()


def test_a_type_that_a_server_does_not_have_is_no_answer(challtestsrv):
    assert not resolver_of(challtestsrv).is_apex("example.com")


def test_what_does_not_exist(zone):
    zone.set("empty.test", "TXT", "x")
    zone.set("dangling.test", "CNAME", "gone.test.")
    resolver = resolver_of(zone)
    assert resolver.ipv4("gone.test") == NotFound()
    assert resolver.ipv4("dangling.test") == NotFound(("gone.test",))
    assert resolver.ipv4("empty.test") == Found(())


def test_critical_flags_and_long_values_come_through(zone):
    zone.set("caa.test", "CAA", '128 tbs "unknown"', '0 issue "ca.example; accounturi=https://ca.example/1"')
    assert set(resolver_of(zone).caa("caa.test").records) == {
        CAARecord(128, "tbs", "unknown"),
        CAARecord(0, "issue", "ca.example; accounturi=https://ca.example/1"),
    }


def test_an_apex_is_told(zone):
    zone.set("apex.test", "NS", "ns1.test.", "ns2.test.")
    zone.set("www.apex.test", "CNAME", "apex.test.")
    resolver = resolver_of(zone)
    assert resolver.is_apex("apex.test")
    assert not resolver.is_apex("www.apex.test")
    assert not resolver.is_apex("none.test")


@pytest.mark.parametrize("length", [1, 2, 5])
def test_aliases_in_a_circle(zone, length):
    for number in range(length):
        zone.set(f"{number}.test", "CNAME", f"{(number + 1) % length}.test.")
    assert resolver_of(zone).ipv4("0.test") == Broken(is_loop=True)


def test_aliases_without_end(zone):
    for number in range(40):
        zone.set(f"{number}.test", "CNAME", f"{number + 1}.test.")
    assert resolver_of(zone).ipv4("0.test") == Broken(is_loop=True)


def test_a_truncated_answer_is_asked_for_by_tcp(zone):
    addresses = [f"10.0.{number}.1" for number in range(100)]
    zone.set("many.test", "A", *addresses)
    zone.odd["many.test"] = truncated(zone)
    assert set(resolver_of(zone).ipv4("many.test").records) == set(ipv4(*addresses))


@pytest.mark.parametrize("odd", [silent, garbage, foreign, failing(dns.rcode.REFUSED), failing(dns.rcode.NOTIMP)])
def test_what_is_no_answer(zone, odd):
    zone.set("odd.test", "A", "192.0.2.1")
    zone.odd["odd.test"] = odd
    assert resolver_of(zone).ipv4("odd.test") == Unanswered()


def test_a_server_from_before_edns(zone):
    zone.set("old.test", "A", "192.0.2.1")
    refuse = failing(dns.rcode.FORMERR)
    zone.odd["old.test"] = lambda query, is_tcp: (
        refuse(query, is_tcp) if query.edns >= 0 else zone.reply(query, "old.test", "A").to_wire()
    )
    assert resolver_of(zone).ipv4("old.test") == Found(ipv4("192.0.2.1"))


def test_no_server_at_all():
    (port,) = free_ports(1)
    assert Resolver([("127.0.0.1", port)], timeout=0.2, lifetime=0.5).ipv4("a.test") == Unanswered()
    assert Resolver([("no-such-host.invalid.", 53)], timeout=0.2, lifetime=0.5).ipv4("a.test") == Unanswered()


@pytest.mark.parametrize("odd", [silent, failing(dns.rcode.SERVFAIL), failing(dns.rcode.REFUSED)])
def test_the_second_server_is_asked_when_the_first_fails(zone, odd):
    with closing(Zone()) as second:
        second.set("a.test", "A", "192.0.2.1")
        zone.odd["a.test"] = odd
        assert resolver_of(zone, second).ipv4("a.test") == Found(ipv4("192.0.2.1"))


def test_a_failing_zone_outweighs_a_silent_server(zone):
    with closing(Zone()) as second:
        zone.odd["a.test"] = failing(dns.rcode.SERVFAIL)
        second.odd["a.test"] = silent
        assert resolver_of(zone, second).ipv4("a.test") == Broken()


def test_one_server_may_say_that_there_is_nothing(zone):
    with closing(Zone()) as second:
        second.set("a.test", "A", "192.0.2.1")
        assert resolver_of(zone, second).ipv4("a.test") == NotFound()
        assert not second.asked


@pytest.mark.parametrize(
    ("ttl", "believed"), [(0, 1), (1, 1), (30, 30), (60, 60), (86400, 60)], ids=["none", "least", "mid", "most", "day"]
)
def test_answers_are_kept_for_their_ttl_within_bounds(zone, ttl, believed):
    clock = Clock()
    zone.set("a.test", "A", "192.0.2.1", ttl=ttl)
    resolver = resolver_of(zone, clock=clock)
    resolver.ipv4("a.test")
    clock.now += believed - 0.1
    resolver.ipv4("A.test.")
    assert zone.asked_for("a.test", "A") == 1
    clock.now += 0.2
    resolver.ipv4("a.test")
    assert zone.asked_for("a.test", "A") == 2


def test_what_is_not_there_is_kept_too(zone):
    clock = Clock()
    resolver = resolver_of(zone, clock=clock)
    assert resolver.ipv4("gone.test") == resolver.ipv4("gone.test") == NotFound()
    assert zone.asked_for("gone.test", "A") == 1  # the SOA's minimum is 1 s
    zone.set("gone.test", "A", "192.0.2.1")
    clock.now += 1.1
    assert resolver.ipv4("gone.test") == Found(ipv4("192.0.2.1"))


def test_answers_whose_time_is_over_do_not_pile_up(zone, monkeypatch):
    monkeypatch.setattr("certward.probe.resolver._SWEPT_AT", 8)
    clock = Clock()
    resolver = resolver_of(zone, per_second=10_000, clock=clock)
    for number in range(60):
        resolver.ipv4(f"{number}.test")
        clock.now += 0.25  # four a second, each for a second
        assert len(resolver._cache) <= 10


def test_the_cache_does_not_grow_without_end(zone, monkeypatch):
    monkeypatch.setattr("certward.probe.resolver._CACHE_MAX", 5)
    resolver = resolver_of(zone, per_second=10_000, clock=Clock())
    for number in range(12):
        resolver.ipv4(f"{number}.test")
    assert len(resolver._cache) == 5
    resolver.ipv4("11.test")
    assert zone.asked_for("11.test", "A") == 1


def test_questions_are_paced(zone):
    clock = Clock()
    resolver = resolver_of(zone, per_second=1000, clock=clock)
    for number in range(25):
        resolver.ipv4(f"{number}.test")
    # Each takes a millisecond of what may be sent; the clock stands still, so those beyond the first 20 had to wait.
    assert resolver._due - clock.now == pytest.approx(0.025)


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", "y." * 130 + "test"])
def test_a_name_that_is_none_is_not_asked_for(zone, name):
    assert resolver_of(zone, lifetime=0.3).ipv4(name) == Unanswered()
    assert not zone.asked


def test_the_system_s_resolvers(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# nameserver 9.9.9.9\nsearch a.example\nnameserver 10.96.0.10\n nameserver fd00::a # x\nnameserver\n"
    )
    assert system_servers(file) == (("10.96.0.10", 53), ("fd00::a", 53))
    assert system_servers(tmp_path / "none") == (("127.0.0.1", 53),)


def test_what_is_forgotten_is_asked_for_anew(zone):
    resolver = resolver_of(zone, clock=Clock())
    assert resolver.ipv4("late.test") == NotFound()
    zone.set("late.test", "A", "192.0.2.1")
    assert resolver.ipv4("late.test") == NotFound()
    resolver.forget(["Late.test."], ["CAA"])
    assert resolver.ipv4("late.test") == NotFound()
    resolver.forget(["Late.test."])
    assert resolver.ipv4("late.test") == Found(ipv4("192.0.2.1"))
