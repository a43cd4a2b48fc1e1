"""Which Domains may have their hostnames, and that those that may not stand in nobody's way."""

from pathlib import Path

import pytest

from builders import NOW, domain
from certward.config import parse
from certward.kube.cache import Cache
from certward.names import PLATFORM
from certward.runtime.permitted import Permitted

SYSTEM = "certward-system"
CONFIG = parse(
    """
platformDomain: {suffix: apps.example.net}
hostnames: [{pattern: "*.shop.example.com", namespaces: [team-a]}]
""",
    Path(),
)
RULED = "www.shop.example.com"


@pytest.fixture
def permitted():
    return Permitted(CONFIG, SYSTEM)


@pytest.mark.parametrize(
    ("namespace", "name", "hostname", "reason"),
    [
        ("team-a", "www", RULED, ""),
        ("team-b", "www", RULED, "HostnameNotAllowed"),
        ("team-b", "www", "www.example.com", ""),
        ("team-b", "www", "apps.example.net", "HostnameReserved"),
        ("team-b", "www", "x.apps.example.net", "HostnameReserved"),
        ("team-b", PLATFORM, "*.apps.example.net", "HostnameReserved"),
        (SYSTEM, PLATFORM, "*.apps.example.net", ""),
        (SYSTEM, "www", "x.apps.example.net", "HostnameReserved"),
    ],
)
def test_who_may_have_what(permitted, namespace, name, hostname, reason):
    one = domain(name, namespace, hostname=hostname)
    refusal = permitted.refusal(one)
    assert (refusal[0] if refusal else "") == reason
    assert permitted.may(one) == (not reason)


@pytest.mark.parametrize(
    ("rightful", "older"),
    [
        (domain(hostname=RULED, created_at=NOW), domain("www", "team-b", hostname=RULED)),
        (domain(hostname=RULED, created_at=NOW), domain("all", "team-b", hostname="*.shop.example.com")),
        (
            domain(PLATFORM, SYSTEM, hostname="*.apps.example.net", created_at=NOW),
            domain("www", "team-b", hostname="x.apps.example.net"),
        ),
    ],
)
def test_an_older_claim_that_is_not_allowed_stands_in_nobodys_way(permitted, rightful, older):
    cache = Cache(permitted.may)
    for one in (rightful, older):
        cache.put(one)
    assert cache.owner_of(rightful) == rightful
    assert cache.domain_for(rightful.hostname) == rightful
