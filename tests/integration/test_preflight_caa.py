"""The preflight against real DNS servers: CAA records."""

from contextlib import closing

import dns.rcode
import dns.rdatatype
import pytest

from integration.dns_world import failing, silent
from integration.preflight_world import HERE, NAME, TARGET, World, assert_blocked
from integration.web_world import right


@pytest.fixture
def world(tmp_path):
    with closing(World(tmp_path)) as world:
        yield world


@pytest.fixture
def served(world):
    world.point(NAME, HERE)
    world.web.serve(HERE, right)
    return world


@pytest.mark.parametrize(
    ("at", "record", "message"),
    [
        (
            "example.com",
            '0 issue "other.example"',
            (
                "The CAA records of example.com let only other.example issue for www.example.com, not ca.example. "
                'Add the record example.com CAA 0 issue "ca.example".'
            ),
        ),
        (
            NAME,
            '0 issue ";"',
            (
                "The CAA records of www.example.com let no CA issue for www.example.com. "
                'Add the record www.example.com CAA 0 issue "ca.example".'
            ),
        ),
        (
            "com",
            '128 tbs "x"',
            (
                "The CAA records of com have the property tbs marked as critical, which CAs do not know, so none may "
                "issue for www.example.com. Delete that record."
            ),
        ),
        (
            "example.com",
            '0 issue "ca.example; accounturi=https://ca.example/2"',
            (
                "The CAA records of example.com let ca.example issue for www.example.com for another ACME account "
                'only. Add the record example.com CAA 0 issue "ca.example", or name this platform\'s account in '
                "accounturi."
            ),
        ),
        (
            "example.com",
            '0 issue "ca.example; validationmethods=dns-01"',
            (
                "The CAA records of example.com do not let ca.example issue for www.example.com by http-01. "
                "Add http-01 to validationmethods, or delete that parameter."
            ),
        ),
        (
            "example.com",
            '0 issue "ca.example accounturi"',
            (
                "The CAA records of example.com have a value for issue that cannot be read, which lets no CA issue. "
                'Set the record example.com CAA 0 issue "ca.example".'
            ),
        ),
    ],
    ids=["another CA", "none", "critical", "account", "method", "malformed"],
)
def test_caa_forbids(served, at, record, message):
    served.point(at, record, kind="CAA")
    assert_blocked(served.run(), "CAAForbids", message)
    assert not served.web.hits


def test_caa_nearest_to_the_name_decides(served):
    served.point("example.com", '0 issue "other.example"', kind="CAA")
    served.point(NAME, '0 issue "ca.example"', kind="CAA")
    assert served.run().verdict == "passed"
    assert not served.zone.asked_for("example.com", "CAA")


def test_caa_is_found_through_an_alias_and_then_above_the_name_itself(world):
    world.point(NAME, "edge.example.net.", kind="CNAME")
    world.point(TARGET, HERE)
    world.point("example.net", '0 issue "other.example"', kind="CAA")
    world.web.serve(HERE, right)
    assert world.run(target=(TARGET,)).verdict == "passed"  # nothing above an alias counts (RFC 8659, 3)
    world.resolver = world.resolver_of(world.zone)
    world.point(TARGET, '0 issue "other.example"', kind="CAA")
    outcome = world.run(target=(TARGET,))
    assert outcome.reason == "CAAForbids"
    assert outcome.message.startswith("The CAA records of edge.example.net let only other.example")


def test_caa_that_cannot_be_looked_up(served):
    served.zone.odd["example.com"] = failing(dns.rcode.SERVFAIL)
    assert_blocked(
        served.run(),
        "CAAForbids",
        "The DNS servers of example.com fail when they are asked for CAA records, so no CA may issue for "
        "www.example.com. Have the DNS provider check the zone and its DNSSEC.",
    )


def test_a_silent_resolver_says_nothing_about_caa(served):
    served.zone.odd["com"] = silent
    assert served.run().verdict == "warning"


def test_a_ca_that_has_no_name_for_caa_is_not_asked_about(served):
    served.point("example.com", '0 issue ";"', kind="CAA")
    assert served.run(issuers=()).verdict == "passed"


def test_with_dns01_only_caa_counts(world):
    outcome = world.run("*.example.com", method="dns-01", target=(TARGET,))
    assert (outcome.verdict, outcome.facts.verified) == ("passed", False)
    world.point("example.com", '0 issue "ca.example"', '0 issuewild ";"', kind="CAA")
    world.resolver = world.resolver_of(world.zone)
    assert_blocked(
        world.run("*.example.com", method="dns-01"),
        "CAAForbids",
        "The CAA records of example.com let no CA issue for *.example.com. "
        'Add the record example.com CAA 0 issuewild "ca.example".',
    )
    assert world.run("shop.example.com", method="dns-01").verdict == "passed"


def test_with_dns01_the_name_of_a_wildcard_is_asked_for(world):
    world.point("certward-probe.example.com", HERE)
    assert world.run("*.example.com", method="dns-01").facts.verified
    assert not world.web.connections
