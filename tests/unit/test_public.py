"""Which addresses may be fetched for strangers."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.probe.public import is_public, network, synthesized_from

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "223.255.255.254"]
PUBLIC += ["2606:4700::1111", "2a00:1450:4001::1", "2400:cb00::1", "2001:200::1", "2620:fe::fe"]
PRIVATE = {
    "loopback": ["127.0.0.1", "127.255.255.255", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "link-local": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "carriers": ["100.64.0.1", "100.127.255.255"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "others": ["192.0.0.8", "198.18.0.1", "198.19.255.255", "192.88.99.1", "240.0.0.1", "255.255.255.255", "5f00::1"],
    "holds an IPv4 address": [
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "2001:0:4136:e378::1",
    ],
    "IETF": ["2001:2::1", "2001:10::1", "2001:20::1", "100::1", "2001:1ff::1"],
}


@pytest.mark.parametrize("text", PUBLIC)
def test_the_internet_may_be_fetched(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", [text for each in PRIVATE.values() for text in each])
def test_nothing_else_may(text):
    assert not is_public(ip_address(text))


def test_a_configured_target_may():
    allowed = [network("10.1.2.3"), network("fd00::/64")]
    assert is_public(ip_address("10.1.2.3"), allowed=allowed)
    assert is_public(ip_address("fd00::7"), allowed=allowed)
    assert not is_public(ip_address("10.1.2.4"), allowed=allowed)
    assert not is_public(ip_address("::ffff:10.1.2.3"), allowed=allowed)


def test_the_ranges_of_a_cluster_may_not_although_public():
    forbidden = [network("34.118.224.0/20")]
    assert not is_public(ip_address("34.118.224.1"), forbidden=forbidden)
    assert is_public(ip_address("34.118.240.1"), forbidden=forbidden)
    assert is_public(ip_address("34.118.224.1"), forbidden=forbidden, allowed=[network("34.118.224.1")])


@given(st.integers(0, 2**32 - 1))
def test_no_stricter_than_the_standard_library_and_no_laxer(number):
    address = IPv4Address(number)
    strange = address.is_multicast or address in network("192.88.99.0/24")
    odd = address in network("192.0.0.0/24")  # of which the registry has some single public addresses
    assert odd or is_public(address) == (address.is_global and not strange)


@given(st.integers(0, 2**128 - 1))
def test_what_the_standard_library_calls_private_is_never_public(number):
    address = IPv6Address(number)
    assert not is_public(address) or (address.is_global and not address.is_multicast and not address.sixtofour)


@pytest.mark.parametrize(
    ("text", "made_of"), [("64:ff9b::c000:207", "192.0.2.7"), ("64:ff9b:1::1", None), ("2001:db8::c000:207", None)]
)
def test_addresses_made_by_dns64(text, made_of):
    assert synthesized_from(IPv6Address(text)) == (IPv4Address(made_of) if made_of else None)
