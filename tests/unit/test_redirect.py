"""Where a redirect of the challenge path may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.probe.cdn import cdn_of
from certward.probe.redirect import Url, follow

HERE = Url(is_https=False, host="www.example.com", port=80, path="/.well-known/acme-challenge/t")


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("https://www.example.com/x", Url(True, "www.example.com", 443, "/x")),
        ("HTTP://Other.Example.COM./x?y=z#f", Url(False, "other.example.com", 80, "/x?y=z")),
        ("/x", Url(False, "www.example.com", 80, "/x")),
        ("x", Url(False, "www.example.com", 80, "/.well-known/acme-challenge/x")),
        ("//b.example.com", Url(False, "b.example.com", 80, "/")),
        ("https://b.example.com:443/", Url(True, "b.example.com", 443, "/")),
        ("https://b.example.com:80/", Url(True, "b.example.com", 80, "/")),
        (" https://b.example.com/ ", Url(True, "b.example.com", 443, "/")),
    ],
)
def test_what_is_followed(location, leads_to):
    assert follow(HERE, location) == leads_to


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("http://a.example:99999/", "cannot be read"),
        ("http://a.example/\x01", "cannot be read"),
        ("http://a.example/a b", "cannot be read"),
        ("http://a.example/ü", "cannot be read"),
        ("http://a.example/" + "x" * 2000, "cannot be read"),
        ("ftp://a.example/", "other than HTTP"),
        ("file:///etc/passwd", "other than HTTP"),
        ("gopher://a.example:80/", "other than HTTP"),
        ("http://169.254.169.254/latest/meta-data/", "other than a hostname"),
        ("http://[::1]/", "other than a hostname"),
        ("http://2130706433/", "other than a hostname"),
        ("http://0x7f.1/", "other than a hostname"),
        ("http://localhost/", "other than a hostname"),
        ("http://kubernetes/", "other than a hostname"),
        ("http://*.example.com/", "other than a hostname"),
        ("http://a.example:8080/", "a.example at a port other than 80 and 443"),
        ("http://user@a.example:6443/", "a.example at a port other than 80 and 443"),
    ],
)
def test_what_is_not(location, words):
    refusal = follow(HERE, location)
    assert isinstance(refusal, str)
    assert words in refusal


@given(st.text())
def test_no_location_is_too_odd(location):
    follow(HERE, location)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"server": "cloudflare"}, "Cloudflare"),
        ({"server": "nginx", "cf-ray": "1-FRA"}, "Cloudflare"),
        ({"server": "CloudFront"}, "Amazon CloudFront"),
        ({"server": "AkamaiGHost"}, "Akamai"),
        ({"x-served-by": "cache-fra-1"}, "Fastly"),
        ({"x-served-by": "app-1"}, ""),
        ({"server": "nginx"}, ""),
        ({}, ""),
    ],
)
def test_networks_are_told_by_their_headers(headers, name):
    assert cdn_of(headers) == name
