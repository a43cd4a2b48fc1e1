"""What has to hold of everything that HAProxy Ingress is told."""

import itertools
import re
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DEFAULT, MODERN, RSA_ONLY, app, domain, path_route
from certward.model import profiles
from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.suites import GROUPS, SUITES, VERSIONS
from certward.names import CHALLENGE_PATH, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.observed import Routes
from certward.render.dialects import Host, ObjectRef
from certward.render.dialects.haproxy_ingress import HAProxyIngress
from certward.render.dialects.traefik import Traefik

PREFIX = "haproxy-ingress.github.io/"
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
HEADER = HSTS(max_age=63072000, include_subdomains=True, preload=False)
LIMITED = app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32"))
LONGEST_NAME = 253
GUARD = (
    "http-request set-var(txn.certward_host) req.hdr(host),field(1,:),lower\n"
    "http-request return status 421 if { ssl_fc } !{ ssl_fc_sni,lower,strcmp(txn.certward_host) eq 0 }\n"
)


def host(**changes):
    given_ = {
        "domain": domain(),
        "app": app(),
        "routes": SERVED,
        "class_name": "haproxy",
        "challenge_port": 8089,
    } | changes
    return Host(**given_)


def ingresses(given_):
    """The Ingresses by what they are for."""
    rendered = HAProxyIngress().render(given_)
    assert not rendered.shared, "hosts share nothing"
    return {manifest["metadata"]["name"].rsplit("-", 2)[1]: manifest for manifest in rendered.own}


def keys(manifest):
    annotations = manifest["metadata"]["annotations"]
    assert all(key.startswith(PREFIX) for key in annotations)
    assert all(isinstance(value, str) for value in annotations.values())
    return {key.removeprefix(PREFIX): value for key, value in annotations.items()}


def tls_keys(profile):
    found = keys(ingresses(host(routes=replace(SERVED, profile=profile)))["app"])
    return {key: value for key, value in found.items() if key.startswith("ssl-") and key != "ssl-redirect"}


# With and without challenge, redirect, header, allow list; without HTTPS, with it, with a key that does not fit.
EVERY_HOST = [
    host(app=of, routes=Routes(challenge, secret_name, redirect, profile, hsts=hsts))
    for challenge, (secret_name, profile), redirect, hsts, of in itertools.product(
        (True, False),
        (("", None), ("www-tls", DEFAULT), ("www-tls", None)),
        (True, False),
        (HEADER, None),
        (app(), LIMITED),
    )
]


def is_frozen(given_):
    return bool(given_.routes.secret_name) and given_.routes.profile is None


def test_what_is_not_made_is_unwanted_and_everything_is_known():
    for given_ in EVERY_HOST:
        rendered = HAProxyIngress().render(given_)
        made = {ObjectRef(m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]) for m in rendered.own}
        assert not made & set(rendered.unwanted)
        left_alone = set(HAProxyIngress().all_of(domain())) - made - set(rendered.unwanted)
        # The key does not fit the profile: HTTPS stays as it was, neither made nor taken away.
        assert {ref.name for ref in left_alone} == ({"certward-www-app-haproxy"} if is_frozen(given_) else set())


def test_every_object_goes_with_its_domain():
    for given_ in EVERY_HOST:
        for manifest in HAProxyIngress().render(given_).own:
            (owner,) = manifest["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("Domain", given_.domain.meta.uid)
            assert manifest["metadata"]["labels"][LABEL_MANAGED_BY] == MANAGED_BY
            assert manifest["kind"] in HAProxyIngress.kinds


def test_the_challenge_is_open_to_all_and_never_redirected():
    for given_ in EVERY_HOST:
        found = ingresses(given_)
        assert ("challenge" in found) == given_.routes.challenge
        if given_.routes.challenge:
            challenge = found["challenge"]
            assert keys(challenge) == {
                "ssl-redirect": "false",
                "hsts": "false",
                "allowlist-source-range": "0.0.0.0/0,::/0",
            }
            assert "tls" not in challenge["spec"]
            (rule,) = challenge["spec"]["rules"]
            assert [path["path"] for path in rule["http"]["paths"]] == [CHALLENGE_PATH]


def test_the_app_is_told_of_redirect_header_and_ranges_either_way():
    for given_ in EVERY_HOST:
        if is_frozen(given_):
            continue
        routes = given_.routes
        found = keys(ingresses(given_)["app"])
        assert found["ssl-redirect"] == ("true" if routes.redirect else "false"), "on if not told"
        assert found["hsts"] == ("true" if routes.hsts and routes.secret_name else "false"), "on if not told"
        header = {key: value for key, value in found.items() if key.startswith("hsts-")}
        wanted = {"hsts-max-age": "63072000", "hsts-include-subdomains": "true", "hsts-preload": "false"}
        assert header == (wanted if found["hsts"] == "true" else {})
        ranges = "203.0.113.0/24,2001:db8::/32" if given_.app is LIMITED else None
        assert found.get("allowlist-source-range") == ranges


def test_certificate_and_tls_keys_come_together():
    for given_ in EVERY_HOST:
        if is_frozen(given_):
            continue
        found = ingresses(given_)["app"]
        is_served = bool(given_.routes.secret_name)
        tls = [{"hosts": ["www.example.com"], "secretName": "www-tls"}] if is_served else None
        assert found["spec"].get("tls") == tls
        assert ("ssl-options-host" in keys(found)) == is_served


def test_the_guard_is_the_same_for_all_apps():
    """It belongs to the backend: two hosts of an App would be at odds about it otherwise."""
    guards = {keys(found["app"])["config-backend"] for given_ in EVERY_HOST if "app" in (found := ingresses(given_))}
    other = host(domain=domain("two", hostname="two.example.com"), app=app(paths=(path_route("/x", "y"),)))
    assert guards == {keys(ingresses(other)["app"])["config-backend"]} == {GUARD}


LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)


PATHS = st.from_regex(r"/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", fullmatch=True)


@given(namespace=LABELS, name=NAMES, hostname=NAMES, path=PATHS)
def test_nothing_of_a_tenant_is_in_an_annotation(namespace, name, hostname, path):
    plain = ingresses(host(app=LIMITED))
    of = domain(name, namespace, hostname=f"{hostname}.example")
    theirs = ingresses(host(domain=of, app=replace(LIMITED, paths=(path_route(path, "y"),))))
    assert {role: keys(found) for role, found in theirs.items()} == {role: keys(found) for role, found in plain.items()}


@given(name=st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True), namespace=LABELS)
def test_names_are_short_enough(name, namespace):
    refs = HAProxyIngress().all_of(domain(name, namespace))
    assert all(len(ref.name) <= LONGEST_NAME and ref.namespace == namespace for ref in refs)
    assert len(set(refs)) == len(refs)


@given(one=NAMES, other=st.sampled_from(["", "-app", "-challenge", "-haproxy", "-app-haproxy", "-challenge-haproxy"]))
def test_no_two_domains_and_no_two_dialects_have_an_object_in_common(one, other):
    here = set(HAProxyIngress().all_of(domain(one)))
    there = set(HAProxyIngress().all_of(domain(one + other)))
    assert here == there if not other else not here & there
    assert not here & set(Traefik().all_of(domain(one + other)))


@pytest.mark.parametrize(
    ("profile", "options", "ciphers", "suites13"),
    [
        pytest.param(MODERN, "ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3", None, 3, id="TLS 1.3 alone"),
        pytest.param(DEFAULT, "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3", 6, 3, id="two versions"),
        pytest.param(RSA_ONLY, "ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.2", 13, None, id="from TLS 1.1"),
        pytest.param(
            profiles.profile("2017-09", "default"),
            "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2",
            10,
            None,
            id="from TLS 1.0, without 3DES",
        ),
    ],
)
def test_a_profile_in_keys(profile, options, ciphers, suites13):
    found = tls_keys(profile)
    assert found["ssl-options-host"] == options
    assert ("ssl-ciphers" in found) == (ciphers is not None)
    if ciphers:
        listed = found["ssl-ciphers"].split(":")
        assert ("@SECLEVEL=0" in listed) == (profile.min_version in {"TLSv1.0", "TLSv1.1"})
        known = [name for name in listed if not name.startswith("@")]
        assert len(known) == ciphers
        of_profile = [SUITES[name].openssl for name in profile.suites]
        assert known == [name for name in of_profile if name != "DES-CBC3-SHA"], "the order counts"
    assert ("ssl-cipher-suites" in found) == (suites13 is not None)
    if suites13:
        assert found["ssl-cipher-suites"].split(":") == list(profile.suites13)


VERSION = st.sampled_from(VERSIONS)
SUITE_NAMES = st.lists(st.sampled_from(sorted(SUITES)) | st.text(max_size=12), max_size=8).map(tuple)
PROFILES = st.builds(
    Profile,
    revision=st.just("2026-11"),
    name=st.text(max_size=8),
    min_version=VERSION,
    max_version=VERSION,
    suites=SUITE_NAMES,
    suites13=SUITE_NAMES,
    groups=st.lists(st.sampled_from(sorted(GROUPS)) | st.text(max_size=8), max_size=4).map(tuple),
    deprecated=st.booleans(),
)
OPENSSL = {suite.openssl for suite in SUITES.values() if not suite.tls13} | {"PSK-AES128-GCM-SHA256", "@SECLEVEL=0"}


@given(PROFILES)
def test_whatever_the_profile_haproxy_is_told_words_that_it_knows(profile):
    found = tls_keys(profile)
    assert set(found) <= {"ssl-options-host", "ssl-ciphers", "ssl-cipher-suites"}
    assert re.fullmatch(r"ssl-min-ver TLSv1\.[0-3] ssl-max-ver TLSv1\.[0-3]", found["ssl-options-host"])
    assert set(found.get("ssl-ciphers", "@SECLEVEL=0").split(":")) <= OPENSSL
    assert found.get("ssl-ciphers") != "@SECLEVEL=0", "a list without a suite is refused"
    assert set(found.get("ssl-cipher-suites", "TLS_AES_128_GCM_SHA256").split(":")) <= set(SUITES)
    offered = {suite.iana for suite in SUITES.values() if suite.openssl in found.get("ssl-ciphers", "").split(":")}
    assert offered <= set(profile.suites), "nothing beyond the profile"
    assert ("ssl-ciphers" in found) == (profile.min_version != "TLSv1.3"), "else the controller's own list holds"


@given(PROFILES, st.text().filter(lambda text: text not in VERSIONS))
def test_a_version_that_is_none_is_never_rendered(profile, text):
    with pytest.raises(KeyError):
        tls_keys(replace(profile, max_version=text))


@pytest.mark.parametrize(
    ("controller", "is_ours"),
    [
        ("haproxy-ingress.github.io/controller", True),
        ("haproxy-ingress.github.io/controller/internal", True),
        ("haproxy.org/ingress-controller/haproxy", False),
    ],
)
def test_the_classes_that_it_is_for(controller, is_ours):
    assert any(fnmatchcase(controller, known) for known in HAProxyIngress.controllers) is is_ours


def test_capabilities_leave_out_what_nobody_can_set_for_one_host():
    capabilities = HAProxyIngress.capabilities
    assert capabilities.groups == frozenset()
    assert capabilities.versions == set(VERSIONS)
    assert "TLS_RSA_WITH_3DES_EDE_CBC_SHA" not in capabilities.suites
    assert capabilities.suites <= {name for name, suite in SUITES.items() if not suite.tls13}
