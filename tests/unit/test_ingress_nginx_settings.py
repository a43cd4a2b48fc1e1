"""What is said of ingress-nginx's ConfigMap against what a host is to be served with."""

from dataclasses import replace

import pytest

from builders import DEFAULT, MODERN, RSA_ONLY
from certward.model import profiles
from certward.model.policy import HSTS
from certward.render.dialects.ingress_nginx_settings import cluster_settings, compare, needed

FOR_2026 = {"ssl-ecdh-curve": "X25519:prime256v1:secp384r1", "hsts": "false"}
HEADER = HSTS(max_age=63072000, include_subdomains=True, preload=True)
LEGACY = profiles.profile("2018-06", "legacy")


def test_the_defaults():
    found = cluster_settings({})
    assert found.versions == ("TLSv1.2", "TLSv1.3")
    assert found.groups is None
    assert found.hsts == HSTS(max_age=31536000, include_subdomains=True, preload=False)
    assert (found.allowed_ranges, found.redirects, found.redirects_always) == ((), True, False)
    assert found.unredirected == ("/.well-known/acme-challenge",)
    assert found.ciphers.startswith("ECDHE-ECDSA-AES128-GCM-SHA256:")


@pytest.mark.parametrize(
    ("data", "attribute", "value"),
    [
        ({"ssl-protocols": "TLSv1.3  TLSv1 SSLv3"}, "versions", ("TLSv1.0", "TLSv1.3")),
        ({"ssl-ecdh-curve": "x25519:secp521r1:?X448"}, "groups", ("X25519", "P-521", "X448")),
        ({"ssl-ecdh-curve": "auto"}, "groups", None),
        ({"hsts": "F"}, "hsts", None),
        ({"hsts": "maybe", "hsts-max-age": "5"}, "hsts", HSTS(5, include_subdomains=True, preload=False)),
        ({"hsts-max-age": "²", "hsts-preload": "1"}, "hsts", HSTS(31536000, include_subdomains=True, preload=True)),
        ({"whitelist-source-range": "10.0.0.0/8, ::1,"}, "allowed_ranges", ("10.0.0.0/8", "::1")),
        ({"ssl-redirect": "false"}, "redirects", False),
        ({"force-ssl-redirect": "true"}, "redirects_always", True),
        ({"no-tls-redirect-locations": ""}, "unredirected", ()),
    ],
)
def test_what_a_configmap_says(data, attribute, value):
    assert getattr(cluster_settings(data), attribute) == value


@pytest.mark.parametrize(
    ("data", "profile", "hsts", "wanted"),
    [
        pytest.param(FOR_2026, DEFAULT, None, {}, id="all is well"),
        pytest.param(FOR_2026, MODERN, None, {}, id="TLS 1.2 is kept out by the suites"),
        pytest.param({}, DEFAULT, None, {"ssl-ecdh-curve": "X25519:P-256:P-384", "hsts": "false"}, id="defaults"),
        pytest.param(
            FOR_2026,
            DEFAULT,
            HEADER,
            {
                "hsts": "true",
                "hsts-max-age": "63072000",
                "hsts-include-subdomains": "true",
                "hsts-preload": "true",
            },
            id="a header",
        ),
        pytest.param(
            {"hsts": "false", "ssl-ciphers": "A:B"},
            LEGACY,
            None,
            {
                "ssl-protocols": "TLSv1 TLSv1.1 TLSv1.2",
                "ssl-ciphers": "A:B:@SECLEVEL=0",
                "ssl-ecdh-curve": "X25519:P-256",
            },
            id="old versions need a level of security",
        ),
        pytest.param(
            FOR_2026 | {"ssl-protocols": "TLSv1.2"}, MODERN, None, {"ssl-protocols": "TLSv1.3"}, id="nothing is left"
        ),
        pytest.param(
            FOR_2026 | {"no-tls-redirect-locations": "/x,/"},
            DEFAULT,
            None,
            {"no-tls-redirect-locations": "/.well-known/acme-challenge"},
            id="nothing is redirected",
        ),
        pytest.param(
            FOR_2026 | {"ssl-protocols": "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"},
            DEFAULT,
            None,
            {},
            id="old versions that the host's suites keep out",
        ),
    ],
)
def test_what_would_have_to_be_set(data, profile, hsts, wanted):
    found = cluster_settings(data)
    assert needed(found, profile, hsts) == wanted
    sentences = compare(found, profile, hsts)
    assert len(sentences) == (2 if wanted else 1)
    assert all(f'{key} to "{value}"' in sentences[-1] for key, value in wanted.items())


def test_the_sentences():
    held, wanted = compare(cluster_settings({"ssl-ciphers": "A:B"}), RSA_ONLY, None)
    assert held == (
        "With its ConfigMap as it is, ingress-nginx offers TLSv1.2, TLSv1.3, the groups that OpenSSL has and sends "
        "HSTS for 31536000 seconds, with includeSubDomains."
    )
    assert wanted == (
        "For profile default of revision 2018-06 the administrator would have to set ssl-protocols to "
        '"TLSv1.1 TLSv1.2", ssl-ciphers to "A:B:@SECLEVEL=0", ssl-ecdh-curve to "X25519:P-256" and hsts to "false", '
        "for all hosts at once."
    )
    assert compare(cluster_settings(FOR_2026), DEFAULT, None) == (
        "With its ConfigMap as it is, ingress-nginx offers TLSv1.2, TLSv1.3, X25519, P-256, P-384 and sends no HSTS.",
    )


@pytest.mark.parametrize("is_restricted", [True, False])
def test_the_clusters_ranges_hold_for_apps_without_any(is_restricted):
    found = replace(cluster_settings(FOR_2026), allowed_ranges=("10.0.0.0/8",))
    (sentence,) = compare(found, DEFAULT, None, is_restricted=is_restricted)
    assert ("to 10.0.0.0/8 only" in sentence) == (not is_restricted)


def test_no_profile_can_be_served_where_no_version_is_in_common():
    (first, _) = compare(cluster_settings({"ssl-protocols": "TLSv1.2"}), MODERN, None)
    assert "offers no protocol version," in first
