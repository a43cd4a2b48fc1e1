"""Which challenge a hostname gets, and what its owner is told where there is none."""

import pytest

from builders import NOW, app, domain, observed
from certward.plan import challenges
from certward.plan.challenges import Ways
from certward.plan.domain import DELEGATION_RECHECK, decide
from certward.plan.observed import Step

ZONE = "acme.example.net"
WILD, HOST = "*.example.com", "www.example.com"
BLOCKED = "Port 80 is closed."
RECORD = ("_validation-persist.example.com", "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard")

CHOICES = {
    "a host": (HOST, Ways(), "http-01"),
    "a host, whatever else there is": (HOST, Ways(ZONE, is_persist_on=True), "http-01"),
    "a host that HTTP-01 cannot reach": (HOST, Ways(http_problem=BLOCKED), "http-01"),
    "a host that HTTP-01 cannot reach, in the zone": (
        f"www.{ZONE}",
        Ways(ZONE, txt_name=f"_acme-challenge.www.{ZONE}", http_problem=BLOCKED),
        "dns-01",
    ),
    "a host that HTTP-01 cannot reach, not looked up yet": (HOST, Ways(ZONE, http_problem=BLOCKED), "dns-01"),
    "a host that HTTP-01 cannot reach, delegated": (
        HOST,
        Ways(ZONE, txt_name=f"{HOST}.{ZONE}", http_problem=BLOCKED),
        "dns-01",
    ),
    "a host that HTTP-01 cannot reach, delegated to somebody else's name": (
        HOST,
        Ways(ZONE, txt_name=f"x.{ZONE}", http_problem=BLOCKED),
        "http-01",
    ),
    "a host that HTTP-01 cannot reach, elsewhere": (
        HOST,
        Ways(ZONE, txt_name=f"_acme-challenge.{HOST}", http_problem=BLOCKED),
        "http-01",
    ),
    "a host that HTTP-01 cannot reach, with a lasting record": (
        HOST,
        Ways(is_persist_on=True, http_problem=BLOCKED),
        "dns-persist-01",
    ),
    "a wildcard": (WILD, Ways(), None),
    "a wildcard, not looked up yet": (WILD, Ways(ZONE), "dns-01"),
    "a wildcard in the zone": (f"*.{ZONE}", Ways(ZONE, txt_name=f"_acme-challenge.{ZONE}"), "dns-01"),
    "a wildcard, delegated": (WILD, Ways(ZONE, txt_name=f"example.com.{ZONE}"), "dns-01"),
    "a wildcard, delegated to a name below its own": (
        WILD,
        Ways(ZONE, txt_name=f"_acme-challenge.example.com.{ZONE}"),
        "dns-01",
    ),
    "a wildcard, delegated to a name that its own is the end of": (
        WILD,
        Ways(ZONE, txt_name=f"x-example.com.{ZONE}"),
        None,
    ),
    "a wildcard, delegated to the zone itself": (WILD, Ways(ZONE, txt_name=ZONE), None),
    "a wildcard, delegated to somebody else's name": (WILD, Ways(ZONE, txt_name=f"www.example.net.{ZONE}"), None),
    "a wildcard in the zone, with a CNAME record there": (
        f"*.{ZONE}",
        Ways(ZONE, txt_name=f"records.{ZONE}"),
        "dns-01",
    ),
    "a wildcard, elsewhere": (WILD, Ways(ZONE, txt_name="_acme-challenge.example.com"), None),
    "a wildcard in a zone that only ends alike": (WILD, Ways("le.com", txt_name="_acme-challenge.example.com"), None),
    "a wildcard, elsewhere, with a lasting record": (
        WILD,
        Ways(ZONE, is_persist_on=True, txt_name="_acme-challenge.example.com"),
        "dns-persist-01",
    ),
    "a wildcard with a lasting record only": (WILD, Ways(is_persist_on=True), "dns-persist-01"),
}


@pytest.mark.parametrize(("hostname", "ways", "expected"), CHOICES.values(), ids=CHOICES)
def test_the_challenge(hostname, ways, expected):
    assert challenges.choose(hostname, ways) == expected
    assert bool(challenges.obstacle(hostname, ways)) == (expected is None)


def test_a_wildcard_that_is_not_delegated_says_what_its_owner_can_do():
    ways = Ways(ZONE, txt_name="_acme-challenge.example.com")
    plan = decide(observed(domain=domain(hostname=WILD), ways=ways), NOW)
    assert (plan.status["state"], plan.status["reason"]) == ("Failed", "WildcardNeedsDNS01")
    assert (
        "a CNAME record at _acme-challenge.example.com with the value example.com.acme.example.net"
        in (plan.status["message"])
    )
    assert (plan.step, plan.again_after) == (Step.NONE, DELEGATION_RECHECK)


def test_a_wildcard_goes_on_once_it_is_looked_at_again():
    plan = decide(observed(domain=domain(hostname=WILD, status={"state": "Failed"}), ways=Ways(ZONE)), NOW)
    assert plan.step is Step.PREFLIGHT
    assert plan.status["state"] == "InProgress"


def test_a_wildcard_needs_no_challenge_path():
    plan = decide(observed(domain=domain(hostname=WILD), ways=Ways(ZONE)), NOW)
    assert plan.routes is not None
    assert not plan.routes.challenge
    assert decide(observed(), NOW).routes.challenge


def test_the_record_to_set_stands_in_the_status():
    ways = Ways(is_persist_on=True, persist_record=RECORD)
    known = decide(observed(domain=domain(hostname=WILD), ways=ways), NOW).status["dns"]["validationRecord"]
    assert known == {"name": RECORD[0], "type": "TXT", "value": RECORD[1]}
    # After a restart it is kept until it is known again, and it goes when the way is closed.
    before = domain(hostname=WILD, status={"dns": {"validationRecord": known}})
    again = decide(observed(domain=before, ways=Ways(is_persist_on=True)), NOW)
    assert again.status["dns"]["validationRecord"] == known
    assert "dns" not in decide(observed(domain=before, app=app()), NOW).status
    assert 'set a TXT record at _validation-persist.example.com with the value "ca.example; ' in (
        challenges.persist_missing(WILD, ways)
    )


def test_a_wildcard_and_its_parent_share_the_names_of_their_records():
    assert (
        challenges.dns01_name("*.example.com")
        == challenges.dns01_name("example.com")
        == ("_acme-challenge.example.com")
    )
    assert challenges.persist_name("*.example.com") == "_validation-persist.example.com"
    uri = "https://ca.example/acct/1"
    assert challenges.persist_value("*.example.com", "ca.example", uri) == RECORD[1]
    assert challenges.persist_value("example.com", "ca.example", uri) == f"ca.example; accounturi={uri}"
