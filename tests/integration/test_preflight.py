"""The preflight against real DNS and web servers on loopback: what the DNS says."""

import re
from contextlib import closing

import dns.rcode
import dns.rdatatype
import pytest

from certward.names import CHALLENGE_PATH
from certward.probe.preflight import Facts, Outcome
from integration.dns_world import Challtestsrv, failing, silent
from integration.preflight_world import ELSEWHERE, HERE, NAME, PAGE, TARGET, THIRD, World, assert_blocked
from integration.web_world import redirect, reply, right


@pytest.fixture
def world(tmp_path):
    with closing(World(tmp_path)) as world:
        yield world


def test_all_is_well(world):
    world.point(NAME, HERE)
    world.web.serve(HERE, right)
    outcome = world.run()
    assert outcome == Outcome(facts=Facts((HERE,), (), "A", (HERE,), is_at_target=True, is_answering=True))
    assert outcome.facts.verified
    ((_, host, path),) = world.web.hits
    assert host == NAME
    assert re.fullmatch(re.escape(CHALLENGE_PATH) + r"[A-Za-z0-9_-]{43}", path)


def test_off_asks_nobody(world):
    assert world.run(mode="off") == Outcome()
    assert not world.zone.asked


def test_a_name_that_does_not_exist(world):
    assert_blocked(
        world.run(),
        "DNSNotFound",
        "www.example.com has no address in the DNS. Set an A record with the value 127.0.0.1.",
    )


def test_a_name_without_addresses(world):
    world.point(NAME, "hello", kind="TXT")
    world.point(TARGET, HERE)
    assert_blocked(
        world.run(target=(TARGET,)),
        "DNSNotFound",
        "www.example.com has no address in the DNS. Set a CNAME record with the value edge.example.net.",
    )


def test_a_dangling_alias(world):
    world.point(NAME, "old.example.org.", kind="CNAME")
    outcome = world.run(target=())
    assert_blocked(
        outcome,
        "DNSNotFound",
        "www.example.com is an alias of old.example.org, which has no address in the DNS. "
        "Set the DNS record that leads to this platform.",
    )
    assert outcome.facts == Facts(aliases=("old.example.org",))


def test_aliases_in_a_circle(world):
    world.point(NAME, "b.example.com.", kind="CNAME")
    world.point("b.example.com", f"{NAME}.", kind="CNAME")
    assert_blocked(
        world.run(),
        "DNSNotFound",
        "The CNAME records of www.example.com lead in a circle. Set an A record with the value 127.0.0.1.",
    )


def test_a_zone_that_fails(world):
    world.zone.odd[NAME] = failing(dns.rcode.SERVFAIL)
    assert_blocked(
        world.run(),
        "DNSNotFound",
        "The DNS servers of www.example.com fail when they are asked for it. "
        "Have the DNS provider check the zone and its DNSSEC.",
    )


def test_our_own_resolvers_being_silent_blocks_nothing(world):
    world.zone.odd[NAME] = silent
    outcome = world.run()
    assert (outcome.verdict, outcome.reason) == ("warning", "")
    assert outcome.message == "www.example.com could not be looked up: no DNS resolver answered the operator."


def test_warn_lets_through_and_says_why(world):
    outcome = world.run(mode="warn")
    assert (outcome.verdict, outcome.reason) == ("warning", "DNSNotFound")
    assert outcome.message.startswith("www.example.com has no address in the DNS.")


def test_a_parking_page(world):
    world.point(NAME, ELSEWHERE)
    world.point(TARGET, HERE)
    world.web.serve(ELSEWHERE, reply(200, PAGE, Content_Type="text/html"))
    outcome = world.run(target=(TARGET,))
    assert_blocked(
        outcome,
        "DNSWrongTarget",
        "www.example.com points to 127.0.0.2, but it has to point to edge.example.net. "
        "Set a CNAME record with the value edge.example.net.",
    )
    assert outcome.facts == Facts((ELSEWHERE,), (), "CNAME", (TARGET,), is_at_target=False)
    assert not outcome.facts.verified


def test_a_wrong_alias_is_named_and_not_its_addresses(world):
    world.point(NAME, "parking.example.org.", kind="CNAME")
    world.point("parking.example.org", ELSEWHERE)
    world.web.serve(ELSEWHERE, redirect("https://parking.example.org/"))
    assert_blocked(
        world.run(),
        "DNSWrongTarget",
        "www.example.com points to parking.example.org, but it has to point to 127.0.0.1. "
        "Set an A record with the value 127.0.0.1.",
    )


def test_at_the_apex_of_a_zone_no_cname_is_asked_for(world):
    world.point("example.com", ELSEWHERE)
    world.point("example.com", "ns.example.com.", kind="NS")
    world.point(TARGET, HERE)
    world.point(TARGET, "::1", kind="AAAA")
    outcome = world.run("example.com", target=(TARGET,))
    assert_blocked(
        outcome,
        "DNSWrongTarget",
        "example.com points to 127.0.0.2, but it has to point to edge.example.net. "
        "Set an ALIAS or ANAME record with the value edge.example.net; where the DNS provider has none, "
        "an A record with the value 127.0.0.1 and an AAAA record with the value ::1.",
    )
    assert outcome.facts.record_type == "ALIAS"


def test_one_address_of_several_leads_elsewhere(world):
    world.point(NAME, HERE, ELSEWHERE)
    world.web.serve(HERE, right)
    world.web.serve(ELSEWHERE, reply(404))
    assert_blocked(
        world.run(),
        "DNSWrongTarget",
        "www.example.com points to 127.0.0.2, but it has to point only to 127.0.0.1. "
        "Set an A record with the value 127.0.0.1.",
    )


def test_elsewhere_and_out_of_reach_is_still_elsewhere(world):
    world.point(NAME, "255.255.255.255")
    outcome = world.run()
    assert (outcome.verdict, outcome.reason) == ("blocked", "DNSWrongTarget")


def test_a_private_address_is_told_and_not_asked(world):
    world.point(NAME, THIRD)
    world.web.serve(THIRD, right)
    assert world.run().reason == "DNSWrongTarget"
    unknown = world.run(target=())
    assert (unknown.verdict, unknown.reason) == ("warning", "")
    assert unknown.message.startswith("127.0.0.3, to which www.example.com points, is not an address on the public")
    assert not world.web.connections


@pytest.mark.parametrize(
    ("records", "target"),
    [
        ({NAME: ("CNAME", f"{TARGET}."), TARGET: ("A", HERE)}, (TARGET,)),
        ({NAME: ("CNAME", "b.test."), "b.test": ("CNAME", f"{TARGET}."), TARGET: ("A", HERE)}, (TARGET,)),
        ({NAME: ("CNAME", "lb.test."), TARGET: ("CNAME", "lb.test."), "lb.test": ("A", HERE)}, (TARGET,)),
        ({NAME: ("A", HERE), TARGET: ("A", HERE, ELSEWHERE)}, (TARGET,)),
        ({NAME: ("A", HERE)}, (ELSEWHERE, HERE)),
        ({TARGET: ("A", HERE), NAME: ("CNAME", "EDGE.Example.NET.")}, ("Edge.example.net",)),
    ],
    ids=["alias", "alias of an alias", "to where the target leads", "some of its addresses", "addresses", "case"],
)
def test_what_counts_as_pointing_here(world, records, target):
    for name, (kind, *values) in records.items():
        world.point(name, *values, kind=kind)
    world.web.serve(HERE, reply(503))
    outcome = world.run(target=target)
    assert (outcome.reason, outcome.facts.is_at_target) == ("ChallengeBlocked", True)


def test_a_target_that_cannot_be_looked_up_leaves_it_to_the_answer(world):
    world.point(NAME, ELSEWHERE)
    world.zone.odd[TARGET] = failing(dns.rcode.SERVFAIL)
    world.web.serve(ELSEWHERE, right)
    outcome = world.run(target=(TARGET,))
    assert (outcome.verdict, outcome.facts.is_at_target, outcome.facts.verified) == ("passed", None, True)


def test_the_right_answer_settles_it_whatever_the_dns_looks_like(world):
    world.point(NAME, ELSEWHERE)
    world.web.serve(ELSEWHERE, lambda *asked: right(*asked).replace(b"Connection", b"Server: cloudflare\r\nConnection"))
    outcome = world.run()
    assert (outcome.verdict, outcome.facts.is_at_target, outcome.facts.verified) == ("passed", False, True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404), "answers with status 404"),
        (reply(200, PAGE), "answers with a page of its own"),
        (None, "refuses connections at port 80"),
    ],
    ids=["404", "page", "closed"],
)
def test_a_stray_aaaa_record(world, answer, words):
    world.point(NAME, HERE)
    world.point(NAME, "::1", kind="AAAA")
    world.web.serve(HERE, right)
    if answer:
        world.web.serve("::1", answer)
    outcome = world.run()
    assert_blocked(
        outcome,
        "DNSStrayAAAA",
        f"www.example.com has an AAAA record with the value ::1, which {words}, while its A record is right. "
        "CAs try IPv6 first: delete the AAAA record.",
    )
    assert not outcome.facts.is_answering
    assert world.run(target=()).reason == "DNSStrayAAAA"


def test_a_stray_aaaa_record_out_of_reach_is_told_by_the_dns(world):
    world.point(NAME, HERE)
    world.point(NAME, "ff02::1", kind="AAAA")
    world.web.serve(HERE, right)
    assert_blocked(
        world.run(target=(HERE, "::1")),
        "DNSStrayAAAA",
        "www.example.com has an AAAA record with the value ff02::1, which leads elsewhere, while its A record is "
        "right. CAs try IPv6 first: delete the AAAA record, or set it to ::1.",
    )
    # Where the target is not known, nothing speaks against an address that the cluster has no way to.
    assert world.run(target=()).verdict == "passed"


@pytest.mark.parametrize("address", ["fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:2", "2002:7f00:1::1"])
def test_a_stray_aaaa_record_that_no_ca_can_reach(world, address):
    world.point(NAME, HERE)
    world.point(NAME, address, kind="AAAA")
    world.web.serve(HERE, right)
    outcome = world.run(target=())
    assert (outcome.verdict, outcome.reason) == ("blocked", "DNSStrayAAAA")
    assert "which is not an address on the public Internet, while" in outcome.message


def test_an_aaaa_record_in_doubt_is_a_warning(world):
    world.point(NAME, HERE)
    world.point(NAME, "::1", kind="AAAA")
    world.web.serve(HERE, right)
    world.web.serve_nobody("::1")
    outcome = world.run(target=())
    assert (outcome.verdict, outcome.reason) == ("warning", "")
    assert outcome.message == (
        "www.example.com has an AAAA record with the value ::1, which cannot be reached from the cluster, while its A "
        "record is right. CAs try IPv6 first: delete the AAAA record if nothing answers there."
    )


def test_an_aaaa_record_that_dns64_made_is_none(world):
    world.point(NAME, HERE)
    world.point(NAME, "64:ff9b::127.0.0.1", kind="AAAA")
    world.web.serve(HERE, right)
    assert world.run().facts.addresses == (HERE,)


def test_an_aaaa_record_of_the_target_is_none_astray(world):
    world.point(NAME, HERE)
    world.point(NAME, "::1", kind="AAAA")
    world.web.serve(HERE, right)
    world.web.serve("::1", right)
    assert world.run(target=(HERE, "::1")).verdict == "passed"


def test_ipv6_only(world):
    world.point(NAME, "::1", kind="AAAA")
    world.web.serve("::1", right)
    outcome = world.run(target=("::1",))
    assert (outcome.verdict, outcome.facts.record_type) == ("passed", "AAAA")


def test_with_challtestsrv(world, tmp_path):
    with closing(Challtestsrv(tmp_path)) as server:
        world.resolver = world.resolver_of(server)
        world.web.serve(HERE, right)
        assert world.run("plain.example.com").verdict == "passed"
        server.tell("set-cname", "alias.example.com", target=TARGET)
        assert world.run("alias.example.com", target=(TARGET,)).facts.aliases == (TARGET,)
        server.tell("set-servfail", "broken.example.com")
        assert world.run("broken.example.com").reason == "DNSNotFound"
        server.tell("add-caa", "example.org", policies=[{"tag": "issue", "value": "other.example"}])
        assert world.run("www.example.org").reason == "CAAForbids"
        server.tell("add-a", "far.example.com", addresses=[ELSEWHERE])
        assert world.run("far.example.com").reason == "DNSWrongTarget"
        server.tell("add-aaaa", "stray.example.com", addresses=["::1"])
        assert world.run("stray.example.com").reason == "DNSStrayAAAA"
