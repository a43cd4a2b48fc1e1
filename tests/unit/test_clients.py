"""The table of well-known clients: held against what others say of them."""

import pytest

from certward.model import profiles
from certward.model.clients import CLIENTS, Client, accepts_key, negotiates
from certward.model.profiles import TABLE, default_key_type
from certward.model.suites import GROUPS, SUITES, VERSIONS, usable

BY_NAME = {client.name: client for client in CLIENTS}
MODERN, DEFAULT = profiles.profile("2026-11", "modern"), profiles.profile("2026-11", "default")
LEGACY = profiles.profile("2026-11", "legacy")
DEFAULT_2018, LEGACY_2018 = profiles.profile("2018-06", "default"), profiles.profile("2018-06", "legacy")
ECDSA, RSA = "ECDSA-P256", "RSA-2048"

every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def test_names_are_unique_and_in_order():
    names = [client.name for client in CLIENTS]
    assert len(set(names)) == len(names)
    products = [name.split()[0] for name in names]
    assert products == sorted(products, key=str.casefold)


@every_client
def test_a_row_is_possible(client):
    assert client.suites <= SUITES.keys()
    assert client.groups <= GROUPS.keys()
    assert client.versions == tuple(version for version in VERSIONS if version in client.versions)
    assert all(any(usable(SUITES[suite], version) for version in client.versions) for suite in client.suites)
    assert all(any(usable(SUITES[suite], version) for suite in client.suites) for version in client.versions)
    # A suite with ephemeral keys on curves needs a curve.
    assert client.groups or not any(SUITES[suite].kx == "ECDHE" for suite in client.suites)


def test_what_the_table_leaves_out_is_in_no_profile():
    assert not any(SUITES[suite].kx == "DHE" for profile in TABLE.values() for suite in profile.suites)


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        # The oldest clients of Mozilla's intermediate and modern 6.0; of Firefox (63 there) and Edge (75) the table has
        # younger captures only.
        (
            DEFAULT,
            [
                "Firefox 31.3",
                "Android 4.4",
                "Chrome 49",
                "Edge 15",
                "IE 11 on Windows 10",
                "Java 8u161",
                "OpenSSL 1.0.1 and 1.0.2",
                "Safari 9",
            ],
        ),
        (
            MODERN,
            [
                "Firefox 66",
                "Android 10",
                "Chrome 70",
                "Chrome and Edge 101",
                "Java 11",
                "OpenSSL 1.1.1 of Debian",
                "Safari 12.1 on iOS 12.2",
            ],
        ),
    ],
    ids=["intermediate", "modern"],
)
@pytest.mark.parametrize("key_type", [ECDSA, RSA])
def test_mozilla_s_oldest_clients_connect(profile, names, key_type):
    assert {name: bool(negotiates(BY_NAME[name], profile, key_type)) for name in names} == dict.fromkeys(names, True)


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (DEFAULT, ["Android 4.0 to 4.3", "Java 7u25", "OpenSSL 0.9.8", "Safari 6 to 8", "IE 8 to 10 on Windows 7"]),
        (MODERN, ["Android 8", "Chrome 49", "Edge 15", "Java 8u161", "OpenSSL 1.1.0", "Safari 9"]),
    ],
    ids=["intermediate", "modern"],
)
@pytest.mark.parametrize("key_type", [ECDSA, RSA])
def test_what_is_older_than_mozilla_s_oldest_clients_does_not(profile, names, key_type):
    assert {name: negotiates(BY_NAME[name], profile, key_type) for name in names} == dict.fromkeys(names)


@pytest.mark.parametrize(
    ("name", "profile", "key_type", "version"),
    [
        ("Android 4.0 to 4.3", LEGACY_2018, RSA, "TLSv1.0"),
        ("Android 4.0 to 4.3", DEFAULT_2018, RSA, None),
        ("Firefox 137", LEGACY_2018, RSA, "TLSv1.2"),
        ("Firefox 137", DEFAULT, ECDSA, "TLSv1.3"),
        ("OpenSSL 3.5", MODERN, ECDSA, "TLSv1.3"),
        ("OpenSSL 0.9.8", LEGACY_2018, RSA, "TLSv1.0"),
        ("Safari 6 to 8", LEGACY, ECDSA, "TLSv1.2"),
        ("Safari 6 to 8", DEFAULT, ECDSA, None),
        ("IE 11 on Windows 7 and 8.1", DEFAULT, ECDSA, "TLSv1.2"),
        ("IE 11 on Windows 7 and 8.1", DEFAULT, RSA, None),
        ("Chrome 49 on Windows XP", DEFAULT, RSA, "TLSv1.2"),
        ("Chrome 49 on Windows XP", DEFAULT, ECDSA, None),
        ("Android 7", DEFAULT, ECDSA, "TLSv1.2"),
        ("Android 7", DEFAULT, "ECDSA-P384", None),
        ("Android 7", DEFAULT, "RSA-4096", "TLSv1.2"),
        ("Java 6u45", LEGACY_2018, RSA, None),
    ],
    ids=[
        "the only version that both speak",
        "no version that both speak",
        "the highest one of an old profile",
        "the highest one of a new profile",
        "TLS 1.3 alone",
        "without curves: RSA key exchange",
        "CBC suites of legacy",
        "no CBC suites in default",
        "GCM with an ECDSA key only",
        "no GCM with an RSA key",
        "RSA certificates",
        "no ECDSA certificates",
        "P-256",
        "no P-384",
        "any RSA",
        "says no name",
    ],
)
def test_negotiates(name, profile, key_type, version):
    assert negotiates(BY_NAME[name], profile, key_type) == version


def test_the_server_does_not_go_down_to_a_version_that_would_have_worked():
    odd = Client(
        "odd",
        ("TLSv1.2", "TLSv1.3"),
        frozenset({"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}),
        frozenset({"P-256"}),
        "SSL Labs",
    )
    assert negotiates(odd, DEFAULT, ECDSA) is None


def test_without_a_group_in_common_there_is_rsa_key_exchange_or_nothing():
    suites = frozenset({"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256"})
    alone = Client("alone", ("TLSv1.2",), suites, frozenset({"P-521"}), "SSL Labs")
    assert negotiates(alone, DEFAULT_2018, RSA) == "TLSv1.2"
    assert negotiates(alone, profiles.profile("2018-06", "modern"), RSA) is None


@every_client
def test_who_speaks_tls_1_3_signs_by_the_curves_among_its_groups(client):
    # accepts_key goes by the groups; that holds for TLS 1.3 only because of this.
    if "TLSv1.3" in client.versions:
        assert accepts_key(client, "ECDSA-P256")
        assert accepts_key(client, "ECDSA-P384")


@every_client
def test_who_names_its_host_connects_under_some_profile_and_who_does_not_never(client):
    found = [negotiates(client, profile, default_key_type(profile)) for profile in TABLE.values()]
    assert any(found) == client.sends_sni


@every_client
def test_what_is_negotiated_is_spoken_by_both(client):
    for profile in TABLE.values():
        for key_type in (ECDSA, RSA):
            version = negotiates(client, profile, key_type)
            assert version is None or (version in client.versions and version in profiles.versions(profile))
