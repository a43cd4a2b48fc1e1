"""What matters on HAProxy alone: the guard, one host beneath the defaults of all, and what makes it refuse all."""

import http.client
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import app, domain, path_route
from certward.model import profiles
from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.suites import SUITES, VERSIONS
from certward.plan.observed import Routes
from certward.probe.httpget import http_get
from certward.probe.scan import scan_versions
from certward.render.dialects import Host
from certward.render.dialects.haproxy_ingress import HAProxyIngress
from engines import Manifest, Refused, self_signed
from engines.haproxy import HAProxy

STRICT = profiles.profile("2026-11", "modern")
MIDDLE = profiles.profile("2026-11", "default")
LAX = profiles.profile("2017-09", "default")
SECRETS = {
    ("team-a", f"{name}-tls"): self_signed(name, algorithm="RSA") for name in ("strict", "middle", "lax", "wild")
}
OK, MISDIRECTED = http.client.OK, http.client.MISDIRECTED_REQUEST
PREFIX = "haproxy-ingress.github.io"


def rendered(name: str, profile: Profile, *, hostname: str = "", hsts: HSTS | None = None, **of_app) -> list[Manifest]:
    routes = Routes(challenge=True, secret_name=f"{name}-tls", redirect=False, profile=profile, hsts=hsts)
    of_domain = domain(name, hostname=hostname or f"{name}.example")
    of = app(service=replace(app().service, name=name), **of_app)
    return list(HAProxyIngress().render(Host(of_domain, of, routes, "haproxy", 8089)).own)


HOSTS = [
    *rendered("lax", LAX),
    *rendered("strict", STRICT),
    *rendered("middle", MIDDLE),
    *rendered("wild", MIDDLE, hostname="*.wild.example"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[HAProxy]:
    engine = HAProxy(tmp_path_factory.mktemp("haproxy"))
    yield engine
    engine.close()


@pytest.fixture
def served(engine) -> HAProxy:
    engine.configure(HOSTS, SECRETS)
    return engine


@pytest.fixture(
    scope="module", params=["as rendered", "snippets disabled", "snippets disabled, guard in the ConfigMap"]
)
def guarded(request, tmp_path_factory) -> Iterator[tuple[HAProxy, bool]]:
    """An engine and whether it has the guard."""
    guard = HOSTS[-1]["metadata"]["annotations"][f"{PREFIX}/config-backend"]
    options = {
        "as rendered": {},
        "snippets disabled": {"has_snippets": False},
        "snippets disabled, guard in the ConfigMap": {"has_snippets": False, "configmap": {"config-frontend": guard}},
    }[request.param]
    engine = HAProxy(tmp_path_factory.mktemp("haproxy"), **options)
    try:
        engine.configure(HOSTS, SECRETS)
        yield engine, request.param != "snippets disabled"
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("opened_for", "asked_for", "status"),
    [
        pytest.param("strict.example", "strict.example", OK, id="its own"),
        pytest.param("strict.example", "STRICT.example:443", OK, id="its own in other letters and with a port"),
        pytest.param("lax.example", "strict.example", MISDIRECTED, id="a strict host over a lax handshake"),
        pytest.param("strict.example", "lax.example", MISDIRECTED, id="a lax host over a strict handshake"),
        pytest.param("", "strict.example", MISDIRECTED, id="no name in the handshake"),
        pytest.param("a.wild.example", "a.wild.example", OK, id="a name under a wildcard"),
        pytest.param(
            "lax.example", "a.wild.example", MISDIRECTED, id="a name under a wildcard over another's handshake"
        ),
    ],
)
def test_a_host_is_served_over_its_own_handshake_alone(guarded, opened_for, asked_for, status):
    engine, has_guard = guarded
    # An address is not sent as a server name.
    answer = http_get(engine.https, asked_for, "/", tls=True, server_name=opened_for or "127.0.0.1")
    assert answer.status == (status if has_guard else OK)


def test_the_guard_lets_plain_http_through(served):
    assert http_get(served.http, "lax.example", "/").body == b"team-a/lax:8080"


def test_one_host_can_be_beneath_the_defaults_of_all_others(served):
    found = {name: scan_versions(served.https, f"{name}.example") for name in ("lax", "middle", "strict", "a.wild")}
    assert found == {
        "lax": ("TLSv1.0", "TLSv1.1", "TLSv1.2"),
        "middle": ("TLSv1.2", "TLSv1.3"),
        "strict": ("TLSv1.3",),
        "a.wild": ("TLSv1.2", "TLSv1.3"),
    }
    assert scan_versions(served.https, "unknown.example") == ("TLSv1.2", "TLSv1.3"), "the controller's defaults"


def test_the_header_is_that_of_the_policy_or_none(engine):
    header = HSTS(max_age=600, include_subdomains=True, preload=False)
    engine.configure([*rendered("strict", STRICT, hsts=header), *rendered("middle", MIDDLE)], SECRETS)
    with_header = http_get(engine.https, "strict.example", "/", tls=True).headers
    assert with_header["strict-transport-security"] == "max-age=600; includeSubDomains"
    assert "strict-transport-security" not in http_get(engine.https, "middle.example", "/", tls=True).headers
    assert "strict-transport-security" not in http_get(engine.http, "strict.example", "/").headers


@pytest.mark.parametrize("word", ["no-tlsv10", "force-tlsv12", "ssl-min-ver 1.2", "no-tls-tickets"])
def test_one_word_that_haproxy_does_not_know_stops_every_change(served, word):
    """Why versions come from a table; and that the rig would show it."""
    strict = rendered("strict", STRICT)
    strict[-1]["metadata"]["annotations"][f"{PREFIX}/ssl-options-host"] = word
    with pytest.raises(Refused, match=re.escape(word.split()[-1])):
        served.configure([*rendered("lax", LAX), *strict], SECRETS)
    assert scan_versions(served.https, "strict.example") == ("TLSv1.3",), "it goes on as before"


def test_of_two_ingresses_for_a_host_the_older_one_says_how_it_is_served(engine):
    theirs = rendered("lax", LAX, hostname="strict.example")
    engine.configure([*theirs, *rendered("strict", STRICT)], SECRETS)
    assert scan_versions(engine.https, "strict.example") == ("TLSv1.0", "TLSv1.1", "TLSv1.2")
    engine.configure([*rendered("strict", STRICT), *theirs], SECRETS)
    assert scan_versions(engine.https, "strict.example") == ("TLSv1.3",)


SUITE_NAMES = st.lists(st.sampled_from(sorted(SUITES)) | st.text(max_size=9), max_size=6).map(tuple)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    versions=st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted),
    suites=SUITE_NAMES,
    suites13=SUITE_NAMES,
)
def test_haproxy_takes_any_profile_and_serves_nothing_beyond_it(engine, versions, suites, suites13):
    lowest, highest = (VERSIONS[index] for index in versions)
    profile = replace(STRICT, min_version=lowest, max_version=highest, suites=suites, suites13=suites13)
    engine.configure([*rendered("strict", profile), *rendered("middle", MIDDLE)], SECRETS)
    assert set(scan_versions(engine.https, "strict.example")) <= set(profiles.versions(profile))
    assert http_get(engine.https, "middle.example", "/", tls=True).status == OK


ODD = "/~.a_b-c!$&'()*+,;=:@%20"


@pytest.mark.parametrize("hostname", ["middle.example", "*.wild.example"])
def test_paths_with_every_character_that_an_app_may_use(engine, hostname):
    paths = (path_route(ODD, "odd"), path_route("/api", "api", "http"))
    engine.configure(rendered("middle", MIDDLE, hostname=hostname, paths=paths), SECRETS)
    asked = hostname.replace("*", "a")
    found = {path: http_get(engine.https, asked, path, tls=True).body for path in ("/", ODD, f"{ODD}/x", "/api/v1")}
    assert found == {
        "/": b"team-a/middle:8080",
        ODD: b"team-a/odd:8080",
        f"{ODD}/x": b"team-a/odd:8080",
        "/api/v1": b"team-a/api:http",
    }
