"""Signed updates and looks at a zone, against name servers that check them: one of our own, and Knot where it is."""

from contextlib import closing

import dns.rcode
import pytest

from certward.errors import Transient
from certward.nameserver.key import parse
from certward.nameserver.update import UpdateServer
from certward.nameserver.zone import Zone
from integration.dns_world import failing
from integration.name_servers import (
    KEY_FILE,
    KEY_NAME,
    NSUPDATE_KEY,
    OTHER_SECRET,
    SECRET,
    Knot,
    Primary,
    Silent,
    knotd,
)
from integration.pebble_world import free_ports

ZONE = "acme.example.net"
NAME = f"_acme-challenge.www.{ZONE}"
#: The servers that there are; Knot only where it is installed, since it comes from no package that can be pinned here.
KINDS = ["own", "knot"] if knotd() else ["own"]


@pytest.fixture(params=KINDS)
def primary(request, tmp_path):
    with closing(Primary(ZONE) if request.param == "own" else Knot(tmp_path, ZONE)) as running:
        yield running


@pytest.fixture
def own():
    with closing(Primary(ZONE)) as running:
        yield running


def server_at(at, key=NSUPDATE_KEY, zone=ZONE):
    return UpdateServer(*at, zone, parse(key))


def trouble(act):
    with pytest.raises(Transient) as caught:
        act()
    assert caught.value.reason == "ChallengeUnreachable"
    assert SECRET not in str(caught.value)
    assert "the administrator has to look at challenge.dns01.rfc2136" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("key", [NSUPDATE_KEY, KEY_FILE])
def test_one_value_comes_and_goes_and_the_others_stay(primary, key):
    server = server_at(primary.server, key)
    server.check()
    server.add(NAME, "first")
    server.add(NAME, "second")
    server.add(NAME, "second")
    assert primary.txt(NAME) == {"first", "second"}
    server.remove(NAME, "first")
    server.remove(NAME, "never-there")
    assert primary.txt(NAME) == {"second"}
    server.remove(NAME, "second")
    assert primary.txt(NAME) == set()


def test_a_wrong_secret_is_named(primary):
    words = trouble(server_at(primary.server, f"hmac-sha256:{KEY_NAME}:{OTHER_SECRET}").check)
    assert f"another secret for the TSIG key {KEY_NAME} (BADSIG)" in words


def test_an_unknown_key_is_named(primary):
    words = trouble(lambda: server_at(primary.server, f"hmac-sha256:other:{SECRET}").add(NAME, "x"))
    assert "does not know the TSIG key other" in words
    assert primary.txt(NAME) == set()


def test_a_zone_that_the_server_does_not_have(primary):
    server = server_at(primary.server, zone="elsewhere.example.net")
    words = trouble(lambda: server.add("www.elsewhere.example.net", "x"))
    assert "NOTAUTH" in words or "REFUSED" in words
    assert "zone" in words


def test_a_name_outside_of_the_zone(primary):
    words = trouble(lambda: server_at(primary.server).add("www.elsewhere.example.net", "x"))
    assert "NOTZONE" in words or "REFUSED" in words


def test_a_name_that_the_key_may_not_change(own):
    own.refuses.add(NAME)
    words = trouble(lambda: server_at(own.server).add(NAME, "x"))
    assert f"refuses to have {NAME} changed with the TSIG key {KEY_NAME} (REFUSED)" in words


def test_a_clock_that_is_wrong(own):
    own.clock = 7200.0
    assert "finds the operator's clock wrong (BADTIME)" in trouble(server_at(own.server).check)


def test_a_server_that_never_answers(monkeypatch):
    monkeypatch.setattr("certward.nameserver.update._TIMEOUT", 0.5)
    with closing(Silent()) as silent:
        assert "does not answer" in trouble(server_at(silent.server).check)


def test_a_server_that_is_not_there():
    (port,) = free_ports(1)
    assert "cannot be reached" in trouble(server_at(("127.0.0.1", port)).check)


def test_a_server_whose_name_nobody_knows():
    assert "cannot be reached" in trouble(server_at(("nobody.invalid", 53)).check)


def addresses(**known):
    return lambda name: known.get(name.split(".", maxsplit=1)[0], [])


def test_all_servers_have_to_show_the_value(primary):
    zone = Zone(ZONE, primary.server, addresses(ns1=["127.0.0.1"]))
    assert zone.look(NAME, "x").missing == ("127.0.0.1",)
    server_at(primary.server).add(NAME, "x")
    assert zone.look(NAME, "x").is_complete
    assert not zone.look(NAME, "y").is_complete


def test_a_server_that_lags_and_one_that_is_silent_are_told_apart(own):
    own.set(ZONE, "NS", f"ns1.{ZONE}.", f"ns2.{ZONE}.")
    with closing(Primary(ZONE)) as second:
        # At the primary's address, which is another one when it is written otherwise.
        zone = Zone(ZONE, own.server, addresses(ns1=["127.0.0.1"], ns2=["::ffff:127.0.0.1"]), port=second.server[1])
        own.set(NAME, "TXT", "x")
        assert zone.look(NAME, "x").missing == (f"ns2.{ZONE}",)
        second.set(NAME, "TXT", "x")
        assert zone.look(NAME, "x").is_complete
        second.odd[NAME] = failing(dns.rcode.SERVFAIL)
        assert zone.look(NAME, "x").silent == (f"ns2.{ZONE}",)


def test_a_server_without_an_address_counts_as_silent(own):
    zone = Zone(ZONE, own.server, addresses())
    own.set(NAME, "TXT", "x")
    assert zone.look(NAME, "x").silent == (f"ns1.{ZONE}",)


def test_a_zone_without_servers(own):
    del own.records[ZONE]["NS"]
    assert "has no NS records" in Zone(ZONE, own.server, addresses()).look(NAME, "x").problem
