"""The suite table against the standards that define it."""

import ssl

import pytest

from certward.model.suites import GROUPS, SUITES, VERSIONS, usable


def test_there_are_29_suites_with_unique_names_and_code_points():
    assert len(SUITES) == 29
    assert len({s.code for s in SUITES.values()}) == 29
    assert len({s.openssl for s in SUITES.values()}) == 29
    assert all(name == suite.iana for name, suite in SUITES.items())


def test_openssl_agrees_with_the_table():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    theirs = {c["name"]: c for c in context.get_ciphers()}
    kx = {"kx-ecdhe": "ECDHE", "kx-dhe": "DHE", "kx-rsa": "RSA", "kx-any": "any"}
    auth = {"auth-ecdsa": "ECDSA", "auth-rsa": "RSA", "auth-any": "any"}
    compared = 0
    for suite in SUITES.values():
        if their := theirs.get(suite.openssl):
            compared += 1
            assert suite.code == their["id"] & 0xFFFF
            assert suite.bits == their["alg_bits"]
            assert suite.aead == their["aead"]
            assert suite.kx == kx[their["kea"]]
            assert suite.auth == auth[their["auth"]]
            assert suite.tls13 == (their["protocol"] == "TLSv1.3")
            assert (suite.min_version == "TLSv1.2") == (their["protocol"] == "TLSv1.2")
    # OpenSSL 3 is mostly built without 3DES; everything else must have been looked at.
    assert compared >= 28


@pytest.mark.parametrize(
    ("name", "kx", "auth", "enc", "bits", "min_version"),
    [
        ("TLS_AES_256_GCM_SHA384", "any", "any", "AES-GCM", 256, "TLSv1.3"),
        ("TLS_CHACHA20_POLY1305_SHA256", "any", "any", "CHACHA20-POLY1305", 256, "TLSv1.3"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE", "ECDSA", "AES-CBC", 256, "TLSv1.2"),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE", "RSA", "AES-CBC", 128, "TLSv1.0"),
        ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE", "RSA", "AES-CBC", 128, "TLSv1.2"),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", "RSA", "RSA", "AES-GCM", 128, "TLSv1.2"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "RSA", "RSA", "3DES-CBC", 168, "TLSv1.0"),
    ],
)
def test_properties(name, kx, auth, enc, bits, min_version):
    suite = SUITES[name]
    assert (suite.kx, suite.auth, suite.enc, suite.bits, suite.min_version) == (
        kx,
        auth,
        enc,
        bits,
        min_version,
    )
    assert suite.aead == (enc not in {"AES-CBC", "3DES-CBC"})


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("TLS_AES_128_GCM_SHA256", ("TLSv1.3",)),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ("TLSv1.2",)),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", ("TLSv1.2",)),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", ("TLSv1.0", "TLSv1.1", "TLSv1.2")),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", ("TLSv1.0", "TLSv1.1", "TLSv1.2")),
    ],
)
def test_usable(name, at):
    assert tuple(v for v in VERSIONS if usable(SUITES[name], v)) == at


def test_groups_are_those_of_the_registry():
    assert GROUPS == {"X25519MLKEM768": 4588, "X25519": 29, "P-256": 23, "P-384": 24, "P-521": 25}
